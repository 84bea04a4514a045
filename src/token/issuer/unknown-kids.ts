import type { VerificationKey } from '../key-set.js'
import type { BackOff } from './back-off.js'
import type { KeySetFetcher } from './key-set-fetcher.js'
import type { LoadedKeySet } from './loaded-key-set.js'
import { ageOf, dueAt, type Moment } from './moment.js'
import { pause } from './timers.js'

/**
 * Smallest distance of two fetches that unknown `kid`s cause, as a share of `timeoutMs` within limits. Anybody can invent a
 * `kid`, and the issuer is not ours to flood. It is shorter than `timeoutMs`, because each request waits for the fetch after
 * it: a client that invents a `kid` must get a 401, and no 503 that tells a proxy that the service is out of order.
 */
const GAP_SHARE = 0.8
const SHORTEST_GAP_MS = 1000
const LONGEST_GAP_MS = 5000
const MAX_WAITING = 1000

/** When a request came. */
export interface Arrival {
  readonly at: Moment
  /** How many fetches of the key set had begun by then. */
  readonly fetchesBegun: number
}

/** Where requests wait whose `kid` the loaded set lacks. */
export interface UnknownKidGate {
  /**
   * Fetches the key set as soon as a fetch is permitted, and resolves to the keys for the `kid`; to none only when a fetch
   * that began after the request's arrival lacks it. Rejects when the fetch fails, in a back-off that takes longer than the
   * gap between two fetches, and when too many wait already.
   */
  waitFor(alg: string, kid: string, arrival: Arrival): Promise<readonly VerificationKey[]>
}

export function createUnknownKidGate(parts: {
  readonly clock: () => number
  /** Time limit of one fetch. */
  readonly timeoutMs: number
  readonly closing: AbortSignal
  readonly loaded: LoadedKeySet
  readonly fetcher: KeySetFetcher
  readonly backOff: BackOff
  /** The error for a request that cannot be decided, by when the next fetch is permitted. */
  readonly unavailable: (permittedAt: (now: number) => number) => Error
  /** Whether the issuer is to be protected from a flood; a test's issuer in the same process is not. Default: true. */
  readonly hasGap?: boolean
  /** Most requests that wait at a time. Default: 1000. */
  readonly maxWaiting?: number | undefined
}): UnknownKidGate {
  const {
    clock,
    timeoutMs,
    closing,
    loaded,
    fetcher,
    backOff,
    unavailable,
    hasGap = true,
    maxWaiting = MAX_WAITING,
  } = parts
  const gapMs = !hasGap ? 0 : Math.round(Math.min(Math.max(GAP_SHARE * timeoutMs, SHORTEST_GAP_MS), LONGEST_GAP_MS))
  let lastFetchAt = Number.NEGATIVE_INFINITY
  /** The fetch that has still to begin, shared by all that wait. */
  let next: Promise<boolean> | undefined
  let waiting = 0

  function permittedAt(now: number): number {
    return Math.max(dueAt(lastFetchAt + gapMs, now, gapMs), backOff.permittedAt(now))
  }

  function joinNext(delayMs: number): Promise<boolean> {
    if (next !== undefined) return next
    // By identity: once it has begun, others may wait for one after it.
    const leave = () => {
      if (next === mine) next = undefined
    }
    const mine = fetchAfter(delayMs, leave).finally(leave)
    next = mine
    return mine
  }

  /** @param begin is called before the fetch begins: who comes later must not join, since it cannot refuse their `kid` */
  async function fetchAfter(delayMs: number, begin: () => void): Promise<boolean> {
    const errorBefore = backOff.lastError
    await pause(delayMs, closing)
    while (fetcher.inFlight !== undefined) await fetcher.inFlight
    begin()
    // Another fetch that failed meanwhile has begun a back-off of its own.
    const failedSince = backOff.lastError !== undefined && backOff.lastError !== errorBefore
    if (closing.aborted || failedSince) return false
    lastFetchAt = clock()
    return await fetcher.fetch()
  }

  async function find(alg: string, kid: string, arrival: Arrival): Promise<readonly VerificationKey[]> {
    for (;;) {
      const match = loaded.set?.match(alg, kid)
      if (match !== undefined && !match.unknown) return match.keys
      // Looked at before the fetch under way: others may have begun that one when the last ended, and it can say no more.
      if (loaded.fetchNumber > arrival.fetchesBegun) return []
      if (fetcher.inFlight !== undefined) {
        // It may bring the key. Having begun before the request came, it cannot say that there is none.
        await fetcher.inFlight
        continue
      }
      const now = clock()
      // The gap is always waited for, since its end is near. A back-off says that the issuer is out of order.
      const patienceMs = Math.max(0, gapMs - ageOf(arrival.at, now))
      if (closing.aborted || backOff.permittedAt(now) - now > patienceMs) throw unavailable(permittedAt)
      if (!(await joinNext(permittedAt(now) - now))) throw unavailable(permittedAt)
    }
  }

  return {
    async waitFor(alg, kid, arrival) {
      if (waiting >= maxWaiting) throw unavailable(permittedAt)
      waiting++
      try {
        return await find(alg, kid, arrival)
      } finally {
        waiting--
      }
    },
  }
}
