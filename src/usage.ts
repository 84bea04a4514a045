import type { KeyStore, UsageIncrement } from './keyring.js'
import { publishStore } from './telemetry.js'

/** Counts the uses of keys in memory and writes them in batches: never a write on the request path. */
export interface UsageCounter {
  count(keyId: string, now: number): void
  /** Writes what is left, for at most `timeoutMs`. Idempotent. */
  close(timeoutMs: number): Promise<void>
}

const FLUSH_MS = 10_000
const MAX_PENDING = 100_000
/** Rows of one write. */
const BATCH = 1000

interface Tally {
  readonly id: string
  readonly day: string
  count: number
  lastUsedAt: number
}

export function createUsageCounter(store: KeyStore): UsageCounter {
  /** Of the current day, by key. */
  let tallies = new Map<string, Tally>()
  /** Of days gone by, and what could not be written. */
  const waiting: Tally[] = []
  let day = ''
  let dayEndsAt = Number.NEGATIVE_INFINITY
  let dayBeganAt = Number.POSITIVE_INFINITY
  let flushing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function turnDay(now: number): void {
    setAside()
    day = new Date(now).toISOString().slice(0, 10)
    dayBeganAt = Date.parse(day)
    dayEndsAt = dayBeganAt + 86_400_000
  }

  function setAside(): void {
    for (const tally of tallies.values()) waiting.push(tally)
    tallies = new Map()
    const surplus = waiting.length - MAX_PENDING
    if (surplus > 0) {
      const dropped = waiting.splice(0, surplus)
      publishStore({ event: 'usage_dropped', count: dropped.reduce((sum, tally) => sum + tally.count, 0) })
    }
  }

  function flush(): Promise<void> {
    flushing ??= write().finally(() => {
      flushing = undefined
    })
    return flushing
  }

  async function write(): Promise<void> {
    setAside()
    while (waiting.length > 0) {
      const batch = waiting.splice(0, BATCH)
      const count = batch.reduce((sum, tally) => sum + tally.count, 0)
      try {
        await store.addUsage(batch satisfies readonly UsageIncrement[])
        publishStore({ event: 'usage_flushed', count })
      } catch (error) {
        // Kept for the next time; a store that wrote and failed to say so counts twice, one that is down loses nothing.
        waiting.unshift(...batch)
        publishStore({ event: 'usage_failed', count, error })
        return
      }
    }
  }

  return {
    count(id, now) {
      if (closed) return
      if (now >= dayEndsAt || now < dayBeganAt) turnDay(now)
      const tally = tallies.get(id)
      if (tally !== undefined) {
        tally.count++
        if (now > tally.lastUsedAt) tally.lastUsedAt = now
        return
      }
      if (tallies.size >= MAX_PENDING) {
        void flush()
        // Still full: a write is under way that does not come back.
        if (tallies.size >= MAX_PENDING) return publishStore({ event: 'usage_dropped', count: 1 })
      }
      tallies.set(id, { id, day, count: 1, lastUsedAt: now })
      if (timer === undefined) {
        timer = setInterval(() => void flush(), FLUSH_MS)
        timer.unref()
      }
    },

    async close(timeoutMs) {
      closed = true
      clearInterval(timer)
      let limit: NodeJS.Timeout | undefined
      const timeout = new Promise<void>((resolve) => {
        limit = setTimeout(resolve, timeoutMs)
      })
      // Twice: a flush under way has taken its batch already.
      await Promise.race([flush().then(flush), timeout])
      clearTimeout(limit)
    },
  }
}
