import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KeyQueries } from './queries.js'

/** Asks the store; each question is a step, after which other requests have their turn. */
export type AskQueries = <T>(operate: (queries: KeyQueries) => T) => Promise<T>

/** Cuts a list into steps. Between them the process turns to what else has come. */
export async function* inSteps<T>(list: readonly T[], length: number): AsyncGenerator<readonly T[]> {
  for (let begin = 0; begin < list.length; begin += length) {
    if (begin > 0) await nextTurn()
    yield list.slice(begin, begin + length)
  }
}
