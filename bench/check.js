/**
 * `npm run bench:check`: a short run that fails when a ratio to a limit is worse than twice its goal. A CI machine has
 * other work at the same time, so processor time is counted.
 */
process.env.BENCH_CLOCK ??= 'cpu'
const { measureDecisions } = await import('./decisions/measure-decisions.js')
const { measureEntries, measureFirstTokens } = await import('./growth/measure-growth.js')
const { measureLookUps } = await import('./lookup/measure-lookup.js')
const { decisionGoals, growthGoals, httpGoals, judge, lookUpGoals } = await import('./shared/goals.js')
const { measureServers } = await import('./http/measure-http.js')

const quiet = () => {}

async function run() {
  const decisions = await measureDecisions(
    { rounds: 25, turnMs: 20, newTokens: 120, warmUpTokens: 6000, peers: false },
    quiet,
  )
  const http = await measureServers({ rounds: 11, turnMs: 300, peers: false }, quiet)
  const lookUps = await measureLookUps({ rounds: 9, keys: 1000 }, quiet)
  const growth = { firstTokens: await measureFirstTokens(5), entries: await measureEntries(1, [10_000]) }
  const judged = [
    ...judge(decisionGoals, decisions),
    ...judge(httpGoals, http),
    ...judge(lookUpGoals, lookUps),
    ...judge(growthGoals, growth),
  ]
  for (const { name, goal, measured, reached, tolerable } of judged) {
    const verdict = reached ? 'reached' : tolerable ? 'missed' : 'FAILED'
    console.log(`${verdict.padEnd(7)}  ${measured.toPrecision(3).padStart(6)}  ${goal.padEnd(7)} ${name}`)
  }
  return judged.every(({ tolerable }) => tolerable)
}

// A failure may come from other work on the machine: in phases of minutes, what misses the processor's cache costs twice
// as much, and the limit little more than half as much again. What has become slow fails each time.
const ATTEMPTS = 3
let passed = await run()
for (let attempt = 2; !passed && attempt <= ATTEMPTS; attempt++) {
  console.log('\nonce more')
  passed = await run()
}
process.exit(passed ? 0 : 1)
