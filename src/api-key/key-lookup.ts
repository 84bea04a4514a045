import { answerWithin } from '../core/deadline.js'
import { UnavailableError } from '../core/errors.js'
import { publishStore } from '../core/telemetry.js'
import type { ChangeFeed, KeyChange, KeyStore, StoredKey } from '../store/contract.js'

import { checkStoredKey } from './verdict.js'

/** What a store says of a key, and what had been heard of the store when it was asked. */
export interface FoundKey {
  readonly key: StoredKey | undefined
  readonly epoch: number | undefined
  readonly generation: number
}

/** Asks a key store, and follows its change feed. */
export interface KeyLookup {
  /** Goes up with each change that was heard of, and with each epoch. */
  readonly generation: number
  /** Goes up with each change of the revocations of tokens that was heard of. */
  readonly tokenGeneration: number
  /**
   * Hears of changes before anything cached is served: what was found in the epoch that this returns may be. `undefined`
   * when the store has to be asked each time: it cannot be watched, or its feed is down.
   */
  currentEpoch(): number | undefined
  /**
   * Looks a key up: one look-up in flight per key, all of them bounded in number and time. While the store fails, one at a
   * time is given the whole time limit, and the others fail soon: an outage holds up few requests.
   *
   * `use` runs in the turn in which no change was heard of since the store was asked, so that nothing outdated is cached.
   *
   * @throws {UnavailableError} rejects with it when the store cannot be asked now; else with what `use` throws
   */
  find<T>(id: string, use: (found: FoundKey) => T): Promise<T>
  /** Resolves, for good, once the store has answered; rejects with what went wrong. */
  ready(): Promise<void>
  close(): Promise<void>
}

const MAX_IN_FLIGHT = 100
const MAX_WAITING = 1000
/** A key that changes during each of so many look-ups in a row is not decided upon. */
const MAX_ROUNDS = 10
/** Limit of a look-up while the store fails, unless it is the one that finds out whether it still does. */
const FAILING_LIMIT_MS = 200
/** Distance of two attempts to watch a store whose `watch` throws. */
const WATCH_AGAIN_MS = 5000

interface LookUp {
  /** A change of the key was heard of after the store was asked: what it answers may be from before the change. */
  outdated: boolean
  readonly users: { use(found: FoundKey): void; fail(error: UnavailableError): void }[]
}

