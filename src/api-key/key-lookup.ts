import { LRUCache } from 'lru-cache'
import { UnavailableError } from '../core/errors.js'
import { type DependencyNotice, NO_NOTICE } from '../core/outage-notices.js'
import { publishStore } from '../core/telemetry.js'
import type { KeyChange, KeyStore, StoredKey, TokenChange } from '../store/contract.js'
import { pickAtRandom } from './semaphore.js'
import { followChanges, type StoreChanges } from './store-changes.js'
import { createStoreQueue, StoreFailure, TOO_MANY } from './store-queue.js'
import { checkStoredKey } from './verdict.js'

/** What a store says of a key, and what had been heard of the store when it was asked. */
export interface FoundKey {
  readonly key: StoredKey | undefined
  readonly epoch: number | undefined
  readonly generation: number
}

/** Asks a key store for keys. */
export interface KeyLookup {
  readonly changes: StoreChanges
  /**
   * Looks a key up. Requests for the same key share one look-up; their number is bounded, and so is their time: `timeoutMs`
   * to wait for their turn, and as much again for the store to answer. While the store fails, one look-up at a time gets the
   * whole time limit and the others fail soon, so that an outage holds up few requests.
   *
   * `use` is called at once with the answer, before a change of the key can be heard, so that it never caches an outdated
   * one.
   *
   * Anybody can make up any number of well-formed keys, and these must not turn away the key of a client: a credential that
   * was accepted before gets the next turn, and when too many wait, one that was never accepted gives way. However many
   * wait, that is no failure of the store.
   *
   * @param credential fingerprint of the whole key that is presented, for {@link noteVerdict}
   * @param whenStoreFails has the last word when the store itself fails or is silent, and in no other case; throws by default
   * @throws {UnavailableError} rejects with it when the store cannot be asked now; else with what the functions throw
   */
  find<T>(
    id: string,
    use: (found: FoundKey) => T,
    credential?: string,
    whenStoreFails?: (error: UnavailableError) => T,
  ): Promise<T>
  /** Remembers whether a credential was accepted the last time. */
  noteVerdict(credential: string, accepted: boolean): void
  /** Resolves, for good, once the store has answered; rejects with what went wrong. */
  ready(): Promise<void>
  /** Resolves once all that were asked for are answered. */
  close(): Promise<void>
}

/** Look-ups that wait for a place; requests that wait for one look-up. */
const MAX_WAITING = 1000
/** Credentials that are remembered as accepted before, the latest ones. */
const MAX_ACCEPTED = 10_000
/** A key that changes during this many look-ups in a row is not decided upon. */
const MAX_ROUNDS = 10

interface LookUp {
  /** Whether one of its users is known. */
  known: boolean
  /** Whether the key changed after the store was asked: its answer may be from before the change. */
  outdated: boolean
  /** What the store was asked under; absent while the look-up waits for its turn. */
  asked?: Omit<FoundKey, 'key'>
  readonly users: User[]
  /** Those for whom the answer may be from before a change that came before them. They are looked up for next. */
  readonly latecomers: User[]
}

/** One request that waits for a look-up. */
interface User {
  /** Whether its credential was accepted before. */
  readonly known: boolean
  use(found: FoundKey): void
  /** The store itself failed. */
  storeFailed(error: UnavailableError): void
  /** There is no answer for another reason. */
  unanswered(error: UnavailableError): void
}

/** Who is told of outages. */
export interface LookUpNotices {
  readonly lookUps: DependencyNotice
  /** Takes note that the store tells of changes again, or, with each request, that it does not. */
  noteFeed(isUp: boolean): void
}

/**
 * @param onChange is told of each change of keys; without it the store is not watched
 * @param onTokenChange is told of each change of the revocations of tokens
 */
