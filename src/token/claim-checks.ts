import { isAct } from '../core/actor.js'
import { formatSpan } from '../core/duration.js'
import type { Reason } from '../core/errors.js'
import { parseScopeClaim } from '../core/scope.js'
import { show } from './check-report.js'
import { type JsonObject, own } from './json-object.js'
import type { UnverifiedAccessToken } from './unverified-token.js'

/** What every check of the claims has. Instants are seconds since the epoch. */
interface Described {
  /** What is looked at, in the words of the specifications. */
  readonly name: string
  readonly reason: Reason
  /** For people: what would have passed. */
  expected(token: UnverifiedAccessToken, nowSeconds: number): string
  /** For people: what is there, whether it passes or not. Never the token or a part of its encoding. */
  found(token: UnverifiedAccessToken, nowSeconds: number): string
}

/**
 * One row of the table below: exactly one of the three tests. Only `startsAt` and `endsAt` are compared with the time, in
 * {@link toCheck}. A row cannot ask for the time itself, so that none can end an acceptance without the cache's knowledge.
 */
export type ClaimRow = Described &
  (
    | { holds(token: UnverifiedAccessToken): boolean; startsAt?: never; endsAt?: never }
    /** The token is refused before this instant, less the clock tolerance. NaN refuses it. */
    | { startsAt(token: UnverifiedAccessToken): number; holds?: never; endsAt?: never }
    /** The token is refused from this instant on, plus the clock tolerance, also on cache hits. NaN refuses it. */
    | { endsAt(token: UnverifiedAccessToken): number; holds?: never; startsAt?: never }
  )

/** One check of the claims. */
export interface ClaimCheck extends Described {
  holds(token: UnverifiedAccessToken, nowSeconds: number): boolean
  /** Where time ends what the check accepts: the first instant that it refuses, less the clock tolerance. */
  readonly endsAt?: (token: UnverifiedAccessToken) => number
}

const ID_TOKEN_HASHES = ['at_hash', 'c_hash', 's_hash'] as const

/** 9999-12-31T23:59:59Z, the last instant that every date format can write. */
const MAX_TIME = 253_402_300_799

