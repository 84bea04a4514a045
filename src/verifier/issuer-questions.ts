import { setMaxListeners } from 'node:events'
import { deadlineAfter } from '../token/issuer/timers.js'

/** Most that the application has to answer at one time. */
const MAX_QUESTIONS = 100
/** Most of them that are about one issuer: those before the last were given up, and their answers may never come. */
const MAX_ABOUT_ONE = 5

/** The service is busy with others' tokens: that is no outage of the application. */
export class NoRoomError extends Error {}

/** Questions to the application about issuers, so many at a time. */
export interface IssuerQuestions {
  /**
   * What the application answers, or a promise of it. Throws, or rejects with, what the application throws.
   *
   * @param mayWait whether it waits for room where there is none, before all that may not
   * @throws {NoRoomError} (or rejects with it)
   */
  ask(iss: string, mayWait: boolean): unknown
}

/**
 * @param put asks the application
 * @param timeoutMs how long an answer is waited for, room for the question included
 * @param closing ends the waiting
 */
export function createIssuerQuestions(
  put: (iss: string) => unknown,
  timeoutMs: number,
  closing: AbortSignal,
): IssuerQuestions {
  /** Each question that the application has not answered, waited for or given up, by its issuer. */
  const open = new Map<string, number>()
  let total = 0
  /** Those that wait for room, the first first. */
  const queue = new Set<() => void>()
  // Each question listens to it; Node warns of more than ten.
  setMaxListeners(0, closing)

  function leave(iss: string): void {
    total--
    const left = (open.get(iss) ?? 1) - 1
    if (left === 0) open.delete(iss)
    else open.set(iss, left)
    // A question that is answered at once takes no room.
    for (const putNext of queue) {
      if (total >= MAX_QUESTIONS) return
      putNext()
    }
  }

  /** Puts the question, and holds its room until the application has answered, however long that takes. */
  function putNow(iss: string): unknown {
    const answer = put(iss)
    if (!isThenable(answer)) return answer
    total++
    open.set(iss, (open.get(iss) ?? 0) + 1)
    let isOpen = true
    const settled = () => {
      if (isOpen) leave(iss)
      isOpen = false
    }
    return new Promise((resolve, reject) => {
      const onAnswer = (value: unknown) => {
        settled()
        resolve(value)
      }
      const onError = (error: unknown) => {
        settled()
        reject(error)
      }
      try {
        answer.then(onAnswer, onError)
      } catch (error) {
        onError(error)
      }
    })
  }

  function within(answer: Promise<unknown>): Promise<unknown> {
    const { signal, clear } = deadlineAfter(timeoutMs, closing)
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      answer.then(resolve, reject)
    }).finally(clear)
  }

  function putInTurn(iss: string): Promise<unknown> {
    const { signal, clear } = deadlineAfter(timeoutMs, closing)
    return new Promise((resolve, reject) => {
      const putIt = () => {
        queue.delete(putIt)
        try {
          resolve(putNow(iss))
        } catch (error) {
          reject(error)
        }
      }
      const giveUp = () => reject(queue.delete(putIt) && !closing.aborted ? noRoom() : signal.reason)
      queue.add(putIt)
      signal.addEventListener('abort', giveUp, { once: true })
    }).finally(clear)
  }

  return {
    ask(iss, mayWait) {
      if ((open.get(iss) ?? 0) >= MAX_ABOUT_ONE) throw noRoom(' about this issuer')
      if (total < MAX_QUESTIONS) {
        const answer = putNow(iss)
        return answer instanceof Promise ? within(answer) : answer
      }
      if (mayWait) return putInTurn(iss)
      throw noRoom()
    },
  }
}

function noRoom(about = ''): NoRoomError {
  return new NoRoomError(`resolveIssuer: too many questions${about}`)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
