import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { thisService } from '../this-service.js'
import { isBusy } from './driver.js'
import { thisProcess } from './process-mark.js'
import type { ServiceTable } from './service-table.js'

/** Between two signs of life, at random so that many services do not write at once. */
const SIGN_MS = { least: 45_000, most: 75_000 }
/** After an error other than a lock, such as a file that this process may not write. */
const REST_MS = 1000
/** How long a service that goes waits for a lock to take its name out of the file. */
const LEAVING_MS = 500

/** What a service that follows the file says there of itself. */
export interface Answers {
  /** Whether it is counted, as far as the file said when it was last read. */
  readonly isCounted: boolean
  /** Reads what is asked. Changes are read after that, so that all from before the question are among them. */
  hear(table: ServiceTable): void
  /** Whether there is something to write: an answer, or a sign of life. */
  isDue(now: number): boolean
  /**
   * Says that everything before the question was heard of. It never waits.
   *
   * @returns after how many milliseconds to try again, where another program holds the lock
   */
  give(table: ServiceTable, now: number, since: number, heardOf: string): number | undefined
  /** Takes the service out of the file. */
  leave(table: ServiceTable, isBack: () => boolean): Promise<void>
}

export function createAnswers(): Answers {
  const id = randomBytes(12).toString('base64url')
  let isCounted = false
  let asked = 0
  let isAsked = false
  let signAt = Number.POSITIVE_INFINITY
  let restUntil = Number.NEGATIVE_INFINITY

  function remove(table: ServiceTable): boolean {
    try {
      table.remove([id])
    } catch (error) {
      if (isBusy(error)) return false
      // The file is gone, or cannot be written any more: others find out by the end of this process, or by its silence.
    }
    isCounted = false
    return true
  }

  return {
    get isCounted() {
      return isCounted
    },

    hear(table) {
      const question = table.question(id)
      asked = question.asked
      isCounted = question.answered !== undefined
      isAsked = question.answered === undefined || question.answered < asked
    },

    isDue: (now) => now >= restUntil && (isAsked || now >= signAt),

    give(table, now, since, heardOf) {
      try {
        isCounted = table.write({ id, ...thisService(), ...thisProcess(), since, heardOf, answered: asked })
      } catch (error) {
        if (isBusy(error)) return 1 + Math.random() * 9
        isCounted = false
      }
      isAsked = !isCounted
      if (isCounted) signAt = now + SIGN_MS.least + Math.random() * (SIGN_MS.most - SIGN_MS.least)
      else restUntil = now + REST_MS
      return undefined
    },

    async leave(table, isBack) {
      if (!isCounted) return
      const limit = performance.now() + LEAVING_MS
      while (!isBack() && !remove(table) && performance.now() < limit) await delay(5 + Math.random() * 20)
    },
  }
}
