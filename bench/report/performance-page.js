/** The tables and plots of docs/performance.md, from the results of `npm run bench`, `bench:http` and `bench:growth`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decisionGoals, growthGoals, hookGoals, httpGoals, judge, lookUpGoals } from '../shared/goals.js'
import { BARE, DRIVER, HAND_WRITTEN, IDLE, OURS } from '../shared/names.js'
import { loadResult } from '../shared/results.js'
import { drawBars } from './bar-chart.js'
import { circumstancesOf, fillIn, grouped, table } from './generated-parts.js'

/** @import { Accepts, DecisionResults, Figures, GrowthResults, HookResults, HttpResults, LatencyResults, LookUpResults } from '../shared/types.d.ts' */
/** @import { Goal } from '../shared/goals.js' */
/** @import { Bar } from './bar-chart.js' */

const DOCS = join(import.meta.dirname, '../../docs')

export function writePerformancePage() {
  for (const [file, text] of Object.entries(renderPerformancePage())) writeFileSync(join(DOCS, file), text)
}

/** @returns {Record<string, string>} text of each file, by its name in `docs`; a benchmark without results leaves its parts as they are */
export function renderPerformancePage() {
  const decisions = loadResult('decisions')
  const latency = loadResult('latency')
  const http = loadResult('http')
  const hooks = loadResult('hooks')
  const growth = loadResult('growth')
  const lookup = loadResult('lookup')
  const parts = {
    ...(decisions && { decisions: circumstancesOf('npm run bench', decisions), ...decisionTables(decisions.results) }),
    ...(latency && {
      'signature latency': circumstancesOf('npm run bench', latency),
      'signature latency, table': latencyTable(latency.results),
    }),
    ...(http && { http: circumstancesOf('npm run bench:http', http), ...httpTables(http.results) }),
    ...(hooks && { hooks: circumstancesOf('npm run bench:http -- --profile', hooks), ...hookTables(hooks.results) }),
    ...(lookup && { lookup: circumstancesOf('npm run bench:lookup', lookup), ...lookUpTables(lookup.results) }),
    ...(growth && { growth: circumstancesOf('npm run bench:growth', growth), ...growthTables(growth.results) }),
  }
  return {
    'performance.md': fillIn(readFileSync(join(DOCS, 'performance.md'), 'utf8'), parts),
    ...(decisions && { 'performance-decisions.svg': drawDecisions(decisions.results) }),
    ...(http && { 'performance-http.svg': drawHttp(http.results) }),
  }
}

/**
 * @template Results
 * @param {Goal<Results>[]} goals
 * @param {Results} results
 */
function goalTable(goals, results) {
  const rows = judge(goals, results).map(({ name, goal, measured, reached }) => [
    name,
    goal,
    significant(measured),
    reached ? 'reached' : '**missed**',
  ])
  return table(['ratio, or what is named', 'goal', 'measured', ''], rows)
}

/** @param {DecisionResults} results */
function decisionTables(results) {
  /** @type {Record<string, string>} */
  const tables = { 'decisions, goals': goalTable(decisionGoals, results) }
  for (const title of ['cached token', 'cached key', 'new key', 'refusing']) {
    tables[title] = table(
      ['', 'us'],
      sorted(results[title]).map(([name, us]) => [mark(name), us.toFixed(2)]),
    )
  }
  const algorithms = ['RS256', 'ES256', 'EdDSA']
  for (const suffix of ['', ', 64 in flight', ', 64 in flight, second core busy']) {
    /** @param {string} alg */
    const of = (alg) => results[`new ${alg} token${suffix}`]
    const rows = sorted(of('RS256')).map(([name]) => [
      mark(name),
      ...algorithms.map((alg) => of(alg)[name]?.typical.toFixed(1) ?? '–'),
    ])
    tables[`new token${suffix}`] = table(['', ...algorithms.map((alg) => `${alg}, us`)], rows)
  }
  return tables
}

/** @param {LatencyResults} results */
function latencyTable(results) {
  const rows = Object.entries(results).flatMap(([alg, cores]) =>
    Object.entries(cores).flatMap(([core, loads]) =>
      Object.entries(loads).map(([load, ways]) => ({ alg, core, load, ways })),
    ),
  )
  return table(
    ['', 'second core', 'load', ...Object.keys(rows[0].ways).map((name) => `${name}: p50 / p99, us`)],
    rows.map(({ alg, core, load, ways }) => [
      alg,
      core,
      load,
      ...Object.values(ways).map(({ p50, p99 }) => `${p50.toFixed(0)} / ${p99.toFixed(0)}`),
    ]),
  )
}

/** @param {HttpResults} results */
function httpTables(results) {
  const rows = Object.entries(results).flatMap(([framework, lines]) =>
    Object.entries(lines).map(([name, { perSecond, share, p50, p99, refusingShare }]) => [
      framework,
      mark(name),
      perSecond.typical.toFixed(0),
      share.toFixed(2),
      p50?.toFixed(0) ?? '–',
      p99?.typical.toFixed(0) ?? '–',
      refusingShare?.toFixed(2) ?? '–',
    ]),
  )
  const head = ['framework', '', 'requests/s', 'share', 'p50, us', 'p99, us', 'refusing / accepting']
  return { 'http, table': table(head, rows), 'http, goals': goalTable(httpGoals, results) }
}