const rows: readonly ClaimRow[] = [
  // What kind of token it is comes first, because the other claims mean something else in a token of another kind. It does
  // not come with the checks of the header: nothing but iss is read before the signature is verified.
  ofLenientIssuers({
    name: 'at_hash, c_hash, s_hash',
    holds: ({ claims }) => !hasAny(claims, ID_TOKEN_HASHES),
    expected: 'none: only ID tokens have them (OpenID Connect Core §3.3.2.11)',
    found: ({ claims }) => ID_TOKEN_HASHES.filter((name) => hasAny(claims, [name])).join(', ') || 'none',
  }),
  ofLenientIssuers({
    name: 'events',
    holds: ({ claims }) => !hasAny(claims, ['events']),
    expected: 'none: only logout tokens and other security events have it (RFC 8417 §2.2)',
    found: ({ claims }) => show(own(claims, 'events')),
  }),
  ofLenientIssuers({
    name: 'nonce',
    // Keycloak before version 25 copies the nonce of the login into its access tokens, whose payload says Bearer.
    holds: ({ claims }) => !hasAny(claims, ['nonce']) || own(claims, 'typ') === 'Bearer',
    expected: 'none, as in an ID token, unless the payload\'s typ is "Bearer" (OpenID Connect Core §2)',
    found: ({ claims }) => show(own(claims, 'nonce')),
  }),
  ofLenientIssuers({
    name: 'typ of the payload',
    // Keycloak writes ID, Refresh, Logout or Offline into its other tokens.
    holds: ({ claims }) => isOneOf(own(claims, 'typ'), ['Bearer', 'DPoP']),
    expected: '"Bearer", "DPoP" or none',
    found: ({ claims }) => show(own(claims, 'typ')),
  }),
  ofLenientIssuers({
    name: 'token_use',
    // Amazon Cognito writes id into its ID tokens.
    holds: ({ claims }) => isOneOf(own(claims, 'token_use'), ['access']),
    expected: '"access" or none',
    found: ({ claims }) => show(own(claims, 'token_use')),
  }),
  {
    name: 'aud is a string or strings',
    reason: 'claims',
    holds: ({ claims }) => audiences(claims) !== undefined,
    expected: () => 'a string or an array of strings (RFC 7519 §4.1.3)',
    found: ({ claims }) => kindOfAudience(own(claims, 'aud')),
  },
  {
    name: 'aud',
    reason: 'audience',
    holds: ({ claims, policy }) => audiences(claims)?.some((audience) => policy.audience.includes(audience)) ?? false,
    expected: ({ policy }) => `one of ${show(policy.audience)}`,
    found: ({ claims }) => show(own(claims, 'aud')),
  },
  {
    name: 'exp is a time',
    reason: 'claims',
    holds: ({ claims }) => isTime(own(claims, 'exp')),
    expected: () => 'seconds since the epoch, present (RFC 7519 §4.1.4)',
    found: ({ claims }) => kindOfTime(own(claims, 'exp')),
  },
  {
    name: 'exp',
    reason: 'expired',
    endsAt: ({ claims }) => timeOf(claims, 'exp'),
    expected: ({ policy }, nowSeconds) =>
      `later than ${showInstant(nowSeconds)}, less ${policy.clockToleranceSeconds} s of tolerance`,
    found: ({ claims }, nowSeconds) => showTime(own(claims, 'exp'), nowSeconds),
  },
  {
    name: 'nbf is a time',
    reason: 'claims',
    holds: ({ claims }) => own(claims, 'nbf') === undefined || isTime(own(claims, 'nbf')),
    expected: () => 'seconds since the epoch, or none (RFC 7519 §4.1.5)',
    found: ({ claims }) => kindOfTime(own(claims, 'nbf')),
  },
  {
    name: 'nbf',
    reason: 'not_active',
    startsAt: ({ claims }) => (own(claims, 'nbf') === undefined ? Number.NEGATIVE_INFINITY : timeOf(claims, 'nbf')),
    expected: ({ policy }, nowSeconds) =>
      `not later than ${showInstant(nowSeconds)}, plus ${policy.clockToleranceSeconds} s of tolerance`,
    found: ({ claims }, nowSeconds) => showTime(own(claims, 'nbf'), nowSeconds),
  },
  {
    name: 'iat is a time',
    reason: 'claims',
    holds: ({ claims, policy }) =>
      isTime(own(claims, 'iat')) ||
      (own(claims, 'iat') === undefined && policy.profile === 'lenient' && policy.maxTokenAgeSeconds === undefined),
    expected: () => 'seconds since the epoch, present unless the profile is lenient (RFC 9068 §2.2)',
    found: ({ claims }) => kindOfTime(own(claims, 'iat')),
  },
  {
    name: 'iat',
    reason: 'not_active',
    startsAt: ({ claims }) => (own(claims, 'iat') === undefined ? Number.NEGATIVE_INFINITY : timeOf(claims, 'iat')),
    expected: ({ policy }, nowSeconds) =>
      `not later than ${showInstant(nowSeconds)}, plus ${policy.clockToleranceSeconds} s of tolerance`,
    found: ({ claims }, nowSeconds) => showTime(own(claims, 'iat'), nowSeconds),
  },
  {
    name: 'age',
    reason: 'too_old',
    endsAt: ({ claims, policy: { maxTokenAgeSeconds } }) =>
      maxTokenAgeSeconds === undefined ? Number.POSITIVE_INFINITY : timeOf(claims, 'iat') + maxTokenAgeSeconds,
    expected: ({ policy: { maxTokenAgeSeconds } }) =>
      maxTokenAgeSeconds === undefined
        ? 'any age: no maxTokenAgeSeconds is set'
        : `issued at most ${maxTokenAgeSeconds} s ago`,
    found: ({ claims }, nowSeconds) => showTime(own(claims, 'iat'), nowSeconds),
  },
  {
    name: 'sub',
    reason: 'claims',
    holds: ({ claims }) => isText(own(claims, 'sub')),
    expected: () => 'a string, not empty (RFC 9068 §2.2)',
    found: ({ claims }) => show(own(claims, 'sub')),
  },
  identifier('client_id'),
  {
    name: 'client',
    reason: 'claims',
    holds(token) {
      const { clientIdClaim, profile } = token.policy
      if (clientIdClaim === undefined) return true
      const client = own(token.claims, clientIdClaim)
      return isText(client) || (client === undefined && profile === 'lenient')
    },
    expected: ({ policy: { clientIdClaim } }) =>
      clientIdClaim === undefined
        ? 'anything: no clientIdClaim is set'
        : `${clientIdClaim}: a string, not empty, present unless the profile is lenient`,
    found: ({ claims, policy: { clientIdClaim } }) =>
      clientIdClaim === undefined ? NOT_LOOKED_AT : show(own(claims, clientIdClaim)),
  },
  identifier('jti'),
  {
    name: 'scope',
    reason: 'claims',
    holds(token) {
      const claim = scopeClaimOf(token)
      return claim === undefined || typeof claim === 'string' || parseScopeClaim(claim) !== undefined
    },
    expected: () => 'a string, or an array of strings, or no claim (RFC 9068 §2.2.3)',
    found: (token) => {
      const name = scopeClaimNameOf(token)
      return name === undefined ? 'none: it grants no scope' : `${show(own(token.claims, name))} in ${show(name)}`
    },
  },
  {
    name: 'tenant',
    reason: 'claims',
    holds(token) {
      const tenant = tenantClaimOf(token)
      return tenant === undefined || isText(tenant)
    },
    expected: ({ policy: { tenantClaim } }) =>
      tenantClaim === undefined ? 'anything: no tenantClaim is set' : `${tenantClaim}: a string, not empty, or none`,
    found: (token) => (token.policy.tenantClaim === undefined ? NOT_LOOKED_AT : show(tenantClaimOf(token))),
  },
  {
    name: 'act',
    reason: 'claims',
    holds: ({ claims }) => own(claims, 'act') === undefined || isAct(own(claims, 'act')),
    expected: () => 'an object whose sub is a string, not empty, or none (RFC 8693 §4.1)',
    found: ({ claims }) => show(own(claims, 'act')),
  },
  {
    // RFC 7800 §3.1: such a token is only good with a proof of possession, which a plain Bearer request does not carry.
    name: 'cnf',
    reason: 'sender_constrained',
    holds: ({ claims }) => !Object.hasOwn(claims, 'cnf'),
    expected: () => 'none: a plain bearer request proves no possession',
    found: ({ claims }) =>
      Object.hasOwn(claims, 'cnf') ? `bound by ${show(Object.keys(Object(own(claims, 'cnf'))))}` : 'none',
  },
]

