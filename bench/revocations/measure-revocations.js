/** A stream of revocations of tokens, and a service that decides under load meanwhile. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { loadSqliteDriver } from '../../src/store/sqlite/driver.js'
import { withPostgres } from '../fleet/with-postgres.js'
import { createKeyring, createTestIssuer, openKeyStore } from '../shared/built-package.js'
import { sharedNow } from '../shared/timing.js'

/** @typedef {{ inForce: number, perSecond: number, seconds: number, requestsPerSecond: number }} Size */
/** @typedef {{ counts: { decisions: number, unavailable: number, acceptedAfterRefusal: number }, feedChanges: number, latencies: { quiet: number[], busy: number[] }, lags: number[], processorsBusy: number, heapMiB: number }} Report */

/** Of so many revocations the token of one is asked for until it is refused. */
const WATCHED = 10
/** How long the service is measured before anything is revoked. */
const QUIET_MS = 3000

/** @param {Size} size */
export async function measureSqlite(size) {
  const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-'))
  try {
    const path = join(folder, 'keys.db')
    const url = `sqlite:${path}`
    const store = openKeyStore(url)
    await store.migrate?.()
    const database = loadSqliteDriver().open(pathToFileURL(path).href)
    const endsAt = Date.now() + 86_400_000
    database.exec(`WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < ${size.inForce})
      INSERT INTO vantage_token_revocations (id, issuer, token_id, created_at, ends_at)
      SELECT 'r' || i, 'https://issuer.test', 'token-' || i || '-8d1c2f4e-9a55', 1, ${endsAt} FROM numbers`)
    database.close()
    const report = await measure(url, store, size)
    await store.close()
    return report
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** @param {Size} size */
export function measurePostgres(size) {
  return withPostgres(async ({ server, url, store }) => {
    await server.sql(
      url,
      `INSERT INTO vantage_token_revocations (id, issuer, token_id, created_at, ends_at)
        SELECT 'r' || i, 'https://issuer.test', 'token-' || i || '-8d1c2f4e-9a55', now(), now() + interval '1 day'
        FROM generate_series(1, ${size.inForce}) AS i`,
    )
    return measure(url, store, size)
  })
}

/**
 * @param {string} url
 * @param {import('../shared/built-package.js').KeyStore} store of the administration
 * @param {Size} size
 */
async function measure(url, store, { perSecond, seconds, requestsPerSecond }) {
  const issuer = createTestIssuer()
  const exp = Math.floor(Date.now() / 1000) + 3600
  const tokens = Array.from({ length: 1000 }, () => issuer.mint({ exp }))
  const service = fork(join(import.meta.dirname, 'revocations-process.js'), { execArgv: ['--expose-gc'] })
  /** @param {object} message */
  const send = (message) => service.send(message)
  try {
    send({
      start: { url, options: { issuer: issuer.issuer, jwks: issuer.jwks }, tokens, perSecond: requestsPerSecond },
    })
    await once(service, 'message')
    // What the machine itself costs.
    await delay(QUIET_MS)
    send({ begin: true })
    const keyring = createKeyring(store)
    const startedAt = performance.now()
    const revocations = []
    for (let i = 0; i < perSecond * seconds; i++) {
      await delay(startedAt + (i / perSecond) * 1000 - performance.now())
      revocations.push(revoke(i))
    }
    await Promise.all(revocations)
    const lasted = (performance.now() - startedAt) / 1000
    await delay(1500)
    send({ stop: true })
    const [report] = /** @type {[Report]} */ (await once(service, 'message'))
    await keyring.close()
    return summarize(report, revocations.length / lasted)

    /** @param {number} i */
    async function revoke(i) {
      const tokenId = `revoked-${i}`
      const token = i % WATCHED === 0 ? issuer.mint({ exp, jti: tokenId }) : undefined
      // Cached before it is revoked.
      if (token) send({ watch: token })
      await keyring.revokeTokens({ issuer: issuer.issuer, tokenId }, { tokenLife: '1h' })
      if (token) send({ revoked: token, at: sharedNow() })
    }
  } finally {
    service.kill()
  }
}

/**
 * @param {Report} report
 * @param {number} revocationsPerSecond
 */
function summarize({ counts, feedChanges, latencies, lags, processorsBusy, heapMiB }, revocationsPerSecond) {
  return {
    revocationsPerSecond,
    ...counts,
    feedChanges,
    quietDecisionMs: spread(latencies.quiet),
    decisionMs: spread(latencies.busy),
    acceptedAfterCommitMs: spread(lags),
    processorsBusy,
    heapMiB,
  }
}

/** @param {number[]} values */
function spread(values) {
  const sorted = values.toSorted((a, b) => a - b)
  /** @param {number} share */
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}
