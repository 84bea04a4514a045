import { LRUCache } from 'lru-cache'
import { isWithin } from '../core/duration.js'
import type { Reason, RefusedCredential } from '../core/errors.js'

/** What a refusal was based on: an issuer's key set, or what had been heard of the key store. */
export interface Basis {
  /** Goes up with each change. A credential that was refused before may be good afterwards. */
  readonly generation: number
}

export interface Refusal {
  readonly reason: Reason
  readonly credential: RefusedCredential
  /** `undefined` for a refusal that follows from the configuration alone. */
  readonly basis: Basis | undefined
  /** Generation of the basis when the refusal was found. */
  readonly generation: number | undefined
  readonly refusedAt: number
}

/** Recent refusals, so that a client that repeats a bad credential costs little. At most 5 000, each for 5 seconds. */
export interface Refusals {
  /** The refusal, if it is recent and its basis has not changed. */
  get(digest: string, now: number): Refusal | undefined
  /** Remembers a refusal, if its reason is one that only a change of the basis can lift. */
  add(digest: string, refusal: Refusal): void
}

const TTL_MS = 5000
const MAX_REFUSALS = 5000

/** Reasons that the passing of time does not lift. */
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

export function createRefusals(): Refusals {
  const refusals = new LRUCache<string, Refusal>({ max: MAX_REFUSALS })

  return {
    get(digest, now) {
      const refusal = refusals.get(digest)
      if (refusal === undefined) return undefined
      const { basis, generation, refusedAt } = refusal
      if (basis?.generation === generation && isWithin(refusedAt, now, TTL_MS)) return refusal
      refusals.delete(digest)
      return undefined
    },

    add(digest, refusal) {
      if (LASTING_REASONS.has(refusal.reason)) refusals.set(digest, refusal)
    },
  }
}
