import { pathToFileURL } from 'node:url'
import { Client } from 'pg'
import { openKeyStore } from '../../../src/store/open.js'
import { loadSqliteDriver } from '../../../src/store/sqlite/driver.js'

/** Keys `Key 00000` and so on, a second apart, of tenant `acme` and of a hundred owners; every tenth was used today. */
const KEYS = {
  sqlite: (count: number, now: number) => [
    `WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < ${count - 1})
    INSERT INTO vantage_keys (id, digest, subject, tenant, name, environment, scopes, created_at, expires_at)
    SELECT printf('many%08d', i), printf('sha256:%064x', i), printf('owner-%02d', i % 100), 'acme', printf('Key %05d', i),
      'live', 'jobs:read', ${now - 86_400_000} + i * 1000, ${now + 365 * 86_400_000} FROM numbers`,
    `INSERT INTO vantage_usage (id, day, count, last_used_at)
    SELECT id, date(${now / 1000}, 'unixepoch'), 1 + substr(id, 5), ${now - count} + substr(id, 5) FROM vantage_keys
    WHERE id LIKE '%0'`,
  ],
  postgres: (count: number, now: number) => [
    `INSERT INTO vantage_keys (id, digest, subject, tenant, name, environment, scopes, created_at, expires_at)
    SELECT 'many' || lpad(i::text, 8, '0'), 'sha256:' || lpad(to_hex(i), 64, '0'), 'owner-' || lpad((i % 100)::text, 2, '0'),
      'acme', 'Key ' || lpad(i::text, 5, '0'), 'live', 'jobs:read',
      to_timestamp(${(now - 86_400_000) / 1000} + i), to_timestamp(${now / 1000 + 365 * 86_400})
    FROM generate_series(0, ${count - 1}) AS i`,
    `INSERT INTO vantage_usage (id, day, count, last_used_at)
    SELECT id, (to_timestamp(${now / 1000}) AT TIME ZONE 'UTC')::date, 1 + substr(id, 5)::bigint,
      to_timestamp(${(now - count) / 1000} + substr(id, 5)::bigint / 1000.0) FROM vantage_keys WHERE id LIKE '%0'`,
  ],
}

/** Fills an empty store by hand-written SQL: one key after the other would take a minute. */
export async function addManyKeys(url: string, count: number): Promise<void> {
  const store = openKeyStore(url)
  await store.migrate?.()
  await store.close()
  const now = Date.now()
  if (url.startsWith('sqlite:')) {
    const database = loadSqliteDriver().open(pathToFileURL(url.slice('sqlite:'.length)).href)
    for (const statement of KEYS.sqlite(count, now)) database.exec(statement)
    database.close()
  } else {
    const client = new Client({ connectionString: url })
    await client.connect()
    for (const statement of KEYS.postgres(count, now)) await client.query(statement)
    await client.end()
  }
}
