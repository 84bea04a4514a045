import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createUsageCounter } from '../../src/api-key/usage-counter.js'
import type { StoreEvent } from '../../src/core/telemetry.js'
import type { UsageIncrement } from '../../src/store/contract.js'

import { createDeferred } from '../support/stored-keys.js'

const NOON = Date.parse('2026-11-25T12:00:00Z')
const events: StoreEvent[] = []
const listener = (event: unknown) => void events.push(event as StoreEvent)

beforeEach(() => {
  vi.useFakeTimers()
  events.length = 0
  subscribe('vantage-auth:store', listener)
})
afterEach(() => {
  vi.useRealTimers()
  unsubscribe('vantage-auth:store', listener)
})

/** A store that keeps what is written to it. */
function setUp() {
  const written: UsageIncrement[][] = []
  const store = {
    onWrite: undefined as (() => unknown) | undefined,
    async addUsage(increments: readonly UsageIncrement[]) {
      await store.onWrite?.()
      written.push(increments.map((increment) => ({ ...increment })))
    },
  }
  return { usage: createUsageCounter(store), store, written }
}

const totalOf = (written: UsageIncrement[][]) => written.flat().reduce((sum, { count }) => sum + count, 0)

describe('uses', () => {
  test('are counted per key and written within ten seconds, none of them at once', async () => {
    const { usage, written } = setUp()
    usage.count('a', NOON)
    usage.count('b', NOON + 1)
    usage.count('a', NOON + 5)
    usage.count('a', NOON + 3)
    expect(written).toEqual([])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(written).toEqual([
      [
        { id: 'a', day: '2026-11-25', count: 3, lastUsedAt: NOON + 5 },
        { id: 'b', day: '2026-11-25', count: 1, lastUsedAt: NOON + 1 },
      ],
    ])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(written).toHaveLength(1)
    expect(events).toEqual([{ event: 'usage_flushed', count: 4 }])
  })

  test('are written every ten seconds, by services that start together not at the same moment', async () => {
    const instants: number[][] = []
    for (let service = 0; service < 20; service++) {
      const { usage, store } = setUp()
      const own: number[] = []
      store.onWrite = () => {
        own.push(Date.now())
        usage.count('a', NOON)
      }
      usage.count('a', NOON)
      instants.push(own)
    }
    await vi.advanceTimersByTimeAsync(30_000)
    expect(instants.map(([first = 0, second = 0, third = 0]) => [second - first, third - second])).toEqual(
      Array(20).fill([10_000, 10_000]),
    )
    expect(new Set(instants.map(([first]) => first)).size).toBeGreaterThan(1)
  })

  test('of two days, also of a clock that goes back, are kept apart', async () => {
    const { usage, written } = setUp()
    const midnight = Date.parse('2026-11-26T00:00:00Z')
    usage.count('a', midnight - 1)
    usage.count('a', midnight)
    usage.count('a', midnight - 2)
    await usage.close()
    expect(written).toEqual([
      [
        { id: 'a', day: '2026-11-25', count: 2, lastUsedAt: midnight - 1 },
        { id: 'a', day: '2026-11-26', count: 1, lastUsedAt: midnight },
      ],
    ])
  })

  test('are written a thousand keys at a time', async () => {
    const { usage, written } = setUp()
    for (let i = 0; i < 2500; i++) usage.count(`k${i}`, NOON)
    await usage.close()
    expect(written.map((batch) => batch.length)).toEqual([1000, 1000, 500])
  })

  test('that could not be written are written later, each key and day once', async () => {
    const { usage, store, written } = setUp()
    store.onWrite = () => Promise.reject(new Error('out of reach'))
    for (let i = 0; i < 5; i++) {
      usage.count('a', NOON + i)
      await vi.advanceTimersByTimeAsync(10_000)
    }
    expect(written).toEqual([])
    expect(events).toHaveLength(5)
    expect(events[4]).toEqual({ event: 'usage_failed', count: 5, error: expect.any(Error) })
    store.onWrite = undefined
    await vi.advanceTimersByTimeAsync(10_000)
    expect(written).toEqual([[{ id: 'a', day: '2026-11-25', count: 5, lastUsedAt: NOON + 4 }]])
  })

  test('are not written twice while a write is under way', async () => {
    const { usage, store, written } = setUp()
    const write = createDeferred<void>()
    store.onWrite = () => write.promise
    usage.count('a', NOON)
    await vi.advanceTimersByTimeAsync(10_000)
    usage.count('a', NOON)
    await vi.advanceTimersByTimeAsync(30_000)
    expect(written).toEqual([])
    write.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(written.map(([tally]) => tally?.count)).toEqual([1])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(written.map(([tally]) => tally?.count)).toEqual([1, 1])
  })
})

describe('the bound of 100 000 keys', () => {
  test('holds while writes fail: the oldest are dropped, and told of', async () => {
    const { usage, store, written } = setUp()
    store.onWrite = () => Promise.reject(new Error('out of reach'))
    for (let i = 0; i < 100_000; i++) usage.count(`k${i}`, NOON)
    await vi.advanceTimersByTimeAsync(10_000)
    for (let i = 0; i < 500; i++) usage.count(`new${i}`, NOON)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(events.filter(({ event }) => event === 'usage_dropped')).toEqual([{ event: 'usage_dropped', count: 500 }])
    store.onWrite = undefined
    await usage.close()
    expect(totalOf(written)).toBe(100_000)
  })

  test('holds while a write does not come back: further keys are dropped, and told of; known ones still count', async () => {
    const { usage, store, written } = setUp()
    const write = createDeferred<void>()
    store.onWrite = () => write.promise
    usage.count('first', NOON)
    await vi.advanceTimersByTimeAsync(10_000)
    for (let i = 0; i < 100_000; i++) usage.count(`k${i}`, NOON)
    usage.count('one too many', NOON)
    usage.count('k7', NOON)
    expect(events).toEqual([{ event: 'usage_dropped', count: 1 }])
    write.resolve()
    await usage.close()
    expect(totalOf(written)).toBe(100_002)
  })

  test('starts a write of its own accord', async () => {
    const { usage, written } = setUp()
    for (let i = 0; i <= 100_000; i++) usage.count(`k${i}`, NOON)
    await vi.advanceTimersByTimeAsync(0)
    expect(totalOf(written)).toBe(100_000)
    await usage.close()
    expect(totalOf(written)).toBe(100_001)
  })
})

describe('close', () => {
  test('writes what is left, also behind a write under way, and counts nothing more', async () => {
    const { usage, store, written } = setUp()
    const write = createDeferred<void>()
    store.onWrite = () => write.promise
    usage.count('a', NOON)
    await vi.advanceTimersByTimeAsync(10_000)
    usage.count('b', NOON)
    const closed = usage.close()
    usage.count('c', NOON)
    write.resolve()
    await closed
    expect(written.map((batch) => batch.map(({ id }) => id))).toEqual([['a'], ['b']])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('does not reject when the write fails or throws', async () => {
    const { usage, store } = setUp()
    store.addUsage = () => {
      throw new Error('broken')
    }
    usage.count('a', NOON)
    await expect(usage.close()).resolves.toBeUndefined()
  })

  test('writes nothing where nothing was counted', async () => {
    const { usage, written } = setUp()
    await usage.close()
    expect(written).toEqual([])
  })
})
