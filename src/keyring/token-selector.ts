import { checkTokenIssuer } from '../config/issuer-identifier.js'
import { ArgumentError } from '../core/argument-error.js'
import type { StoredTokenRevocation } from '../store/contract.js'
import { checkNames, refuseApiKey } from './arguments.js'

/**
 * Which access tokens are revoked: one, by its `jti`; or all tokens of a subject, of a client, or of a session, that were
 * issued (`iat`) before an instant. Of a session no instant need be given: then all of its tokens are revoked, whenever they
 * were issued. `withoutSession` leaves out the subject's tokens that carry a session id. A token without `iat` counts as
 * issued before any instant. The issuer is a URL as in the options of a service, and is compared character for character:
 * nobody can know that a slash at its end is missing.
 *
 * `iat` has whole seconds: tokens of the second in which `issuedBefore` lies are refused as well. The instant is one of the
 * issuer's clock, which may run ahead: to refuse all tokens that were issued up to now, add the tolerance of the services
 * (`clockToleranceSeconds`) to now.
 *
 * What a token can hold can be named: each text has 1 to 8192 bytes, of any characters. One that holds an API key is refused.
 */
export type TokenSelector =
  | { readonly issuer: string; readonly tokenId: string }
  | {
      readonly issuer: string
      readonly subject: string
      readonly issuedBefore: Date | number | string
      readonly withoutSession?: boolean | undefined
    }
  | { readonly issuer: string; readonly clientId: string; readonly issuedBefore: Date | number | string }
  | {
      readonly issuer: string
      readonly sessionId: string
      readonly issuedBefore?: Date | number | string | undefined
    }

/** A selector that has been checked. Of token id, subject, client and session one is given. */
type SelectedTokens = Pick<
  StoredTokenRevocation,
  'issuer' | 'tokenId' | 'subject' | 'clientId' | 'sessionId' | 'withoutSession' | 'issuedBefore'
>

const MEMBERS = ['issuer', 'tokenId', 'subject', 'clientId', 'sessionId', 'issuedBefore', 'withoutSession']

/**
 * @param caller the method, for messages
 * @throws {TypeError} for what selects nothing, or more than one thing
 */
export function readTokenSelector(given: TokenSelector, caller = 'revokeTokens()'): SelectedTokens {
  checkNames(caller, given, MEMBERS)
  const { issuer, tokenId, subject, clientId, sessionId, issuedBefore, withoutSession } = given as Record<
    string,
    unknown
  >
  const isGiven = (value: unknown) => value !== undefined && value !== null
  if ([tokenId, subject, clientId, sessionId].filter(isGiven).length !== 1)
    throw new TypeError(`${caller} takes one of tokenId, subject, clientId and sessionId`)
  if (isGiven(tokenId) && issuedBefore !== undefined)
    throw new ArgumentError('issuedBefore', 'does not go with tokenId')
  if (withoutSession !== undefined && typeof withoutSession !== 'boolean')
    throw new ArgumentError('withoutSession', 'must be true or false')
  if (withoutSession && !isGiven(subject)) throw new ArgumentError('withoutSession', 'goes with subject alone')
  const always = isGiven(tokenId) || (isGiven(sessionId) && issuedBefore === undefined)
  return {
    issuer: checkTokenIssuer(checkName(issuer, 'issuer'), 'issuer'),
    tokenId: checkOptionalName(tokenId, 'tokenId'),
    subject: checkOptionalName(subject, 'subject'),
    clientId: checkOptionalName(clientId, 'clientId'),
    sessionId: checkOptionalName(sessionId, 'sessionId'),
    withoutSession: withoutSession === true,
    issuedBefore: always ? null : readInstant(issuedBefore, 'issuedBefore'),
  }
}

/** No token that is accepted is longer. */
const MAX_BYTES = 8192

export function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_BYTES
}

export function checkName(value: unknown, name: string): string {
  if (isName(value)) return refuseApiKey(value, name)
  throw new ArgumentError(name, `must be a text of 1 to ${MAX_BYTES} bytes, as the token has it`)
}

function checkOptionalName(value: unknown, name: string): string | null {
  return value === undefined || value === null ? null : checkName(value, name)
}

// A smaller number is most likely an instant in seconds, as tokens have them, and not a date before 1973.
const EARLIEST_MS = 100_000_000_000
const LATEST_MS = 253_402_300_799_000

function readInstant(value: unknown, name: string): number {
  // Without a time zone, the instant would depend on where the program runs.
  const written = typeof value === 'string' && /^\d{4}-\d{2}-\d{2}(T.*(Z|[+-]\d{2}:\d{2}))?$/.test(value)
  const ms = value instanceof Date ? value.getTime() : written ? Date.parse(value) : value
  if (Number.isInteger(ms) && (ms as number) >= EARLIEST_MS && (ms as number) <= LATEST_MS) return ms as number
  throw new ArgumentError(name, 'must be a Date, milliseconds since the epoch, or a text such as 2026-11-25T12:00:00Z')
}
