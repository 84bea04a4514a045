import { LRUCache } from 'lru-cache'
import { answerWithin } from '../core/deadline.js'
import { UnavailableError } from '../core/errors.js'
import { publishStore } from '../core/telemetry.js'
import type { KeyChange, KeyStore, StoredKey, TokenChange } from '../store/contract.js'
import { createSemaphore, pickAtRandom } from './semaphore.js'
import { followChanges, type StoreChanges } from './store-changes.js'
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
   * Looks a key up. Requests for the same key share one look-up; their number and their time are bounded. While the store
   * fails, one look-up at a time gets the whole time limit and the others fail soon, so that an outage holds up few
   * requests.
   *
   * `use` is called at once with the answer, before a change of the key can be heard, so that it never caches an outdated
   * one.
   *
   * When too many wait, one that shows a credential that was never accepted gives way: anybody can make up any number of
   * well-formed keys, and these must not turn away the key of a client.
   *
   * @param credential fingerprint of the whole key that is presented, for {@link noteVerdict}
   * @throws {UnavailableError} rejects with it when the store cannot be asked now; else with what `use` throws
   */
  find<T>(id: string, use: (found: FoundKey) => T, credential?: string): Promise<T>
  /** Remembers whether a credential was accepted the last time. */
  noteVerdict(credential: string, accepted: boolean): void
  /** Resolves, for good, once the store has answered; rejects with what went wrong. */
  ready(): Promise<void>
  close(): Promise<void>
}

const MAX_IN_FLIGHT = 100
/** Look-ups that wait for a place; requests that wait for one look-up. */
const MAX_WAITING = 1000
/** Credentials that are remembered as accepted before, the latest ones. */
const MAX_ACCEPTED = 10_000
const TOO_MANY = 'too many look-ups wait for the key store'
/** A key that changes during this many look-ups in a row is not decided upon. */
const MAX_ROUNDS = 10
/** Time limit while the store fails, for all look-ups but the probe. */
const FAILING_LIMIT_MS = 200

interface LookUp {
  /** Whether one of its users is known. */
  known: boolean
  /** Whether the key changed after the store was asked: its answer may be from before the change. */
  outdated: boolean
  readonly users: User[]
}

/** One request that waits for a look-up. */
interface User {
  /** Whether its credential was accepted before. */
  readonly known: boolean
  use(found: FoundKey): void
  fail(error: UnavailableError): void
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
): KeyLookup {
  /** By the id of the key, those whose users still wait for an answer. */
  const lookUps = new Map<string, LookUp>()
  const semaphore = createSemaphore<LookUp>(MAX_IN_FLIGHT)
  const accepted = new LRUCache<string, true>({ max: MAX_ACCEPTED })
  /** `failing`: the last look-up failed. `probe`: the one look-up that waits the whole time limit to see whether it still does. */
  const outage = { failing: false, probe: undefined as LookUp | undefined }
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
  )

  /** Asks the store until no change of the key came in between, and hands the answer to all who wait for it. */
  async function ask(id: string, lookUp: LookUp): Promise<void> {
    if (!(await semaphore.enter(lookUp))) return endAll(id, lookUp, new Error(TOO_MANY))
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const asked = { epoch: changes.currentEpoch(), generation: changes.generation }
      lookUp.outdated = false
      const key: unknown = await store.find(id)
      outage.failing = false
      // The time limit has ended this look-up; nobody waits for it any more.
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

  function endAll(id: string, lookUp: LookUp, error: unknown): void {
    if (lookUps.get(id) === lookUp) lookUps.delete(id)
    // One error for each request, since frameworks write to the error that they are given.
    for (const { fail } of lookUp.users) fail(new UnavailableError(error))
  }

  async function run(id: string, lookUp: LookUp): Promise<void> {
    if (outage.failing) outage.probe ??= lookUp
    const isHurried = outage.failing && outage.probe !== lookUp
    const limitMs = isHurried ? Math.min(FAILING_LIMIT_MS, timeoutMs) : timeoutMs
    try {
      await answerWithin(limitMs, 'the key store', ask(id, lookUp))
    } catch (error) {
      outage.failing = true
      publishStore(() => ({ event: 'look_up_failed', error }))
      endAll(id, lookUp, error)
    } finally {
      if (outage.probe === lookUp) outage.probe = undefined
      semaphore.leave(lookUp)
    }
  }

  /** Adds one that waits for a look-up, if need be in place of one whose credential was never accepted. */
  function join(lookUp: LookUp, user: User): void {
    const { users } = lookUp
    if (users.length >= MAX_WAITING) {
      const index = pickAtRandom(users, ({ known }) => !known)
      if (index === -1) throw new UnavailableError(new Error(TOO_MANY))
      const [sentAway] = users.splice(index, 1)
      sentAway?.fail(new UnavailableError(new Error(TOO_MANY)))
    }
    users.push(user)
    lookUp.known ||= user.known
  }

  function find<T>(id: string, use: (found: FoundKey) => T, credential?: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const user: User = {
        known: credential !== undefined && accepted.get(credential) === true,
        use(found) {
          try {
            resolve(use(found))
          } catch (error) {
            reject(error)
          }
        },
        fail: reject,
      }
      const underWay = lookUps.get(id)
      if (underWay !== undefined) return join(underWay, user)
      if (closed) throw new UnavailableError(new Error('the verifier is closed'))
      if (semaphore.waiting >= MAX_WAITING && !semaphore.sendOneAway(({ known }) => !known)) {
        throw new UnavailableError(new Error(TOO_MANY))
      }
      const lookUp: LookUp = { known: user.known, outdated: false, users: [user] }
      lookUps.set(id, lookUp)
      void run(id, lookUp)
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
      await changes.close()
    },
  }
}
