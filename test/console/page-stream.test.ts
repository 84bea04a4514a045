import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { followKeyEvents, POLL_MS, type StreamMessage, type StreamPorts } from '../../console/page/stream.js'

/** A stream that the test opens, feeds and breaks, in place of the network. */
class Source extends EventTarget {
  static made: Source[] = []
  readonly CONNECTING = 0
  readonly OPEN = 1
  readonly CLOSED = 2
  readyState = 0
  onopen: (() => void) | undefined
  constructor() {
    super()
    Source.made.push(this)
  }
  open() {
    this.readyState = this.OPEN
    this.onopen?.()
  }
  say(type: string, data?: object) {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) }))
  }
  close() {
    this.readyState = this.CLOSED
  }
}

/** The locks of one browser: one holder, the others wait in line. */
function createLocks() {
  let last: Promise<unknown> = Promise.resolve()
  return {
    request(_name: string, { signal }: LockOptions, hold: () => unknown) {
      const mine = last.then(() => (signal?.aborted ? Promise.reject(signal.reason) : hold()))
      last = mine.catch(() => {})
      return mine
    },
  }
}

const EVENT = { id: 'Cvr9ZyvaWKKY', at: '2026-11-25T12:00:00.000Z', state: 'active' }
const ends: (() => void)[] = []

function openTab(locks: unknown) {
  const heard: StreamMessage[] = []
  const ports = {
    locks,
    channel: (name: string) => new BroadcastChannel(name),
    source: () => new Source(),
  } as unknown as StreamPorts
  const end = followKeyEvents('/settings/api-keys/', (message) => heard.push(message), ports)
  ends.push(end)
  return { heard, end }
}

/** Lets what is under way between the tabs arrive. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 20))

beforeEach(() => {
  Source.made = []
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
})

afterEach(() => {
  for (const end of ends.splice(0)) end()
  vi.useRealTimers()
})

test('opens one stream for all tabs, and each hears of an event', async () => {
  const locks = createLocks()
  const first = openTab(locks)
  const second = openTab(locks)
  await settle()
  expect(Source.made).toHaveLength(1)
  Source.made[0]?.open()
  Source.made[0]?.say('created', EVENT)
  await vi.waitFor(() => expect(second.heard).toEqual([{ type: 'created', ...EVENT }]))
  expect(first.heard).toEqual([{ type: 'created', ...EVENT }])
})

test('gives the stream to another tab, which reads again what nobody heard', async () => {
  const locks = createLocks()
  const first = openTab(locks)
  const second = openTab(locks)
  await settle()
  vi.advanceTimersByTime(5000)
  first.end()
  await vi.waitFor(() => expect(Source.made).toHaveLength(2))
  expect(Source.made[0]?.readyState).toBe(2)
  Source.made[1]?.open()
  expect(second.heard).toEqual([{ type: 'reload' }])
})

test('reads everything again while the tab with the stream says nothing', async () => {
  const locks = createLocks()
  // It holds the lock, and a dialog keeps it from saying anything.
  void locks.request('/settings/api-keys/', {}, () => new Promise(() => {}))
  const { heard } = openTab(locks)
  await settle()
  vi.advanceTimersByTime(POLL_MS)
  expect(heard).toEqual([])
  vi.advanceTimersByTime(POLL_MS * 2)
  expect(heard).toEqual([{ type: 'reload' }, { type: 'reload' }])
})

test('reads nothing again while the tab with the stream is alive', async () => {
  const locks = createLocks()
  openTab(locks)
  await settle()
  Source.made[0]?.open()
  const { heard } = openTab(locks)
  for (let i = 0; i < 8; i++) {
    vi.advanceTimersByTime(POLL_MS)
    await settle()
  }
  expect(heard).toEqual([])
})

test('leaves the line when it is ended while it waits', async () => {
  const locks = createLocks()
  const first = openTab(locks)
  const second = openTab(locks)
  await settle()
  second.end()
  first.end()
  await settle()
  expect(Source.made).toHaveLength(1)
})

test('reads everything again every 15 seconds while there is no stream, and asks for one again after a refusal', async () => {
  const { heard } = openTab(createLocks())
  await settle()
  vi.advanceTimersByTime(POLL_MS)
  expect(heard).toEqual([{ type: 'reload' }])
  expect(Source.made).toHaveLength(1)
  Source.made[0]?.close()
  vi.advanceTimersByTime(POLL_MS)
  expect(heard).toHaveLength(2)
  expect(Source.made).toHaveLength(2)
  Source.made[1]?.open()
  expect(heard).toHaveLength(3)
  vi.advanceTimersByTime(POLL_MS * 4)
  expect(heard).toHaveLength(3)
})

test('tells every tab that the session has ended, and ends the stream', async () => {
  const locks = createLocks()
  const first = openTab(locks)
  const second = openTab(locks)
  await settle()
  Source.made[0]?.open()
  Source.made[0]?.say('session-expired')
  expect(first.heard).toEqual([{ type: 'session-expired' }])
  await vi.waitFor(() => expect(second.heard).toEqual([{ type: 'session-expired' }]))
  expect(Source.made[0]?.readyState).toBe(2)
})

test('without locks it opens no stream, and reads everything again every 15 seconds', () => {
  const { heard } = openTab(undefined)
  vi.advanceTimersByTime(POLL_MS * 2)
  expect(heard).toEqual([{ type: 'reload' }, { type: 'reload' }])
  expect(Source.made).toHaveLength(0)
})
