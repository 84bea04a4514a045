import type { KeyEvent, Keyring, KeyWatch } from '../src/keyring/contract.js'
import { refuse } from './answers.js'
import type { EventJson } from './api-types.js'
import { type Caller, maySee } from './caller.js'
import { createEventJournal } from './event-journal.js'
import { createEventStream, type EventStream, formatEvent } from './event-stream.js'
import type { ConsoleAnswer, EventStreams } from './exchange.js'
import { documentedRefusal } from './preset.js'

const MAX_STREAMS = 1000
const MAX_STREAMS_PER_CALLER = 10

const COMMENT_SECONDS = 15
const ASK_AGAIN_SECONDS = 30
/** How long a client may leave its queue full. */
const STUCK_SECONDS = 30
/** How long the keyring is watched when nobody listens, so that a client which lost its connection can be caught up. */
const LINGER_SECONDS = 30

const HEADERS = {
  'Content-Type': 'text/event-stream',
  // A middleware that compresses would keep the events until a buffer is full; no-transform forbids it.
  'Cache-Control': 'no-store, no-transform',
  // nginx would keep the events until a buffer is full.
  'X-Accel-Buffering': 'no',
}

/** One who listens. */
interface Listener {
  readonly caller: Caller
  readonly stream: EventStream
  askAgain(): Promise<Caller | undefined>
  seconds: number
  stuckSeconds: number
  isAsking: boolean
}

interface JournalEntry {
  readonly record: { readonly tenant: string | null; readonly subject: string }
  readonly message: Uint8Array
}

/**
 * Tells the clients of one console what happens to the keys that each may see. The keyring is watched once for all of them,
 * and one timer serves all: it does not keep the process alive.
 */
export function createEventStreams(keyring: Pick<Keyring, 'watch'>): EventStreams {
  const journal = createEventJournal<JournalEntry>()
  const listeners = new Set<Listener>()
  let watch: KeyWatch | undefined
  let timer: NodeJS.Timeout | undefined
  let idleSeconds = 0
  let isClosed = false

  function hear(event: KeyEvent): void {
    if (event.type === 'reload') {
      journal.restart()
      for (const { stream } of listeners) stream.reload()
      return
    }
    const { type, at, record } = event
    const data: EventJson = { id: record.id, at: at.toISOString(), state: record.state }
    const entry = journal.add((position) => ({
      // The texts alone: a record has more than anybody asks for here.
      record: { tenant: record.tenant, subject: record.subject },
      message: formatEvent(type, data, position),
    }))
    for (const { caller, stream } of listeners) if (maySee(caller, entry.record)) stream.send(entry.message)
  }

  function begin(): void {
    idleSeconds = 0
    watch ??= keyring.watch(hear)
    timer ??= setInterval(tick, 1000).unref()
  }

  async function stop(): Promise<void> {
    clearInterval(timer)
    const closing = watch
    timer = watch = undefined
    // What happens from here on is heard by nobody.
    journal.restart()
    await closing?.close()
  }

  /** Runs once a second while the keyring is watched. */
  function tick(): void {
    for (const listener of listeners) {
      const { stream } = listener
      listener.seconds++
      listener.stuckSeconds = stream.isStuck() ? listener.stuckSeconds + 1 : 0
      if (listener.stuckSeconds >= STUCK_SECONDS) {
        listeners.delete(listener)
        stream.abort()
        continue
      }
      if (listener.seconds % COMMENT_SECONDS === 0) stream.comment()
      if (listener.seconds % ASK_AGAIN_SECONDS === 0) void askAgain(listener)
    }
    idleSeconds = listeners.size > 0 ? 0 : idleSeconds + 1
    if (idleSeconds >= LINGER_SECONDS) stop().catch(() => {})
  }

  /** Access that cannot be confirmed ends: the client comes back, and is answered as any request is. */
  async function askAgain(listener: Listener): Promise<void> {
    // There is no answer yet to the last time.
    if (listener.isAsking) return end(listener)
    listener.isAsking = true
    try {
      const answer = await listener.askAgain()
      if (answer === undefined) end(listener, formatEvent('session-expired', {}))
      else if (!isSameCaller(answer, listener.caller)) end(listener, formatEvent('reload', {}))
    } catch (error) {
      end(listener, documentedRefusal(error)?.status === 401 ? formatEvent('session-expired', {}) : undefined)
    } finally {
      listener.isAsking = false
    }
  }

  function end(listener: Listener, last?: Uint8Array): void {
    listeners.delete(listener)
    listener.stream.end(last)
  }

  function open(caller: Caller, lastEventId: string | undefined, askAgain: Listener['askAgain']): ConsoleAnswer {
    const own = [...listeners].filter((listener) => isSameCaller(listener.caller, caller))
    // A request may have been under way when the console was closed.
    if (isClosed || own.length >= MAX_STREAMS_PER_CALLER || listeners.size >= MAX_STREAMS) return tooMany()
    begin()
    const missed = lastEventId === undefined ? [] : journal.since(lastEventId)
    const visible = missed?.filter(({ record }) => maySee(caller, record)).map(({ message }) => message)
    const stream = createEventStream(journal.position, visible, () => listeners.delete(listener))
    const listener: Listener = { caller, stream, askAgain, seconds: 0, stuckSeconds: 0, isAsking: false }
    listeners.add(listener)
    return { status: 200, headers: HEADERS, body: stream.body }
  }

  return {
    open(request, caller, askAgain) {
      if (request.method === 'HEAD') return { status: 200, headers: HEADERS, body: '' }
      return open(caller, request.header('last-event-id'), askAgain)
    },
    async close() {
      isClosed = true
      for (const listener of listeners) end(listener)
      await stop()
    },
  }
}

function tooMany(): ConsoleAnswer {
  const description = 'Too many event streams are open; close one, or come back later'
  return refuse('temporarily_unavailable', description, { 'Retry-After': '10' })
}

/** Whether two callers see the same keys, and count as one. */
function isSameCaller(one: Caller, other: Caller): boolean {
  return one.actor === other.actor && one.tenant === other.tenant && one.subject === other.subject
}
