import { isUtf8 } from 'node:buffer'
import type { JWTPayload } from 'jose'
import { type AccessTokenAuth, createAccessTokenAuth, deepFreeze } from '../core/auth.js'
import { MAX_CREDENTIAL_BYTES } from '../core/credentials.js'
import type { Reason } from '../core/errors.js'
import { createScopeReader, parseScopeClaim } from '../core/scope.js'
import { ALGORITHMS } from './algorithms.js'
import type { IssuerPolicy } from './policy.js'

/** A token on its way through the checks; each check may rely on what the ones before it have filled in. */
export interface Reading {
  readonly token: string
  /** The configured issuers. */
  readonly policies: ReadonlyMap<string, IssuerPolicy>
  /** Instant of the checks, in seconds since the epoch. */
  now: number
  parts: readonly string[]
  header: JsonObject
  claims: JsonObject
  policy: IssuerPolicy | undefined
  scopes: readonly string[]
}

type JsonObject = Readonly<Record<string, unknown>>

/** One check of the fixed order. The first that does not hold is the reason of the refusal. */
export interface Check {
  /** What is looked at, in the words of the specifications. */
  readonly name: string
  readonly reason: Reason
  holds(reading: Reading): boolean
  /** For people: what would have passed. */
  expected(reading: Reading): string
  /** For people: what is there. Never the token or a part of its encoding. */
  found(reading: Reading): string
}

/** 9999-12-31T23:59:59Z, the last instant that every date format can write. */
const MAX_TIME = 253_402_300_799

/** The header of the token before, which most tokens share. Its text is a copy: a slice would keep the token in memory. */
let lastHeader: { readonly part?: string; readonly header: JsonObject } = { header: {} }

/** Where parts are decoded, one after the other: a buffer for each would cost more than to fill it. */
const scratch = Buffer.allocUnsafeSlow(MAX_CREDENTIAL_BYTES)

