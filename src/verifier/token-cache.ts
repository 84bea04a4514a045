import type { AccessTokenAuth } from '../core/auth.js'
import { isWithin, sinceStart } from '../core/duration.js'
import type { Issuer } from '../token/issuer/issuer.js'
import type { VerificationKey } from '../token/key-set.js'
import type { SharedLimit } from './shared-limit.js'

/** A verified access token. */
export interface TokenEntry {
  readonly auth: AccessTokenAuth
  /** Length of the token. */
  readonly bytes: number
  /** When it was verified, by {@link sinceStart}, rounded down. */
  readonly confirmedAt: number
  /** From when on it must be verified again at the latest: the end of the token itself, in seconds since the epoch. */
  readonly endsAt: number
  readonly issuer: Issuer
  /** The key that verified it. The caller serves the entry only while that key is in its issuer's set. */
  readonly key: VerificationKey
}

/** Verified access tokens, found by the SHA-256 of the whole token. */
export interface TokenCache {
  /** The entry, if it is younger than the TTL and the token has not ended. */
  get(digest: string, now: number): TokenEntry | undefined
  set(digest: string, entry: TokenEntry): void
}

export function createTokenCache(limit: SharedLimit, ttlMs: number): TokenCache {
  const entries = limit.entries<TokenEntry>()

  return {
    get(digest, now) {
      const entry = entries.get(digest)
      if (entry === undefined) return undefined
      return now < entry.endsAt * 1000 && isWithin(entry.confirmedAt, sinceStart(now), ttlMs) ? entry : undefined
    },

    set: entries.set,
  }
}
