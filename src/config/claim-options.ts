import { ArgumentError } from '../core/argument-error.js'
import { formatGiven } from '../core/given.js'
import { isScopeToken } from '../core/scope.js'
import { CLAIM_REFERENCE, type Claim, parseClaimReference } from '../token/claim-reference.js'
import { type ClaimValue, type Grant, type GrantCondition, type Grants, rankGrants } from '../token/grants.js'
import type { RequiredClaim, ScopeRule } from '../token/policy.js'
import { createScopeMap, type ScopeMap } from '../token/scope-map.js'
import { checkOneOf, isRecord, optionSetting, readOptions, type Setting } from './checks.js'

/** What callers may do whose tokens have no claim for scopes. See {@link IssuerOptions.grants}. */
export interface GrantOptions {
  /**
   * Claims that the token has to have, all of them: a {@link ClaimReference} as a text (a path that is a list as JSON,
   * `'["kubernetes.io", "namespace"]'`), and the value. Values are compared exactly, and with their type. A text may end in `:*` or `/*`: it then says what the claim begins with, and at least one
   * character has to follow.
   */
  match: Readonly<Record<string, string | number | boolean>>
  /** Scopes, one at least. */
  scopes: readonly string[]
}

const SCOPE_RULES = ['first', 'union'] as const

export function checkScopeRule(setting: Setting): ScopeRule {
  return checkOneOf(setting, SCOPE_RULES)
}

export function checkClaim({ value, name }: Setting): Claim {
  const claim = parseClaimReference(value)
  if (claim === undefined) throw new ArgumentError(name, `must be ${CLAIM_REFERENCE}`)
  return claim
}

/** One reference that is a text, or a list of references. */
export function checkClaims({ value, name }: Setting): readonly Claim[] {
  const given: unknown[] = typeof value === 'string' ? [value] : Array.isArray(value) ? [...value] : []
  const claims = given.map(parseClaimReference).filter((claim) => claim !== undefined)
  if (claims.length > 0 && claims.length === given.length) return Object.freeze(claims)
  throw new ArgumentError(name, `must be a text, or a list with one entry at least; each is ${CLAIM_REFERENCE}`)
}

/** As above. Whether the list may be empty depends on the rest of the entry. */
export function checkScopeClaims(setting: Setting): readonly Claim[] {
  return Array.isArray(setting.value) && setting.value.length === 0 ? NO_CLAIMS : checkClaims(setting)
}

const NO_CLAIMS: readonly Claim[] = Object.freeze([])

export function checkPreset({ value, name }: Setting): string {
  if (typeof value === 'string' && /^[\x20-\x7E]{1,64}$/.test(value)) return value
  throw new ArgumentError(name, 'must be a name for people: 1 to 64 characters of printable ASCII')
}

export function checkRequired(setting: Setting): readonly RequiredClaim[] {
  const required = membersOf(setting, 'claims and their values, { tid: "…" }').map(([key, given]) => {
    const name = `${setting.name}[${formatGiven(key)}]`
    const values = Object.freeze(Array.isArray(given) ? [...given] : [given])
    refuseInexact(values, name)
    if (values.length === 0 || !values.every(isClaimValue)) {
      throw new ArgumentError(name, `must be ${CLAIM_VALUE}, or a list of such values with one at least`)
    }
    return Object.freeze({ claim: checkClaimKey(key, setting), values })
  })
  return Object.freeze(required)
}

/**
 * What all issuers require and what one requires, together: an entry cannot take back what is demanded of everybody. For a
 * claim that both name, the values are left that both allow.
 */
export function joinRequired(
  shared: readonly RequiredClaim[] | undefined,
  own: readonly RequiredClaim[] | undefined,
  name: string,
): readonly RequiredClaim[] | undefined {
  if (shared === undefined || own === undefined) return own ?? shared
  const keys = new Set(own.map(({ claim }) => keyOfClaim(claim)))
  const narrowed = own.map(({ claim, values }) => {
    const key = keyOfClaim(claim)
    const other = shared.find((one) => keyOfClaim(one.claim) === key)
    const both = other === undefined ? values : values.filter((value) => other.values.includes(value))
    if (both.length > 0) return Object.freeze({ claim, values: Object.freeze(both) })
    throw new ArgumentError(
      `${name}[${formatGiven(key)}]`,
      'has no value that the shared option required has: both hold, so that every token would be refused',
    )
  })
  return Object.freeze([...shared.filter(({ claim }) => !keys.has(keyOfClaim(claim))), ...narrowed])
}

/** The key that names a claim in an object. */
export function keyOfClaim({ reference }: Claim): string {
  return typeof reference === 'string' ? reference : JSON.stringify(reference)
}

