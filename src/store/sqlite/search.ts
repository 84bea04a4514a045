import type { KeyQuery } from '../contract.js'
import { createSearch } from '../search.js'
import { type AskQueries, inSteps } from './steps.js'

/** Keys of one step: some milliseconds. */
const STEP = 500

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