export function createKeyLookup(
  store: KeyStore,
  timeoutMs: number,
  onChange: ((change: KeyChange) => void) | undefined,
  onTokenChange?: (change: TokenChange) => void,
  notices: LookUpNotices = { lookUps: NO_NOTICE, noteFeed() {} },
): KeyLookup {
  /** By the id of the key, those whose users still wait for an answer. */
  const lookUps = new Map<string, LookUp>()
  const underWay = new Set<Promise<void>>()
  const queue = createStoreQueue<LookUp>(timeoutMs, ({ known }) => known, {
    ...notices.lookUps,
    // What it answered may be nothing to decide upon.
    answered() {},
  })
  const accepted = new LRUCache<string, true>({ max: MAX_ACCEPTED })
  let answered = false
  let closed = false

  const changes = followChanges(
    store,
    onChange &&
      ((change) => {
        for (const lookUp of 'id' in change ? [lookUps.get(change.id)] : lookUps.values()) {
          if (lookUp !== undefined) lookUp.outdated = true
        }
        onChange(change)
      }),
    onTokenChange,
    notices.noteFeed,
  )

  /**
   * Asks the store until no change of the key came in between, and hands the answer to all who wait for it.
   *
   * Rejects when the store does, and in no other case.
   */
  async function ask(id: string, lookUp: LookUp, noteAnswer: () => void): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const asked = { epoch: changes.currentEpoch(), generation: changes.generation }
      lookUp.asked = asked
      lookUp.outdated = false
      const key: unknown = await store.find(id)
      noteAnswer()
      // The time limit has ended this look-up; nobody waits for it any more.
      if (lookUps.get(id) !== lookUp) return
      if (lookUp.outdated) continue
      try {
        checkStoredKey(key, id)
      } catch (error) {
        return endUndecided(id, lookUp, error)
      }
      answered = true
      notices.lookUps.answered()
      lookUps.delete(id)
      for (const { use } of lookUp.users) use({ key, ...asked })
      if (lookUp.latecomers.length > 0) start(id, lookUp.latecomers)
      return
    }
    endUndecided(id, lookUp, new Error('the key changes faster than it can be looked up'))
  }

  /** The store is up, but what it says of this one key is nothing to decide upon. */
  function endUndecided(id: string, lookUp: LookUp, error: unknown): void {
    publishStore(() => ({ event: 'look_up_failed', error }))
    notices.lookUps.failed(error)
    end(id, lookUp, error, 'unanswered')
  }

  /** Ends a look-up without an answer; a failure of the store itself is told apart from all else. */
  function end(id: string, lookUp: LookUp, error: unknown, how: 'storeFailed' | 'unanswered'): void {
    if (lookUps.get(id) === lookUp) lookUps.delete(id)
    // One error for each request, since frameworks write to the error that they are given.
    for (const user of [...lookUp.users, ...lookUp.latecomers]) user[how](new UnavailableError(error))
  }

  async function run(id: string, lookUp: LookUp): Promise<void> {
    let wasAsked = false
    try {
      await queue.ask(lookUp, (noteAnswer) => {
        wasAsked = true
        return ask(id, lookUp, noteAnswer)
      })
    } catch (error) {
      const storeFailed = error instanceof StoreFailure
      const cause = storeFailed ? error.cause : error
      if (wasAsked) publishStore(() => ({ event: 'look_up_failed', error: cause }))
      end(id, lookUp, cause, storeFailed ? 'storeFailed' : 'unanswered')
    }
  }

  /** Begins a look-up, if need be in place of one that nobody known waits for. */
  function start(id: string, users: User[]): void {
    if (queue.waiting >= MAX_WAITING && !queue.sendOneAway(({ known }) => !known)) {
      for (const { unanswered } of users) unanswered(new UnavailableError(new Error(TOO_MANY)))
      return
    }
    const lookUp: LookUp = { known: users.some(({ known }) => known), outdated: false, users, latecomers: [] }
    lookUps.set(id, lookUp)
    const running = run(id, lookUp).finally(() => underWay.delete(running))
    underWay.add(running)
  }

  /** Whether the store tells of each change since it was asked, so that its answer is good for whoever comes now. */
  function isCurrent({ asked }: LookUp): boolean {
    if (asked === undefined) return true
    return asked.epoch !== undefined && asked.epoch === changes.currentEpoch()
  }

  /** Adds one that waits for a look-up, if need be in place of one whose credential was never accepted. */
  function join(lookUp: LookUp, user: User): void {
    const users = isCurrent(lookUp) ? lookUp.users : lookUp.latecomers
    if (users.length >= MAX_WAITING) {
      const index = pickAtRandom(users, ({ known }) => !known)
      if (index === -1) throw new UnavailableError(new Error(TOO_MANY))
      const [sentAway] = users.splice(index, 1)
      sentAway?.unanswered(new UnavailableError(new Error(TOO_MANY)))
    }
    users.push(user)
    lookUp.known ||= user.known
  }

  function find<T>(
    id: string,
    use: (found: FoundKey) => T,
    credential?: string,
    whenStoreFails?: (error: UnavailableError) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const settleWith = (result: () => T) => {
        try {
          resolve(result())
        } catch (error) {
          reject(error)
        }
      }
      const user: User = {
        known: credential !== undefined && accepted.get(credential) === true,
        use: (found) => settleWith(() => use(found)),
        storeFailed: (error) => (whenStoreFails ? settleWith(() => whenStoreFails(error)) : reject(error)),
        unanswered: reject,
      }
      const lookUp = lookUps.get(id)
      if (lookUp !== undefined) return join(lookUp, user)
      if (closed) throw new UnavailableError(new Error('the verifier is closed'))
      start(id, [user])
    })
  }

  return {
    changes,
    find,

    noteVerdict(credential, isAccepted) {
      if (isAccepted) accepted.set(credential, true)
      else accepted.delete(credential)
    },

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
      const ended = changes.close()
      // Who came before is still answered, one after the other, and nobody's store is asked afterwards.
      while (underWay.size > 0) await Promise.all(underWay)
      await ended
    },
  }
}
