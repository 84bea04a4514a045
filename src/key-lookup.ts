import type { KeyEntry } from './cache.js'
import { UnavailableError } from './errors.js'
import type { ChangeFeed, KeyChange, KeyStore, StoredKey } from './keyring.js'
import { publishStore } from './telemetry.js'

/** What a store says of a key, and the epoch of its change feed when it was asked. */
export interface FoundKey {
  readonly key: StoredKey | undefined
  readonly epoch: number
  /** Whether no change was heard of since the store answered. */
  isCurrent(): boolean
}

/** Asks a key store: one look-up in flight per key, all of them bounded in number and time, and follows its change feed. */
export interface KeyLookup {
  /** Hears of changes before a cached key is served. Returns whether keys of this store may be cached. */
  poll(): boolean
  /** Whether a cached key may be served without asking the store. */
  covers(entry: KeyEntry): boolean
  /** Rejects with an {@link UnavailableError} when the store cannot be asked now. */
  find(id: string): Promise<FoundKey>
  /** Resolves once the store has answered; rejects with what went wrong. */
  ready(): Promise<void>
  close(): Promise<void>
}

const MAX_IN_FLIGHT = 100
const MAX_WAITING = 1000

interface LookUp {
  /** A change event for the key arrived after the store was asked: what it answers may be from before the change. */
  outdated: boolean
  found: Promise<FoundKey>
}

export function createKeyLookup(store: KeyStore, timeoutMs: number, onChange: (change: KeyChange) => void): KeyLookup {
  const lookUps = new Map<string, LookUp>()
  const inFlight = new Set<LookUp>()
  const waiting = new Map<LookUp, () => void>()
  let changes = 0
  let closed = false
  /** `null` before the first use; `undefined` when the store has none. */
  let feed: ChangeFeed | undefined | null = null
  let feedState: ChangeFeed['state'] | undefined

  function listen(change: KeyChange): void {
    if (closed) return
    changes++
    if ('id' in change) {
      const lookUp = lookUps.get(change.id)
      if (lookUp !== undefined) lookUp.outdated = true
    } else {
      for (const lookUp of lookUps.values()) lookUp.outdated = true
    }
    onChange(change)
    publishStore({ event: 'change', keyId: 'id' in change ? change.id : undefined })
  }

  function follow(): ChangeFeed | undefined {
    if (feed === null) feed = store.watch?.(listen)
    return feed
  }

  /** A feed that throws is down: the store is asked. */
  function state(): { readonly state: ChangeFeed['state']; readonly epoch: number } | undefined {
    let now: { state: ChangeFeed['state']; epoch: number } | undefined
    try {
      const current = follow()
      now = current && { state: current.state, epoch: current.epoch }
    } catch {
      now = { state: 'down', epoch: -1 }
    }
    if (now?.state !== feedState) {
      feedState = now?.state
      if (feedState !== undefined) publishStore({ event: 'feed', state: feedState })
    }
    return now
  }

  /** Waits for a place among the look-ups in flight. */
  async function enter(lookUp: LookUp): Promise<void> {
    if (inFlight.size < MAX_IN_FLIGHT) inFlight.add(lookUp)
    else await new Promise<void>((resolve) => waiting.set(lookUp, resolve))
  }

  function leave(lookUp: LookUp): void {
    waiting.delete(lookUp)
    if (!inFlight.delete(lookUp)) return
    for (const [next, resolve] of waiting) {
      waiting.delete(next)
      inFlight.add(next)
      resolve()
      return
    }
  }

  async function ask(id: string, lookUp: LookUp): Promise<FoundKey> {
    for (;;) {
      lookUp.outdated = false
      const epoch = state()?.epoch ?? 0
      const key: unknown = await store.find(id)
      if (key !== undefined && !isStoredKey(key))
        throw new TypeError('KeyStore.find() returned something that is no key')
      const changesBefore = changes
      if (!lookUp.outdated || lookUps.get(id) !== lookUp) {
        return { key, epoch, isCurrent: () => changes === changesBefore }
      }
    }
  }

  async function lookUpKey(id: string, lookUp: LookUp): Promise<FoundKey> {
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the key store did not answer within ${timeoutMs} ms`)), timeoutMs)
      timer.unref()
    })
    try {
      return await Promise.race([enter(lookUp).then(() => ask(id, lookUp)), limit])
    } catch (error) {
      publishStore({ event: 'look_up_failed', error })
      throw new UnavailableError(error)
    } finally {
      clearTimeout(timer)
      lookUps.delete(id)
      leave(lookUp)
    }
  }

  return {
    poll() {
      try {
        const current = follow()
        current?.poll?.()
        return current !== undefined
      } catch {
        return false
      }
    },

    covers(entry) {
      const now = state()
      return now !== undefined && (now.state === 'live' || now.state === 'polling') && now.epoch === entry.epoch
    },

    find(id) {
      const known = lookUps.get(id)
      if (known !== undefined) return known.found
      if (closed) return Promise.reject(new UnavailableError(new Error('the verifier is closed')))
      if (waiting.size >= MAX_WAITING) {
        return Promise.reject(new UnavailableError(new Error('too many look-ups wait for the key store')))
      }
      const lookUp = { outdated: false } as LookUp
      lookUps.set(id, lookUp)
      lookUp.found = lookUpKey(id, lookUp)
      return lookUp.found
    },

    async ready() {
      try {
        await this.find('0'.repeat(12))
      } catch (error) {
        const { cause } = error as Error
        throw new Error(`key store: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
      }
    },

    async close() {
      if (closed) return
      closed = true
      await feed?.close()
    },
  }
}

function isStoredKey(value: unknown): value is StoredKey {
  const key = value as Partial<StoredKey> | null
  return (
    typeof key === 'object' &&
    key !== null &&
    typeof key.id === 'string' &&
    typeof key.digest === 'string' &&
    typeof key.subject === 'string' &&
    Array.isArray(key.scopes) &&
    isInstant(key.expiresAt) &&
    isInstant(key.revokedAt)
  )
}

function isInstant(value: unknown): boolean {
  return value === null || (typeof value === 'number' && Number.isFinite(value))
}
