import type { ChangeFeed, KeyChange, KeyStore } from '../store/contract.js'
import type { KeyEvent, KeyWatch } from './contract.js'
import { createNews, type News, RELOAD } from './news.js'
import type { KeyRecord } from './records.js'

/** How often the store's feed is looked at, which wakes this at once where the store can. */
const LOOK_MS = 2500
/** How often it is asked for first uses, in looks; and how often listeners reload where the store tells nothing. */
const LOOKS_BETWEEN = 2

/** The listeners of one keyring. They share one watch of its store, which is there while somebody listens. */
export interface Watches {
  add(listener: (event: KeyEvent) => void): KeyWatch
  /** Ends all of them. */
  close(): Promise<void>
}

/**
 * @param ready resolves once the store can be used
 * @param read the record of a key
 */
export function createWatches(
  store: KeyStore,
  ready: () => Promise<void>,
  read: (id: string) => Promise<KeyRecord | undefined>,
  clock: () => number,
): Watches {
  const listeners = new Set<(event: KeyEvent) => void>()
  let running: { close(): Promise<void> } | undefined

  function tell(events: readonly KeyEvent[]): void {
    for (const event of events) {
      for (const listener of listeners) {
        try {
          listener(event)
        } catch {
          // The others hear of it all the same.
        }
      }
    }
  }

  function start() {
    const { readAudit, firstUses } = store
    if (readAudit === undefined || firstUses === undefined) return reloadAgainAndAgain(tell)
    const told = { readAudit: readAudit.bind(store), firstUses: firstUses.bind(store) }
    return follow(store, ready, createNews(told, read, clock), tell)
  }

  async function stop(): Promise<void> {
    const stopping = running
    running = undefined
    await stopping?.close()
  }

  return {
    add(listener) {
      // A function of its own, so that one listener given twice is two.
      const deliver = (event: KeyEvent) => listener(event)
      listeners.add(deliver)
      running ??= start()
      return {
        async close() {
          if (listeners.delete(deliver) && listeners.size === 0) await stop()
        },
      }
    },

    async close() {
      listeners.clear()
      await stop()
    },
  }
}

function reloadAgainAndAgain(tell: (events: readonly KeyEvent[]) => void): { close(): Promise<void> } {
  const timer = setInterval(() => tell([RELOAD]), LOOKS_BETWEEN * LOOK_MS)
  timer.unref()
  return {
    async close() {
      clearInterval(timer)
    },
  }
}

/** Reads the news whenever the store's feed tells of a change, and at each look while the feed is not up. */
function follow(
  store: KeyStore,
  ready: () => Promise<void>,
  news: News,
  tell: (events: readonly KeyEvent[]) => void,
): { close(): Promise<void> } {
  let feed: ChangeFeed | undefined
  let epoch: number | undefined
  let wasUp = false
  let looks = 0
  const now = { reading: false, closed: false, wanted: true, firstUsesWanted: true }

  function hear(change: KeyChange): void {
    if ('tokens' in change) return
    // Before the feed is up there is nothing to lose: what was done until then is read.
    if ('all' in change && epoch !== undefined) news.lose()
    now.wanted = true
    void readNews()
  }

  /** Whether changes are heard, and were since the last look. */
  function lookAtFeed(): boolean {
    try {
      feed?.poll?.()
      if (feed === undefined || feed.state === 'down') return false
      if (feed.epoch === epoch) return true
      // The first one that is seen is the one from which on we read.
      if (epoch !== undefined) news.lose()
      epoch = feed.epoch
      // Of what was done before it was up, it does not tell.
      return false
    } catch {
      return false
    }
  }

  function look(): void {
    looks++
    const isUp = lookAtFeed()
    if (!isUp || !wasUp) now.wanted = true
    wasUp = isUp
    if (looks % LOOKS_BETWEEN === 0) now.firstUsesWanted = true
    void readNews()
  }

  /** One at a time. What comes meanwhile is read by the one that is under way. */
  async function readNews(): Promise<void> {
    if (now.reading) return
    now.reading = true
    try {
      await ready()
      feed ??= now.closed ? undefined : store.watch?.(hear, 'observer')
      while (!now.closed && (now.wanted || now.firstUsesWanted)) {
        const { wanted } = now
        if (wanted) now.wanted = false
        else now.firstUsesWanted = false
        const events = await (wanted ? news.changes() : news.firstUses())
        if (!now.closed) tell(events)
      }
    } catch {
      // Out of reach. The next look tries again, and then nobody knows what was between.
      news.lose()
      now.wanted = true
    } finally {
      now.reading = false
    }
  }

  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  void readNews()

  return {
    async close() {
      now.closed = true
      clearInterval(timer)
      await feed?.close()
    },
  }
}
