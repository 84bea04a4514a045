import { isAct } from '../core/actor.js'
import { formatChoice } from '../core/choice.js'
import type { Reason } from '../core/errors.js'
import { isText } from '../core/own.js'
import { isTime } from '../core/sign-in.js'
import { show } from './check-report.js'
import { claimAt, showClaim, showReference } from './claim-reference.js'
import { audiences, kindOfAudience, kindOfTime, showInstant, showTime, timeOf } from './claim-values.js'
import { grantFor, strayClaimOf } from './grants.js'
import { clientOf, isSpiffeId } from './identity.js'
import { type JsonObject, own } from './json-object.js'
import type { IssuerPolicy, RequiredClaim } from './policy.js'
import { areScopesReadable, scopeClaimsOf } from './scopes.js'
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
  /** Whether it passes every token of an issuer, whatever the token says. Without one it may refuse tokens of all issuers. */
  passesAll?(policy: IssuerPolicy): boolean
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
    holds: ({ claims, policy }) =>
      (policy.clients !== undefined && own(claims, 'aud') === undefined) ||
      (audiences(claims)?.some((audience) => policy.audience.includes(audience)) ?? false),
    expected: ({ policy }) => `one of ${show(policy.audience)}${policy.clients === undefined ? '' : ', or none'}`,
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
    passesAll: ({ maxTokenAgeSeconds }) => maxTokenAgeSeconds === undefined,
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
    holds: ({ claims, policy: { trustDomain } }) => {
      const sub = own(claims, 'sub')
      return isText(sub) && (trustDomain === undefined || isSpiffeId(sub))
    },
    expected: ({ policy: { trustDomain } }) =>
      trustDomain === undefined
        ? 'a string, not empty (RFC 9068 §2.2)'
        : `spiffe://${trustDomain}/ and segments of letters, digits, dots, hyphens and underscores, none empty, . or .., 2048 bytes at most (SPIFFE ID §2)`,
    found: ({ claims }) => show(own(claims, 'sub')),
  },
  ofConfigured('subjectClaim', {
    name: 'subject',
    holds: ({ claims }, subject) => isText(claimAt(claims, subject)),
    expected: (subject) => `${showReference(subject)}: a string, not empty`,
    found: ({ claims }, subject) => showClaim(claims, subject),
  }),
  ofConfigured('subjectAliases', {
    name: 'alias',
    holds: ({ claims }, aliases) => aliases.every((alias) => isTextOrNone(claimAt(claims, alias))),
    expected: (aliases) => `${aliases.map(showReference).join(', ')}: strings, not empty, or none`,
    found: ({ claims }, aliases) => aliases.map((alias) => showClaim(claims, alias)).join(', '),
  }),
  identifier('client_id'),
  ofConfigured('clientIdClaim', {
    name: 'client',
    holds({ claims, policy }, name) {
      const client = claimAt(claims, name)
      return isText(client) || (client === undefined && policy.profile === 'lenient')
    },
    expected: (name) => `${showReference(name)}: a string, not empty, present unless the profile is lenient`,
    found: ({ claims }, name) => showClaim(claims, name),
  }),
  ofConfigured('requireClient', {
    name: 'client is named',
    holds: (token, isRequired) => !isRequired || isText(clientOf(token)),
    expected: (isRequired) => (isRequired ? 'a client: an ID token names none' : 'anything'),
    found: (token) => show(clientOf(token) ?? undefined),
  }),
  ofConfigured('clients', {
    name: 'client of ours',
    reason: 'audience',
    holds: (token, clients) => clients.includes(clientOf(token) ?? ''),
    expected: (clients) => `one of ${show(clients)}`,
    found: (token) => show(clientOf(token) ?? undefined),
  }),
  identifier('jti'),
  {
    name: 'scope',
    reason: 'claims',
    holds: areScopesReadable,
    expected: () => 'a string, or an array of strings, or no claim (RFC 9068 §2.2.3)',
    found: (token) => {
      const names = scopeClaimsOf(token)
      if (names.length === 0) {
        const places = token.policy.scopeClaims.map((name) => `"${showReference(name)}"`).join(', ')
        const outcome = token.policy.grants === undefined ? 'it grants no scope' : 'grants decide'
        return `none${places === '' ? '' : ` in ${places}`}: ${outcome}`
      }
      return names.map((name) => `${showClaim(token.claims, name)} in "${showReference(name)}"`).join(', ')
    },
  },
  ofConfigured('grants', {
    name: 'grants',
    // A token that says itself what its scopes are is not compared.
    holds: (token, grants) => scopeClaimsOf(token).length > 0 || strayClaimOf(token.claims, grants) === undefined,
    expected: () => 'one that matches, or no scope',
    found: (token, grants) => {
      if (scopeClaimsOf(token).length > 0) return 'not asked: the token has a claim for scopes'
      const stray = strayClaimOf(token.claims, grants)
      if (stray !== undefined) return `${showReference(stray)}: ${showClaim(token.claims, stray)}`
      const grant = grantFor(token.claims, grants)
      if (grant === undefined) return 'none matches: no scope'
      return `grants[${grants.listed.indexOf(grant)}]: ${grant.scopes.join(' ')}`
    },
  }),
  ofConfigured('tenantClaim', {
    name: 'tenant',
    // A tenant's issuer that writes another tenant into its token would be taken for that one by the routes.
    holds: ({ claims, policy: { tenant } }, name) =>
      tenant === undefined ? isTextOrNone(claimAt(claims, name)) : claimAt(claims, name) === tenant,
    expected: (name, { tenant }) =>
      `${showReference(name)}: ${tenant === undefined ? 'a string, not empty, or none' : `${show(tenant)}, as in iss`}`,
    found: ({ claims }, name) => showClaim(claims, name),
  }),
  ofConfigured('sessionClaim', {
    name: 'session',
    holds: ({ claims }, name) => isTextOrNone(claimAt(claims, name)),
    expected: (name) => `${showReference(name)}: a string, not empty, or none`,
    found: ({ claims }, name) => showClaim(claims, name),
  }),
  ofConfigured('required', {
    name: 'required claims',
    holds: ({ claims }, required) => required.every((one) => isMet(claims, one)),
    expected: (required) =>
      required.map(({ claim, values }) => `${showReference(claim)} ${formatChoice(values.map(show))}`).join(', '),
    found: ({ claims }, required) =>
      required.map(({ claim }) => `${showReference(claim)} ${showClaim(claims, claim)}`).join(', '),
  }),
  {
    name: 'act',
    reason: 'claims',
    holds: ({ claims }) => own(claims, 'act') === undefined || isAct(own(claims, 'act')),
    expected: () => 'none, or an object whose sub, if it has one, is a string, not empty (RFC 8693 §4.1)',
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
    passesAll: ({ profile }) => profile !== 'lenient',
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

/** A check that is made where the policy has a member, which it is given. */
function ofConfigured<Name extends keyof IssuerPolicy>(
  option: Name,
  row: {
    readonly name: string
    readonly reason?: Reason
    holds(token: UnverifiedAccessToken, configured: NonNullable<IssuerPolicy[Name]>): boolean
    expected(configured: NonNullable<IssuerPolicy[Name]>, policy: IssuerPolicy): string
    found(token: UnverifiedAccessToken, configured: NonNullable<IssuerPolicy[Name]>): string
  },
): ClaimRow {
  return {
    name: row.name,
    reason: row.reason ?? 'claims',
    passesAll: (policy) => policy[option] == null,
    holds(token) {
      const configured = token.policy[option]
      return configured == null || row.holds(token, configured)
    },
    expected({ policy }) {
      const configured = policy[option]
      return configured == null ? `anything: no ${option} is set` : row.expected(configured, policy)
    },
    found(token) {
      const configured = token.policy[option]
      return configured == null ? NOT_LOOKED_AT : row.found(token, configured)
    },
  }
}

function isTextOrNone(value: unknown): boolean {
  return value === undefined || isText(value)
}

function isMet(claims: JsonObject, { claim, values }: RequiredClaim): boolean {
  const found = claimAt(claims, claim)
  return values.some((value) => value === found)
}

/** What is found by a check that the policy does not ask for. */
export const NOT_LOOKED_AT = 'not looked at'
