import { formatGiven } from './given.js'

/**
 * Scopes of your own, besides the eight of the Vantage API. Add them by declaration merging, so that a misspelt one does not
 * compile:
 *
 * ```ts
 * declare module 'vantage-auth' {
 *   interface VantageScopes { 'reports:read': true }
 * }
 * ```
 *
 * It is a matter of types alone. At run time keys may have them when `VANTAGE_SCOPES`, or the option `scopes` of
 * `createKeyring()`, names them.
 */
// biome-ignore lint/suspicious/noEmptyInterface: an application adds its own by declaration merging
export interface VantageScopes {}

/**
 * Which scopes there are besides your own. `documented: false` takes the eight of the Vantage API out of {@link Scope}:
 *
 * ```ts
 * declare module 'vantage-auth' {
 *   interface VantageVocabulary { documented: false }
 * }
 * ```
 *
 * It is a matter of types alone. `VANTAGE_DOCUMENTED_SCOPES=false`, or `documentedScopes: false` of `createKeyring()`, takes
 * them out of what keys may have.
 */
// biome-ignore lint/suspicious/noEmptyInterface: an application fills it by declaration merging
export interface VantageVocabulary {}

/** The eight scopes of the Vantage API, in the order of its documentation. */
export const DOCUMENTED_SCOPES = Object.freeze([
  'jobs:read',
  'jobs:write',
  'clusters:read',
  'clusters:write',
  'storage:read',
  'storage:write',
  'teams:read',
  'teams:write',
] as const)

type DocumentedScope = VantageVocabulary extends { documented: false } ? never : (typeof DOCUMENTED_SCOPES)[number]

/**
 * One scope of the vocabulary: the eight of the Vantage API unless {@link VantageVocabulary} takes them out, and those that
 * {@link VantageScopes} adds. A scope implies no other: `jobs:write` does not grant `jobs:read`.
 */
export type Scope = DocumentedScope | keyof VantageScopes

/**
 * What a function takes that wants one scope at least: scopes one by one, or a list that is spread. How long a `Scope[]` is
 * shows at run time only; there an empty one is a TypeError.
 */
export type SomeScopes<List extends Scope[]> = List extends [] ? [scope: Scope] : List

// RFC 6749 §3.3, less the comma: the Vantage API separates scopes with commas as well as spaces.
const SCOPE_TOKEN = /^[\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+$/

/** Whether a value is one scope token of RFC 6749 §3.3 that also survives a comma-separated list. @internal */
export function isScopeToken(value: unknown): value is string {
  return typeof value === 'string' && SCOPE_TOKEN.test(value)
}

/**
 * Checks the scopes that a route or a call names.
 *
 * @throws {TypeError} for none, or for one that is not a scope token
 *
 * @internal
 */
export function checkScopes(caller: string, scopes: readonly unknown[]): readonly string[] {
  if (scopes.length === 0) {
    throw new TypeError(`${caller}() needs at least one scope, for example ${caller}('jobs:read')`)
  }
  for (const scope of scopes) {
    if (Array.isArray(scope)) {
      throw new TypeError(
        `${caller}() takes its scopes as separate arguments, not as an array: ${caller}('jobs:read', 'jobs:write')`,
      )
    }
    if (!isScopeToken(scope)) {
      throw new TypeError(
        `${caller}() takes scope tokens (RFC 6749 §3.3: printable ASCII, not empty, no space, comma, quote or backslash), not ${formatGiven(scope)}; name several as separate arguments`,
      )
    }
  }
  return Object.freeze([...(scopes as readonly string[])])
}

/**
 * Whether the credential grants all of the scopes.
 *
 * @throws {TypeError} when none is given: a check of nothing is a mistake, not a permission
 */
export function hasScope<List extends Scope[]>(
  auth: { readonly scopes: readonly string[] },
  ...scopes: SomeScopes<List>
): boolean {
  return grantsAll(auth.scopes, checkScopes('hasScope', scopes))
}

/**
 * Whether the credential grants one of the scopes, at least.
 *
 * @throws {TypeError} when none is given: a check of nothing is a mistake, not a permission
 */
export function hasAnyScope<List extends Scope[]>(
  auth: { readonly scopes: readonly string[] },
  ...scopes: SomeScopes<List>
): boolean {
  return grantsAny(auth.scopes, checkScopes('hasAnyScope', scopes))
}

/** Whether all of the required scopes are granted. @internal */
export function grantsAll(granted: readonly string[], required: readonly string[]): boolean {
  return required.every((scope) => granted.includes(scope))
}

/** Whether one of the required scopes, at least, is granted. @internal */
export function grantsAny(granted: readonly string[], required: readonly string[]): boolean {
  return required.some((scope) => granted.includes(scope))
}

/**
 * What separates scopes in a claim that is a string: `space`, as RFC 6749 §3.3 has it, or `comma`: spaces and commas, as
 * the Vantage API's own URLs write them. A comma may be part of a scope elsewhere.
 */
export type ScopeSeparator = 'space' | 'comma'

/**
 * Reads the scopes out of a claim: a string is split at the separator, the elements of an array are not. Order is kept, duplicates are dropped, unknown scopes are kept.
 *
 * @returns `undefined` for any other type, or an array with an element that is no string
 * @see {@link https://www.rfc-editor.org/rfc/rfc8693#section-4.2 RFC 8693 §4.2}
 *
 * @internal
 */
export function parseScopeClaim(claim: unknown, separator: ScopeSeparator = 'comma'): readonly string[] | undefined {
  if (typeof claim === 'string') {
    const scopes = claim.split(separator === 'comma' ? /[ ,]+/ : / +/)
    return Object.freeze([...new Set(scopes.filter((scope) => scope !== ''))])
  }
  if (Array.isArray(claim) && claim.every((element) => typeof element === 'string')) {
    return Object.freeze([...new Set<string>(claim)])
  }
  return undefined
}

const MAX_REMEMBERED = 1000
/** Longer texts are rare, and are read anew each time. */
const MAX_TEXT_LENGTH = 256

/** Lists that nobody can change, nor make look like others: those of an application's own verifier may be anything. */
const sharedLists = new WeakSet<readonly string[]>()

/** Whether many credentials may share this list, whose scopes stay what they are. @internal */
export function isSharedList(scopes: readonly string[]): boolean {
  return sharedLists.has(scopes)
}

/**
 * Remembers what a text was read to. Very many credentials have one of a few scope texts: each is parsed once, and all of
 * these credentials share one list.
 *
 * @param read returns a frozen list
 *
 * @internal
 */
export function createScopeReader<T extends readonly string[] | undefined>(
  read: (text: string) => T,
): (text: string) => T {
  const lists = new Map<string, T>()
  return (text) => {
    const known = lists.get(text)
    if (known !== undefined) return known
    const list = read(text)
    if (text.length <= MAX_TEXT_LENGTH) {
      if (lists.size >= MAX_REMEMBERED) lists.clear()
      lists.set(text, list)
      if (list !== undefined) sharedLists.add(list)
    }
    return list
  }
}