/** Checks before the signature. Of the claims only `iss` is read, to find the keys. */
export const headerChecks: readonly Check[] = [
  {
    name: 'shape',
    reason: 'malformed',
    holds(reading) {
      const { token } = reading
      const first = token.indexOf('.')
      const second = token.indexOf('.', first + 1)
      if (first === -1 || second === -1 || token.includes('.', second + 1)) return false
      reading.parts = [token.slice(0, first), token.slice(first + 1, second), token.slice(second + 1)]
      return true
    },
    expected: () => 'three parts separated by dots (RFC 7515 §3.1)',
    found: ({ token }) => `${token.split('.').length} part(s)`,
  },
  {
    // RFC 4648 §3.5: other spellings of the same bytes would give one token many names.
    name: 'encoding',
    reason: 'malformed',
    holds: ({ parts }) => parts.every((part) => part === lastHeader.part || isCanonical(part)),
    expected: () => 'canonical base64url without padding (RFC 7515 §2)',
    found: () => 'another encoding',
  },
  {
    name: 'header',
    reason: 'malformed',
    holds(reading) {
      const [part = ''] = reading.parts
      if (part !== lastHeader.part) {
        const header = parseObject(part)
        if (header === undefined) return false
        lastHeader = { part: Buffer.from(part).toString(), header }
      }
      reading.header = lastHeader.header
      return true
    },
    expected: () => 'a JSON object in UTF-8 (RFC 7515 §4)',
    found: () => 'something else',
  },
  {
    // RFC 8725 §3.11: keeps ID tokens, logout tokens and DPoP proofs out.
    name: 'typ',
    reason: 'type',
    holds: ({ header, policies }) => {
      const typ = typeOf(header)
      return typ === 'at+jwt' || (typ === 'lenient' && [...policies.values()].some(isLenient))
    },
    expected: () =>
      'at+jwt or application/at+jwt; for an issuer with the lenient profile also JWT or none (RFC 9068 §4)',
    found: ({ header }) => show(own(header, 'typ')),
  },
  {
    // RFC 7515 §4.1.11: no extension is understood here, and RFC 7797's b64 changes what is signed.
    name: 'crit, b64',
    reason: 'malformed',
    holds: ({ header }) => !Object.hasOwn(header, 'crit') && !Object.hasOwn(header, 'b64'),
    expected: () => 'neither',
    found: ({ header }) => `crit ${show(own(header, 'crit'))}, b64 ${show(own(header, 'b64'))}`,
  },
  {
    name: 'alg',
    reason: 'algorithm',
    holds: ({ header }) => (ALGORITHMS as readonly unknown[]).includes(own(header, 'alg')),
    expected: () => `one of ${ALGORITHMS.join(' ')}`,
    found: ({ header }) => show(own(header, 'alg')),
  },
  {
    name: 'payload',
    reason: 'malformed',
    holds(reading) {
      const claims = parseObject(reading.parts[1] ?? '')
      if (claims !== undefined) reading.claims = claims
      return claims !== undefined
    },
    expected: () => 'a JSON object in UTF-8 without byte order mark (RFC 7519 §7.2)',
    found: () => 'something else',
  },
  {
    name: 'iss',
    reason: 'issuer',
    holds(reading) {
      const iss = own(reading.claims, 'iss')
      reading.policy = typeof iss === 'string' ? reading.policies.get(iss) : undefined
      return reading.policy !== undefined
    },
    expected: () => 'a configured issuer, character for character (RFC 9068 §4)',
    found: ({ claims }) => show(own(claims, 'iss')),
  },
  {
    name: 'typ of the issuer',
    reason: 'type',
    holds: ({ header, policy }) => typeOf(header) === 'at+jwt' || isLenient(policy),
    expected: ({ policy }) => `${isLenient(policy) ? 'JWT, none, ' : ''}at+jwt or application/at+jwt`,
    found: ({ header }) => show(own(header, 'typ')),
  },
  {
    name: 'alg of the issuer',
    reason: 'algorithm',
    holds: ({ header, policy }) => policy?.algorithms.includes(own(header, 'alg') as string) ?? false,
    expected: ({ policy }) => `one of ${policy?.algorithms.join(' ')}`,
    found: ({ header }) => show(own(header, 'alg')),
  },
  {
    name: 'kid',
    reason: 'key',
    holds: ({ header }) => ['string', 'undefined'].includes(typeof own(header, 'kid')),
    expected: () => 'a string, or none (RFC 7515 §4.1.4)',
    found: ({ header }) => show(own(header, 'kid')),
  },
]