/** The checks of the claims in their fixed order, for a token whose signature is verified. */
export const claimChecks: readonly ClaimCheck[] = rows.map(toCheck)

/** The one place where a claim is compared with the time. */
function toCheck(row: ClaimRow): ClaimCheck {
  if (row.startsAt !== undefined) {
    return {
      ...row,
      holds: (token, nowSeconds) => row.startsAt(token) <= nowSeconds + token.policy.clockToleranceSeconds,
    }
  }
  if (row.endsAt !== undefined) {
    return { ...row, holds: (token, nowSeconds) => nowSeconds < row.endsAt(token) + token.policy.clockToleranceSeconds }
  }
  return row
}

/**
 * A check that tells access tokens from the issuer's other tokens. Under RFC 9068 the header's `typ` has done so already;
 * issuers that need the lenient profile write `JWT` into the header of all their tokens.
 */
function ofLenientIssuers(row: {
  readonly name: string
  readonly expected: string
  holds(token: UnverifiedAccessToken): boolean
  found(token: UnverifiedAccessToken): string
}): ClaimRow {
  return {
    ...row,
    reason: 'type',
    holds: (token) => token.policy.profile !== 'lenient' || row.holds(token),
    expected: ({ policy }) =>
      policy.profile === 'lenient' ? row.expected : 'anything: typ has told the kind of token',
    found: (token) => (token.policy.profile === 'lenient' ? row.found(token) : NOT_LOOKED_AT),
  }
}

