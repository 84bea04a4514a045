/**
 * `npm run bench:lookup`: keys that a service has never seen, on SQLite and on PostgreSQL, in about a minute.
 *
 * - `-- --small` takes a few seconds, for a look; its results are not kept
 */
import { parseArgs } from 'node:util'
import { writePerformancePage } from '../report/performance-page.js'
import { lookUpGoals, printGoals } from '../shared/goals.js'
import { saveResult } from '../shared/results.js'
import { measureLookUps } from './measure-lookup.js'

const { values } = parseArgs({
  // bench/prepare.js was given the name of this benchmark.
  allowPositionals: true,
  options: { small: { type: 'boolean', default: false } },
})

const effort = values.small ? { rounds: 5, keys: 300 } : { rounds: 25, keys: 2000 }
const results = await measureLookUps(effort, (store, figures) => {
  console.log(`\na key never seen before, 64 in flight, ${store}: microseconds`)
  for (const [name, { typical }] of Object.entries(figures)) console.log(`  ${typical.toFixed(1).padStart(7)}  ${name}`)
})
printGoals(lookUpGoals, results)
if (!values.small) {
  saveResult('lookup', results)
  writePerformancePage()
}
process.exit()