/** Checks of the claims, once the signature has been verified. */
export const claimChecks: readonly Check[] = [
  {
    name: 'aud is a string or strings',
    reason: 'claims',
    holds: ({ claims }) => audiences(claims) !== undefined,
    expected: () => 'a string or an array of strings (RFC 7519 §4.1.3)',
    found: ({ claims }) => show(own(claims, 'aud')),
  },
  {
    name: 'aud',
    reason: 'audience',
    holds: ({ claims, policy }) => audiences(claims)?.some((audience) => policy?.audience.includes(audience)) ?? false,
    expected: ({ policy }) => `one of ${show(policy?.audience)}`,
    found: ({ claims }) => show(own(claims, 'aud')),
  },
  {
    name: 'exp is a time',
    reason: 'claims',
    holds: ({ claims }) => isTime(own(claims, 'exp')),
    expected: () => 'seconds since the epoch, present (RFC 7519 §4.1.4)',
    found: ({ claims }) => show(own(claims, 'exp')),
  },
  {
    name: 'exp',
    reason: 'expired',
    holds: ({ claims, policy, now }) => now < time(claims, 'exp') + tolerance(policy),
    expected: ({ policy, now }) => `later than ${showTime(now)}, less ${tolerance(policy)} s of tolerance`,
    found: ({ claims }) => showTime(own(claims, 'exp')),
  },
  {
    name: 'nbf is a time',
    reason: 'claims',
    holds: ({ claims }) => own(claims, 'nbf') === undefined || isTime(own(claims, 'nbf')),
    expected: () => 'seconds since the epoch, or none (RFC 7519 §4.1.5)',
    found: ({ claims }) => show(own(claims, 'nbf')),
  },
  {
    name: 'nbf',
    reason: 'not_active',
    holds: ({ claims, policy, now }) =>
      own(claims, 'nbf') === undefined || time(claims, 'nbf') <= now + tolerance(policy),
    expected: ({ policy, now }) => `not later than ${showTime(now)}, plus ${tolerance(policy)} s of tolerance`,
    found: ({ claims }) => showTime(own(claims, 'nbf')),
  },
  {
    name: 'iat is a time',
    reason: 'claims',
    holds: ({ claims, policy }) =>
      isTime(own(claims, 'iat')) ||
      (own(claims, 'iat') === undefined && isLenient(policy) && policy?.maxTokenAgeSeconds === undefined),
    expected: () => 'seconds since the epoch, present unless the profile is lenient (RFC 9068 §2.2)',
    found: ({ claims }) => show(own(claims, 'iat')),
  },
  {
    name: 'iat',
    reason: 'not_active',
    holds: ({ claims, policy, now }) =>
      own(claims, 'iat') === undefined || time(claims, 'iat') <= now + tolerance(policy),
    expected: ({ policy, now }) => `not later than ${showTime(now)}, plus ${tolerance(policy)} s of tolerance`,
    found: ({ claims }) => showTime(own(claims, 'iat')),
  },
  {
    name: 'age',
    reason: 'too_old',
    holds: ({ claims, policy, now }) => now < oldestEnd(claims, policy),
    expected: ({ policy }) => `issued at most ${policy?.maxTokenAgeSeconds ?? 'any number of'} s ago`,
    found: ({ claims }) => showTime(own(claims, 'iat')),
  },
  {
    name: 'sub',
    reason: 'claims',
    holds: ({ claims }) => isText(own(claims, 'sub')),
    expected: () => 'a string, not empty (RFC 9068 §2.2)',
    found: ({ claims }) => show(own(claims, 'sub')),
  },
  ...(['client_id', 'jti'] as const).map(
    (name): Check => ({
      name,
      reason: 'claims',
      holds: ({ claims, policy }) =>
        isText(own(claims, name)) || (own(claims, name) === undefined && isLenient(policy)),
      expected: () => 'a string, not empty, present unless the profile is lenient (RFC 9068 §2.2)',
      found: ({ claims }) => show(own(claims, name)),
    }),
  ),
  {
    name: 'scope',
    reason: 'claims',
    holds(reading) {
      const name = reading.policy?.scopeClaims.find((claim) => Object.hasOwn(reading.claims, claim))
      const claim = name === undefined ? NO_SCOPES : own(reading.claims, name)
      const scopes = typeof claim === 'string' ? readScopeText(claim) : parseScopeClaim(claim)
      if (scopes !== undefined) reading.scopes = scopes
      return scopes !== undefined
    },
    expected: () => 'a string, or an array of strings, or no claim (RFC 9068 §2.2.3)',
    found: ({ claims, policy }) => show(policy?.scopeClaims.map((claim) => own(claims, claim))),
  },
  {
    name: 'tenant',
    reason: 'claims',
    holds: ({ claims, policy }) => {
      const value = policy?.tenantClaim === undefined ? undefined : own(claims, policy.tenantClaim)
      return value === undefined || isText(value)
    },
    expected: ({ policy }) => `${policy?.tenantClaim ?? 'no claim'}: a string, not empty, or none`,
    found: ({ claims, policy }) =>
      show(policy?.tenantClaim === undefined ? undefined : own(claims, policy.tenantClaim)),
  },
  {
    // RFC 7800 §3.1: such a token is good only with a proof of possession, which a plain Bearer request does not carry.
    name: 'cnf',
    reason: 'sender_constrained',
    holds: ({ claims }) => !Object.hasOwn(claims, 'cnf'),
    expected: () => 'none: a plain bearer request proves no possession',
    found: ({ claims }) => `bound by ${show(Object.keys(Object(own(claims, 'cnf'))))}`,
  },
]

export function createReading(token: string, now: number, policies: Reading['policies']): Reading {
  return { token, policies, now, parts: [], header: {}, claims: {}, policy: undefined, scopes: [] }
}

