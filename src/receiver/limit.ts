import { UnavailableError } from '../core/errors.js'

/** Bounds how many deliveries wait for something at a time. */
export interface Limit {
  /**
   * @param work counts for as long as its promise takes. What is there at once does not count
   * @throws {UnavailableError} where too many wait already
   */
  within<T>(work: () => T | Promise<T>): T | Promise<T>
}

export function createLimit(count: number): Limit {
  let waiting = 0
  return {
    within(work) {
      if (waiting >= count) throw new UnavailableError(new Error('too many deliveries are under way'))
      const result = work()
      if (!(result instanceof Promise)) return result
      waiting++
      return result.finally(() => {
        waiting--
      })
    },
  }
}
