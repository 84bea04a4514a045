/**
 * `npm run bench:http`: what is left of a framework's requests a second, and of its latency, in about seven minutes.
 *
 * - `-- --profile` takes the time in the hooks of Fastify instead, in less than a minute
 */
import { parseArgs } from 'node:util'
import { writePerformancePage } from '../report/performance-page.js'
import { hookGoals, httpGoals, printGoals } from '../shared/goals.js'
import { saveResult } from '../shared/results.js'
import { measureHooks } from './measure-hooks.js'
import { measureServers } from './measure-http.js'

const { values } = parseArgs({
  // bench/prepare.js was given the name of this benchmark.
  allowPositionals: true,
  options: { profile: { type: 'boolean', default: false } },
})

await (values.profile ? measureTimeInHooks() : measureRates())
writePerformancePage()
process.exit()

async function measureRates() {
  const results = await measureServers({ rounds: 21, turnMs: 250, peers: true }, (framework, lines) => {
    console.log(
      `\n${framework}: requests/s, share of the bare framework, p50 and p99 in microseconds at half its rate, refusing`,
    )
    for (const [name, { perSecond, share, p50, p99, refusingShare }] of Object.entries(lines)) {
      const text = [perSecond.typical.toFixed(0), share.toFixed(2), p50, p99?.typical, refusingShare?.toFixed(2)]
      console.log(`  ${text.map((figure) => String(figure ?? '').padStart(7)).join('')}  ${name}`)
    }
  })
  printGoals(httpGoals, results)
  saveResult('http', results)
}

async function measureTimeInHooks() {
  const results = await measureHooks({ rounds: 9, turnMs: 1000 })
  console.log('\nFastify under load, microseconds of a request: our functions and cache, hash, sum')
  for (const [name, { typical, hash }] of Object.entries(results)) {
    const text = [typical - hash.typical, hash.typical, typical].map((us) => us.toFixed(1).padStart(6))
    console.log(`  ${text.join('')}  ${name}`)
  }
  printGoals(hookGoals, results)
  saveResult('hooks', results)
}
