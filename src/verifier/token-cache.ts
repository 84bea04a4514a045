import { LRUCache } from 'lru-cache'
import type { AccessTokenAuth } from '../core/auth.js'
import { isWithin } from '../core/duration.js'
import type { Issuer } from '../token/issuer/issuer.js'
import type { VerificationKey } from '../token/key-set.js'
import type { SharedLimit } from './shared-limit.js'

/** A verified access token. Instants are milliseconds since the epoch. */
export interface TokenEntry {
  readonly auth: AccessTokenAuth
  /** When it was verified. */
  readonly confirmedAt: number
  /** From when on it must be verified again at the latest: the end of the token itself. */
  readonly endsAt: number
  readonly issuer: Issuer
  /** The key that verified it. The caller serves the entry only while that key is in its issuer's set. */
  readonly key: VerificationKey
}

/** Verified access tokens, found by the SHA-256 of the whole token. */
export interface TokenCache {
  /** The entry, if it is younger than the TTL and the token has not ended. */
  get(digest: string, now: number): TokenEntry | undefined
  /** @param bytes length of the token */
  set(digest: string, entry: TokenEntry, bytes: number): void
}

export function createTokenCache(limit: SharedLimit, ttlMs: number): TokenCache {
  const entries = new LRUCache<string, TokenEntry>({ max: limit.maxEntries, maxSize: limit.maxBytes })
  limit.add(entries)

  return {
    get(digest, now) {
      const entry = entries.get(digest)
      if (entry === undefined) return undefined
      return now < entry.endsAt && isWithin(entry.confirmedAt, now, ttlMs) ? entry : undefined
    },

    set(digest, entry, bytes) {
      entries.set(digest, entry, { size: bytes })
      limit.enforce(entries)
    },
  }
}
