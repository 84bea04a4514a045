/** What is to be reached, each computed from the results of one run. */
import { DRIVER, FAST_JWT, FAST_JWT_CACHED, HAND_WRITTEN, LOOK_UP, OURS, OURS_UNCACHED } from './names.js'
import { ratioOf } from './timing.js'

/** @import { Accepts, Algorithm, DecisionResults, GrowthResults, HookResults, HttpResults, LookUpResults } from './types.d.ts' */

/**
 * @template Results
 * @typedef {object} Goal
 * @property {string} name
 * @property {boolean} [limit] `bench:check` fails when it is worse than twice the goal
 * @property {number} [atMost]
 * @property {number} [atLeast]
 * @property {(results: Results) => number | undefined} measured `undefined` where the run was a shorter one
 */

/** @type {(title: string, a: string, b: string) => Goal<DecisionResults>['measured']} */
const ratio = (title, a, b) => (results) =>
  results[title]?.[a] && results[title][b] && ratioOf(results[title][a], results[title][b])
/**
 * Ours beside the best of the others, limits left out.
 *
 * @type {(title: string) => Goal<DecisionResults>['measured']}
 */
const bestPeer = (title) => (results) => {
  const peers = Object.entries(results[title] ?? {}).filter(
    ([name]) => !name.startsWith(OURS) && !name.startsWith('crypto.'),
  )
  const [best] = peers.map(([, figures]) => figures).toSorted((a, b) => a.typical - b.typical)
  return best && ratioOf(results[title][OURS], best)
}
/** @type {Algorithm[]} */
const ALGORITHMS = ['RS256', 'ES256', 'EdDSA']
/** The cost of a new token, as a multiple of `crypto.verify`. */
const VERIFY_GOALS = { RS256: 1.3, ES256: 1.12, EdDSA: 1.08 }
/** @type {(line: string, accepted: Accepts) => Goal<DecisionResults>} */
const refusalGoal = (line, accepted) => ({
  name: `refusing, ${line}: cost of accepting a cached ${accepted}`,
  limit: true,
  atMost: 1.5,
  measured: ratio('refusing', line, `accepting a ${accepted}`),
})

/** @type {Goal<DecisionResults>[]} */
export const decisionGoals = [
  {
    name: `cached token: ${LOOK_UP}`,
    limit: true,
    atMost: 1.3,
    measured: ratio('cached token', OURS, LOOK_UP),
  },
  {
    name: 'cached token: times faster than fast-jwt with its cache',
    atLeast: 2,
    measured: ratio('cached token', FAST_JWT_CACHED, OURS),
  },
  {
    name: 'cached token: times faster than jose',
    atLeast: 50,
    measured: ratio('cached token', 'jose', OURS),
  },
  {
    name: `cached key: ${LOOK_UP}`,
    limit: true,
    atMost: 1.6,
    measured: ratio('cached key', OURS, LOOK_UP),
  },
  {
    name: 'cached key: times faster than prefixed-api-key',
    atLeast: 3,
    measured: ratio('cached key', 'prefixed-api-key', OURS),
  },
  {
    name: 'cached key: times faster than better-auth, keys in memory',
    atLeast: 500,
    measured: ratio('cached key', 'better-auth, keys in memory', OURS),
  },
  ...ALGORITHMS.flatMap((alg) => [
    {
      name: `new ${alg} token: crypto.verify`,
      limit: true,
      atMost: VERIFY_GOALS[alg],
      measured: ratio(`new ${alg} token`, OURS, 'crypto.verify'),
    },
    {
      name: `new ${alg} token: fast-jwt, both with their caches`,
      limit: true,
      atMost: 1,
      measured: ratio(`new ${alg} token`, OURS, FAST_JWT_CACHED),
    },
    {
      name: `new ${alg} token: fast-jwt, both without a cache`,
      limit: true,
      atMost: 1.05,
      measured: ratio(`new ${alg} token`, OURS_UNCACHED, FAST_JWT),
    },
    {
      name: `new ${alg} token, 64 in flight: the best peer`,
      atMost: 1,
      measured: bestPeer(`new ${alg} token, 64 in flight`),
    },
    {
      name: `new ${alg} token, 64 in flight, second core busy: the best peer`,
      atMost: 1,
      measured: bestPeer(`new ${alg} token, 64 in flight, second core busy`),
    },
  ]),
  refusalGoal('bad checksum', 'key'),
  refusalGoal('unknown key, repeated', 'key'),
  refusalGoal('random bytes', 'token'),
  refusalGoal('expired token, repeated', 'token'),
]

/**
 * Of the bare framework; on Fastify, which itself costs little, of what people write by hand.
 *
 * @type {(framework: string, accepts: string) => Goal<HttpResults>}
 */
function ratesGoal(framework, accepts) {
  const ours = `${OURS}, ${accepts}`
  if (framework !== 'fastify') {
    return {
      name: `${framework}, cached ${accepts}: requests/s of the bare framework`,
      limit: true,
      atLeast: framework === 'koa' ? 0.88 : 0.95,
      measured: (results) => results[framework]?.[ours]?.share,
    }
  }
  return {
    name: `${framework}, cached ${accepts}: requests/s of a hook ${HAND_WRITTEN}`,
    limit: true,
    atLeast: 0.9,
    measured: ({ fastify: lines }) =>
      lines?.[ours] && lines[HAND_WRITTEN] && ratioOf(lines[ours].perSecond, lines[HAND_WRITTEN].perSecond),
  }
}

