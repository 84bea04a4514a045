/**
 * Runs some work for all who ask for it before it begins. Who asks while it is under way gets the next run: the one under way
 * may have looked before they asked.
 */
export function createNextRun<T>(work: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<unknown> | undefined
  let next: Promise<T> | undefined

  async function begin(): Promise<T> {
    await underWay?.catch(() => {})
    next = undefined
    const run = work()
    underWay = run
    return run
  }

  return () => {
    next ??= begin()
    return next
  }
}
