import { parseScopeClaim } from '../core/scope.js'
import { type Claim, claimAt } from './claim-reference.js'
import { grantFor } from './grants.js'
import type { IssuerPolicy } from './policy.js'
import { NO_SCOPES, plainReaders } from './scope-map.js'
import type { UnverifiedAccessToken } from './unverified-token.js'

const NO_CLAIMS: readonly Claim[] = Object.freeze([])

/** The claims that say what the scopes of a token are: under `union` all that are present, otherwise the first. */
export function scopeClaimsOf({ claims, policy }: UnverifiedAccessToken): readonly Claim[] {
  if (policy.scopes === 'union') return policy.scopeClaims.filter((claim) => claimAt(claims, claim) !== undefined)
  for (const claim of policy.scopeClaims) if (claimAt(claims, claim) !== undefined) return [claim]
  return NO_CLAIMS
}

/** Whether each claim that says something of the scopes can be read. */
export function areScopesReadable(token: UnverifiedAccessToken): boolean {
  return scopeClaimsOf(token).every((claim) => {
    const value = claimAt(token.claims, claim)
    return typeof value === 'string' || parseScopeClaim(value) !== undefined
  })
}

/** The scopes of a token whose claims hold. */
export function scopesOf(token: UnverifiedAccessToken): readonly string[] {
  const { claims, policy } = token
  const present = scopeClaimsOf(token)
  const first = present[0]
  if (first === undefined) return (policy.grants && grantFor(claims, policy.grants)?.scopes) ?? NO_SCOPES
  const scopes = readScopes(claimAt(claims, first), policy)
  if (present.length === 1) return scopes
  const more = present.slice(1).flatMap((claim) => readScopes(claimAt(claims, claim), policy))
  return Object.freeze([...new Set([...scopes, ...more])])
}

function readScopes(value: unknown, { scopeMap, scopeSeparator }: IssuerPolicy): readonly string[] {
  if (typeof value === 'string') return (scopeMap?.readers ?? plainReaders)[scopeSeparator](value)
  const scopes = parseScopeClaim(value) ?? NO_SCOPES
  return scopeMap === undefined ? scopes : scopeMap.apply(scopes)
}