/** @param {HookResults} results */
function hookTables(results) {
  const rows = Object.entries(results).map(([name, { typical, hash }]) => [
    mark(name),
    ...[typical - hash.typical, hash.typical, typical].map((us) => us.toFixed(1)),
  ])
  const head = ['', 'functions and cache, us', 'hash, us', 'sum, us']
  return { 'hooks, table': table(head, rows), 'hooks, goals': goalTable(hookGoals, results) }
}

/** @param {LookUpResults} results */
function lookUpTables(results) {
  const rows = Object.entries(results).flatMap(([store, figures]) =>
    sorted(figures).map(([name, us]) => [store, mark(name), us.toFixed(1)]),
  )
  return { 'lookup, table': table(['store', '', 'us'], rows), 'lookup, goals': goalTable(lookUpGoals, results) }
}

/** @param {GrowthResults} results */
function growthTables(results) {
  const { entries, keySet, imports, firstTokens } = results
  const both = /** @type {Accepts[]} */ (['token', 'key'])
  const entryRows = Object.keys(entries.token).map((size) => [
    grouped(Number(size)),
    ...both.flatMap((accepts) => {
      const { microseconds, ratio } = entries[accepts][size]
      return [microseconds.toFixed(2), ratio.toFixed(2)]
    }),
    // The heap of fewer entries is smaller than what else changes there meanwhile.
    ...both.map((accepts) => (Number(size) >= 10_000 ? entries[accepts][size].bytes.toFixed(0) : '–')),
  ])
  const entryHead = ['entries', 'token, us', 'to the limit', 'key, us', 'to the limit', 'bytes a token', 'bytes a key']
  const importRows = Object.entries(imports).map(([name, { typical }]) => [
    name === 'jose' ? 'jose' : `${OURS}/${name}`,
    typical.toFixed(1),
  ])
  return {
    'growth, entries': table(entryHead, entryRows),
    'growth, key set': table(
      ['', ''],
      [
        ['new token, 3 keys in the set, us', keySet.one.toFixed(1)],
        ['new token, 1 000 keys in the set, us', keySet.thousand.toFixed(1)],
        ['first use of 1 000 keys, ms', keySet.firstUseMs.toFixed(1)],
        ['first use of 1 000 keys, first thing that a process does, ms', keySet.coldFirstUseMs.toFixed(1)],
      ],
    ),
    ...(firstTokens && {
      'growth, first tokens': table(
        ['', 'us'],
        [
          ['each of the first 1 000', firstTokens.first.typical.toFixed(1)],
          ['each of 1 000 later ones', firstTokens.later.typical.toFixed(1)],
        ],
      ),
    }),
    'growth, import': table(['', 'ms'], importRows),
    'growth, goals': goalTable(growthGoals, results),
  }
}

/** @param {DecisionResults} results */
function drawDecisions(results) {
  const groups = ['cached token', 'cached key', 'new RS256 token'].map((title) => ({
    heading: title,
    bars: sorted(results[title]).map(([name, value]) => ({ name, value, kind: kindOf(name) })),
  }))
  return drawBars('Microseconds a decision, logarithmic; shorter is better', groups, {
    logarithmic: true,
    label: (value) => significant(value),
  })
}

/** @param {HttpResults} results */
function drawHttp(results) {
  const groups = Object.entries(results).map(([framework, lines]) => ({
    heading: framework,
    bars: Object.entries(lines)
      .toSorted(([, a], [, b]) => b.share - a.share)
      .map(([name, { share }]) => ({ name, value: share, kind: kindOf(name) })),
  }))
  return drawBars('Requests/s, as a share of the bare framework; longer is better', groups, {
    logarithmic: false,
    label: (value) => value.toFixed(2),
  })
}

/**
 * @param {string} name
 * @returns {Bar['kind']}
 */
function kindOf(name) {
  if (name === OURS || name.startsWith(`${OURS},`)) return 'ours'
  return name.startsWith('crypto.') || [BARE, IDLE, HAND_WRITTEN, DRIVER].includes(name) ? 'limit' : 'peer'
}

/** @param {string} name */
function mark(name) {
  return { ours: `**${name}**`, limit: `*${name}*`, peer: name }[kindOf(name)]
}

/**
 * Medians, the fastest first.
 *
 * @param {Figures} figures
 * @returns {[string, number][]}
 */
function sorted(figures) {
  return Object.entries(figures)
    .map(([name, { typical }]) => /** @type {[string, number]} */ ([name, typical]))
    .toSorted(([, a], [, b]) => a - b)
}

/**
 * With three digits.
 *
 * @param {number} value
 */
function significant(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
