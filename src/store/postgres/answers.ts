import type { Ask } from './connections.js'
import { createSessionName, type Heard } from './service-name.js'

/** How long an answer stands at least. Whoever has asked looks more often. */
const ANSWER_SHOWN_MS = 5000

/** What the services of this process say of themselves, in the name of the session over which they listen. */
export interface Answers {
  /** Whether they can be found, and asked. */
  readonly isAnnounced: boolean
  /** Whether the session is called what it has to be. Services come and go while that is written. */
  readonly isCurrent: boolean
  /** Whether a question waits for the next reading. */
  readonly isAsked: boolean
  /**
   * Takes a question.
   *
   * @returns false where another one waits: one answer is for all of them
   */
  hear(): boolean
  /**
   * Comes before the log is read: whoever lists the services and does not find this one has written what is read then.
   *
   * @returns whether that reading is to be answered with
   */
  announce(): Promise<boolean>
  /**
   * Comes after the listeners were told what was read.
   *
   * @param answer what was heard of, where that was asked
   * @param begunAt when that reading began, by the monotonic clock
   * @param isQuiet whether there is time to take an old answer back
   */
  give(answer: Heard | undefined, begunAt: number, isQuiet: boolean): Promise<void>
}

/** @param followed the log that services of this process follow and may rely upon; `undefined` without any */
export function createAnswers(ask: Ask, followed: () => string | undefined): Answers {
  const session = createSessionName(ask)
  let isAnnounced = false
  let isAsked = false
  let answeredAt = Number.NEGATIVE_INFINITY

  return {
    get isAnnounced() {
      return isAnnounced
    },

    get isCurrent() {
      return session.feed === followed()
    },

    get isAsked() {
      return isAsked
    },

    hear() {
      if (isAsked) return false
      isAsked = true
      return true
    },

    async announce() {
      const isAnswer = isAsked
      isAsked = false
      if (session.feed !== followed()) {
        isAnnounced = false
        await session.set(followed())
      }
      return isAnswer
    },

    async give(answer, begunAt, isQuiet) {
      isAnnounced = session.feed !== undefined && session.feed === followed()
      if (answer !== undefined && isAnnounced) {
        await session.set(session.feed, answer)
        answeredAt = begunAt
      } else if (isQuiet && begunAt - answeredAt > ANSWER_SHOWN_MS) {
        // An answer leaves less room for the name of the service.
        await session.set(session.feed)
      }
    },
  }
}
