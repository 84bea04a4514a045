/** How long a key is accepted after it was revoked, by a fleet that holds it in its caches. */
import { cpus } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { startProxy } from '../../test/support/postgres-proxy.js'
import { createKeyring } from '../shared/built-package.js'
import { REVOCATIONS_PER_SECOND } from '../shared/goals.js'
import { sharedNow, spread } from '../shared/timing.js'
import { startFleet } from './fleet-services.js'
import { printSlowest } from './slowest.js'
import { withPostgres } from './with-postgres.js'

/** @import { PostgresServer } from '../../test/support/postgres.js' */
/** @import { PostgresProxy } from '../../test/support/postgres-proxy.js' */
/** @import { RevocationResult } from '../shared/types.d.ts' */

/** Mean pause between two revocations: without one, the machine would be full of revocations alone. */
const PAUSE_MS = 50
/** Of a stream: where the machine cannot keep up, the rate is what it reaches. */
const MOST_UNDER_WAY = 40
/** How long a key of a stream is asked for before it is revoked. */
const LEAD_MS = 100
const CONFIRM = '10s'

/**
 * What happens before a revocation: resolves to what ends it, which in turn resolves to when the database could be reached again.
 *
 * @typedef {(around: { server: PostgresServer, url: string, proxy: PostgresProxy | undefined }) => Promise<(() => Promise<number>) | void>} Disturbance
 */

/** @typedef {'whole' | 'small' | 'check'} Effort `check` is for CI */
/** @typedef {Omit<Parameters<typeof revokeAll>[0], 'services' | 'count'> & { services?: number }} Case */

/**
 * The cases, with the number of revocations for each effort.
 *
 * @type {Record<string, Case & Record<Effort, number>>}
 */
const CASES = {
  plain: { whole: 1000, small: 60, check: 60 },
  confirmed: { whole: 500, small: 30, check: 20, confirm: true },
  many: { whole: 500, small: 30, check: 20, services: 50, processes: 4 },
  stream: { whole: 500, small: 200, check: 100, perSecond: REVOCATIONS_PER_SECOND },
  listenerCut: { whole: 100, small: 10, check: 5, disturb: cutListeners },
  restart: { whole: 10, small: 2, check: 1, disturb: restartServer },
  // It takes longer than all the others, and tests of the feed hold it.
  stall: { whole: 5, small: 1, check: 0, disturb: stallNetwork, proxied: true },
}

export const CASE_NAMES = Object.keys(CASES)

/**
 * @param {object} order
 * @param {number} order.services
 * @param {Effort} order.effort
 * @param {string} [order.only] the name of one case
 * @param {number} [order.slowest] how many of the slowest revocations of each case are printed, with what delayed them
 * @returns {Promise<Record<string, RevocationResult>>}
 */
