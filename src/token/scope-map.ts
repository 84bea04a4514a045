import { createScopeReader, parseScopeClaim, type ScopeSeparator } from '../core/scope.js'

/** Reads a claim that is a text, by the separator. Tokens with one text share one list. */
export type ScopeReaders = { readonly [S in ScopeSeparator]: (text: string) => readonly string[] }

/** Names of an issuer's scopes, and what they are called here. */
export interface ScopeMap {
  readonly names: Readonly<Record<string, readonly string[]>>
  /** The scopes by the names of here. What the map does not name stays; duplicates are dropped. */
  apply(scopes: readonly string[]): readonly string[]
  /** What they read is mapped already. */
  readonly readers: ScopeReaders
}

/** @param names scope tokens, by the name that the issuer uses */
export function createScopeMap(names: ReadonlyMap<string, readonly string[]>): ScopeMap {
  const apply = (scopes: readonly string[]) =>
    Object.freeze([...new Set(scopes.flatMap((scope) => names.get(scope) ?? scope))])
  return Object.freeze({ names: Object.freeze(Object.fromEntries(names)), apply, readers: createReaders(apply) })
}

export const NO_SCOPES: readonly string[] = Object.freeze([])

function createReaders(apply: (scopes: readonly string[]) => readonly string[]): ScopeReaders {
  const reader = (separator: ScopeSeparator) =>
    createScopeReader((text) => apply(parseScopeClaim(text, separator) ?? NO_SCOPES))
  return Object.freeze({ space: reader('space'), comma: reader('comma') })
}

/** For issuers whose scopes have the names of here. */
export const plainReaders: ScopeReaders = createReaders((scopes) => scopes)
