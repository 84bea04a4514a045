import { answerWithin } from '../core/deadline.js'
import { type DependencyNotice, NO_NOTICE } from '../core/outage-notices.js'
import { createSemaphore, type Semaphore } from './semaphore.js'

/** The store itself failed: it rejected, or was silent for the whole time limit. `cause` is what went wrong. */
export class StoreFailure extends Error {
  constructor(cause: unknown) {
    super('the key store failed', { cause })
  }
}

/** Questions to a store: 100 are under way at a time, and the others wait for their turn. */
export interface StoreQueue<Asker> extends Pick<Semaphore<Asker>, 'waiting' | 'sendOneAway'> {
  /**
   * Asks the store when it is the asker's turn. The time limit bounds the wait, and again the answer. While the store fails,
   * one question at a time gets the whole limit and the others end soon, so that an outage holds up few requests.
   *
   * @param question calls `answered` when the store has answered; rejects when the store does, and in no other case
   * @throws {StoreFailure} rejects with it when the store itself fails, and in no other case: however many wait, and however
   *   long, that is no failure of the store
   */
  ask<T>(asker: Asker, question: (answered: () => void) => Promise<T>): Promise<T>
}

const MAX_UNDER_WAY = 100
const SILENT = `the key store answers none of ${MAX_UNDER_WAY} look-ups`
/** Time limit while the store fails, for all questions but the probe. */
const FAILING_LIMIT_MS = 200

export const TOO_MANY = 'too many look-ups wait for the key store'

/**
 * @param isPreferred who comes first among those that wait: see {@link createSemaphore}
 * @param notice is told when the store fails, and when it has answered
 */
export function createStoreQueue<Asker>(
  timeoutMs: number,
  isPreferred?: (asker: Asker) => boolean,
  notice: DependencyNotice = NO_NOTICE,
): StoreQueue<Asker> {
  const semaphore = createSemaphore(MAX_UNDER_WAY, isPreferred)
  const hurriedMs = Math.min(FAILING_LIMIT_MS, timeoutMs)
  /**
   * `failing`: the store rejected, or was silent for the whole time limit, and has not answered since. `probe`: who is given
   * the whole limit meanwhile. `overdue`: those that the store has not answered within their limit.
   */
  const outage = { failing: false, probe: undefined as Asker | undefined, overdue: new Set<Asker>() }
  const answered = () => {
    outage.failing = false
    notice.answered()
  }

  /** Whether the store leaves all questions unanswered that may be under way: to wait for a place is in vain. */
  function isSilent(): boolean {
    const unanswered = outage.overdue.size + (outage.probe === undefined ? 0 : 1)
    return outage.failing && unanswered >= MAX_UNDER_WAY
  }

  return {
    get waiting() {
      return semaphore.waiting
    },

    sendOneAway: semaphore.sendOneAway,

    async ask(asker, question) {
      if (isSilent() || !(await semaphore.enter(asker, outage.failing ? hurriedMs : timeoutMs))) {
        throw isSilent() ? new StoreFailure(new Error(SILENT)) : new Error(TOO_MANY)
      }
      if (outage.failing) outage.probe ??= asker
      const isHurried = outage.failing && outage.probe !== asker
      let settled = false
      // The place is kept until the store has answered, however late: a store that is slow is not asked for ever more.
      const answer = question(answered).finally(() => {
        settled = true
        outage.overdue.delete(asker)
        semaphore.leave(asker)
      })
      try {
        return await answerWithin(isHurried ? hurriedMs : timeoutMs, 'the key store', answer).finally(() => {
          if (outage.probe === asker) outage.probe = undefined
        })
      } catch (error) {
        // To be silent for less than the time limit says nothing new: the store may have recovered meanwhile.
        if (settled || !isHurried) outage.failing = true
        if (!settled) outage.overdue.add(asker)
        if (!outage.failing) throw error
        notice.failed(error)
        throw new StoreFailure(error)
      }
    },
  }
}
