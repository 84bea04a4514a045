/** `npm run bench:http`: what is left of a framework's requests a second, and of its latency. */

import { printGoals } from './goals.js'
import { saveResult } from './measure.js'
import { writeReport } from './report.js'
import { measureServers } from './servers.js'

const results = await measureServers({ rounds: 21, turnMs: 400, peers: true }, (framework, lines) => {
  console.log(
    `\n${framework}: requests/s, share of the bare framework, p50 and p99 in microseconds at half its rate, refusing`,
  )
  for (const [name, { perSecond, share, p50, p99, refusingShare }] of Object.entries(lines)) {
    const text = [perSecond.typical.toFixed(0), share?.toFixed(2), p50, p99?.typical, refusingShare?.toFixed(2)]
    console.log(`  ${text.map((figure) => String(figure ?? '').padStart(7)).join('')}  ${name}`)
  }
})
printGoals('http', results)
saveResult('http', { results })
writeReport()
process.exit()
