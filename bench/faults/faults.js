/**
 * `npm run faults`, after `npm ci --prefix bench`: what each contender answers when its issuer is out of order. Prints the tables
 * of docs/faults.md, and writes them there.
 *
 * For a look, `FAULT_FLOOD` sets how many tokens with random kids a flood has, and `FAULT_ONLY` a part of the contenders' names.
 * The page is then left as it is.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startSubject } from '../../test/support/fault-subject.js'
import { AUDIENCE, formatRow, runScenario, SCENARIOS } from '../../test/support/faults.js'
import { startIssuer } from '../../test/support/issuer-server.js'
import { faultTables, writeFaultsPage } from '../report/faults-page.js'

/** @import { FaultRows } from '../report/faults-page.js' */

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
/** Scenarios that keep a processor busy: they run one after the other. The others mostly wait, and run for all contenders at once. */
/** @param {string} scenario */
const busy = (scenario) => /1 000|random|flood$/.test(scenario)
/** @type {FaultRows} */
const results = new Map(SCENARIOS.map((scenario) => [scenario, []]))

/** @param {string} name */
async function contend(name) {
  const issuer = await startIssuer({ tls: pem })
  const subject = await startSubject(fileURLToPath(new URL('faults-process.js', import.meta.url)), [name], {
    NODE_EXTRA_CA_CERTS: tls.cert,
  })
  const start = async () => {
    await subject.renew({ issuer: issuer.url, audience: AUDIENCE })
    return subject
  }
  return {
    /** @param {string} scenario */
    async run(scenario) {
      const row = await runScenario(scenario, { issuer, start, flood, patienceMs: PATIENCE_MS })
      const rows = results.get(scenario)
      if (rows !== undefined) rows[CONTENDERS.indexOf(name)] = row
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

const tables = faultTables(CONTENDERS, results, PATIENCE_MS)
console.log(Object.values(tables).join('\n\n'))
if (process.env.FAULT_ONLY === undefined && process.env.FAULT_FLOOD === undefined) writeFaultsPage(tables)
