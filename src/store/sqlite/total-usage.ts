import type { StoredTotalUsage, TotalUsageQuery } from '../contract.js'
import { createUsageTotals } from '../usage-totals.js'
import { type AskQueries, inSteps } from './steps.js'

/** Keys of one step: some milliseconds, also where each was used on each day of a year. */
const STEP = 20

/** Adds up in steps: as one statement, the uses of many keys would hold up all requests of the process. */
export async function readTotalUsage(ask: AskQueries, query: TotalUsageQuery): Promise<StoredTotalUsage> {
  const totals = createUsageTotals()
  for await (const ids of inSteps(await ask((queries) => queries.idsOf({ ...query, now: Date.now() })), STEP)) {
    for (const [id, days] of await ask((queries) => queries.usesOf(ids, query.sinceDay))) totals.add(id, days)
  }
  return totals.result(query.limit)
}
