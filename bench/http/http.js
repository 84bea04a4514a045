/** `npm run bench:http`: what is left of a framework's requests a second, and of its latency, in about seven minutes. */
import { writePerformancePage } from '../report/performance-page.js'
import { httpGoals, printGoals } from '../shared/goals.js'
import { saveResult } from '../shared/results.js'
import { measureServers } from './measure-http.js'

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
writePerformancePage()
process.exit()
