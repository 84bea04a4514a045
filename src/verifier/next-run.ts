/**
 * Runs some work for all who ask for it before it begins. Who asks while it is under way gets the next run: the one under way
 * may have looked before they asked.
 *
 * @param work calls `begin` just before it looks
 */
export function createNextRun<T>(work: (begin: () => void) => Promise<T>): () => Promise<T> {
  let underWay: Promise<unknown> | undefined
  let next: Promise<T> | undefined

  async function run(): Promise<T> {
    await underWay?.catch(() => {})
    let begun = false
    const begin = () => {
      if (!begun) next = undefined
      begun = true
    }
    try {
      const result = work(begin)
      underWay = result
      return await result
    } finally {
      // A run that failed before it began is not what the next ones wait for.
      begin()
    }
  }

  return () => {
    next ??= run()
    return next
  }
}
