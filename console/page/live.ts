import { useEffect, useRef } from 'preact/hooks'
import type { KEY_EVENTS } from '../api-types.js'
import { followKeyEvents, type StreamMessage } from './stream.js'

/** What happened since the last call. */
export interface KeyNews {
  /** The keys that changed, and how they did last. Empty when `everything` is set by itself. */
  readonly keys: ReadonlyMap<string, (typeof KEY_EVENTS)[number]>
  /** Anything may have changed: read all of it again. */
  readonly everything: boolean
}

type Listener = (news: KeyNews) => void

/** Between two calls of the listeners: a script that makes a thousand keys is no reason to read the list a thousand times. */
const GATHER_MS = 500

const listeners = new Set<Listener>()

/**
 * Begins to hear of changes, for all components that use {@link useKeyEvents}.
 *
 * @param group see {@link followKeyEvents}
 * @returns what ends it
 */
export function startLive(group: string, onSessionExpired: () => void): () => void {
  const gather = createGathering((news) => {
    for (const listener of listeners) listener(news)
  })
  const hear = (message: StreamMessage) =>
    message.type === 'session-expired' ? onSessionExpired() : gather.add(message)
  let stop = followKeyEvents(group, hear)
  // A page that the browser keeps for its Back button must give the stream to another tab.
  const leave = () => stop()
  const comeBack = ({ persisted }: PageTransitionEvent) => {
    if (!persisted) return
    stop = followKeyEvents(group, hear)
    gather.add({ type: 'reload' })
  }
  addEventListener('pagehide', leave)
  addEventListener('pageshow', comeBack)
  document.addEventListener('visibilitychange', gather.flush)
  return () => {
    removeEventListener('pagehide', leave)
    removeEventListener('pageshow', comeBack)
    document.removeEventListener('visibilitychange', gather.flush)
    stop()
    gather.close()
  }
}

/** Calls back when keys have changed: at most twice a second, and while nobody looks not before somebody does. */
export function useKeyEvents(callback: Listener): void {
  const latest = useRef(callback)
  latest.current = callback
  useEffect(() => {
    const listener: Listener = (news) => latest.current(news)
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }, [])
}

/** Calls back again and again while the page is looked at. */
export function useEvery(intervalMs: number, callback: () => void): void {
  const latest = useRef(callback)
  latest.current = callback
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) latest.current()
    }, intervalMs)
    return () => clearInterval(timer)
  }, [intervalMs])
}

/** Makes one call of many messages. */
export function createGathering(deliver: Listener, isHidden = () => document.hidden) {
  let keys = new Map<string, (typeof KEY_EVENTS)[number]>()
  let everything = false
  let timer: ReturnType<typeof setTimeout> | undefined

  function flush(): void {
    if (isHidden() || (keys.size === 0 && !everything)) return
    clearTimeout(timer)
    timer = undefined
    const news = { keys, everything }
    keys = new Map()
    everything = false
    deliver(news)
  }

  return {
    add(message: Exclude<StreamMessage, { type: 'session-expired' }>): void {
      if (message.type === 'reload') everything = true
      else keys.set(message.id, message.type)
      // A hidden page would gather for hours.
      if (keys.size > 1000) {
        everything = true
        keys.clear()
      }
      timer ??= setTimeout(() => {
        timer = undefined
        flush()
      }, GATHER_MS)
    },
    /** Delivers at once what there is, if somebody looks. */
    flush,
    close: () => clearTimeout(timer),
  }
}
