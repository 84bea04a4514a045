/**
 * What each contender answers when its issuer is out of order. `npm ci --prefix bench && npm run faults` prints the tables as Markdown.
 *
 * `FAULT_FLOOD` sets how many tokens with random kids a flood has, `FAULT_ONLY` a part of the contenders' names.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startSubject } from '../test/support/fault-subject.ts'
import { AUDIENCE, formatRow, runScenario, SCENARIOS } from '../test/support/faults.ts'
import { startIssuer } from '../test/support/issuer-server.ts'

const CONTENDERS = [
  'vantage-auth',
  'express-oauth2-jwt-bearer',
  'express-jwt + jwks-rsa',
  'koa-jwt + jwks-rsa',
  'aws-jwt-verify',
  'jose alone',
].filter((name) => name.includes(process.env.FAULT_ONLY ?? ''))
const flood = Number(process.env.FAULT_FLOOD || 4000)
/** Longest wait for a recovery: longer than a minute, which is the period of a rate limit. */
const PATIENCE_MS = 75_000

const folder = mkdtempSync(join(tmpdir(), 'faults-'))
const tls = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') }
// Some contenders fetch https only.
execFileSync(
  'openssl',
  [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', tls.key, '-out', tls.cert],
  ],
  { stdio: 'ignore' },
)

const pem = { key: readFileSync(tls.key, 'utf8'), cert: readFileSync(tls.cert, 'utf8') }
/** What keeps a processor busy has it for itself; the rest is waiting, and all contenders wait at once. */
const busy = (scenario) => /1 000|random|flood$/.test(scenario)
const results = new Map(SCENARIOS.map((scenario) => [scenario, []]))

async function contend(name) {
  const issuer = await startIssuer({ tls: pem })
  const subject = await startSubject(fileURLToPath(new URL('faults-subject.js', import.meta.url)), [name], {
    NODE_EXTRA_CA_CERTS: tls.cert,
  })
  const start = async () => {
    await subject.renew({ issuer: issuer.url, audience: AUDIENCE })
    return subject
  }
  return {
    async run(scenario) {
      const row = await runScenario(scenario, { issuer, start, flood, patienceMs: PATIENCE_MS })
      results.get(scenario)[CONTENDERS.indexOf(name)] = { name, row }
      console.error(`${name}: ${formatRow(row).join(' | ')}`)
    },
    close: () => Promise.all([issuer.close(), subject.close()]),
  }
}

const contending = await Promise.all(CONTENDERS.map(contend))
try {
  await Promise.all(
    contending.map(async (contender) => {
      for (const scenario of SCENARIOS.filter((scenario) => !busy(scenario))) await contender.run(scenario)
    }),
  )
  for (const scenario of SCENARIOS.filter(busy)) for (const contender of contending) await contender.run(scenario)
} finally {
  await Promise.all(contending.map((contender) => contender.close()))
  rmSync(folder, { recursive: true })
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`
const statuses = (counts) =>
  [...counts].map(([status, times]) => `${status === 0 ? 'none' : status} ×${times}`).join(', ')
const NEVER = `not within ${PATIENCE_MS / 1000} s`
const table = (titles, rows) =>
  [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

console.log(
  `Node ${process.version}, ${cpus().length} CPUs (${cpus()[0].model}), ${new Date().toISOString().slice(0, 10)}\n`,
)
for (const part of ['at start: ', 'when the keys are due: ']) {
  const rows = SCENARIOS.filter((scenario) => scenario.startsWith(part)).map((scenario) => [
    scenario.slice(part.length),
    ...results.get(scenario).map(({ row }) => {
      const recovery = row.recoveryMs === undefined ? NEVER : seconds(row.recoveryMs)
      return `${[...row.statuses.keys()].map((status) => status || 'none').join(', ')}; ${seconds(row.slowestMs)}; ${row.fetches}; ${recovery}`
    }),
  ])
  console.log(`${part}statuses; slowest answer; fetches; time to recover\n\n${table(['', ...CONTENDERS], rows)}\n`)
}
const others = {
  '1 000 first requests at once': (row) => [statuses(row.statuses), `fetches ${row.fetches}`],
  'random kids': (row) => [
    statuses(row.statuses),
    `fetches ${row.fetches} in ${seconds(row.minutes * 60_000)}`,
    `good tokens ${[...row.good.keys()].join(', ')}`,
    `heap ${(row.heapBytes / 2 ** 20).toFixed(1)} MiB`,
  ],
  rotation: (row) => [row.recoveryMs === undefined ? NEVER : seconds(row.recoveryMs), `fetches ${row.fetches}`],
  'rotation in the flood': (row) => [
    row.recoveryMs === undefined ? NEVER : seconds(row.recoveryMs),
    `good tokens ${[...row.good.keys()].join(', ')}`,
  ],
  withdrawal: (row) => [row.minutes === undefined ? 'still accepted after 12 h' : `refused after ${row.minutes} min`],
  'outage of two hours': (row) => [
    row.minutes === undefined ? 'accepted throughout' : `accepted for ${row.minutes} min`,
    `${statuses(row.statuses)}`,
    `back: ${row.recoveryMs === undefined ? NEVER : seconds(row.recoveryMs)}`,
  ],
}
console.log(
  table(
    ['', ...CONTENDERS],
    Object.entries(others).map(([scenario, cells]) => [
      scenario,
      ...results.get(scenario).map(({ row }) => cells(row).join('; ')),
    ]),
  ),
)
