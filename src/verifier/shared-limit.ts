/** What the limit needs to know of a cache; lru-cache's class has it. */
interface Entries {
  readonly size: number
  readonly calculatedSize: number
  /** Drops the least recently used entry. */
  pop(): unknown
}

/** The room that several caches share. */
export interface SharedLimit {
  readonly maxEntries: number
  readonly maxBytes: number
  /** Makes a cache one of those that share the room. */
  add(entries: Entries): void
  /** Drops entries until everything fits. Called after each addition, with the cache that was added to. */
  enforce(grown: Entries): void
}

export function createSharedLimit({ maxEntries, maxBytes }: Pick<SharedLimit, 'maxEntries' | 'maxBytes'>): SharedLimit {
  const sharing: Entries[] = []

  function dropFromLargest(sizeOf: (entries: Entries) => number, max: number, grown: Entries): void {
    while (sharing.reduce((sum, entries) => sum + sizeOf(entries), 0) > max) {
      // What was just added stays, so that a large credential among small ones is not verified on every request.
      const candidates = sharing.filter((entries) => entries !== grown || entries.size > 1)
      candidates.sort((a, b) => sizeOf(b) - sizeOf(a))[0]?.pop()
    }
  }

  return {
    maxEntries,
    maxBytes,
    add: (entries) => void sharing.push(entries),
    enforce(grown) {
      dropFromLargest((entries) => entries.size, maxEntries, grown)
      dropFromLargest((entries) => entries.calculatedSize, maxBytes, grown)
    },
  }
}
