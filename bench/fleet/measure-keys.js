/** What the number of keys in the store costs a service: its start, first look-ups, cached decisions and memory. */
import { median, spread } from '../shared/timing.js'
import { startService } from './fleet-services.js'
import { withPostgres } from './with-postgres.js'

/** @import { FleetResults } from '../shared/types.d.ts' */

/**
 * @param {number[]} sizes numbers of keys
 * @returns {Promise<NonNullable<FleetResults['keys']>>}
 */
export async function measureKeys(sizes) {
  /** @type {NonNullable<FleetResults['keys']>} */
  const results = {}
  for (const size of sizes) {
    results[size] = await withPostgres(async ({ server, url, keyring }) => {
      // The triggers would log each of them; nobody listens yet.
      await server.sql(url, 'ALTER TABLE vantage_keys DISABLE TRIGGER USER')
      await server.sql(
        url,
        `INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at, expires_at)
          SELECT left(md5(i::text), 12), 'sha256:' || md5(i::text) || md5((-i)::text), 'user_' || i, 'live', 'jobs:read',
            now(), now() + interval '1 year' FROM generate_series(1, ${size}) AS i ON CONFLICT DO NOTHING`,
      )
      await server.sql(url, 'ALTER TABLE vantage_keys ENABLE TRIGGER USER')
      await server.sql(url, 'VACUUM ANALYZE vantage_keys')
      const keys = []
      for (let i = 0; i < 200; i++) keys.push((await keyring.create({ subject: 's', scopes: ['jobs:read'] })).key)
      const one = await startService()
      const before = await one.call('report')
      const { startMs } = await one.call('open', { url })
      const { times } = await one.call('cold', { keys })
      await one.call('warm', { keys })
      const cached = []
      for (let round = 0; round < 9; round++) {
        cached.push((await one.call('measure', { key: keys[round], calls: 20_000 })).microseconds)
      }
      const after = await one.call('report')
      one.process.kill()
      return {
        startMs,
        coldMicroseconds: spread(times),
        cachedMicroseconds: median(cached),
        memoryMiB: (after.rss - before.rss) / 2 ** 20,
      }
    })
  }
  return results
}
