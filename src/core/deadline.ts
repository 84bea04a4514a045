/**
 * What `answer` comes to; silence is a failure. A late answer is dropped. The timer keeps no process alive.
 *
 * @param who what the message calls the one who is asked
 */
export async function answerWithin<T>(timeoutMs: number, who: string, answer: PromiseLike<T> | T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${who} did not answer within ${timeoutMs} ms`)), timeoutMs)
    timer.unref()
  })
  try {
    return await Promise.race([answer, silence])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Resolves when all of the work has ended, well or not, or at the deadline. This timer does keep the process alive:
 * whoever closes something waits for it.
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

/** Rejects with everything that is missing, not with the first alone. */
export async function allReady(loads: readonly Promise<void>[]): Promise<void> {
  const missing = (await Promise.allSettled(loads)).filter((load) => load.status === 'rejected')
  if (missing.length === 0) return
  const causes = missing.map(({ reason }) => reason as Error)
  throw new AggregateError(causes, `not ready: ${causes.map(({ message }) => message).join('; ')}`)
}
