import { type ApiKeyAuth, endOfKey } from '../core/auth.js'
import { isWithin, sinceStart } from '../core/duration.js'
import type { KeyChange } from '../store/contract.js'
import type { SharedLimit } from './shared-limit.js'

/** A verified API key. */
export interface KeyEntry {
  readonly auth: ApiKeyAuth
  /** Length of the key. */
  readonly bytes: number
  /** When the store was asked, by {@link sinceStart}, rounded down. */
  readonly confirmedAt: number
  /** SHA-256 of the whole key. */
  readonly digest: string
  /** Epoch of the change feed when the store was asked; `undefined` when the feed was down or there is none. */
  readonly epoch: number | undefined
}

/**
 * Verified API keys, found by their id, since changes name keys by id. Serve only the holder of the full key: ids can be
 * guessed. So every question also takes the digest of the key that was presented.
 */
export interface KeyCache {
  /** The entry, if it is younger than the TTL and the key has not ended. */
  get(id: string, digest: string, now: number): KeyEntry | undefined
  /**
   * The entry however old it is, for an outage of the store. It checks no time: the caller has to look at `confirmedAt`
   * and the end of the key.
   */
  lastConfirmed(id: string, digest: string): KeyEntry | undefined
  set(entry: KeyEntry): void
  /** Drops a key that is refused now. */
  delete(id: string, digest: string): void
  /** Drops the key that a change names; all keys when it names none. */
  forget(change: KeyChange): void
}

export function createKeyCache(limit: SharedLimit, ttlMs: number): KeyCache {
  const entries = limit.entries<KeyEntry>()

  function find(id: string, digest: string): KeyEntry | undefined {
    const entry = entries.get(id)
    return entry?.digest === digest ? entry : undefined
  }

  return {
    get(id, digest, now) {
      const entry = find(id, digest)
      if (entry === undefined) return undefined
      return now < endOfKey(entry.auth) && isWithin(entry.confirmedAt, sinceStart(now), ttlMs) ? entry : undefined
    },

    lastConfirmed: find,

    set: (entry) => entries.set(entry.auth.keyId, entry),

    delete(id, digest) {
      if (find(id, digest) !== undefined) entries.delete(id)
    },

    forget(change) {
      if ('id' in change) entries.delete(change.id)
      else entries.clear()
    },
  }
}
