/** `npm run bench`: the cost of one decision, in about three minutes. */
import { measureDecisions } from './decisions.js'
import { printGoals } from './goals.js'
import { measureLatency } from './latency.js'
import { saveResult } from './measure.js'
import { writeReport } from './report.js'

const results = await measureDecisions(
  { rounds: 9, turnMs: 40, newTokens: 400, warmUpTokens: 15_000, peers: true },
  (title, figures) => {
    console.log(`\n${title}, microseconds`)
    const lines = Object.entries(figures).toSorted(([, a], [, b]) => a.typical - b.typical)
    for (const [name, { typical }] of lines) console.log(`  ${typical.toFixed(2).padStart(9)}  ${name}`)
  },
)
printGoals('decisions', results)
saveResult('decisions', { results })
saveResult('latency', { results: await measureLatency({ seconds: 0.7 }) })
writeReport()
process.exit()