/** @param onChange hears of changes; without it the store is not watched */
export function createKeyLookup(
  store: KeyStore,
  timeoutMs: number,
  onChange: ((change: KeyChange) => void) | undefined,
): KeyLookup {
  const lookUps = new Map<string, LookUp>()
  const inFlight = new Set<LookUp>()
  const waiting = new Map<LookUp, () => void>()
  let generation = 0
  let tokenGeneration = 0
  let answered = false
  let closed = false
  /** The last look-up failed. */
  let failing = false
  /** Of a store that fails, the look-up that is given the whole limit. The others would only wait for the same failure. */
  let probe: LookUp | undefined

  let feed: ChangeFeed | undefined
  let watchAgainAt = Number.NEGATIVE_INFINITY
  let feedState: ChangeFeed['state'] | undefined
  let feedEpoch: unknown
  /** Ours, since a feed that went down and came back may have missed something whatever its own says. */
  let epoch = 0

  function listen(change: KeyChange): void {
    if (closed) return
    const { id: named, tokens, at } = (change ?? {}) as Partial<Record<'id' | 'tokens' | 'at', unknown>>
    // What names no key concerns all of them.
    const id = typeof named === 'string' ? named : undefined
    if (id === undefined) tokenGeneration++
    if (tokens === true && id === undefined) return
    generation++
    for (const lookUp of id === undefined ? lookUps.values() : [lookUps.get(id)]) {
      if (lookUp !== undefined) lookUp.outdated = true
    }
    onChange?.(id === undefined ? { all: true } : { id })
    publishStore(() => ({
      event: 'change',
      keyId: id,
      lagMs: typeof at === 'number' ? Math.max(0, Date.now() - at) : undefined,
    }))
  }

  function follow(): ChangeFeed | undefined {
    if (feed !== undefined || onChange === undefined || typeof store.watch !== 'function') return feed
    const now = performance.now()
    if (now < watchAgainAt) return undefined
    watchAgainAt = now + WATCH_AGAIN_MS
    const followed: unknown = store.watch(listen)
    if (typeof followed !== 'object' || followed === null)
      throw new TypeError('KeyStore.watch() returned no ChangeFeed')
    feed = followed as ChangeFeed
    return feed
  }

  function currentEpoch(): number | undefined {
    if (closed) return undefined
    let state: ChangeFeed['state'] | undefined
    let nextEpoch: unknown
    try {
      const followed = follow()
      followed?.poll?.()
      state = followed?.state
      nextEpoch = followed?.epoch
    } catch {
      // A feed that fails is down: the store is asked, and says so if it is out of reach as well.
      state = 'down'
    }
    const up = state === 'live' || state === 'polling'
    if (up && (nextEpoch !== feedEpoch || (feedState !== 'live' && feedState !== 'polling'))) {
      feedEpoch = nextEpoch
      epoch++
      generation++
    }
    if (state !== feedState) {
      feedState = state
      if (state !== undefined) publishStore(() => ({ event: 'feed', state: up ? state : 'down' }))
    }
    return up ? epoch : undefined
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

  async function ask(id: string, lookUp: LookUp): Promise<void> {
    await enter(lookUp)
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const asked = { epoch: currentEpoch(), generation }
      lookUp.outdated = false
      const key: unknown = await store.find(id)
      failing = false
      // Given up at its time limit; nobody waits any more.
      if (lookUps.get(id) !== lookUp) return
      if (lookUp.outdated) continue
      checkStoredKey(key, id)
      answered = true
      lookUps.delete(id)
      for (const { use } of lookUp.users) use({ key, ...asked })
      return
    }
    throw new Error('the key changes faster than it can be looked up')
  }

  async function begin(id: string, lookUp: LookUp): Promise<void> {
    if (failing) probe ??= lookUp
    const limitMs = failing && probe !== lookUp ? Math.min(FAILING_LIMIT_MS, timeoutMs) : timeoutMs
    try {
      await answerWithin(limitMs, 'the key store', ask(id, lookUp))
    } catch (error) {
      failing = true
      if (lookUps.get(id) === lookUp) lookUps.delete(id)
      publishStore(() => ({ event: 'look_up_failed', error }))
      // An error of its own for each: frameworks write to it.
      for (const { fail } of lookUp.users) fail(new UnavailableError(error))
    } finally {
      if (probe === lookUp) probe = undefined
      leave(lookUp)
    }
  }

  function find<T>(id: string, use: (found: FoundKey) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const user: LookUp['users'][number] = {
        use(found) {
          try {
            resolve(use(found))
          } catch (error) {
            reject(error)
          }
        },
        fail: reject,
      }
      const known = lookUps.get(id)
      if (known !== undefined) return known.users.push(user)
      if (closed) throw new UnavailableError(new Error('the verifier is closed'))
      if (waiting.size >= MAX_WAITING) throw new UnavailableError(new Error('too many look-ups wait for the key store'))
      const lookUp: LookUp = { outdated: false, users: [user] }
      lookUps.set(id, lookUp)
      void begin(id, lookUp)
    })
  }

  return {
    get generation() {
      return generation
    },
    get tokenGeneration() {
      return tokenGeneration
    },
    currentEpoch,
    find,

    async ready() {
      if (answered) return
      try {
        await find('0'.repeat(12), () => {})
      } catch (error) {
        const { cause } = error as UnavailableError
        throw new Error(`key store: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
      }
    },

    async close() {
      closed = true
      await feed?.close()
    },
  }
}
