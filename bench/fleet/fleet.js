/**
 * `npm run bench:fleet`: eight services on one PostgreSQL, in about ten minutes.
 *
 * - `-- --small` takes two minutes, for a look; its results are not kept
 * - `-- --part revocation` takes one part alone (also `keys`, `usage`, `writes`)
 * - `-- --part revocation --case many` takes one case of it; bench/README.md names them
 * - `-- --part revocation --slowest 10` prints what delayed the slowest revocations of each case
 * - `-- --part keys --keys 10000000` takes stores of that many keys
 * - `-- --check` takes revocation in short, and fails when a key is accepted again, or the goal is far away
 */
import { parseArgs } from 'node:util'
import { revocationGoalTable, revocationTable, writeFleetPage } from '../report/fleet-page.js'
import { loadResult, saveResult } from '../shared/results.js'
import { measureKeys } from './measure-keys.js'
import { CASE_NAMES, measureRevocation } from './measure-revocation.js'
import { measureUsage } from './measure-usage.js'
import { measureWrites } from './measure-writes.js'

/** @import { FleetResults } from '../shared/types.d.ts' */

const { values } = parseArgs({
  // bench/prepare.js was given the name of this benchmark.
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    part: { type: 'string' },
    case: { type: 'string' },
    slowest: { type: 'string', default: '0' },
    keys: { type: 'string' },
    services: { type: 'string', default: '8' },
  },
})
/** From the commit to the last acceptance, in docs/fleet.md. */
const PROMISED_P99_MS = 50
const services = Number(values.services)
const { small } = values

/** @type {Record<string, (earlier: FleetResults) => Promise<FleetResults>>} */
const parts = {
  // Cases and sizes that were taken earlier stay: the largest takes long.
  revocation: async ({ revocation }) => ({
    revocation: {
      ...(small ? {} : revocation),
      ...(await measureRevocation({
        services,
        effort: small ? 'small' : 'whole',
        only: values.case,
        slowest: Number(values.slowest),
      })),
    },
  }),
  keys: async ({ keys }) => ({ keys: { ...keys, ...(await measureKeys(storeSizes())) } }),
  usage: async () => ({ usage: await measureUsage({ services, small }) }),
  writes: async () => ({ writes: await measureWrites({ services, small }) }),
}

checkChoice('part', Object.keys(parts))
checkChoice('case', CASE_NAMES)

/**
 * Ends the process where there is no such part or case.
 *
 * @param {'part' | 'case'} option
 * @param {string[]} choices
 */
function checkChoice(option, choices) {
  const given = values[option]
  if (given === undefined || choices.includes(given)) return
  console.error(`--${option} is one of ${choices.join(', ')}`)
  process.exit(2)
}

function storeSizes() {
  if (values.keys) return [Number(values.keys)]
  return small ? [10_000] : [10_000, 100_000, 1_000_000]
}

/** @param {NonNullable<FleetResults['revocation']>} cases */
function printTables(cases) {
  console.log(`${revocationTable(cases)}\n\n${revocationGoalTable(cases)}`)
}

/**
 * Fails at once for a key that was accepted again; for the last acceptance only when two runs exceed twice what users are
 * promised (50 ms), since CI has other work. Of 50 services, and of many revocations a second, two processors make what they
 * make of it.
 */
async function checkRevocation() {
  for (const _ of [1, 2]) {
    const cases = await measureRevocation({ services, effort: 'check' })
    printTables(cases)
    const all = Object.values(cases)
    if (all.some((one) => one.acceptedAfterRefusal > 0 || (one.acceptedAfterConfirmation ?? 0) > 0)) return false
    if (cases.plain.acceptedAfterCommit.p99 <= 2 * PROMISED_P99_MS) return true
  }
  return false
}

if (values.check) process.exit((await checkRevocation()) ? 0 : 1)

/** @type {FleetResults} */
let results = { ...loadResult('fleet')?.results }
for (const name of values.part ? [values.part] : Object.keys(parts)) {
  const measured = await parts[name](results)
  console.log(JSON.stringify(measured, (_, value) => (typeof value === 'number' ? Number(value.toFixed(2)) : value), 2))
  if (small && measured.revocation) printTables(measured.revocation)
  results = { ...results, ...measured }
  if (small) continue
  saveResult('fleet', results, { services })
  writeFleetPage()
}
process.exit()
