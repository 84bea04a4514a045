import { LRUCache } from 'lru-cache'
import type { AccessTokenAuth, ApiKeyAuth } from './auth.js'
import type { Reason } from './errors.js'
import type { Issuer, VerificationKey } from './issuer.js'
import type { KeyChange } from './keyring.js'
import type { IssuerPolicy } from './options.js'

/** A verified credential. Instants are milliseconds since the epoch. */
export type CacheEntry = TokenEntry | KeyEntry

interface EntryBase {
  /** When it was verified. */
  readonly confirmedAt: number
  /** End of the credential itself. */
  readonly endsAt: number
}

/** A verified access token. */
export interface TokenEntry extends EntryBase {
  readonly kind: 'access_token'
  readonly auth: AccessTokenAuth
  readonly issuer: Issuer
  /** The key that verified it; the entry is served only while that key is in its issuer's set. */
  readonly key: VerificationKey
}

/** A verified API key. */
export interface KeyEntry extends EntryBase {
  readonly kind: 'api_key'
  readonly auth: ApiKeyAuth
  /** Epoch of the change feed when the store was asked; `undefined` when there was none to rely upon. */
  readonly epoch: number | undefined
}

/** What a refusal rests upon: a key set, or what was heard of a store. A new generation may turn it good. */
export interface Origin {
  readonly generation: number
  readonly policy?: IssuerPolicy
}

/** A recent refusal. */
export interface Refusal {
  readonly reason: Reason
  /** `undefined` for a refusal that rests upon the configuration alone. */
  readonly origin: Origin | undefined
  /** Generation of the origin when the refusal was found. */
  readonly generation: number | undefined
  readonly refusedAt: number
}

const REFUSAL_TTL_MS = 5000
const MAX_REFUSALS = 5000

/** Refusals that time alone does not turn into an acceptance. */
const LASTING_REASONS: ReadonlySet<Reason> = new Set([
  'signature',
  'type',
  'issuer',
  'audience',
  'expired',
  'claims',
  'revoked',
  'unknown',
])

/**
 * Verified credentials, and apart from them recent refusals, both bounded. Keyed by the SHA-256 of the credential: no
 * usable credential stays in memory.
 */
export interface CredentialCache {
  /** A verified credential within its TTL and its own life. */
  get(digest: string, now: number): CacheEntry | undefined
  /** The same past its TTL: for an outage, whoever asks has to look at its instants. */
  lastConfirmed(digest: string): CacheEntry | undefined
  set(digest: string, entry: CacheEntry, credentialLength: number): void
  delete(digest: string): void
  /** Drops the verified key that a change concerns, or all of them. */
  forget(change: KeyChange): void
  /** A refusal that still stands. */
  refusal(digest: string, now: number): Refusal | undefined
  /** Remembers a refusal, if it is one that may be. */
  refuse(digest: string, refusal: Refusal): void
}

/** @param bounds most entries, most bytes of the credentials that they stand for, and how long each serves */
export function createCredentialCache(bounds: {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly ttlMs: number
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

  return {
    get(digest, now) {
      const entry = entries.get(digest)
      return entry !== undefined && now < entry.endsAt && isWithin(entry.confirmedAt, now, bounds.ttlMs)
        ? entry
        : undefined
    },

    lastConfirmed: (digest) => entries.get(digest),

    set(digest, entry, credentialLength) {
      entries.set(digest, entry, { size: credentialLength })
      // What alone is larger than the bound is not kept.
      if (entry.kind === 'api_key' && entries.has(digest)) digestOfKey.set(entry.auth.keyId, digest)
    },

    delete(digest) {
      entries.delete(digest)
    },

    forget(change) {
      const digests = 'id' in change ? [digestOfKey.get(change.id)] : [...digestOfKey.values()]
      for (const digest of digests) if (digest !== undefined) entries.delete(digest)
    },

    refusal(digest, now) {
      const refusal = refusals.get(digest)
      if (refusal === undefined) return undefined
      const { origin, generation, refusedAt } = refusal
      if (origin?.generation === generation && isWithin(refusedAt, now, REFUSAL_TTL_MS)) return refusal
      refusals.delete(digest)
      return undefined
    },

    refuse(digest, refusal) {
      if (LASTING_REASONS.has(refusal.reason)) refusals.set(digest, refusal)
    },
  }
}

/** Whether less than a span has passed. A clock that was set back says nothing of the age. */
export function isWithin(since: number, now: number, spanMs: number): boolean {
  return now >= since && now - since < spanMs
}

/** Caches nothing: every decision is made anew. */
export const noCache: CredentialCache = {
  get: () => undefined,
  lastConfirmed: () => undefined,
  set() {},
  delete() {},
  forget() {},
  refusal: () => undefined,
  refuse() {},
}
