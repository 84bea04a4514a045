import { LRUCache } from 'lru-cache'
import { type AccessTokenAuth, type ApiKeyAuth, endOfKey } from '../core/auth.js'
import type { Reason } from '../core/errors.js'
import type { KeyChange } from '../store/contract.js'
import type { Issuer, VerificationKey } from '../token/issuer.js'
import type { IssuerPolicy } from '../token/policy.js'

/** A verified access token. Instants are milliseconds since the epoch. */
export interface TokenEntry {
  readonly auth: AccessTokenAuth
  /** When it was verified. */
  readonly confirmedAt: number
  /** End of the token itself. */
  readonly endsAt: number
  readonly issuer: Issuer
  /** The key that verified it; the entry is served only while that key is in its issuer's set. */
  readonly key: VerificationKey
}

/** A verified API key. */
export interface KeyEntry {
  readonly auth: ApiKeyAuth
  /** When the store was asked. */
  readonly confirmedAt: number
  /** Whom it is served to: the fingerprint of the whole key. */
  readonly digest: string
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
 * Verified credentials, and apart from them recent refusals, both bounded. Tokens and refusals are kept by the SHA-256 of
 * the credential and keys by their id with that digest beside it: no usable credential stays in memory.
 */
export interface CredentialCache {
  /** A verified token within its TTL and its own life. */
  token(digest: string, now: number): TokenEntry | undefined
  /** A verified key within its TTL and its own life. */
  key(id: string, digest: string, now: number): KeyEntry | undefined
  /** The same past its TTL: for an outage, whoever asks has to look at its instants. */
  lastConfirmed(id: string, digest: string): KeyEntry | undefined
  setToken(digest: string, entry: TokenEntry, length: number): void
  setKey(entry: KeyEntry, length: number): void
  /** Drops a verified key that is refused now. */
  deleteKey(id: string, digest: string): void
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
  // One bound for both kinds; an id has 12 characters, a digest 32.
  const entries = new LRUCache<string, TokenEntry | KeyEntry>({ max: bounds.maxEntries, maxSize: bounds.maxBytes })
  const refusals = new LRUCache<string, Refusal>({ max: MAX_REFUSALS })

  function isServed(confirmedAt: number, endsAt: number, now: number): boolean {
    return now < endsAt && isWithin(confirmedAt, now, bounds.ttlMs)
  }

  /** Of a key with this id only who presents the whole key is served: others can guess the id. */
  function keyEntry(id: string, digest: string): KeyEntry | undefined {
    const entry = entries.get(id)
    return entry !== undefined && 'digest' in entry && entry.digest === digest ? entry : undefined
  }

  return {
    token(digest, now) {
      const entry = entries.get(digest)
      if (entry === undefined || 'digest' in entry) return undefined
      return isServed(entry.confirmedAt, entry.endsAt, now) ? entry : undefined
    },

    key(id, digest, now) {
      const entry = keyEntry(id, digest)
      return entry !== undefined && isServed(entry.confirmedAt, endOfKey(entry.auth), now) ? entry : undefined
    },

    lastConfirmed: keyEntry,

    setToken(digest, entry, length) {
      entries.set(digest, entry, { size: length })
    },

    setKey(entry, length) {
      entries.set(entry.auth.keyId, entry, { size: length })
    },

    deleteKey(id, digest) {
      if (keyEntry(id, digest) !== undefined) entries.delete(id)
    },

    forget(change) {
      if ('id' in change) entries.delete(change.id)
      else for (const [name, entry] of [...entries.entries()]) if ('digest' in entry) entries.delete(name)
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
  token: () => undefined,
  key: () => undefined,
  lastConfirmed: () => undefined,
  setToken() {},
  setKey() {},
  deleteKey() {},
  forget() {},
  refusal: () => undefined,
  refuse() {},
}
