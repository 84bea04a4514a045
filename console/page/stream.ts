import { type EventJson, KEY_EVENTS } from '../api-types.js'

/** What all tabs hear. `reload`: anything may have changed. */
export type StreamMessage =
  | ({ readonly type: (typeof KEY_EVENTS)[number] } & EventJson)
  | { readonly type: 'reload' }
  | { readonly type: 'session-expired' }

/** How often everything is read again while there is no stream. */
export const POLL_MS = 15_000

/** How long a tab without the stream goes without a word of the one that has it: a dialog may have stopped that one. */
const SILENCE_MS = 2 * POLL_MS

/** What the tab that has the stream tells the others. `alive`: it has the stream, and there is nothing new. */
type TabMessage = StreamMessage | { readonly type: 'alive' }

/** What this file needs of a browser; tests bring their own. */
export interface StreamPorts {
  /** Absent where the page came over http from another machine. */
  readonly locks: Pick<LockManager, 'request'> | undefined
  channel(name: string): BroadcastChannel
  source(): EventSource
}

const BROWSER: StreamPorts = {
  locks: globalThis.navigator?.locks,
  channel: (name) => new BroadcastChannel(name),
  source: () => new EventSource('api/events'),
}

/**
 * Hears of changes to keys. Over HTTP/1.1 a browser has six connections to a host for all of its tabs, so one tab, the
 * holder of a lock, has the stream and passes on what it hears; when it is closed, the lock goes to another one.
 *
 * @param group the tabs that share a stream: those of one console
 * @param listener must not throw
 * @returns what ends it
 */
export function followKeyEvents(
  group: string,
  listener: (message: StreamMessage) => void,
  ports: StreamPorts = BROWSER,
): () => void {
  // Without locks nobody can be chosen, and six tabs with streams would leave no connection for anything else.
  if (!ports.locks) {
    const timer = setInterval(() => listener({ type: 'reload' }), POLL_MS)
    return () => clearInterval(timer)
  }
  const channel = ports.channel(group)
  const ended = new AbortController()
  const startedAt = performance.now()
  let heardAt = startedAt
  let leads = false
  channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
    heardAt = performance.now()
    if (data.type !== 'alive') listener(data)
  }
  const timer = setInterval(() => {
    if (leads) channel.postMessage({ type: 'alive' } satisfies TabMessage)
    else if (performance.now() - heardAt >= SILENCE_MS) listener({ type: 'reload' })
  }, POLL_MS)
  const lead = () => {
    if (ended.signal.aborted) return
    leads = true
    // What happened between the last leader's end and now was heard by nobody.
    const takesOver = performance.now() - startedAt > 1000
    const send = (message: StreamMessage) => {
      channel.postMessage(message)
      listener(message)
    }
    const close = keepStream(ports.source, takesOver, send)
    return new Promise<void>((resolve) => {
      ended.signal.addEventListener('abort', () => {
        close()
        resolve()
      })
    })
  }
  // Rejects when it is aborted while it waits, which is no failure.
  ports.locks.request(group, { signal: ended.signal }, lead).catch(() => {})
  return () => {
    ended.abort()
    clearInterval(timer)
    channel.close()
  }
}

/** Keeps one stream open. Where that fails, everything is to be read again every {@link POLL_MS}. */
function keepStream(
  connect: StreamPorts['source'],
  missedSome: boolean,
  send: (message: StreamMessage) => void,
): () => void {
  let behind = missedSome
  const open = () => {
    const source = connect()
    source.onopen = () => {
      if (behind) send({ type: 'reload' })
      behind = false
    }
    for (const type of KEY_EVENTS) {
      source.addEventListener(type, ({ data }: MessageEvent<string>) => send({ ...JSON.parse(data), type }))
    }
    source.addEventListener('reload', () => send({ type: 'reload' }))
    source.addEventListener('session-expired', () => {
      source.close()
      send({ type: 'session-expired' })
    })
    return source
  }
  let source = open()
  const timer = setInterval(() => {
    if (source.readyState === source.OPEN) return
    send({ type: 'reload' })
    // The browser connects again by itself, and catches up, after a lost connection. A refusal ends its attempts.
    if (source.readyState !== source.CLOSED) return
    behind = true
    source = open()
  }, POLL_MS)
  return () => {
    clearInterval(timer)
    source.close()
  }
}
