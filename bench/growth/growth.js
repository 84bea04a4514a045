/** `npm run bench:growth`: what a cached credential costs as their number grows, and what it takes to start. */
import { writePerformancePage } from '../report/performance-page.js'
import { growthGoals, printGoals } from '../shared/goals.js'
import { saveResult } from '../shared/results.js'
import { measureGrowth } from './measure-growth.js'

const results = await measureGrowth({ rounds: 5, sizes: [1, 10, 100, 1000, 10_000, 100_000], imports: 15 })
for (const [accepts, sizes] of Object.entries(results.entries)) {
  console.log(`\ncached ${accepts}: entries, microseconds, ratio to crypto.hash + Map.get, bytes of heap an entry`)
  for (const [size, { microseconds, ratio, bytes }] of Object.entries(sizes)) {
    const figures = [size, microseconds.toFixed(2), ratio.toFixed(2), bytes.toFixed(0)]
    console.log(`  ${figures.map((figure) => figure.padStart(9)).join('')}`)
  }
}
const { firstUseMs, one, thousand, ratio } = results.keySet
console.log(
  `\nkey set: a new token ${one.toFixed(1)} us with one key, ${thousand.toFixed(1)} with 1 000 (${ratio.toFixed(2)})`,
)
console.log(`first use of a set of 1 000: ${firstUseMs.toFixed(1)} ms`)
if (results.firstTokens) {
  const { first, later } = results.firstTokens
  console.log(
    `new tokens of a process: the first 1 000 ${first.typical.toFixed(1)} us, later ${later.typical.toFixed(1)}`,
  )
}
console.log('\ncold import, ms')
for (const [name, { typical }] of Object.entries(results.imports))
  console.log(`  ${typical.toFixed(1).padStart(7)}  ${name}`)
printGoals(growthGoals, results)
saveResult('growth', results)
writePerformancePage()
process.exit()
