import { describeCause, LONGEST_REPORT } from './cause.js'

/** How long others may take to answer where no option says it. */
export const DEFAULT_TIMEOUT_MS = 3000

/**
 * Waits for an answer, at most for the time limit. A late answer is dropped.
 *
 * @param who the name, in the message, of whoever is asked
 * @param keepsAlive whether the process goes on until then, for what a script waits for. Default: false
 * @throws {Error} when there is no answer in time; else rejects with what the answer rejects with
 */
export function answerWithin<T>(
  timeoutMs: number,
  who: string,
  answer: PromiseLike<T> | T,
  { keepsAlive = false } = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${who} did not answer within ${timeoutMs} ms`)), timeoutMs)
    if (!keepsAlive) timer.unref()
    Promise.resolve(answer).then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

/**
 * Resolves when all of the work has succeeded or failed, or at the deadline. This timer keeps the process alive: whoever
 * closes something waits for it.
 *
 * @param deadline as `performance.now()` counts
 */
export async function settledBy(deadline: number, ...work: (Promise<unknown> | undefined)[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadline - performance.now()))
  })
  await Promise.race([Promise.allSettled(work), timeUp])
  clearTimeout(timer)
}

/** Resolves when everything is loaded. Rejects with all failures, not only with the first. */
export async function allReady(loads: readonly Promise<void>[]): Promise<void> {
  const missing = (await Promise.allSettled(loads)).filter((load) => load.status === 'rejected')
  if (missing.length === 0) return
  const causes = missing.map(({ reason }) => reason as unknown)
  throw new AggregateError(
    causes,
    `not ready: ${causes.map((cause) => describeCause(cause, LONGEST_REPORT)).join('; ')}`,
  )
}
