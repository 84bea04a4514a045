/** `npm run bench:check`: a short run that fails when a ratio to a limit is worse than twice its goal. */
import { measureDecisions } from './decisions.js'
import { judge } from './goals.js'
import { measureServers } from './servers.js'

const quiet = () => {}
const judged = [
  ...judge('decisions', await measureDecisions({ rounds: 5, turnMs: 15, newTokens: 220, peers: false }, quiet)),
  ...judge('http', await measureServers({ rounds: 5, turnMs: 300, peers: false }, quiet)),
]
for (const { name, goal, measured, reached, tolerable } of judged) {
  const verdict = reached ? 'reached' : tolerable ? 'missed' : 'FAILED'
  console.log(`${verdict.padEnd(7)}  ${measured.toPrecision(3).padStart(6)}  ${goal.padEnd(7)} ${name}`)
}
process.exit(judged.every(({ tolerable }) => tolerable) ? 0 : 1)
