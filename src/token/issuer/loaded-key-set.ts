import { createKeySet, type KeySet, parseKeySet } from '../key-set.js'
import { ageOf, type Moment } from './moment.js'

const FRESH_MS = 600_000
/** From this share of its freshness on, a set is to be refreshed in the background. */
const REFRESH_AT = 0.8

/** `stale`: served only because the issuer is out of reach. `undefined`: not to be served. */
export type Freshness = 'fresh' | 'stale' | undefined

/** The last good key set of an issuer, and its age. It never fetches. */
export interface LoadedKeySet {
  readonly set: KeySet | undefined
  /** Goes up with each set. */
  readonly generation: number
  /** When the fetch of the set began. */
  readonly fetchedAt: Moment | undefined
  /** Number of the fetch that brought the set; 0 before the first. */
  readonly fetchNumber: number
  /** The age of the set, in milliseconds; infinite where there is none. */
  age(now: number): number
  /**
   * Whether a set of this age may serve without asking its issuer first, and as what.
   *
   * @param isOutage whether the issuer is out of reach: then an old set serves until its largest age
   */
  freshnessAt(age: number, now: number, isOutage: (now: number) => boolean): Freshness
  /** Whether it is time to refresh a set of this age in the background. */
  isRefreshDueAt(age: number): boolean
  /** @throws {TypeError} when the value is no key set with a usable key; the one before stays */
  replace(value: unknown, fetchedAt: Moment, fetchNumber: number): void
}

/**
 * @param algorithms the accepted ones. A set must have a key for one of them
 * @param maxStaleMs largest age of a set that serves during an outage; a shorter one than 10 minutes shortens the freshness too
 * @param uses what the `use` of its keys may be
 */
export function createLoadedKeySet(
  algorithms: readonly string[],
  maxStaleMs: number,
  uses?: readonly string[],
): LoadedKeySet {
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
    age: (now) => (loaded === undefined ? Number.POSITIVE_INFINITY : ageOf(loaded.fetchedAt, now)),
    freshnessAt(age, now, isOutage) {
      if (age < freshMs) return 'fresh'
      return age < maxStaleMs && isOutage(now) ? 'stale' : undefined
    },
    isRefreshDueAt: (age) => age >= freshMs * REFRESH_AT,
    replace(value, fetchedAt, fetchNumber) {
      const next = parseKeySet(value, uses)
      // An issuer that publishes no usable key is out of order: its keys are not withdrawn.
      if (!next.canVerify(algorithms)) throw new TypeError('the key set holds no key that can verify a token')
      loaded = { set: loaded === undefined ? next : takeOver(loaded.set, next), fetchedAt, fetchNumber }
      generation++
    },
  }
}

/**
 * Withdraws the keys of the previous set that the next one lacks.
 *
 * @returns the next set, in which the keys of both sets are the objects that they were: what they verified stays cached
 */
export function takeOver(previous: KeySet, next: KeySet): KeySet {
  for (const [identity, entry] of previous.entries) if (!next.entries.has(identity)) entry.withdraw()
  return createKeySet(
    new Map(Array.from(next.entries, ([identity, entry]) => [identity, previous.entries.get(identity) ?? entry])),
  )
}
