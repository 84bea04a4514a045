import { dueAt } from './moment.js'

const SHORTEST_MS = 1000
const LONGEST_MS = 30_000

/** When the next attempt is permitted after failed ones. Instants are milliseconds since the epoch. */
export interface BackOff {
  /** What the last attempt failed with; `undefined` when it succeeded, or there was none. */
  readonly lastError: unknown
  /** First instant at which an attempt is permitted. */
  permittedAt(now: number): number
  /**
   * Whether attempts fail, as far as anybody can know now: while the next one is not permitted yet, and while it is under
   * way. Later nobody knows, so somebody has to ask.
   */
  isOutage(now: number, underWay: boolean): boolean
  fail(error: unknown, now: number): void
  succeed(): void
}

export function createBackOff(): BackOff {
  let failures = 0
  let lastError: unknown
  let nextAttemptAt = Number.NEGATIVE_INFINITY

  return {
    get lastError() {
      return lastError
    },
    permittedAt: (now) => dueAt(nextAttemptAt, now, LONGEST_MS),
    isOutage: (now, underWay) => failures > 0 && (underWay || now < dueAt(nextAttemptAt, now, LONGEST_MS)),
    fail(error, now) {
      failures++
      lastError = error
      nextAttemptAt = now + delayAfter(failures)
    },
    succeed() {
      failures = 0
      lastError = undefined
      nextAttemptAt = Number.NEGATIVE_INFINITY
    },
  }
}

/** Doubles from 1 s to 20 s. Up to a half is added at random, 30 s at most, so that a fleet does not come back in step. */
function delayAfter(failures: number): number {
  return Math.min(SHORTEST_MS * 2 ** (failures - 1), LONGEST_MS / 1.5) * (1 + Math.random() / 2)
}
