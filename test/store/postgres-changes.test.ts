import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readChanges } from '../../src/store/postgres/changes.js'
import { type Connections, connectionsByUrl } from '../../src/store/postgres/connections.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'

describe.skipIf(!postgresIsThere())('reading the log of changes', () => {
  let server: PostgresServer
  let connections: Connections
  let url: string

  beforeAll(async () => {
    server = await startPostgres()
    url = await server.emptyDatabase()
    const store = postgresKeyStore({ connectionString: url })
    await store.migrate?.()
    await store.close()
    connections = connectionsByUrl(url, 'public')
  })

  afterAll(async () => {
    await connections?.close()
    await server?.stop()
  })

  test('keeps a plan that no position has made anew, and that reads by the index though the log was empty then', async () => {
    const client = connections.createClient()
    await client.connect()
    const ask = connections.askClient(client)
    let values: readonly unknown[] = []
    const position = { feed: 'any', seq: '0', id: null, at: 0 }
    // The server makes five plans before it keeps one.
    for (let i = 0; i < 6; i++) {
      await readChanges(
        (text, given, name) => {
          if (name !== undefined) values = given ?? []
          return ask(text, given, name)
        },
        'public',
        position,
      )
    }
    await ask(`INSERT INTO {schema}.vantage_changes (id) SELECT 'k' || i FROM generate_series(1, 20000) AS i`)
    const literals = values.map((value) =>
      Array.isArray(value) ? `ARRAY[${value.map((text) => `'${text}'`).join(', ')}]` : value,
    )
    const { rows } = await ask(`EXPLAIN EXECUTE vantage_read_changes (${literals.join(', ')})`)
    await client.end()
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    // A plan for certain values names these.
    expect(plan).toContain('tgname = ANY ($2)')
    expect(plan).toMatch(/Index Scan using vantage_changes_pkey/)
  })

  // It was: 40 ms, and 700 ms with the revocations joined, on each reading and so on the way of each revocation.
  test('reads the entries and revocations that are new by their indexes, and is not compiled', async () => {
    await server.sql(
      url,
      `INSERT INTO vantage_token_revocations (id, issuer, token_id, created_at, ends_at)
        SELECT 'r' || i, 'https://issuer.example', i, now(), now() + interval '1 day' FROM generate_series(1, 20000) AS i`,
    )
    const newest = await readChanges(connections.ask, 'public', undefined)
    const position = { ...newest.position, seq: String(Number(newest.position.seq) - 10) }
    const plans: string[] = []
    await readChanges(
      async (text, values) => {
        const { rows } = await connections.ask(`EXPLAIN (ANALYZE, TIMING OFF) ${text}`, values)
        plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
        return connections.ask(text, values)
      },
      'public',
      position,
    )
    const [plan] = plans
    expect(plan).toMatch(/Index Scan (?:using|on) vantage_changes_pkey .* rows=11 loops=1/)
    expect(plan).toMatch(/Index Scan using vantage_token_revocations_pkey .* rows=1 loops=11/)
    expect(plan).not.toContain('JIT')
  })
})
