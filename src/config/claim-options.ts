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
   * Claims that the token has to have, all of them: a {@link ClaimReference} as a text, and the value. Values are compared
   * exactly, and with their type. A text may end in `:*` or `/*`: it then says what the claim begins with, and at least one
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

export function checkPreset({ value, name }: Setting): string {
  if (typeof value === 'string' && /^[\x20-\x7E]{1,64}$/.test(value)) return value
  throw new ArgumentError(name, 'must be a name for people: 1 to 64 characters of printable ASCII')
}

export function checkRequired(setting: Setting): readonly RequiredClaim[] {
  const required = membersOf(setting, 'claims and their values, { tid: "…" }').map(([key, given]) => {
    const name = `${setting.name}[${formatGiven(key)}]`
    const values = Object.freeze(Array.isArray(given) ? [...given] : [given])
    if (values.length === 0 || !values.every(isClaimValue)) {
      throw new ArgumentError(name, `must be ${CLAIM_VALUE}, or a list of such values with one at least`)
    }
    return Object.freeze({ claim: checkClaimKey(key, setting), values })
  })
  return Object.freeze(required)
}

export function checkScopeMap(setting: Setting): ScopeMap {
  const names = membersOf(setting, 'names of scopes, { "Jobs.Read": "jobs:read" }').map(([key, given]) => {
    const name = `${setting.name}[${formatGiven(key)}]`
    return [key, checkScopeTokens(typeof given === 'string' ? [given] : given, name)] as const
  })
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

function checkClaimKey(key: string, { name }: Setting): Claim {
  const claim = parseClaimReference(key)
  if (claim === undefined) throw new ArgumentError(name, `has a name that is none: each must be ${CLAIM_REFERENCE}`)
  return claim
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
