/** The tables of docs/fleet.md, from the results of `npm run bench:fleet` and `npm run bench:logout`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { REVOCATION_GOAL, REVOCATIONS_PER_SECOND } from '../shared/goals.js'
import { loadResult } from '../shared/results.js'
import { circumstancesOf, fillIn, grouped, table } from './generated-parts.js'

/** @import { FleetResults, LogoutResults, RevocationResult, Spread } from '../shared/types.d.ts' */

const PAGE = join(import.meta.dirname, '../../docs/fleet.md')

export function writeFleetPage() {
  writeFileSync(PAGE, renderFleetPage())
}

/** @returns {string} the page; a part that was never measured stays as it is */
export function renderFleetPage() {
  const page = readFileSync(PAGE, 'utf8')
  const result = loadResult('fleet')
  const logout = loadResult('logout')
  const { revocation, keys, usage, writes } = result?.results ?? {}
  return fillIn(page, {
    ...(result && { fleet: circumstancesOf('npm run bench:fleet', result) }),
    ...(logout && {
      logout: `${circumstancesOf('npm run bench:logout', logout)}\n\n${logoutTable(logout.results)}`,
    }),
    ...(revocation && {
      revocation: revocationTable(revocation),
      'revocation, goals': revocationGoalTable(revocation),
    }),
    ...(keys && { keys: keyTable(keys) }),
    ...(usage && { usage: usageTable(usage) }),
    ...(writes && { writes: writeTable(writes) }),
  })
}

/** @type {Record<string, string>} */
const CASES = {
  plain: 'undisturbed',
  confirmed: 'the same, each waited for with `confirm`',
  many: '50 services in 4 processes',
  listenerCut: 'connections ended by the server',
  restart: 'server restarted',
  stall: 'network stalled for 8 s',
}

/** @param {Spread} spread */
const figures = ({ p50, p99, max }) => [p50, p99, max].map((ms) => ms.toFixed(0)).join(' / ')

/** @param {LogoutResults} stores */
export function logoutTable(stores) {
  const rows = Object.entries(stores).map(([name, one]) => [
    name,
    one.untilAllRefuse.n,
    figures(one.untilAllRefuse),
    figures(one.acceptedAfterAnswer),
    figures(one.untilAllRefuseFromCall),
    one.acceptedAfterRefusal,
  ])
  const head = [
    '',
    'sessions ended',
    'until all refuse, from the 200 of the receiver, ms: p50 / p99 / max',
    'last accepted after the 200, ms',
    'until all refuse, from the request to end the session, ms',
    'accepted after a refusal',
  ]
  return table(head, rows)
}

/**
 * @param {string} name
 * @param {RevocationResult} measured
 */
function caseOf(name, { perSecond }) {
  if (perSecond === undefined) return CASES[name]
  return `asked for ${REVOCATIONS_PER_SECOND} revocations a second, reached ${Math.round(perSecond)}`
}

/** @param {NonNullable<FleetResults['revocation']>} cases */
export function revocationTable(cases) {
  const rows = Object.entries(cases).map(([name, one]) => [
    caseOf(name, one),
    one.untilAllRefuse.n,
    figures(one.acceptedAfterCommit),
    figures(one.untilAllRefuse),
    figures(one.untilAllRefuseFromCall),
    one.untilConfirmed ? figures(one.untilConfirmed) : '',
    one.acceptedAfterRefusal,
    one.acceptedAfterConfirmation ?? '',
    `${Math.round(100 * one.processorsBusy)} %`,
  ])
  const head = [
    '',
    'revocations',
    'last accepted after the commit, ms: p50 / p99 / max',
    'until all refuse, from the commit, ms',
    'from the call of `revoke()`, ms',
    'confirmed, from the commit, ms',
    'accepted after a refusal',
    'after a confirmation',
    'processors busy',
  ]
  return table(head, rows)
}

/** @param {NonNullable<FleetResults['revocation']>} cases */
export function revocationGoalTable(cases) {
  const rows = REVOCATION_GOAL.cases.flatMap((name) => {
    const one = cases[name]
    if (one === undefined) return []
    const figures = [one.acceptedAfterCommit, one.untilAllRefuse].flatMap(({ p99, max }) => [
      verdict(p99, REVOCATION_GOAL.p99),
      verdict(max, REVOCATION_GOAL.max),
    ])
    return [[caseOf(name, one), ...figures]]
  })
  const { p99, max } = REVOCATION_GOAL
  const head = [
    'ms from the commit',
    `last accepted: p99 ≤ ${p99}`,
    `max ≤ ${max}`,
    `until all refuse: p99 ≤ ${p99}`,
    `max ≤ ${max}`,
  ]
  return table(head, rows)
}

/**
 * @param {number} measured
 * @param {number} goal
 */
function verdict(measured, goal) {
  return `${measured.toFixed(0)} ${measured <= goal ? 'reached' : '**missed**'}`
}

/** @param {NonNullable<FleetResults['keys']>} sizes */
function keyTable(sizes) {
  const rows = Object.entries(sizes).map(([size, { startMs, coldMicroseconds, cachedMicroseconds, memoryMiB }]) => [
    grouped(Number(size)),
    startMs.toFixed(0),
    (coldMicroseconds.p50 / 1000).toFixed(2),
    (coldMicroseconds.p99 / 1000).toFixed(2),
    cachedMicroseconds.toFixed(2),
    memoryMiB.toFixed(1),
  ])
  const head = [
    'keys',
    'start, ms',
    'first look-up, ms: p50',
    'p99',
    'cached decision, us',
    'memory of the service, MiB',
  ]
  return table(head, rows)
}

/** @param {NonNullable<FleetResults['usage']>} usage */
function usageTable({ perSecond, seconds, used, counted, rowsWrittenPerSecond, missingAfterKill, oneFlush }) {
  return table(
    ['', ''],
    [
      ['uses a second', grouped(perSecond)],
      ['seconds', seconds],
      ['uses', grouped(used)],
      ['counted after `close()`', grouped(counted)],
      ['rows written a second', rowsWrittenPerSecond.toFixed(0)],
      ['uses missing after `SIGKILL` of one service', grouped(Math.round(missingAfterKill))],
      ['uses that it counts between two writes', grouped(oneFlush)],
    ],
  )
}

/** @param {NonNullable<FleetResults['writes']>} writes */
function writeTable(writes) {
  return table(
    ['', ''],
    [
      ['creations, rotations and revocations', grouped(writes.operations)],
      ['a second', writes.perSecond.toFixed(0)],
      ['statements by hand in between', grouped(writes.handWritten)],
      ['duplicate ids', writes.duplicateIds],
      ['revocations lost', writes.revocationsLost],
      ['deadlocks', writes.deadlocks],
      ['keys that the feed did not tell', writes.keysNotTold],
      ['changes out of order', writes.outOfOrder],
      ['`TRUNCATE` told by the feed', writes.truncateTold ? 'yes' : '**no**'],
    ],
  )
}
