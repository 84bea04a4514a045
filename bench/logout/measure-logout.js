/** How long a token is accepted after its session has ended at the issuer, by services that hold it in their caches. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startAuthorizationServer } from '../../demo/authorization-server.js'
import { startFleet } from '../fleet/fleet-services.js'
import { withPostgres } from '../fleet/with-postgres.js'
import { openKeyStore } from '../shared/built-package.js'
import { sharedNow, spread } from '../shared/timing.js'

/** @import { LogoutResults } from '../shared/types.d.ts' */
/** @typedef {{ services: number, logouts: number }} Size */

const AUDIENCE = 'https://api.vantage.test'
const CLIENT_ID = 'bench'
/** Mean pause between two ends of sessions. */
const PAUSE_MS = 50
/** Tokens that are decided on all the time, beside the one whose session ends. */
const OTHERS = 50
/** A token that is still accepted then has not been revoked at all. */
const LIMIT_MS = 30_000

/** @param {Size} size */
export async function measureSqlite(size) {
  const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-'))
  try {
    const url = `sqlite:${join(folder, 'keys.db')}`
    const store = openKeyStore(url)
    await store.migrate?.()
    await store.close()
    return await endSessions(url, size)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** @param {Size} size */
export function measurePostgres(size) {
  return withPostgres(({ url }) => endSessions(url, size))
}

/**
 * Ends sessions one after the other, each while all services accept a token of it.
 *
 * @param {string} url of the key store
 * @param {Size} size
 * @returns {Promise<LogoutResults[string]>}
 */
async function endSessions(url, { services, logouts }) {
  const receiver = await startReceiver()
  const issuer = await startAuthorizationServer({
    port: 0,
    interactive: false,
    audience: AUDIENCE,
    account: 'user_123',
    clients: [
      { clientId: CLIENT_ID, clientSecret: 'a secret', name: 'Benchmark', backchannelLogoutUri: receiver.address },
    ],
  })
  /** @type {Awaited<ReturnType<typeof startFleet>> | undefined} */
  let fleet
  try {
    await receiver.open({ url, issuer: issuer.issuer, audience: CLIENT_ID })
    fleet = await startFleet(services, url, { issuer: issuer.issuer, audience: AUDIENCE })
    const others = []
    for (let i = 0; i < OTHERS; i++) others.push(await issuer.openSession(CLIENT_ID, ['jobs:read']))
    await fleet.all('warm', { keys: others })
    await fleet.all('load', { perMs: 1 })
    /** @type {number[]} */
    const untilAllRefuse = []
    /** @type {number[]} */
    const acceptedAfterAnswer = []
    /** @type {number[]} */
    const untilAllRefuseFromCall = []
    for (let i = 0; i < logouts; i++) {
      const token = await issuer.openSession(CLIENT_ID, ['jobs:read'])
      await fleet.all('warm', { keys: [token] })
      const refused = Promise.all(fleet.processes.map((one) => one.refused(token)))
      // It is awaited below. When a service dies before that, the others still have to be stopped.
      refused.catch(() => {})
      await fleet.all('watch', { key: token })
      await delay(Math.random() * 2 * PAUSE_MS)
      const answered = receiver.answered()
      answered.catch(() => {})
      const begunAt = sharedNow()
      await endSession(issuer.endSession, token)
      const answeredAt = await answered
      const seen = await Promise.race([refused, delay(LIMIT_MS, undefined, { ref: false })])
      if (seen === undefined) throw new Error(`a token is accepted ${LIMIT_MS} ms after the end of its session`)
      const allRefusedAt = Math.max(...seen.map(({ at }) => at))
      const lastAcceptedAt = Math.max(...seen.map(({ acceptedAt }) => acceptedAt))
      untilAllRefuse.push(Math.max(0, allRefusedAt - answeredAt))
      acceptedAfterAnswer.push(Math.max(0, lastAcceptedAt - answeredAt))
      untilAllRefuseFromCall.push(allRefusedAt - begunAt)
    }
    await delay(600)
    const reports = await fleet.all('report')
    return {
      untilAllRefuse: spread(untilAllRefuse),
      acceptedAfterAnswer: spread(acceptedAfterAnswer),
      untilAllRefuseFromCall: spread(untilAllRefuseFromCall),
      acceptedAfterRefusal: reports.reduce((sum, { acceptedAfterRefusal }) => sum + acceptedAfterRefusal, 0),
    }
  } finally {
    fleet?.stop()
    receiver.stop()
    await issuer.close()
  }
}

/**
 * @param {string} address
 * @param {string} token
 */
async function endSession(address, token) {
  const answer = await fetch(address, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  const body = await answer.text()
  if (answer.status !== 200 || body !== '{"ended":1}') throw new Error(`the session did not end: ${body}`)
}

async function startReceiver() {
  const child = fork(join(import.meta.dirname, 'receiver-process.js'), { execArgv: [] })
  /** @type {Promise<never>} */
  const died = new Promise((_, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => reject(new Error(`the receiver ended by ${signal ?? code}`)))
  })
  died.catch(() => {})
  /** @returns {Promise<any>} */
  const next = async () => (await Promise.race([once(child, 'message'), died]))[0]
  const { port } = await next()
  return {
    address: `http://127.0.0.1:${port}/events`,
    /** @type {(start: import('./receiver-process.js').Start) => Promise<void>} */
    open: async (start) => {
      child.send(start)
      await next()
    },
    /** When it has answered the next logout token with 200. */
    answered: async () => {
      const { answered, at } = await next()
      if (answered !== 200) throw new Error(`the receiver answered ${answered}`)
      return /** @type {number} */ (at)
    },
    stop: () => child.kill(),
  }
}