/** Runs checks in their order. */
export function firstFailure(checks: readonly Check[], reading: Reading): Reason | undefined {
  for (const check of checks) if (!check.holds(reading)) return check.reason
  return undefined
}

/** What a token that passed every check says. */
export function authOf({ claims, policy, scopes }: Reading): AccessTokenAuth {
  if (policy === undefined) throw new Error('a token is read before it is checked')
  return createAccessTokenAuth({
    subject: claims.sub as string,
    scopes,
    tenant: ((policy.tenantClaim && own(claims, policy.tenantClaim)) as string | undefined) ?? null,
    issuer: policy.issuer,
    clientId: (own(claims, 'client_id') as string | undefined) ?? null,
    tokenId: (own(claims, 'jti') as string | undefined) ?? null,
    claims: deepFreeze(claims) as Readonly<JWTPayload>,
  })
}

const NO_SCOPES: readonly string[] = Object.freeze([])
const readScopeText = createScopeReader(parseScopeClaim)

/** First instant, in seconds since the epoch, at which an accepted token is no longer accepted. */
export function endOf({ claims, policy }: Reading): number {
  return Math.min(time(claims, 'exp') + tolerance(policy), oldestEnd(claims, policy))
}

function oldestEnd(claims: JsonObject, policy: IssuerPolicy | undefined): number {
  const maxAge = policy?.maxTokenAgeSeconds
  return maxAge === undefined ? Number.POSITIVE_INFINITY : time(claims, 'iat') + maxAge + tolerance(policy)
}

/** The two kinds of `typ` that can be accepted. */
function typeOf(header: JsonObject): 'at+jwt' | 'lenient' | undefined {
  const typ = own(header, 'typ')
  if (typ === undefined) return 'lenient'
  if (typeof typ !== 'string') return undefined
  if (/^(?:application\/)?at\+jwt$/i.test(typ)) return 'at+jwt'
  return /^jwt$/i.test(typ) ? 'lenient' : undefined
}

function isLenient(policy: IssuerPolicy | undefined): boolean {
  return policy?.profile === 'lenient'
}

/** Whether a text is base64url as an encoder writes it: the bits of the last character that stand for nothing are zero. */
function isCanonical(part: string): boolean {
  if (!/^[\w-]*$/.test(part)) return false
  const last = part.slice(-1)
  const rest = part.length % 4
  return rest === 0 || (rest === 2 && 'AQgw'.includes(last)) || (rest === 3 && 'AEIMQUYcgkosw048'.includes(last))
}

/** @param part canonical base64url */
function parseObject(part: string): JsonObject | undefined {
  const length = scratch.write(part, 'base64url')
  const text = scratch.toString('utf8', 0, length)
  // What a decoder writes for bytes that are no UTF-8. A text may hold the character itself.
  if (text.includes('\uFFFD') && !isUtf8(scratch.subarray(0, length))) return undefined
  try {
    // JSON.parse refuses a byte order mark, which toString keeps.
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}

/** A claim of the token itself, and nothing that its prototype may have. */
function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function audiences(claims: JsonObject): readonly string[] | undefined {
  const aud = own(claims, 'aud')
  if (aud === undefined) return []
  if (typeof aud === 'string') return [aud]
  return Array.isArray(aud) && aud.every((entry) => typeof entry === 'string') ? aud : undefined
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= MAX_TIME
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function time(claims: JsonObject, name: string): number {
  return own(claims, name) as number
}

function tolerance(policy: IssuerPolicy | undefined): number {
  return policy?.clockToleranceSeconds ?? 0
}

/** Text for people: JSON, short, and without characters that move a terminal's cursor. */
function show(value: unknown): string {
  if (value === undefined) return 'none'
  const text = jsonOf(value).replace(/[^\x20-\x7E]/g, '?')
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

/** JSON.stringify overflows the stack where JSON.parse read a value that is nested thousands of levels deep. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return 'a deeply nested value'
  }
}

function showTime(value: unknown): string {
  return isTime(value) ? new Date((value as number) * 1000).toISOString() : show(value)
}
