/**
 * `npm run bench:check`: a short run that fails when a ratio to a limit is worse than twice its goal. A CI machine has more
 * to do than this: it counts processor time.
 */
process.env.BENCH_CLOCK ??= 'cpu'
const { measureDecisions } = await import('./decisions.js')
const { judge } = await import('./goals.js')
const { measureServers } = await import('./servers.js')

const quiet = () => {}

async function run() {
  const decisions = await measureDecisions(
    { rounds: 25, turnMs: 20, newTokens: 120, warmUpTokens: 6000, peers: false },
    quiet,
  )
  const http = await measureServers({ rounds: 11, turnMs: 300, peers: false }, quiet)
  const judged = [...judge('decisions', decisions), ...judge('http', http)]
  for (const { name, goal, measured, reached, tolerable } of judged) {
    const verdict = reached ? 'reached' : tolerable ? 'missed' : 'FAILED'
    console.log(`${verdict.padEnd(7)}  ${measured.toPrecision(3).padStart(6)}  ${goal.padEnd(7)} ${name}`)
  }
  return judged.every(({ tolerable }) => tolerable)
}

// What fails once may have been disturbed all along; what fails twice has become slow.
let passed = await run()
if (!passed) {
  console.log('\nonce more')
  passed = await run()
}
process.exit(passed ? 0 : 1)
