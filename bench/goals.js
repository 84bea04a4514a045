/** What is to be reached, each computed from the results of one run. */
import { OURS } from './contenders.js'
import { LIMIT } from './material.js'
import { ratioOf } from './measure.js'

/**
 * @typedef {object} Goal
 * @property {string} name
 * @property {'decisions' | 'http' | 'growth'} result the result that it is read from
 * @property {boolean} [limit] a ratio to a physical limit: `bench:check` fails when it is worse than twice the goal
 * @property {number} [atMost]
 * @property {number} [atLeast]
 * @property {(results: object) => number | undefined} measured `undefined` where the run was a shorter one
 */

const ratio = (title, a, b) => (results) =>
  results[title]?.[a] && results[title][b] && ratioOf(results[title][a], results[title][b])
/** The best of the peers, which are neither we nor a limit. */
const bestPeer = (title) => (results) => {
  const peers = Object.entries(results[title] ?? {}).filter(([name]) => name !== OURS && !name.startsWith('crypto.'))
  const [best] = peers.map(([, figures]) => figures).toSorted((a, b) => a.typical - b.typical)
  return best && ratioOf(results[title][OURS], best)
}
const algorithms = ['RS256', 'ES256', 'EdDSA']
const refusalGoal = (line, accepted) => ({
  name: `refusing, ${line}: cost of accepting a cached ${accepted}`,
  result: 'decisions',
  limit: true,
  atMost: 1.5,
  measured: ratio('refusing', line, `accepting a ${accepted}`),
})

/** @type {Goal[]} */
export const goals = [
  {
    name: `cached token: ${LIMIT}`,
    result: 'decisions',
    limit: true,
    atMost: 1.5,
    measured: ratio('cached token', OURS, LIMIT),
  },
  {
    name: 'cached token: times faster than fast-jwt with its cache',
    result: 'decisions',
    atLeast: 2,
    measured: ratio('cached token', 'fast-jwt, cache', OURS),
  },
  {
    name: 'cached token: times faster than jose',
    result: 'decisions',
    atLeast: 50,
    measured: ratio('cached token', 'jose', OURS),
  },
  {
    name: `cached key: ${LIMIT}`,
    result: 'decisions',
    limit: true,
    atMost: 2,
    measured: ratio('cached key', OURS, LIMIT),
  },
  {
    name: 'cached key: times faster than prefixed-api-key',
    result: 'decisions',
    atLeast: 3,
    measured: ratio('cached key', 'prefixed-api-key', OURS),
  },
  {
    name: 'cached key: times faster than better-auth, keys in memory',
    result: 'decisions',
    atLeast: 500,
    measured: ratio('cached key', 'better-auth, keys in memory', OURS),
  },
  ...algorithms.flatMap((alg) => [
    {
      name: `new ${alg} token: crypto.verify`,
      result: 'decisions',
      limit: true,
      atMost: alg === 'RS256' ? 1.25 : 1.12,
      measured: ratio(`new ${alg} token`, OURS, 'crypto.verify'),
    },
    {
      name: `new ${alg} token: the best peer`,
      result: 'decisions',
      atMost: 1,
      measured: bestPeer(`new ${alg} token`),
    },
    {
      name: `new ${alg} token, 64 in flight: the best peer`,
      result: 'decisions',
      atMost: 1,
      measured: bestPeer(`new ${alg} token, 64 in flight`),
    },
    {
      name: `new ${alg} token, 64 in flight, second core busy: the best peer`,
      result: 'decisions',
      atMost: 1,
      measured: bestPeer(`new ${alg} token, 64 in flight, second core busy`),
    },
  ]),
  refusalGoal('bad checksum', 'key'),
  refusalGoal('unknown key, repeated', 'key'),
  refusalGoal('random bytes', 'token'),
  refusalGoal('expired token, repeated', 'token'),
  ...Object.entries({ express: 0.95, koa: 0.88, fastify: 0.82 }).flatMap(([framework, share]) =>
    ['token', 'key'].flatMap((accepts) => [
      {
        name: `${framework}, cached ${accepts}: requests/s of the bare framework`,
        result: 'http',
        limit: true,
        atLeast: share,
        measured: (results) => results[framework]?.[`${OURS}, ${accepts}`]?.share,
      },
      {
        name: `${framework}, cached ${accepts}: p99 of the bare framework`,
        result: 'http',
        atMost: 1.1,
        measured: (results) => results[framework]?.[`${OURS}, ${accepts}`]?.p99Ratio,
      },
      {
        name: `${framework}, refused ${accepts}: requests/s of accepting`,
        result: 'http',
        limit: true,
        atLeast: 0.8,
        measured: (results) => results[framework]?.[`${OURS}, ${accepts}`]?.refusingShare,
      },
    ]),
  ),
  {
    name: 'heap of a cached token, without its claims, bytes',
    result: 'growth',
    atMost: 600,
    measured: ({ entries }) => entries?.token?.['10000']?.bytes,
  },
  {
    name: 'heap of a cached key, bytes',
    result: 'growth',
    atMost: 400,
    measured: ({ entries }) => entries?.key?.['10000']?.bytes,
  },
  ...['token', 'key'].map((accepts) => ({
    name: `cached ${accepts}: growth of its ratio to ${LIMIT} from 1 to 100 000 entries`,
    result: 'growth',
    atMost: 1.25,
    measured: ({ entries }) =>
      entries?.[accepts]?.['100000'] && entries[accepts]['100000'].ratio / entries[accepts]['1'].ratio,
  })),
  {
    name: '1 000 keys in the key set: a new token beside one key',
    result: 'growth',
    atMost: 1.05,
    measured: ({ keySet }) => keySet?.ratio,
  },
  {
    name: '1 000 keys in the key set: first use, ms',
    result: 'growth',
    atMost: 20,
    measured: ({ keySet }) => keySet?.firstUseMs,
  },
  ...['express', 'koa', 'fastify'].map((adapter) => ({
    name: `import of vantage-auth/${adapter}, cold: jose alone`,
    result: 'growth',
    atMost: 1.1,
    measured: ({ imports }) => imports && ratioOf(imports[adapter], imports.jose),
  })),
]

/** @returns {{ name: string, goal: string, measured: number, reached: boolean, tolerable: boolean }[]} */
export function judge(result, results) {
  return goals
    .filter((goal) => goal.result === result)
    .map((goal) => ({ goal, measured: goal.measured(results) }))
    .filter(({ measured }) => measured !== undefined)
    .map(({ goal: { name, limit, atMost, atLeast }, measured }) => {
      const excess = atMost === undefined ? atLeast / measured : measured / atMost
      return {
        name,
        goal: atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`,
        measured,
        reached: excess <= 1,
        tolerable: !limit || excess <= 2,
      }
    })
}

export function printGoals(result, results) {
  console.log('\ngoals')
  for (const { name, goal, measured, reached } of judge(result, results)) {
    console.log(
      `  ${reached ? 'reached' : 'MISSED '}  ${measured.toPrecision(3).padStart(8)}  ${goal.padEnd(7)} ${name}`,
    )
  }
}
