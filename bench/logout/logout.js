/**
 * `npm run bench:logout`: sessions end at a real authorization server, whose logout tokens a receiver takes, while eight
 * services accept a token of them. On PostgreSQL and on SQLite, in about three minutes.
 *
 * - `-- --short` takes 40 sessions on each, in less than a minute, and fails when the bounds do not hold; its results are not kept
 */
import { parseArgs } from 'node:util'
import { logoutTable, writeFleetPage } from '../report/fleet-page.js'
import { saveResult } from '../shared/results.js'
import { measurePostgres, measureSqlite } from './measure-logout.js'

/** @import { LogoutResults } from '../shared/types.d.ts' */

const { values } = parseArgs({
  // bench/prepare.js was given the name of this benchmark.
  allowPositionals: true,
  options: { short: { type: 'boolean', default: false }, services: { type: 'string', default: '8' } },
})
const size = { services: Number(values.services), logouts: values.short ? 40 : 200 }

/** What is promised: milliseconds from the answer of the receiver to the last refusal, 99th percentile. */
const stores = {
  PostgreSQL: { measure: measurePostgres, boundMs: 50 },
  SQLite: { measure: measureSqlite, boundMs: 100 },
}

/** @type {LogoutResults} */
const results = {}
let passed = true
for (const [name, { measure, boundMs }] of Object.entries(stores)) {
  // A short run shares its machine with others: it fails when two runs exceed twice the bound, or two are broken off, as
  // when the issuer waits 2.5 s in vain for the receiver.
  const tolerableMs = values.short ? 2 * boundMs : boundMs
  for (let attempts = values.short ? 2 : 1; attempts > 0; attempts--) {
    try {
      results[name] = await measure(size)
      if (results[name].untilAllRefuse.p99 <= tolerableMs) break
    } catch (error) {
      if (attempts === 1) throw error
      console.log(`${name}: ${error}; once more`)
    }
  }
  const { untilAllRefuse, acceptedAfterRefusal } = results[name]
  passed &&= untilAllRefuse.p99 <= tolerableMs && acceptedAfterRefusal === 0
  console.log(`${name}: p99 ${untilAllRefuse.p99.toFixed(0)} ms, bound ${boundMs} ms`)
}
console.log(`\n${logoutTable(results)}\n`)
if (!values.short) {
  saveResult('logout', results, { services: size.services })
  writeFleetPage()
}
process.exit(passed ? 0 : 1)
