/** The tables of docs/faults.md, from a run of `npm run faults`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fillIn, table } from './generated-parts.js'

/** @import { Row } from '../../test/support/faults.js' */
/** @typedef {Map<string, Row[]>} FaultRows by scenario, one row for each contender */

const ROOT = join(import.meta.dirname, '../..')
const PAGE = join(ROOT, 'docs/faults.md')
const PACKAGES = ['express-oauth2-jwt-bearer', 'express-jwt', 'koa-jwt', 'jwks-rsa', 'aws-jwt-verify', 'jose']

/** @param {Record<string, string>} tables */
export function writeFaultsPage(tables) {
  writeFileSync(PAGE, fillIn(readFileSync(PAGE, 'utf8'), tables))
}

/**
 * @param {string[]} contenders
 * @param {FaultRows} results
 * @param {number} patienceMs the longest wait for a recovery
 * @returns {Record<string, string>} parts of the page, by name
 */
export function faultTables(contenders, results, patienceMs) {
  /** @param {number | undefined} ms */
  const recovery = (ms) => (ms === undefined ? `not within ${patienceMs / 1000} s` : seconds(ms))

  /** @param {string} prefix of the scenarios */
  function outages(prefix) {
    const rows = [...results]
      .filter(([scenario]) => scenario.startsWith(prefix))
      .map(([scenario, rows]) => [
        scenario.slice(prefix.length),
        ...rows.map((row) =>
          [codes(row.statuses).join(', '), seconds(row.slowestMs), row.fetches, recovery(row.recoveryMs)].join('; '),
        ),
      ])
    return table(['', ...contenders], rows, '---')
  }

  /** @type {Record<string, (row: Row) => string[]>} */
  const others = {
    '1 000 first requests at once': (row) => [counts(row.statuses), `fetches ${row.fetches}`],
    'random kids': (row) => [
      counts(row.statuses),
      `fetches ${row.fetches} in ${seconds((row.minutes ?? 0) * 60_000)}`,
      goodTokens(row),
      `heap ${((row.heapBytes ?? 0) / 2 ** 20).toFixed(1)} MiB`,
    ],
    rotation: (row) => [recovery(row.recoveryMs), `fetches ${row.fetches}`],
    'rotation in the flood': (row) => [recovery(row.recoveryMs), goodTokens(row)],
    withdrawal: (row) => [row.minutes === undefined ? 'still accepted after 12 h' : `refused after ${row.minutes} min`],
    'outage of two hours': (row) => [
      row.minutes === undefined ? 'accepted throughout' : `accepted for ${row.minutes} min`,
      counts(row.statuses),
      `back: ${recovery(row.recoveryMs)}`,
    ],
  }
  return {
    faults: `\`npm run faults\`, ${new Date().toISOString().slice(0, 10)}, Node ${process.version.slice(1)}, ${cpus().length} CPUs (${cpus()[0].model})`,
    versions: versionTable(),
    'down at start': outages('at start: '),
    'down when keys are due': outages('when the keys are due: '),
    'other faults': table(
      ['', ...contenders],
      Object.entries(others).map(([scenario, cells]) => [
        scenario,
        ...(results.get(scenario) ?? []).map((row) => cells(row).join('; ')),
      ]),
      '---',
    ),
  }
}

/** Of the packages that are installed. */
function versionTable() {
  /** @param {string} folder */
  const versionIn = (folder) => JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')).version
  const rows = PACKAGES.map((name) => [name, versionIn(`bench/node_modules/${name}`)])
  return table(['package', 'version'], [['vantage-auth', versionIn('.')], ...rows])
}

/** @param {number} ms */
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`

/**
 * Statuses without their numbers; 0 is no answer.
 *
 * @param {ReadonlyMap<number, number>} statuses
 */
const codes = (statuses) => [...statuses.keys()].map((status) => status || 'none')

/** @param {ReadonlyMap<number, number>} statuses */
const counts = (statuses) => [...statuses].map(([status, times]) => `${status || 'none'} ×${times}`).join(', ')

/** @param {Row} row */
const goodTokens = ({ good = new Map() }) => `good tokens ${[...good.keys()].join(', ')}`
