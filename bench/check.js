/**
 * `npm run bench:check`: a short run of three minutes that fails when a ratio is worse than twice its goal. A CI machine
 * has other work at the same time, so processor time is counted.
 */
process.env.BENCH_CLOCK ??= 'cpu'
const { measureDecisions } = await import('./decisions/measure-decisions.js')
const { measureEntries, measureFirstTokens } = await import('./growth/measure-growth.js')
const { measureHooks } = await import('./http/measure-hooks.js')
const { measureServers } = await import('./http/measure-http.js')
const { measureLookUps } = await import('./lookup/measure-lookup.js')
const { decisionGoals, growthGoals, hookGoals, httpGoals, judge, lookUpGoals } = await import('./shared/goals.js')

const quiet = () => {}

const parts = [
  async () =>
    judge(
      decisionGoals,
      await measureDecisions({ rounds: 25, turnMs: 20, newTokens: 120, warmUpTokens: 6000, peers: false }, quiet),
    ),
  async () => judge(httpGoals, await measureServers({ rounds: 11, turnMs: 250, peers: false }, quiet)),
  async () => judge(hookGoals, await measureHooks({ rounds: 5, turnMs: 300 })),
  async () => judge(lookUpGoals, await measureLookUps({ rounds: 9, keys: 1000 }, quiet)),
  async () =>
    judge(growthGoals, { firstTokens: await measureFirstTokens(5), entries: await measureEntries(1, [10_000]) }),
]

/** @param {(typeof parts)[number]} measure */
async function run(measure) {
  const judged = await measure()
  for (const { name, goal, measured, reached, tolerable } of judged) {
    const verdict = reached ? 'reached' : tolerable ? 'missed' : 'FAILED'
    console.log(`${verdict.padEnd(7)}  ${measured.toPrecision(3).padStart(6)}  ${goal.padEnd(7)} ${name}`)
  }
  return judged.every(({ tolerable }) => tolerable)
}

// A failure may come from other work on the machine: in phases of minutes, what misses the processor's cache costs twice
// as much, and the limit little more than half as much again. What has become slow fails each time.
const ATTEMPTS = 3
let failed = parts
for (let attempt = 1; failed.length > 0 && attempt <= ATTEMPTS; attempt++) {
  if (attempt > 1) console.log('\nwhat failed, once more')
  const again = []
  for (const part of failed) if (!(await run(part))) again.push(part)
  failed = again
}
process.exit(failed.length === 0 ? 0 : 1)
