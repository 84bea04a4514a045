import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KeyQuery } from '../contract.js'
import { createSearch } from '../search.js'
import type { KeyQueries } from './queries.js'

/** Asks the store; each question is a step, after which other requests have their turn. */
export type AskQueries = <T>(operate: (queries: KeyQueries) => T) => Promise<T>

/** Keys of one step: some milliseconds. */
const STEP = 500

/** Cuts a list into steps. Between them the process turns to what else has come. */
export async function* inSteps<T>(list: readonly T[], length: number): AsyncGenerator<readonly T[]> {
  for (let begin = 0; begin < list.length; begin += length) {
    if (begin > 0) await nextTurn()
    yield list.slice(begin, begin + length)
  }
}

/**
 * The ids of the keys that the search of a query finds. It is done here and not by SQLite, which knows no letters but ASCII,
 * and in steps: as one statement a search of many keys would hold up all requests of the process.
 */
export async function searchKeys(ask: AskQueries, query: KeyQuery, search: string): Promise<string[]> {
  const isFound = createSearch(search)
  const found: string[] = []
  for await (const ids of inSteps(await ask((queries) => queries.idsOf(query)), STEP)) {
    const keys = await ask((queries) => queries.searched(ids))
    found.push(...keys.filter(isFound).map(({ id }) => id))
  }
  return found
}
