/** How long a key is accepted after it was revoked, by a fleet that holds it in its caches. */
import { cpus } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { startProxy } from '../../test/support/postgres-proxy.js'
import { sharedNow, spread } from '../shared/timing.js'
import { startFleet } from './fleet-services.js'
import { withPostgres } from './with-postgres.js'

/** @import { PostgresServer } from '../../test/support/postgres.js' */
/** @import { PostgresProxy } from '../../test/support/postgres-proxy.js' */
/** @import { RevocationResult } from '../shared/types.d.ts' */

/** Mean pause between two revocations: without one, the machine would be full of revocations alone. */
const PAUSE_MS = 50

/**
 * What happens before a revocation: resolves to what ends it, which in turn resolves to when the database could be reached again.
 *
 * @typedef {(around: { server: PostgresServer, url: string, proxy: PostgresProxy | undefined }) => Promise<(() => Promise<number>) | void>} Disturbance
 */

/**
 * @param {{ services: number, small: boolean }} effort
 * @returns {Promise<Record<string, RevocationResult>>}
 */
export async function measureRevocation({ services, small }) {
  const plain = await revokeOneByOne({ services, count: small ? 60 : 1000 })
  const listenerCut = await revokeOneByOne({ services, count: small ? 10 : 100, disturb: cutListeners })
  const restart = await revokeOneByOne({ services, count: small ? 2 : 10, disturb: restartServer })
  const stall = await revokeOneByOne({ services, count: small ? 1 : 5, disturb: stallNetwork, proxied: true })
  return { plain, listenerCut, restart, stall }
}

/** @type {Disturbance} */
async function cutListeners({ server, url }) {
  await server.sql(
    url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'vantage-auth%' AND query NOT LIKE 'SELECT pg_term%'`,
  )
}

/** @type {Disturbance} */
async function restartServer({ server }) {
  await server.halt()
  await server.start()
  await delay(50)
}

/** @type {Disturbance} */
async function stallNetwork({ proxy }) {
  proxy?.stall()
  return async () => {
    // Longer than a feed is trusted without an answer.
    await delay(8000)
    proxy?.resume()
    return sharedNow()
  }
}

/**
 * Revokes keys one after the other while all services accept them, and has something happen before each.
 *
 * @param {{ services: number, count: number, disturb?: Disturbance, proxied?: boolean }} order `proxied`: services reach the
 *   database through a proxy
 * @returns {Promise<RevocationResult>}
 */
function revokeOneByOne({ services, count, disturb, proxied = false }) {
  return withPostgres(async ({ server, url, keyring }) => {
    const proxy = proxied ? await startProxy(server.port) : undefined
    const fleet = await startFleet(services, proxy ? proxy.through(url) : url)
    try {
      const created = []
      for (let i = 0; i < count + 50; i++) created.push(await keyring.create({ subject: 's', scopes: ['jobs:read'] }))
      await fleet.all('warm', { keys: created.map(({ key }) => key) })
      await fleet.all('load', { perMs: 1 })
      /** @type {number[]} */
      const acceptedAfterCommit = []
      /** @type {number[]} */
      const untilAllRefuse = []
      /** @type {number[]} */
      const untilAllRefuseFromCall = []
      const before = processorTimes()
      for (let i = 0; i < count; i++) {
        await delay(Math.random() * 2 * PAUSE_MS)
        const { key, record } = created[i]
        const refused = Promise.all(fleet.processes.map((one) => one.refused(key)))
        // It is awaited below. When a service dies before that, the server still has to be stopped.
        refused.catch(() => {})
        await fleet.all('watch', { key })
        const endDisturbance = await disturb?.({ server, url, proxy })
        const begunAt = sharedNow()
        await keyring.revoke(record.id)
        const committedAt = sharedNow()
        const reachableAt = (await endDisturbance?.()) ?? 0
        const seen = await refused
        const lastAcceptedAt = Math.max(...seen.map(({ acceptedAt }) => acceptedAt))
        const allRefusedAt = Math.max(...seen.map(({ at }) => at))
        acceptedAfterCommit.push(Math.max(0, lastAcceptedAt - committedAt))
        untilAllRefuse.push(allRefusedAt - Math.max(committedAt, reachableAt))
        untilAllRefuseFromCall.push(allRefusedAt - Math.max(begunAt, reachableAt))
      }
      const after = processorTimes()
      await delay(600)
      const reports = await fleet.all('report')
      return {
        acceptedAfterCommit: spread(acceptedAfterCommit),
        untilAllRefuse: spread(untilAllRefuse),
        untilAllRefuseFromCall: spread(untilAllRefuseFromCall),
        processorsBusy: 1 - (after.idle - before.idle) / (after.all - before.all),
        acceptedAfterRefusal: reports.reduce((sum, { acceptedAfterRefusal }) => sum + acceptedAfterRefusal, 0),
      }
    } finally {
      fleet.stop()
      await proxy?.close()
    }
  })
}

/** Processor time of the machine since it started, in all and idle. */
function processorTimes() {
  /** @param {number[]} numbers */
  const sum = (numbers) => numbers.reduce((total, n) => total + n, 0)
  const times = cpus().map(({ times }) => times)
  return { all: sum(times.map((each) => sum(Object.values(each)))), idle: sum(times.map(({ idle }) => idle)) }
}
