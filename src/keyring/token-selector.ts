import { checkIssuer } from '../config/issuer-options.js'
import { ArgumentError } from '../core/argument-error.js'
import type { StoredTokenRevocation } from '../store/contract.js'
import { checkNames, refuseApiKey } from './arguments.js'

/**
 * Which access tokens are revoked: one, by its `jti`; or all tokens of a subject, or of a client, that were issued (`iat`)
 * before an instant. A token without `iat` counts as issued before it. The issuer is a URL as in the options of a service,
 * and is compared character for character: nobody can know that a slash at its end is missing.
 *
 * `iat` has whole seconds: tokens of the second in which `issuedBefore` lies are refused as well. The instant is one of the
 * issuer's clock, which may run ahead: to refuse all tokens that were issued up to now, add the tolerance of the services
 * (`clockToleranceSeconds`) to now.
 *
 * What a token can hold can be named: each text has 1 to 8192 bytes, of any characters. One that holds an API key is refused.
 */
export type TokenSelector =
  | { readonly issuer: string; readonly tokenId: string }
  | { readonly issuer: string; readonly subject: string; readonly issuedBefore: Date | number | string }
  | { readonly issuer: string; readonly clientId: string; readonly issuedBefore: Date | number | string }

/** A selector that has been checked. Of token id, subject and client one is given. */
type SelectedTokens = Pick<StoredTokenRevocation, 'issuer' | 'tokenId' | 'subject' | 'clientId' | 'issuedBefore'>

/** @throws {TypeError} for what selects nothing, or more than one thing */
export function readTokenSelector(given: TokenSelector): SelectedTokens {
  checkNames('revokeTokens()', given, ['issuer', 'tokenId', 'subject', 'clientId', 'issuedBefore'])
  const { issuer, tokenId, subject, clientId, issuedBefore } = given as Record<string, unknown>
  const named = [tokenId, subject, clientId].filter((value) => value !== undefined && value !== null)
  if (named.length !== 1) throw new TypeError('revokeTokens() takes one of tokenId, subject and clientId')
  const one = tokenId !== undefined && tokenId !== null
  if (one && issuedBefore !== undefined) throw new ArgumentError('issuedBefore', 'does not go with tokenId')
  return {
    issuer: checkIssuer(checkName(issuer, 'issuer'), 'issuer'),
    tokenId: checkOptionalName(tokenId, 'tokenId'),
    subject: checkOptionalName(subject, 'subject'),
    clientId: checkOptionalName(clientId, 'clientId'),
    issuedBefore: one ? null : readInstant(issuedBefore, 'issuedBefore'),
  }
}

/** No token that is accepted is longer. */
const MAX_BYTES = 8192

function checkName(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_BYTES)
    return refuseApiKey(value, name)
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
