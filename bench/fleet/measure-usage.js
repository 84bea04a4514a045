/** Whether uses are counted exactly, and what a service that crashes loses. */
import { setTimeout as delay } from 'node:timers/promises'
import { startFleet } from './fleet-services.js'
import { withPostgres } from './with-postgres.js'

/** @import { FleetResults } from '../shared/types.d.ts' */

/**
 * @param {{ services: number, small: boolean }} effort
 * @returns {Promise<NonNullable<FleetResults['usage']>>}
 */
export async function measureUsage({ services, small }) {
  return withPostgres(async ({ server, url, keyring }) => {
    const [perSecond, seconds] = small ? [1000, 15] : [5000, 60]
    /** @type {string[]} */
    const keys = []
    for (let i = 0; i < 500; i++) keys.push((await keyring.create({ subject: 's', scopes: ['jobs:read'] })).key)
    /** Rows written to the table of usage so far. */
    const written = async () => {
      await server.sql(url, 'SELECT pg_stat_clear_snapshot()')
      const [row] = await server.sql(
        url,
        `SELECT (n_tup_ins + n_tup_upd)::float AS rows FROM pg_stat_user_tables WHERE relname = 'vantage_usage'`,
      )
      return Number(row.rows)
    }
    const counted = async () =>
      Number((await server.sql(url, 'SELECT coalesce(sum(count), 0)::float AS n FROM vantage_usage'))[0].n)

    const fleet = await startFleet(services, url)
    const before = await written()
    const rate = perSecond / services
    const uses = await fleet.all('use', { keys, perSecond: rate, seconds })
    await fleet.all('close')
    const exact = await counted()
    await delay(1500)
    const after = await written()
    const used = uses.reduce((sum, { used }) => sum + used, 0)

    // A crash: only what was counted since the last write may be missing.
    const crashing = await startFleet(services, url)
    const [first, ...others] = crashing.processes
    first.call('use', { keys, perSecond: rate, seconds: 60 }).catch(() => {})
    const rest = Promise.all(others.map(({ call }) => call('use', { keys, perSecond: rate, seconds: 14 })))
    await delay(14_000)
    first.process.kill('SIGKILL')
    const usedByOthers = (await rest).reduce((sum, { used }) => sum + used, 0)
    await Promise.all(others.map(({ call }) => call('close')))
    // What the killed service had reported last: it may have used some more.
    const missing = first.progress + usedByOthers - ((await counted()) - exact)
    const reports = [...(await fleet.all('report')), ...(await Promise.all(others.map(({ call }) => call('report'))))]
    fleet.stop()
    crashing.stop()
    return {
      flushFailures: reports.reduce((sum, { flushFailures }) => sum + flushFailures, 0),
      perSecond,
      seconds,
      used,
      counted: exact,
      rowsWrittenPerSecond: (after - before) / seconds,
      missingAfterKill: missing,
      oneFlush: rate * 10,
    }
  })
}