const MAX_MAPPED_NAMES = 1000
const MAX_MAPPED_SCOPES = 50

export function checkScopeMap(setting: Setting): ScopeMap {
  const names = membersOf(setting, 'names of scopes, { "Jobs.Read": "jobs:read" }').map(([key, given]) => {
    const name = `${setting.name}[${formatGiven(key)}]`
    const scopes = checkScopeTokens(typeof given === 'string' ? [given] : given, name)
    // A token that names all of them would be worked on, and kept, at a length that nobody has sent.
    if (scopes.length > MAX_MAPPED_SCOPES) throw new ArgumentError(name, `must be ${MAX_MAPPED_SCOPES} scopes at most`)
    return [key, scopes] as const
  })
  if (names.length > MAX_MAPPED_NAMES)
    throw new ArgumentError(setting.name, `must have ${MAX_MAPPED_NAMES} names at most`)
  return createScopeMap(new Map(names))
}

export function checkGrants({ value, name }: Setting): Grants {
  if (!Array.isArray(value)) throw new ArgumentError(name, 'must be a list of { match, scopes }')
  return rankGrants([...value].map((entry, index) => checkGrant(entry, `${name}[${index}]`)))
}

function checkGrant(entry: unknown, at: string): Grant {
  if (!isRecord(entry)) throw new ArgumentError(at, 'must be { match, scopes }')
  const { match, scopes } = readOptions(entry, ['match', 'scopes'], `${at} option`)
  const setting = optionSetting(match, `${at}.match`)
  const conditions = membersOf(setting, 'claims and their values, { sub: "…" }').map(([key, given]) =>
    checkCondition(checkClaimKey(key, setting), given, `${setting.name}[${formatGiven(key)}]`),
  )
  return Object.freeze({ conditions: Object.freeze(conditions), scopes: checkScopeTokens(scopes, `${at}.scopes`) })
}

/** `…:jobs*` would match `jobs-evil`: a pattern ends where a name ends. */
function checkCondition(claim: Claim, value: unknown, name: string): GrantCondition {
  refuseInexact([value], name)
  if (!isClaimValue(value)) throw new ArgumentError(name, `must be ${CLAIM_VALUE}`)
  if (typeof value !== 'string' || !value.includes('*')) return Object.freeze({ claim, value, prefix: undefined })
  const prefix = value.slice(0, -1)
  if (!/^[^*]*[:/]\*$/s.test(value)) {
    throw new ArgumentError(name, 'may have one * alone, at its end and behind a : or a /, as in "repo:acme/*"')
  }
  return Object.freeze({ claim, value, prefix })
}

const CLAIM_VALUE = 'a text that is not empty, a number, true or false'

function isClaimValue(value: unknown): value is ClaimValue {
  return (typeof value === 'string' && value !== '') || Number.isFinite(value) || typeof value === 'boolean'
}

/** Beyond 2^53 several numbers of the issuer are one in JavaScript: another account's would be equal. */
function refuseInexact(values: readonly unknown[], name: string): void {
  if (values.some((value) => Number.isFinite(value) && Math.abs(value as number) > Number.MAX_SAFE_INTEGER)) {
    throw new ArgumentError(
      name,
      'is beyond 2^53 - 1, where numbers are no longer told apart; give a text, and have the issuer write one',
    )
  }
}

/** A key is a text. A path that is a list is written in it as JSON. */
function checkClaimKey(key: string, { name }: Setting): Claim {
  const claim = parseClaimReference(key.startsWith('[') ? listOf(key) : key)
  if (claim !== undefined) return claim
  throw new ArgumentError(
    name,
    `has a name that is none: each must be ${CLAIM_REFERENCE}, which is written as JSON: '["kubernetes.io", "namespace"]'`,
  )
}

function listOf(key: string): unknown {
  try {
    return JSON.parse(key)
  } catch {
    return undefined
  }
}

/** The members of the object itself, each read once. */
function membersOf({ value, name }: Setting, what: string): [key: string, value: unknown][] {
  const members = isRecord(value) ? Object.entries(value) : []
  if (members.length === 0) throw new ArgumentError(name, `must be an object of ${what}, with one member at least`)
  return members
}

function checkScopeTokens(given: unknown, name: string): readonly string[] {
  const scopes: unknown[] = Array.isArray(given) ? [...given] : []
  if (scopes.length > 0 && scopes.every(isScopeToken)) return Object.freeze([...new Set(scopes)])
  throw new ArgumentError(
    name,
    'must be scope tokens (printable ASCII, not empty, no space, comma, quote or backslash), one at least',
  )
}
