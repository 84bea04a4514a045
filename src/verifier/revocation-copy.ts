import type { StoreChanges } from '../api-key/store-changes.js'
import { StoreFailure } from '../api-key/store-queue.js'
import type { AccessTokenAuth } from '../core/auth.js'
import { answerWithin } from '../core/deadline.js'
import { type DependencyNotice, NO_NOTICE } from '../core/outage-notices.js'
import type { KeyStore, StoredTokenRevocation, TokenChange } from '../store/contract.js'
import { createNextRun } from './next-run.js'
import { createRevocationIndex, indexRevocations, type RevocationIndex } from './revocation-index.js'

/** A copy, in memory, of the revocations of tokens in a store. It is read once, and then follows the changes. */
export interface RevocationCopy {
  /** Whether the store was ever read. */
  readonly wasRead: boolean
  /** The instant at which the copy last had every revocation, as far as is known. */
  readonly completeAt: number
  /**
   * Whether the copy has every revocation. It takes note of the time: see `completeAt`. Where the clock was set back, the copy
   * may lack some that are in force again, and has to be read anew.
   */
  checkComplete(epoch: number | undefined): boolean
  /** Whether the copy has a revocation of a token. */
  lists(auth: AccessTokenAuth): boolean
  /** See {@link RevocationIndex.endsOnlySessionsOf}. */
  endsOnlySessionsOf(issuer: string): boolean
  /** Takes note of a change that the store tells of. */
  hear(change: TokenChange): void
  /**
   * Takes note of revocations that the store answered to a question. They are kept until they end, so that a token that was
   * refused is not accepted again when the store is out of reach.
   */
  learn(found: readonly StoredTokenRevocation[]): void
  /**
   * Reads the store, after the call: a reading that is under way already does not count. Resolves to what it read.
   *
   * @throws {StoreFailure} rejects with it when the store itself fails; else with what is wrong with its answer
   */
  read(): Promise<RevocationIndex>
  /** Reads the store, unless it was read a short time ago or is being read. Nobody has to wait for it. */
  readInBackground(): void
  /** A reading that is under way. */
  readonly reading: Promise<RevocationIndex> | undefined
}

/** Time between two readings that nobody waits for. */
const READ_AGAIN_MS = 1000
/** Time between two looks for revocations that have ended. */
const REMOVE_ENDED_MS = 60_000
/**
 * By how much a clock may go back and the copy still counts. Clocks are adjusted by milliseconds all the time, and what ended
 * within this time is of no use to a token: keyrings keep revocations for minutes longer than the tokens that they refuse.
 */
const SET_BACK_MS = 1000

export function createRevocationCopy(
  readStore: NonNullable<KeyStore['tokenRevocations']>,
  changes: Pick<StoreChanges, 'currentEpoch'>,
  limitMs: number,
  clock: () => number,
  notice: DependencyNotice = NO_NOTICE,
  onRead: (index: RevocationIndex) => void = () => {},
): RevocationCopy {
  let index = createRevocationIndex()
  const state = {
    wasRead: false,
    completeAt: Number.NEGATIVE_INFINITY,
    /** The epoch in which the index has every revocation; `undefined` when it may lack some. */
    epoch: undefined as number | undefined,
    /** The instant of the clock up to which the index lacks what has ended: it was removed, or was not read. */
    endedRemovedAt: Number.NEGATIVE_INFINITY,
  }
  /** The reading under way, and the changes since it began: its answer may be from before them. */
  let underWay: { readonly news: TokenChange[]; readonly result: Promise<RevocationIndex> } | undefined
  let begunAt = Number.NEGATIVE_INFINITY

  // A store of one's own may throw.
  const ask = async (now: number) => readStore(now)

  async function readAll(news: readonly TokenChange[], epoch: number | undefined): Promise<RevocationIndex> {
    const startedAt = clock()
    const answer: unknown = await answerWithin(limitMs, 'the key store', ask(startedAt)).catch((error: unknown) => {
      notice.failed(error)
      throw new StoreFailure(error)
    })
    const complete = await indexAnswer(answer, notice)
    if (clock() < startedAt - SET_BACK_MS) throw new Error('the clock was set back while revocations were read')
    const understood = news.map((change) => apply(change, complete))
    index = complete
    state.endedRemovedAt = startedAt
    state.wasRead = true
    onRead(complete)
    if (understood.includes(false)) return complete
    state.epoch = epoch
    state.completeAt = Math.max(state.completeAt, startedAt)
    return complete
  }

  const read = createNextRun(async (begin) => {
    begin()
    begunAt = performance.now()
    // It hears of the changes that have arrived. What comes later is news.
    const epoch = changes.currentEpoch()
    const news: TokenChange[] = []
    const result = readAll(news, epoch)
    underWay = { news, result }
    try {
      return await result
    } finally {
      underWay = undefined
    }
  })

  function removeEnded(now: number): void {
    if (now - state.endedRemovedAt <= REMOVE_ENDED_MS) return
    state.endedRemovedAt = now
    index.removeEnded(now)
  }

  /** What the store confirmed before is no longer worth anything. */
  function invalidate(): void {
    state.epoch = undefined
    state.completeAt = Number.NEGATIVE_INFINITY
  }

  return {
    get wasRead() {
      return state.wasRead
    },
    get completeAt() {
      return state.completeAt
    },
    get reading() {
      return underWay?.result
    },

    checkComplete(epoch) {
      const now = clock()
      if (now < state.endedRemovedAt - SET_BACK_MS) {
        invalidate()
        state.endedRemovedAt = now
      }
      if (epoch === undefined || epoch !== state.epoch) return false
      state.completeAt = now
      removeEnded(now)
      return true
    },

    lists: (auth) => index.lists(auth),
    endsOnlySessionsOf: (issuer) => index.endsOnlySessionsOf(issuer),

    hear(change) {
      underWay?.news.push(change)
      if (apply(change, index)) return
      // Something has changed that only the store knows.
      invalidate()
    },

    learn(found) {
      const now = clock()
      for (const added of found.filter(({ endsAt }) => endsAt > now)) {
        underWay?.news.push({ tokens: true, added })
        index.add(added)
      }
      // A service that never hears of changes has no other occasion.
      removeEnded(now)
    },

    read,

    readInBackground() {
      if (underWay === undefined && performance.now() - begunAt > READ_AGAIN_MS) read().catch(() => {})
    },
  }
}

/** Indexes what a store answered. An answer that is no list of revocations is a failure that is told of. */
export async function indexAnswer(answer: unknown, notice: DependencyNotice): Promise<RevocationIndex> {
  try {
    const index = await indexRevocations(answer)
    notice.answered()
    return index
  } catch (error) {
    notice.failed(error)
    throw error
  }
}

/** @returns false for a change that does not say what has changed */
function apply({ added, removed }: TokenChange, index: RevocationIndex): boolean {
  if (typeof removed === 'string') {
    index.remove(removed)
    return true
  }
  if (added === undefined) return false
  try {
    index.add(added)
    return true
  } catch {
    return false
  }
}
