import { publishStore } from '../core/telemetry.js'
import type { ChangeFeed, KeyChange, KeyStore, TokenChange } from '../store/contract.js'

/** What this process has heard of the changes that others make in a key store. */
export interface StoreChanges {
  /** Goes up with each change of a key, and with each epoch. */
  readonly generation: number
  /**
   * Call it before anything cached is served: it first hears of changes that have arrived. What was cached in the epoch
   * that it returns may be served.
   *
   * @returns `undefined` when the store has to be asked each time: it cannot be watched, or its feed is down
   */
  currentEpoch(): number | undefined
  close(): Promise<void>
}

/** Time between two attempts to watch a store whose `watch` throws. */
const WATCH_AGAIN_MS = 5000

/**
 * @param onKeyChange is told of each change of keys; without it the store is not watched
 * @param onTokenChange is told of each change of the revocations of tokens
 * @param noteFeed is told when the store begins to tell of its changes, and each time that the epoch is asked for while it
 *   does not
 */
export function followChanges(
  store: Pick<KeyStore, 'watch'>,
  onKeyChange: ((change: KeyChange) => void) | undefined,
  onTokenChange?: (change: TokenChange) => void,
  noteFeed?: (isUp: boolean) => void,
): StoreChanges {
  const heard = { generation: 0 }
  // An epoch of our own: a feed that was down may have missed something, whatever its own number says.
  const seen = { epoch: 0, feedEpoch: undefined as unknown, state: undefined as ChangeFeed['state'] | undefined }
  let feed: ChangeFeed | undefined
  let watchAgainAt = Number.NEGATIVE_INFINITY
  let closed = false

  function listen(change: KeyChange): void {
    if (closed) return
    const { id: named, tokens, at } = (change ?? {}) as Partial<Record<'id' | 'tokens' | 'at', unknown>>
    const id = typeof named === 'string' ? named : undefined
    // A change that names no key may concern everything.
    if (id === undefined) onTokenChange?.(tokens === true ? (change as TokenChange) : { tokens: true })
    if (tokens === true && id === undefined) return
    heard.generation++
    onKeyChange?.(id === undefined ? { all: true } : { id })
    publishStore(() => ({
      event: 'change',
      keyId: id,
      lagMs: typeof at === 'number' ? Math.max(0, Date.now() - at) : undefined,
    }))
  }

  /** Begins to watch the store, if it can be watched and is not watched yet. */
  function startFeed(): void {
    if (feed !== undefined || onKeyChange === undefined || typeof store.watch !== 'function') return
    const now = performance.now()
    if (now < watchAgainAt) return
    watchAgainAt = now + WATCH_AGAIN_MS
    const started: unknown = store.watch(listen)
    if (typeof started !== 'object' || started === null) throw new TypeError('KeyStore.watch() returned no ChangeFeed')
    feed = started as ChangeFeed
  }

  return {
    get generation() {
      return heard.generation
    },

    currentEpoch() {
      if (closed) return undefined
      let state: ChangeFeed['state'] | undefined
      let feedEpoch: unknown
      try {
        startFeed()
        feed?.poll?.()
        state = feed?.state
        feedEpoch = feed?.epoch
      } catch {
        // A feed that throws is down. The store is asked then, and reports its own failure.
        state = 'down'
      }
      const up = isUp(state)
      if (up && (feedEpoch !== seen.feedEpoch || !isUp(seen.state))) {
        seen.feedEpoch = feedEpoch
        seen.epoch++
        heard.generation++
      }
      if (state !== seen.state) {
        seen.state = state
        if (state !== undefined) publishStore(() => ({ event: 'feed', state: up ? state : 'down' }))
        if (up) noteFeed?.(true)
      }
      if (!up && state !== undefined) noteFeed?.(false)
      return up ? seen.epoch : undefined
    },

    async close() {
      closed = true
      await feed?.close()
    },
  }
}

function isUp(state: ChangeFeed['state'] | undefined): boolean {
  return state === 'live' || state === 'polling'
}
