import { type DependencyNotice, NO_NOTICE } from '../core/outage-notices.js'
import { publishStore } from '../core/telemetry.js'
import type { KeyStore, UsageIncrement } from '../store/contract.js'

/** Counts the uses of keys in memory and writes them in batches: never a write on the request path. */
export interface UsageCounter {
  count(keyId: string, now: number): void
  /** Writes what has been counted. Never rejects. */
  flush(): Promise<void>
  /** Writes what is left. Never rejects; it is the caller who stops waiting. */
  close(): Promise<void>
}

const FLUSH_MS = 10_000
/** Most counts, one per key and day: this many of the current day, and this many that wait to be written. */
const MAX_PENDING = 100_000
/** Counts in one write. */
const BATCH = 1000
const DAY_MS = 86_400_000

interface Tally {
  readonly id: string
  readonly day: string
  count: number
  lastUsedAt: number
}

export function createUsageCounter(
  store: Pick<KeyStore, 'addUsage'>,
  notice: DependencyNotice = NO_NOTICE,
): UsageCounter {
  /** Counts of the current day, by key. */
  let tallies = new Map<string, Tally>()
  /** Counts that are to be written: of earlier days, and those whose writing failed. By day and key. */
  const waiting = new Map<string, Tally>()
  let day = ''
  let dayBeganAt = Number.POSITIVE_INFINITY
  let flushing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function setAside(counted: Iterable<Tally>): void {
    for (const tally of counted) {
      const place = `${tally.day} ${tally.id}`
      const { count = 0, lastUsedAt = 0 } = waiting.get(place) ?? {}
      waiting.set(place, {
        ...tally,
        count: tally.count + count,
        lastUsedAt: Math.max(tally.lastUsedAt, lastUsedAt),
      })
    }
    const dropped: Tally[] = []
    for (const [place, tally] of waiting) {
      if (waiting.size <= MAX_PENDING) break
      waiting.delete(place)
      dropped.push(tally)
    }
    if (dropped.length > 0) publishStore(() => ({ event: 'usage_dropped', count: usesOf(dropped) }))
  }

  function setAsideCurrent(): void {
    setAside(tallies.values())
    tallies = new Map()
  }

  function flush(): Promise<void> {
    flushing ??= write().finally(() => {
      flushing = undefined
    })
    return flushing
  }

  async function write(): Promise<void> {
    setAsideCurrent()
    while (waiting.size > 0) {
      const batch: Tally[] = []
      for (const [place, tally] of waiting) {
        if (batch.length === BATCH) break
        waiting.delete(place)
        batch.push(tally)
      }
      try {
        await store.addUsage(batch satisfies readonly UsageIncrement[])
        notice.answered()
        publishStore(() => ({ event: 'usage_flushed', count: usesOf(batch) }))
      } catch (error) {
        // Kept for the next time, so that an outage loses nothing. A store that wrote them and then failed counts them twice.
        setAside(batch)
        notice.failed(error)
        publishStore(() => ({ event: 'usage_failed', count: usesOf(batch), error }))
        return
      }
    }
  }

  /** The first time is random: services that are started together must not all write at the same moment. */
  function flushAfter(pauseMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      timer = flushAfter(FLUSH_MS)
      void flush()
    }, pauseMs).unref()
  }

  return {
    count(id, now) {
      if (closed) return
      if (!(now >= dayBeganAt && now < dayBeganAt + DAY_MS)) {
        setAsideCurrent()
        day = new Date(now).toISOString().slice(0, 10)
        dayBeganAt = Date.parse(day)
      }
      const tally = tallies.get(id)
      if (tally !== undefined) {
        tally.count++
        if (now > tally.lastUsedAt) tally.lastUsedAt = now
        return
      }
      if (tallies.size >= MAX_PENDING) {
        void flush()
        // Still full: an earlier write has not come back.
        if (tallies.size >= MAX_PENDING) return publishStore(() => ({ event: 'usage_dropped', count: 1 }))
      }
      tallies.set(id, { id, day, count: 1, lastUsedAt: now })
      timer ??= flushAfter(Math.ceil(Math.random() * FLUSH_MS))
    },

    flush,

    async close() {
      closed = true
      clearTimeout(timer)
      await flush()
      // A flush that was under way had taken its counts already.
      await flush()
    },
  }
}

function usesOf(tallies: readonly Tally[]): number {
  return tallies.reduce((sum, tally) => sum + tally.count, 0)
}
