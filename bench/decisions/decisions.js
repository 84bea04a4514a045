/** `npm run bench`: the cost of one decision, in about three minutes. */
import { writePerformancePage } from '../report/performance-page.js'
import { decisionGoals, printGoals } from '../shared/goals.js'
import { saveResult } from '../shared/results.js'
import { measureDecisions } from './measure-decisions.js'
import { measureSignatureLatency } from './measure-signature-latency.js'

const results = await measureDecisions(
  { rounds: 9, turnMs: 40, newTokens: 400, warmUpTokens: 15_000, peers: true },
  (title, figures) => {
    console.log(`\n${title}, microseconds`)
    const lines = Object.entries(figures).toSorted(([, a], [, b]) => a.typical - b.typical)
    for (const [name, { typical }] of lines) console.log(`  ${typical.toFixed(2).padStart(9)}  ${name}`)
  },
)
printGoals(decisionGoals, results)
saveResult('decisions', results)
saveResult('latency', await measureSignatureLatency({ seconds: 0.7 }))
writePerformancePage()
process.exit()
