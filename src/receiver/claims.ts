import { isText } from '../core/own.js'
import { isTime, MAX_TIME } from '../core/sign-in.js'
import { audiences, timeOf } from '../token/claim-values.js'
import { type JsonObject, own } from '../token/json-object.js'
import type { Sender } from './options.js'

/** A token that its issuer has signed. Its claims are not checked yet. */
export interface SignedClaims {
  readonly claims: JsonObject
  readonly sender: Sender
  /** Seconds since the epoch. */
  readonly nowSeconds: number
}

/** Why the claims of a token are refused. */
export type ClaimRefusal = 'type' | 'audience' | 'claims' | 'expired' | 'not_active' | 'too_old' | 'event' | 'subject'

/** One check of the claims. The first of a table that fails is the reason. */
export interface ClaimCheck {
  readonly reason: ClaimRefusal
  holds(token: SignedClaims): boolean
}

/** How long a logout token without `exp` is taken. */
export const LOGOUT_LIFE_SECONDS = 120

/** 1973-03-03: before it nothing happened that an event could tell of. */
const EARLIEST_EVENT = 100_000_000

/** What every kind of token has: whom it is for, when it was signed, and an id of its own. */
export const COMMON_CHECKS: readonly ClaimCheck[] = [
  // Strings, as RFC 7519 §4.1.3 has it.
  { reason: 'claims', holds: ({ claims }) => audiences(claims) !== undefined },
  {
    reason: 'audience',
    holds: ({ claims, sender }) => audiences(claims)?.some((one) => sender.audience.includes(one)) ?? false,
  },
  // Of an ID token.
  { reason: 'type', holds: ({ claims }) => !Object.hasOwn(claims, 'nonce') },
  { reason: 'claims', holds: ({ claims }) => isTime(own(claims, 'iat')) },
  { reason: 'not_active', holds: (token) => hasBegun(token, 'iat') },
  { reason: 'claims', holds: ({ claims }) => !Object.hasOwn(claims, 'nbf') || isTime(claims.nbf) },
  { reason: 'not_active', holds: (token) => !Object.hasOwn(token.claims, 'nbf') || hasBegun(token, 'nbf') },
  { reason: 'claims', holds: ({ claims }) => !Object.hasOwn(claims, 'exp') || isTime(claims.exp) },
  {
    reason: 'expired',
    holds: ({ claims, sender, nowSeconds }) =>
      !Object.hasOwn(claims, 'exp') || nowSeconds < timeOf(claims, 'exp') + sender.clockToleranceSeconds,
  },
  { reason: 'claims', holds: ({ claims }) => isId(own(claims, 'jti')) },
]

/** A keyring takes ids of 8192 bytes, and the kind stands before this one. */
const LONGEST_ID = 8000

function isId(value: unknown): boolean {
  return isText(value) && Buffer.byteLength(value) <= LONGEST_ID
}

function hasBegun({ claims, sender, nowSeconds }: SignedClaims, name: string): boolean {
  return timeOf(claims, name) <= nowSeconds + sender.clockToleranceSeconds
}

/**
 * When an event happened: as it says itself, in `event_timestamp` (CAEP §2) or the token's `toe` (RFC 8417 §2.2), else when
 * the token was signed. Never later than that: whoever repeats the token would end what began since. All are instants of the
 * issuer's clock, as `iat` of its access tokens is, and so none is compared with ours, which may be behind.
 *
 * @returns milliseconds since the epoch, or `undefined` where a time is none
 */
export function eventTime({ claims }: SignedClaims, event: JsonObject): number | undefined {
  const signedAt = timeOf(claims, 'iat')
  const seconds = Object.hasOwn(event, 'event_timestamp')
    ? timestampOf(event.event_timestamp)
    : timeOf(claims, Object.hasOwn(claims, 'toe') ? 'toe' : 'iat')
  const instant = Math.min(seconds, signedAt)
  return instant >= EARLIEST_EVENT ? Math.floor(instant * 1000) : undefined
}

/** Drafts of CAEP before 2024 wrote milliseconds, which as seconds lie beyond the year 9999. */
function timestampOf(value: unknown): number {
  if (isTime(value)) return value
  return typeof value === 'number' && value > MAX_TIME && isTime(value / 1000) ? value / 1000 : Number.NaN
}
