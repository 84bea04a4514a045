import { LRUCache } from 'lru-cache'
import type { AccessTokenAuth, ApiKeyAuth } from './auth.js'
import type { Reason } from './errors.js'
import type { Issuer, VerificationKey } from './issuer.js'
import type { KeyChange } from './keyring.js'

/** A verified access token. Instants are milliseconds since the epoch. */
export interface TokenEntry {
  readonly kind: 'access_token'
  readonly auth: AccessTokenAuth
  readonly issuer: Issuer
  /** The key that verified it; the entry ends when that key leaves its set. */
  readonly key: VerificationKey
  /** The entry is served before this instant: the earlier of its TTL and its own end. */
  readonly endsAt: number
}

/** A verified API key. */
export interface KeyEntry {
  readonly kind: 'api_key'
  readonly auth: ApiKeyAuth
  /** End of the key itself. */
  readonly expiresAt: number
  /** When the store last confirmed it. */
  readonly confirmedAt: number
  /** Served without asking the store before this instant. */
  readonly freshUntil: number
  /** Epoch of the change feed that the entry belongs to. */
  readonly epoch: number
}

export type CacheEntry = TokenEntry | KeyEntry

/** A refusal that cannot turn good, or of an unknown key. */
export interface Refusal {
  readonly reason: Reason
  readonly issuer: Issuer | undefined
  /** Generation of the issuer's key set, or of the unknown keys, at the time of the refusal. */
  readonly generation: number
  readonly endsAt: number
}

const REFUSAL_TTL_MS = 5000
const MAX_REFUSALS = 5000

/** Refusals that no later event turns into an acceptance. */
const FINAL_REASONS: ReadonlySet<Reason> = new Set([
  'signature',
  'type',
  'issuer',
  'audience',
  'expired',
  'claims',
  'revoked',
])

/** Verified credentials and recent refusals, both bounded; keyed by the SHA-256 of the credential, so that none stays in memory. */
export interface CredentialCache {
  get(digest: string): CacheEntry | undefined
  set(digest: string, entry: CacheEntry, credentialLength: number): void
  /** Drops what a change concerns: the verified key, or all of them, and every refusal of an unknown key. */
  forget(change: KeyChange): void
  refusal(digest: string, now: number): Refusal | undefined
  /** Remembers a refusal, if it is one that may be. */
  refuse(digest: string, reason: Reason, now: number, issuer: Issuer | undefined): void
}

/** @param bounds most entries, and most bytes of the credentials they stand for */
export function createCredentialCache(bounds: {
  readonly maxEntries: number
  readonly maxBytes: number
}): CredentialCache {
  const digestOfKey = new Map<string, string>()
  const entries = new LRUCache<string, CacheEntry>({
    max: bounds.maxEntries,
    maxSize: bounds.maxBytes,
    dispose(entry, digest) {
      if (entry.kind === 'api_key' && digestOfKey.get(entry.auth.keyId) === digest) digestOfKey.delete(entry.auth.keyId)
    },
  })
  const refusals = new LRUCache<string, Refusal>({ max: MAX_REFUSALS })
  let unknownGeneration = 0

  return {
    get: (digest) => entries.get(digest),

    set(digest, entry, credentialLength) {
      entries.set(digest, entry, { size: credentialLength })
      if (entry.kind === 'api_key' && entries.has(digest)) digestOfKey.set(entry.auth.keyId, digest)
    },

    forget(change) {
      unknownGeneration++
      const digests = 'id' in change ? [digestOfKey.get(change.id)] : [...digestOfKey.values()]
      for (const digest of digests) if (digest !== undefined) entries.delete(digest)
    },

    refusal(digest, now) {
      const refusal = refusals.get(digest)
      if (refusal === undefined) return undefined
      const generation = refusal.issuer === undefined ? unknownGeneration : refusal.issuer.generation
      const dropped =
        generation !== refusal.generation && (refusal.reason === 'unknown' || refusal.issuer !== undefined)
      if (now < refusal.endsAt && now >= refusal.endsAt - REFUSAL_TTL_MS && !dropped) return refusal
      refusals.delete(digest)
      return undefined
    },

    refuse(digest, reason, now, issuer) {
      if (reason !== 'unknown' && !FINAL_REASONS.has(reason)) return
      const generation = issuer === undefined ? unknownGeneration : issuer.generation
      refusals.set(digest, { reason, issuer, generation, endsAt: now + REFUSAL_TTL_MS })
    },
  }
}

/** Caches nothing: every decision is made anew. */
export const noCache: CredentialCache = {
  get: () => undefined,
  set() {},
  forget() {},
  refusal: () => undefined,
  refuse() {},
}
