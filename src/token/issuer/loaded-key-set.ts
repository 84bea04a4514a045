import { type KeySet, parseKeySet } from '../key-set.js'
import { ageOf, type Moment } from './moment.js'

const FRESH_MS = 600_000
/** From this share of its freshness on, a set is to be refreshed in the background. */
const REFRESH_AT = 0.8

/** The last good key set of an issuer, and its age. It never fetches. */
export interface LoadedKeySet {
  readonly set: KeySet | undefined
  /** Goes up with each set. */
  readonly generation: number
  /** When the fetch of the set began. */
  readonly fetchedAt: Moment | undefined
  /** Number of the fetch that brought the set; 0 before the first. */
  readonly fetchNumber: number
  /**
   * Whether the set may serve without asking its issuer first.
   *
   * @param outage whether the issuer is out of reach: then an old set serves until its largest age
   */
  serves(now: number, outage: boolean): 'fresh' | 'stale' | false
  /** Whether it is time to refresh the set in the background. */
  isRefreshDue(now: number): boolean
  /** @throws {TypeError} when the value is no key set with a usable key; the one before stays */
  replace(value: unknown, fetchedAt: Moment, fetchNumber: number): void
}

/**
 * @param algorithms the accepted ones. A set must have a key for one of them
 * @param maxStaleMs largest age of a set that serves during an outage; a shorter one than 10 minutes shortens the freshness too
 */
export function createLoadedKeySet(algorithms: readonly string[], maxStaleMs: number): LoadedKeySet {
  const freshMs = Math.min(FRESH_MS, maxStaleMs)
  let loaded: { readonly set: KeySet; readonly fetchedAt: Moment; readonly fetchNumber: number } | undefined
  let generation = 0

  return {
    get set() {
      return loaded?.set
    },
    get generation() {
      return generation
    },
    get fetchedAt() {
      return loaded?.fetchedAt
    },
    get fetchNumber() {
      return loaded?.fetchNumber ?? 0
    },
    serves(now, outage) {
      if (loaded === undefined) return false
      const age = ageOf(loaded.fetchedAt, now)
      if (age >= maxStaleMs) return false
      if (age < freshMs) return 'fresh'
      return outage ? 'stale' : false
    },
    isRefreshDue: (now) => loaded !== undefined && ageOf(loaded.fetchedAt, now) >= freshMs * REFRESH_AT,
    replace(value, fetchedAt, fetchNumber) {
      loaded = { set: parseKeySet(value, loaded?.set, algorithms), fetchedAt, fetchNumber }
      generation++
    },
  }
}