function hasAny(claims: JsonObject, names: readonly string[]): boolean {
  return names.some((name) => Object.hasOwn(claims, name))
}

/** Whether a claim is absent or has one of the values. */
function isOneOf(claim: unknown, values: readonly string[]): boolean {
  return claim === undefined || values.some((value) => value === claim)
}

function identifier(name: 'client_id' | 'jti'): ClaimRow {
  return {
    name,
    reason: 'claims',
    holds: ({ claims, policy }) =>
      isText(own(claims, name)) || (own(claims, name) === undefined && policy.profile === 'lenient'),
    expected: () => 'a string, not empty, present unless the profile is lenient (RFC 9068 §2.2)',
    found: ({ claims }) => show(own(claims, name)),
  }
}

/** The first claim of the policy's `scopeClaims` that is present decides. */
export function scopeClaimOf(token: UnverifiedAccessToken): unknown {
  const name = scopeClaimNameOf(token)
  return name === undefined ? undefined : token.claims[name]
}

function scopeClaimNameOf({ claims, policy }: UnverifiedAccessToken): string | undefined {
  return policy.scopeClaims.find((claim) => Object.hasOwn(claims, claim))
}

export function tenantClaimOf({ claims, policy }: UnverifiedAccessToken): unknown {
  return policy.tenantClaim === undefined ? undefined : own(claims, policy.tenantClaim)
}

/** Where issuers name the client: RFC 9068 §2.2; Auth0, Keycloak and Entra ID; Okta; version 1 of Entra ID. */
const CLIENT_CLAIMS = ['client_id', 'azp', 'cid', 'appid'] as const

/**
 * The client that a token was issued to. The policy's `clientIdClaim` decides alone. Without one, the lenient profile
 * takes the first of the claims that issuers use.
 */
export function clientOf({ claims, policy: { clientIdClaim, profile } }: UnverifiedAccessToken): string | null {
  if (clientIdClaim !== undefined) return textOrNull(own(claims, clientIdClaim))
  if (profile === 'rfc9068') return textOrNull(own(claims, 'client_id'))
  for (const name of CLIENT_CLAIMS) {
    const client = own(claims, name)
    if (isText(client)) return client
  }
  return null
}

export function textOrNull(claim: unknown): string | null {
  return typeof claim === 'string' ? claim : null
}

function audiences(claims: JsonObject): readonly string[] | undefined {
  const aud = own(claims, 'aud')
  if (aud === undefined) return []
  if (typeof aud === 'string') return [aud]
  return Array.isArray(aud) && aud.every((entry) => typeof entry === 'string') ? aud : undefined
}

/** A claim in seconds since the epoch, NaN if it is not a time: every comparison with it fails. */
function timeOf(claims: JsonObject, name: string): number {
  const value = own(claims, name)
  return isTime(value) ? value : Number.NaN
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_TIME
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** What is found by a check that the policy does not ask for. */
export const NOT_LOOKED_AT = 'not looked at'

// What it says is for the next check.
function kindOfAudience(value: unknown): string {
  if (typeof value === 'string') return 'a string'
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
    ? `${value.length} strings`
    : show(value)
}

function kindOfTime(value: unknown): string {
  return isTime(value) ? 'a time' : show(value)
}

function showInstant(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}

function showTime(value: unknown, nowSeconds: number): string {
  if (!isTime(value)) return show(value)
  const instant = showInstant(value)
  const distance = formatSpan(Math.abs(value - nowSeconds))
  return value > nowSeconds ? `${instant}, in ${distance}` : `${instant}, ${distance} ago`
}
