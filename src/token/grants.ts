import { type Claim, claimAt, OFF_PATH } from './claim-reference.js'
import type { JsonObject } from './json-object.js'

/** What claims are compared with, by `===`. */
export type ClaimValue = string | number | boolean

/** One claim that a grant compares: with a value, or with how a text begins. */
export interface GrantCondition {
  readonly claim: Claim
  readonly value: ClaimValue
  /** What the text begins with, for a value that ends in `*`; `undefined` compares the whole. */
  readonly prefix: string | undefined
}

/** The scopes of a caller whose token says nothing about scopes. */
export interface Grant {
  readonly conditions: readonly GrantCondition[]
  /** Without duplicates, frozen: the tokens that match share it. */
  readonly scopes: readonly string[]
}

/** The grants of an issuer. */
export interface Grants {
  /** As they were listed. */
  readonly listed: readonly Grant[]
  /** The most exact first: the first that matches decides. */
  readonly ranked: readonly Grant[]
}

/**
 * Ranks grants: more matched characters come first, over all conditions together (those before the `*` of a pattern; of a
 * number or a boolean those that JSON writes); then the one with fewer patterns; then the one listed first.
 */
export function rankGrants(listed: readonly Grant[]): Grants {
  const ranked = [...listed].sort((a, b) => charactersOf(b) - charactersOf(a) || patternsOf(a) - patternsOf(b))
  return Object.freeze({ listed: Object.freeze([...listed]), ranked: Object.freeze(ranked) })
}

function charactersOf({ conditions }: Grant): number {
  return conditions.reduce((sum, { value, prefix }) => sum + (prefix ?? String(value)).length, 0)
}

function patternsOf({ conditions }: Grant): number {
  return conditions.filter(({ prefix }) => prefix !== undefined).length
}

/** The grant that decides on a token without any scope claim. */
export function grantFor(claims: JsonObject, { ranked }: Grants): Grant | undefined {
  return ranked.find(({ conditions }) => conditions.every((condition) => holds(claims, condition)))
}

function holds(claims: JsonObject, { claim, value, prefix }: GrantCondition): boolean {
  const found = claimAt(claims, claim)
  if (prefix === undefined) return found === value
  // One character at least has to stand for the `*`: `repo:acme/` names no repository.
  return typeof found === 'string' && found.length > prefix.length && found.startsWith(prefix)
}

/** The claim, of those that the grants compare, whose path leads through something else than an object. */
export function strayClaimOf(claims: JsonObject, { listed }: Grants): Claim | undefined {
  for (const { conditions } of listed) {
    for (const { claim } of conditions) if (claimAt(claims, claim) === OFF_PATH) return claim
  }
  return undefined
}
