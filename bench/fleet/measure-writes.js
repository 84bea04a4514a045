/** Whether anything is lost or doubled when all services administer keys at once, and somebody writes SQL by hand. */
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { sharedNow } from '../shared/timing.js'
import { startFleet } from './fleet-services.js'
import { withPostgres } from './with-postgres.js'

/** @import { FleetResults } from '../shared/types.d.ts' */

/**
 * @param {{ services: number, small: boolean }} effort
 * @returns {Promise<NonNullable<FleetResults['writes']>>}
 */
export async function measureWrites({ services, small }) {
  return withPostgres(async ({ server, url, store }) => {
    const operations = small ? 1000 : 10_000
    /** @type {string[]} */
    const heard = []
    const feed = store.watch((change) => heard.push('id' in change ? change.id : '*'))
    while (feed.state !== 'live') await delay(10)
    const fleet = await startFleet(services)
    const begunAt = sharedNow()
    let busy = true
    const byHand = (async () => {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      let statements = 0
      while (busy) {
        await client.query(
          `UPDATE vantage_keys SET name = 'renamed' WHERE id IN (SELECT id FROM vantage_keys LIMIT 20)`,
        )
        await client.query(`DELETE FROM vantage_keys WHERE id IN (SELECT id FROM vantage_keys ORDER BY id LIMIT 1)`)
        statements += 2
        await delay(20)
      }
      // Changes every key at once: the feed has to tell that, too.
      await client.query('TRUNCATE vantage_keys')
      await client.end()
      return statements + 1
    })()
    const outcomes = await fleet.all('administer', { url, operations: operations / services })
    const elapsed = sharedNow() - begunAt
    const revoked = outcomes.flatMap(({ revoked }) => revoked)
    const rows = await server.sql(url, 'SELECT id FROM vantage_keys WHERE revoked_at IS NULL AND id = ANY ($1)', [
      revoked,
    ])
    busy = false
    const statements = await byHand
    const limit = sharedNow() + 20_000
    while (!heard.includes('*') && sharedNow() < limit) await delay(20)
    fleet.stop()
    await feed.close()
    const ids = outcomes.flatMap(({ ids }) => ids)
    const told = new Set(heard)
    const logged = await server.sql(url, 'SELECT id, seq::float AS seq, at FROM vantage_changes ORDER BY seq')
    /** @type {Record<string, number>} */
    const failures = {}
    for (const { failures: some } of outcomes) {
      for (const [name, n] of Object.entries(some)) failures[name] = (failures[name] ?? 0) + n
    }
    const [{ deadlocks }] = await server.sql(
      url,
      'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
    )
    return {
      operations: outcomes.reduce((sum, { done }) => sum + done, 0),
      perSecond: outcomes.reduce((sum, { done }) => sum + done, 0) / (elapsed / 1000),
      handWritten: statements,
      // KeyNotFoundError and KeyStateError for keys that a statement by hand had deleted.
      failures,
      duplicateIds: ids.length - new Set(ids).size,
      revocationsLost: rows.length,
      deadlocks: Number(deadlocks),
      changes: logged.length,
      keysNotTold: ids.filter((id) => !told.has(id)).length,
      truncateTold: told.has('*'),
      outOfOrder: logged.filter(({ at }, i) => i > 0 && Number(at) < Number(logged[i - 1].at)).length,
    }
  })
}
