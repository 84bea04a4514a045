import { UnavailableError } from '../core/errors.js'

/** Bounds how much is done at a time. */
export interface Places {
  /** @throws {UnavailableError} (rejects) where too much is under way */
  within<T>(work: () => Promise<T>): Promise<T>
}

export function createPlaces(count: number): Places {
  let taken = 0
  return {
    async within(work) {
      if (taken >= count) throw new UnavailableError(new Error('too many deliveries are under way'))
      taken++
      try {
        return await work()
      } finally {
        taken--
      }
    },
  }
}