export async function measureRevocation({ services, effort, only, slowest }) {
  /** @type {Record<string, RevocationResult>} */
  const measured = {}
  for (const [name, one] of Object.entries(CASES)) {
    if (one[effort] === 0 || (only !== undefined && name !== only)) continue
    measured[name] = await revokeAll({ services, ...one, count: one[effort], slowest })
  }
  return measured
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
 * Revokes keys while all services accept them: one after the other, or so many a second. Has something happen before each.
 *
 * @param {object} order
 * @param {number} order.services
 * @param {number} order.count
 * @param {number} [order.processes] among which the services are shared; one for each by default
 * @param {number} [order.perSecond]
 * @param {boolean} [order.confirm] whether each revocation is to be confirmed
 * @param {Disturbance} [order.disturb]
 * @param {boolean} [order.proxied] services reach the database through a proxy
 * @param {number} [order.slowest]
 * @returns {Promise<RevocationResult>}
 */
function revokeAll({
  services,
  count,
  processes = services,
  perSecond,
  confirm = false,
  disturb,
  proxied = false,
  slowest = 0,
}) {
  return withPostgres(async ({ server, url, store }) => {
    const proxy = proxied ? await startProxy(server.port) : undefined
    const fleet = await startFleet(services, proxy ? proxy.through(url) : url, undefined, processes)
    try {
      let writtenAt = 0
      const keyring = createKeyring({
        ...store,
        async update(...change) {
          const isUpdated = await store.update(...change)
          writtenAt = sharedNow()
          return isUpdated
        },
      })
      /** @type {Awaited<ReturnType<typeof keyring.create>>[]} */
      const created = []
      for (let i = 0; i < count + 50; i++) created.push(await keyring.create({ subject: 's', scopes: ['jobs:read'] }))
      await fleet.all('warm', { keys: created.map(({ key }) => key) })
      if (slowest > 0) await fleet.all('trace')
      await fleet.all('load', { perMs: Math.ceil(8 / processes) })
      /** @type {number[]} */
      const acceptedAfterCommit = []
      /** @type {number[]} */
      const untilAllRefuse = []
      /** @type {number[]} */
      const untilAllRefuseFromCall = []
      /** @type {number[]} */
      const untilConfirmed = []
      let acceptedAfterConfirmation = 0
      /** @type {import('./slowest.js').Revocation[]} */
      const revocations = []
      const before = processorTimes()

      /**
       * @param {number} i
       * @param {() => Promise<unknown>} [due]
       */
      const revoke = async (i, due) => {
        const { key, record } = created[i]
        const refused = Promise.all(fleet.processes.map((one) => one.refused(key)))
        // It is awaited below. When a service dies before that, the server still has to be stopped.
        refused.catch(() => {})
        await fleet.all('watch', { key })
        const endDisturbance = await disturb?.({ server, url, proxy })
        await due?.()
        const begunAt = sharedNow()
        if (confirm) {
          const { confirmation } = await keyring.revoke(record.id, { confirm: CONFIRM })
          if (confirmation.confirmed !== services) {
            throw new Error(`confirmed by ${confirmation.confirmed} of ${services} services`)
          }
        } else {
          await keyring.revoke(record.id)
        }
        const resolvedAt = sharedNow()
        // Of several revocations at a time, nobody knows whose write came last.
        const committedAt = confirm ? writtenAt : resolvedAt
        const reachableAt = (await endDisturbance?.()) ?? 0
        const seen = await refused
        const lastAcceptedAt = Math.max(...seen.map(({ acceptedAt }) => acceptedAt))
        const allRefusedAt = Math.max(...seen.map(({ at }) => at))
        revocations.push({ keyId: record.id, committedAt, refused: seen })
        acceptedAfterCommit.push(Math.max(0, lastAcceptedAt - committedAt))
        untilAllRefuse.push(allRefusedAt - Math.max(committedAt, reachableAt))
        untilAllRefuseFromCall.push(allRefusedAt - Math.max(begunAt, reachableAt))
        if (!confirm) return
        untilConfirmed.push(resolvedAt - committedAt)
        acceptedAfterConfirmation += seen.filter(({ acceptedAt }) => acceptedAt > resolvedAt).length
      }

      const startedAt = sharedNow()
      if (perSecond === undefined) {
        for (let i = 0; i < count; i++) {
          await delay(Math.random() * 2 * PAUSE_MS)
          await revoke(i)
        }
      } else {
        const underWay = new Set()
        for (let i = 0; i < count; i++) {
          const dueAt = startedAt + LEAD_MS + (i * 1000) / perSecond
          await delay(dueAt - LEAD_MS - sharedNow())
          while (underWay.size >= MOST_UNDER_WAY) await Promise.race(underWay)
          const one = revoke(i, () => delay(dueAt - sharedNow())).finally(() => underWay.delete(one))
          underWay.add(one)
        }
        await Promise.all(underWay)
      }
      const seconds = (sharedNow() - startedAt) / 1000
      const after = processorTimes()
      await delay(600)
      const reports = await fleet.all('report')
      if (slowest > 0) printSlowest(revocations, reports, slowest)
      return {
        acceptedAfterCommit: spread(acceptedAfterCommit),
        untilAllRefuse: spread(untilAllRefuse),
        untilAllRefuseFromCall: spread(untilAllRefuseFromCall),
        processorsBusy: 1 - (after.idle - before.idle) / (after.all - before.all),
        acceptedAfterRefusal: reports.reduce((sum, { acceptedAfterRefusal }) => sum + acceptedAfterRefusal, 0),
        ...(perSecond && { perSecond: count / seconds }),
        ...(confirm && { untilConfirmed: spread(untilConfirmed), acceptedAfterConfirmation }),
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
