import { createKeyCache, type KeyCache } from './key-cache.js'
import { createRefusals, type Refusals } from './refusals.js'
import { createSharedLimit } from './shared-limit.js'
import { createTokenCache, type TokenCache } from './token-cache.js'

/** What a verifier remembers of credentials that it has seen. No usable credential stays in memory, only SHA-256 digests. */
export interface Caches {
  readonly tokens: TokenCache
  readonly keys: KeyCache
  readonly refusals: Refusals
}

export interface CacheBounds {
  /** Most verified credentials, tokens and keys together. */
  readonly maxEntries: number
  /** Most bytes of the credentials that these entries stand for, tokens and keys together. */
  readonly maxBytes: number
  /** How long an entry serves before its credential is verified again. */
  readonly ttlMs: number
}

/**
 * The bounds hold for tokens and keys together: either kind may use all of the room that the other leaves. When they do
 * not fit, the kind that takes more of the room drops its least recently used entries, so that many tokens cannot drive
 * out a few keys. Refusals have bounds of their own.
 */
export function createCaches(bounds: CacheBounds): Caches {
  const limit = createSharedLimit(bounds)
  return {
    tokens: createTokenCache(limit, bounds.ttlMs),
    keys: createKeyCache(limit, bounds.ttlMs),
    refusals: createRefusals(),
  }
}
