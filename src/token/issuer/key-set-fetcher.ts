import type { DependencyNotice } from '../../core/outage-notices.js'
import { publishKeySet } from '../../core/telemetry.js'
import type { BackOff } from './back-off.js'
import type { Discovery } from './discovery.js'
import { fetchJson } from './fetch-json.js'
import type { LoadedKeySet } from './loaded-key-set.js'
import { momentOf } from './moment.js'
import { deadlineAfter } from './timers.js'

/** Fetches an issuer's key set, one fetch at a time. */
export interface KeySetFetcher {
  /** The fetch under way. It resolves to whether it succeeded, and rejects only when the application's clock throws. */
  readonly inFlight: Promise<boolean> | undefined
  readonly fetchesBegun: number
  /** Begins a fetch, or joins the one under way. What it brings is in the loaded set, how it failed in the back-off. */
  fetch(): Promise<boolean>
}

export function createKeySetFetcher(parts: {
  readonly issuer: string
  readonly clock: () => number
  readonly fetch: typeof globalThis.fetch
  /** Time limit of one fetch, discovery included. */
  readonly timeoutMs: number
  readonly closing: AbortSignal
  readonly discovery: Discovery
  readonly loaded: LoadedKeySet
  readonly backOff: BackOff
  readonly notice: DependencyNotice
}): KeySetFetcher {
  const { issuer, clock, timeoutMs, closing, discovery, loaded, backOff, notice } = parts
  let fetchesBegun = 0
  let inFlight: Promise<boolean> | undefined

  async function load(): Promise<boolean> {
    const fetchNumber = ++fetchesBegun
    const begunAt = momentOf(clock())
    const { signal: deadline, clear } = deadlineAfter(timeoutMs, closing)
    let succeeded = false
    let url: URL | undefined
    try {
      url = await discovery.locate(begunAt, deadline)
      const { body } = await fetchJson(parts.fetch, url, deadline)
      loaded.replace(body, begunAt, fetchNumber)
      backOff.succeed()
      notice.answered()
      succeeded = true
    } catch (error) {
      if (url !== undefined) discovery.forget()
      backOff.fail(error, clock())
      if (!closing.aborted) notice.failed(error)
    } finally {
      clear()
    }
    publishKeySet(() => ({
      issuer,
      outcome: succeeded ? 'loaded' : 'failed',
      keys: loaded.set?.size ?? 0,
      fetchedAt: loaded.fetchedAt?.wall,
      error: backOff.lastError,
      durationMs: performance.now() - begunAt.monotonic,
    }))
    return succeeded
  }

  return {
    get inFlight() {
      return inFlight
    },
    get fetchesBegun() {
      return fetchesBegun
    },
    fetch() {
      if (inFlight !== undefined) return inFlight
      const mine = load().finally(() => {
        if (inFlight === mine) inFlight = undefined
      })
      inFlight = mine
      return mine
    },
  }
}