/** @type {Goal<HttpResults>[]} */
export const httpGoals = [
  ...['express', 'koa', 'fastify'].flatMap((framework) =>
    ['token', 'key'].flatMap((accepts) => [
      ratesGoal(framework, accepts),
      {
        name: `${framework}, cached ${accepts}: p99 of the bare framework`,
        atMost: 1.1,
        measured: (/** @type {HttpResults} */ results) => results[framework]?.[`${OURS}, ${accepts}`]?.p99Ratio,
      },
      {
        name: `${framework}, refused ${accepts}: requests/s of accepting`,
        limit: true,
        atLeast: 0.8,
        measured: (/** @type {HttpResults} */ results) => results[framework]?.[`${OURS}, ${accepts}`]?.refusingShare,
      },
    ]),
  ),
]

/**
 * Without a limit: time that passes depends on the machine, and on what else it does.
 *
 * @type {Goal<HookResults>[]}
 */
export const hookGoals = ['token', 'key'].map((accepts) => ({
  name: `fastify, cached ${accepts}, under load: our functions, hash and cache, us a request`,
  atMost: 9,
  measured: (results) => results[`${OURS}, ${accepts}`]?.typical,
}))

/** @type {Goal<Partial<GrowthResults>>[]} */
export const growthGoals = [
  {
    name: 'the first 1 000 new RS256 tokens of a process, after ready(): its later ones',
    limit: true,
    atMost: 1.8,
    measured: ({ firstTokens }) => firstTokens && ratioOf(firstTokens.first, firstTokens.later),
  },
  {
    name: 'heap of a cached token, without its claims, bytes',
    limit: true,
    atMost: 300,
    measured: ({ entries }) => entries?.token?.['10000']?.bytes,
  },
  {
    name: 'heap of a cached key, bytes',
    limit: true,
    atMost: 300,
    measured: ({ entries }) => entries?.key?.['10000']?.bytes,
  },
  .../** @type {Accepts[]} */ (['token', 'key']).map((accepts) => ({
    name: `cached ${accepts}: growth of its ratio to ${LOOK_UP} from 1 to 100 000 entries`,
    atMost: 1.25,
    measured: (/** @type {Partial<GrowthResults>} */ { entries }) =>
      entries?.[accepts]?.['100000'] && entries[accepts]['100000'].ratio / entries[accepts]['1'].ratio,
  })),
  {
    name: '1 000 keys in the key set: a new token beside one key',
    atMost: 1.05,
    measured: ({ keySet }) => keySet?.ratio,
  },
  {
    name: '1 000 keys in the key set: first use, ms',
    atMost: 20,
    measured: ({ keySet }) => keySet?.firstUseMs,
  },
  ...['express', 'koa', 'fastify'].map((adapter) => ({
    name: `import of vantage-auth/${adapter}, cold: jose alone`,
    atMost: 1.1,
    measured: (/** @type {Partial<GrowthResults>} */ { imports }) => imports && ratioOf(imports[adapter], imports.jose),
  })),
]

/**
 * What is to be reached where nothing is out of order, in milliseconds from the commit. It is stricter than what users are
 * promised.
 */
export const REVOCATION_GOAL = { cases: ['plain', 'confirmed', 'many', 'stream'], p99: 25, max: 100 }
/** What the case of many revocations asks for. */
export const REVOCATIONS_PER_SECOND = 100

/** @type {Goal<LookUpResults>[]} */
export const lookUpGoals = ['SQLite', 'PostgreSQL'].map((store) => ({
  name: `key never seen before, 64 in flight, ${store}: decisions/s, as a share of the driver's look-ups/s`,
  limit: true,
  atLeast: 0.6,
  measured: (results) => results[store] && ratioOf(results[store][DRIVER], results[store][OURS]),
}))

/**
 * @template Results
 * @param {Goal<Results>[]} goals
 * @param {Results} results
 * @returns {{ name: string, goal: string, measured: number, reached: boolean, tolerable: boolean }[]} one for each goal
 *   that this run measured
 */
export function judge(goals, results) {
  return goals.flatMap(({ name, limit, atMost, atLeast, measured: measure }) => {
    const measured = measure(results)
    if (measured === undefined) return []
    const excess = atMost === undefined ? Number(atLeast) / measured : measured / atMost
    return {
      name,
      goal: atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`,
      measured,
      reached: excess <= 1,
      tolerable: !limit || excess <= 2,
    }
  })
}

/**
 * @template Results
 * @param {Goal<Results>[]} goals
 * @param {Results} results
 */
export function printGoals(goals, results) {
  console.log('\ngoals')
  for (const { name, goal, measured, reached } of judge(goals, results)) {
    const verdict = reached ? 'reached' : 'MISSED '
    console.log(`  ${verdict}  ${measured.toPrecision(3).padStart(8)}  ${goal.padEnd(7)} ${name}`)
  }
}
