import { show } from './check-report.js'
import { type JsonObject, own } from './json-object.js'

/**
 * How an option names a claim. A string with `://` in it is the name of one claim, as `https://example.com/roles`. Any other
 * string is a path whose steps are separated by dots, as `realm_access.roles`: members of objects within objects. A list is
 * the path itself, for names with a dot: `['kubernetes.io', 'namespace']`.
 */
export type ClaimReference = string | readonly string[]

/** A claim that an option names, checked and taken apart once. */
export interface Claim {
  /** As it was given. */
  readonly reference: ClaimReference
  /** The member of the payload. */
  readonly name: string
  /** The steps from there on, which most claims do not have. */
  readonly inner: readonly string[]
}

const MAX_STEPS = 10
const MAX_NAME_LENGTH = 256

/** What a reference has to be, for messages. */
export const CLAIM_REFERENCE = `the name of a claim, as "tenant_id", a path, as "realm_access.roles", or a list of the path's steps; of at most ${MAX_STEPS} steps, none of them empty or longer than ${MAX_NAME_LENGTH} characters`

/** @returns `undefined` for what is no reference */
export function parseClaimReference(given: unknown): Claim | undefined {
  const reference = Array.isArray(given) ? Object.freeze([...given]) : given
  const steps = typeof reference === 'string' ? stepsOf(reference) : reference
  if (!Array.isArray(steps) || steps.length > MAX_STEPS || !steps.every(isStep)) return undefined
  const [name, ...inner] = steps
  if (name === undefined) return undefined
  return Object.freeze({ reference: reference as ClaimReference, name, inner: Object.freeze(inner) })
}

function stepsOf(text: string): readonly string[] {
  return text.includes('://') ? [text] : text.split('.')
}

function isStep(step: unknown): step is string {
  return typeof step === 'string' && step !== '' && step.length <= MAX_NAME_LENGTH
}

/**
 * What {@link claimAt} finds where a path leads through something else than an object. It is of no type that a claim can
 * have, so that every check of a type refuses it, and it equals no value.
 */
export const OFF_PATH: unique symbol = Symbol('something else than an object on the way')

/**
 * The value of a claim. A step is a member of the object itself: what a prototype has is none, and neither is an entry of a
 * list.
 *
 * @returns `undefined` where the claim or a step is absent
 */
export function claimAt(claims: JsonObject, { name, inner }: Claim): unknown {
  const value = own(claims, name)
  return inner.length === 0 ? value : follow(value, inner)
}

function follow(start: unknown, steps: readonly string[]): unknown {
  let value = start
  for (const step of steps) {
    if (value === undefined) return undefined
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return OFF_PATH
    value = own(value as JsonObject, step)
  }
  return value
}

/** The name of a claim for people: a path of names without dots as `a.b`, any other as the list of its steps. */
export function showReference({ reference }: Claim): string {
  return typeof reference === 'string' ? show(reference).slice(1, -1) : show(reference)
}

/** What is found there, for people. */
export function showClaim(claims: JsonObject, claim: Claim): string {
  const value = claimAt(claims, claim)
  return value === OFF_PATH ? (OFF_PATH.description ?? '') : show(value)
}
