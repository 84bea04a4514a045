import type { KeyQuery } from '../contract.js'
import { createSearch, readSearch } from '../search.js'
import { type AskQueries, inSteps } from './steps.js'

/** Keys of one step: some milliseconds. */
const STEP = 500

/**
 * The ids of the keys that the search of a query finds, in steps: as one statement a search of many keys would hold up all
 * requests of the process. A text with letters beyond ASCII is looked up here: SQLite does not know their cases.
 */
export async function searchKeys(ask: AskQueries, query: KeyQuery, given: string): Promise<string[]> {
  const { text, folded } = readSearch(given)
  const isFound = createSearch(given)
  const found: string[] = []
  for await (const ids of inSteps(await ask((queries) => queries.idsOf(query)), STEP)) {
    found.push(
      ...(await ask((queries) =>
        folded.length === 0
          ? queries.foundIn(ids, text)
          : queries
              .searched(ids)
              .filter(isFound)
              .map(({ id }) => id),
      )),
    )
  }
  return found
}
