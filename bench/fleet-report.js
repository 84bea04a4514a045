/** Writes the results of `npm run bench:fleet` into docs/fleet.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { circumstancesOf, table } from './report.js'

const PAGE = join(import.meta.dirname, '../docs/fleet.md')
const BEGIN = '<!-- Written by npm run bench:fleet. -->'
const END = '<!-- Until here. -->'

export function writeFleetReport(result) {
  const page = readFileSync(PAGE, 'utf8')
  const [before, rest] = page.split(BEGIN)
  const [, after] = rest.split(END)
  const { revocation, keys, usage, writes } = result.results
  const sections = [
    `${circumstancesOf(result)} Milliseconds, unless something else is said.`,
    revocation && revocations(revocation),
    keys && stores(keys),
    usage && uses(usage),
    writes && changes(writes),
  ]
  writeFileSync(PAGE, [before + BEGIN, ...sections.filter(Boolean), END + after].join('\n\n'))
}

const CASES = {
  plain: 'undisturbed',
  listenerCut: 'connections ended by the server',
  restart: 'server restarted',
  stall: 'network stalled for 8 s',
}

function revocations(cases) {
  const figures = ({ p50, p99, max }) => [p50, p99, max].map((ms) => ms.toFixed(0)).join(' / ')
  const rows = Object.entries(cases).map(([name, one]) => [
    CASES[name],
    one.untilAllRefuse.n,
    figures(one.acceptedAfterCommit),
    figures(one.untilAllRefuse),
    figures(one.untilAllRefuseFromCall),
    one.acceptedAfterRefusal,
    `${Math.round(100 * one.processorsBusy)} %`,
  ])
  const head = [
    '',
    'revocations',
    'last accepted after the commit: p50 / p99 / max',
    'until all refuse, from the commit',
    'from the call of `revoke()`',
    'accepted after a refusal',
    'processors busy',
  ]
  return `### Revocation\n\n${table(head, rows)}`
}

function stores(sizes) {
  const rows = Object.entries(sizes).map(([size, { startMs, coldMicroseconds, cachedMicroseconds, memoryMiB }]) => [
    grouped(size),
    startMs.toFixed(0),
    (coldMicroseconds.p50 / 1000).toFixed(2),
    (coldMicroseconds.p99 / 1000).toFixed(2),
    cachedMicroseconds.toFixed(2),
    memoryMiB.toFixed(1),
  ])
  const head = ['keys', 'start', 'first look-up, p50', 'p99', 'cached decision, us', 'memory of the service, MiB']
  return `### Keys\n\n${table(head, rows)}`
}

function uses({ perSecond, seconds, used, counted, rowsWrittenPerSecond, missingAfterKill, oneFlush }) {
  return `### Usage

${grouped(perSecond)} uses a second for ${seconds} s: ${grouped(used)} uses, ${grouped(counted)} counted after \`close()\`. ${rowsWrittenPerSecond.toFixed(0)} rows written a second. After \`SIGKILL\` of one of the eight ${grouped(Math.round(missingAfterKill))} uses are missing, of the ${grouped(oneFlush)} that it counts between two flushes.`
}

function changes(writes) {
  const { operations, perSecond, handWritten, duplicateIds, revocationsLost, deadlocks, keysNotTold, outOfOrder } =
    writes
  return `### Writes

${grouped(operations)} creations, rotations and revocations at ${perSecond.toFixed(0)} a second, ${grouped(handWritten)} statements by hand in between: ${duplicateIds} duplicate ids, ${revocationsLost} revocations lost, ${deadlocks} deadlocks, ${keysNotTold} keys that the feed did not tell, ${outOfOrder} changes out of order, the \`TRUNCATE\` ${writes.truncateTold ? '' : 'not '}told.`
}

function grouped(number) {
  return Number(number).toLocaleString('en').replaceAll(',', ' ')
}
