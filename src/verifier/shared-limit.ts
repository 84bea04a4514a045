import { LRUCache } from 'lru-cache'

/** What takes room: an entry says how many bytes its credential has. */
interface Sized {
  readonly bytes: number
}

/** Entries of one kind that share the room with those of others, in the order of their last use. */
export interface SharedEntries<T extends Sized> {
  get(name: string): T | undefined
  /** Drops the least recently used entries of the kinds that take most of the room, until this one fits. */
  set(name: string, entry: T): void
  delete(name: string): void
  clear(): void
}

/** The room that several kinds of entries share. */
export interface SharedLimit {
  /** A further kind. */
  entries<T extends Sized>(): SharedEntries<T>
}

interface Bounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

interface Kind {
  readonly cache: LRUCache<string, Sized>
  bytes: number
}

export function createSharedLimit({ maxEntries, maxBytes }: Bounds): SharedLimit {
  const kinds: Kind[] = []
  let entries = 0
  let bytes = 0

  function addKind(): Kind {
    const kind: Kind = {
      bytes: 0,
      // Counted here, where an entry comes in and goes out: a size map of the cache's own takes as long as all the rest.
      cache: new LRUCache<string, Sized>({
        max: maxEntries,
        onInsert(entry, _name, reason) {
          // The same entry again: nothing went out.
          if (reason !== 'update') count(kind, 1, entry.bytes)
        },
        dispose: (entry) => count(kind, -1, -entry.bytes),
      }),
    }
    kinds.push(kind)
    return kind
  }

  function count(kind: Kind, moreEntries: number, moreBytes: number): void {
    entries += moreEntries
    bytes += moreBytes
    kind.bytes += moreBytes
  }

  function makeRoom(grown: Kind): void {
    while (entries > maxEntries) dropFromLargest(({ cache }) => cache.size, grown)
    while (bytes > maxBytes) dropFromLargest((kind) => kind.bytes, grown)
  }

  function dropFromLargest(sizeOf: (kind: Kind) => number, grown: Kind): void {
    // What was just added stays, so that a large credential among small ones is not verified on every request.
    const candidates = kinds.filter((kind) => kind !== grown || kind.cache.size > 1)
    candidates.sort((a, b) => sizeOf(b) - sizeOf(a))[0]?.cache.pop()
  }

  return {
    entries<T extends Sized>() {
      const kind = addKind()
      const { cache } = kind
      return {
        // Nothing else is put in.
        get: (name) => cache.get(name) as T | undefined,
        set(name, entry) {
          // It would drop all others, and still not fit.
          if (entry.bytes > maxBytes) {
            cache.delete(name)
            return
          }
          cache.set(name, entry)
          if (entries > maxEntries || bytes > maxBytes) makeRoom(kind)
        },
        delete: (name) => void cache.delete(name),
        clear: () => cache.clear(),
      }
    },
  }
}
