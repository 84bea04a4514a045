import { type AddressInfo, createServer } from 'node:net'
import { inspect } from 'node:util'
import { Client, Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { KeyStoreError } from '../../src/core/errors.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyChange, KeyStore, StoredKey } from '../../src/store/contract.js'
import { openKeyStore } from '../../src/store/open.js'
import { SCHEMA_VERSION } from '../../src/store/postgres/schema.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { storedKey } from '../support/stored-keys.js'
import { until } from '../support/until.js'

const DAY = 86_400_000

let server: PostgresServer
let url: string
let closers: (() => unknown)[]

beforeAll(async () => {
  if (postgresIsThere()) server = await startPostgres()
})

afterAll(() => server?.stop())

function open(connectionString = url): KeyStore {
  const store = postgresKeyStore({ connectionString })
  closers.push(() => store.close())
  return store
}

/** A connection that knows nothing of the stores, as an administrator's shell has it. */
async function shell(): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  closers.push(() => client.end())
  return client
}

interface Watched {
  readonly heard: string[]
  /**
   * Waits until so many keys were told as changed, and names them, each once: what a store of this process writes is told
   * right after the commit, and by the feed once more.
   */
  next(count: number): Promise<string[]>
}

/** What a watcher of the store hears, once it is caught up. */
async function watched(store: KeyStore): Promise<Watched> {
  const heard: string[] = []
  const feed = store.watch?.((change: KeyChange) => heard.push('id' in change ? change.id : '*'))
  if (feed === undefined) throw new Error('the store has no change feed')
  closers.push(() => feed.close())
  await until(() => feed.state !== 'down')
  // A feed that begins tells of a change of everything, and of nothing else.
  expect(heard.splice(0).filter((change) => change !== '*')).toEqual([])
  return {
    heard,
    async next(count) {
      await until(() => new Set(heard).size >= count)
      return [...new Set(heard.splice(0))]
    },
  }
}

const sql = (statement: string, values?: unknown[]) => server.sql(url, statement, values)

describe.runIf(postgresIsThere())('a Postgres key store', () => {
  beforeEach(async () => {
    closers = []
    url = await server.emptyDatabase()
  })

  afterEach(async () => {
    for (const close of closers.reverse()) await close()
  })

  describe('the schema', () => {
    test('is created by migrate, and by nothing else', async () => {
      const store = open()
      for (const call of [store.find('a'), store.insert(storedKey('a')), store.addUsage([])]) {
        await expect(call).rejects.toThrow(/has no key schema; run: npx vantage-auth keys migrate --store postgres:.*$/)
      }
      expect(await sql(`SELECT 1 FROM pg_class WHERE relname LIKE 'vantage%'`)).toEqual([])
      expect(await store.migrate?.()).toBe(SCHEMA_VERSION)
      await store.insert(storedKey('a'))
      expect(await store.find('a')).toEqual(storedKey('a'))
    })

    test('is created once by many who do it at the same time', async () => {
      const stores = Array.from({ length: 6 }, (_, i) => open(`${url}?application_name=admin_${i}`))
      const versions = await Promise.all(stores.map((store) => store.migrate?.()))
      expect(new Set(versions)).toEqual(new Set([SCHEMA_VERSION]))
      expect(await sql('SELECT version FROM vantage_schema')).toEqual([{ version: SCHEMA_VERSION }])
    })

    test('is refused when it is newer or older than the package knows, with the command that helps', async () => {
      await open().migrate?.()
      await sql('UPDATE vantage_schema SET version = 999')
      const newer = open(`${url}?application_name=newer`)
      await expect(newer.find('a')).rejects.toThrow(
        /key schema 999, .*: npx vantage-auth keys migrate --store postgres:.*$/,
      )
      await expect(newer.migrate?.()).rejects.toThrow(KeyStoreError)
      await sql('UPDATE vantage_schema SET version = 0')
      await expect(newer.find('a')).rejects.toThrow(/run: npx vantage-auth keys migrate --store postgres:.*$/)
      expect(await newer.migrate?.()).toBe(SCHEMA_VERSION)
    })

    test.each([
      ['a trigger is missing', 'DROP TRIGGER vantage_keys_changed ON vantage_keys'],
      ['a trigger is switched off', 'ALTER TABLE vantage_keys DISABLE TRIGGER vantage_keys_before'],
      ['the function for usage is missing', 'DROP FUNCTION vantage_add_usage'],
    ])('is refused when %s, and mended by migrate', async (_, damage) => {
      await open().migrate?.()
      await sql(damage)
      const store = open(`${url}?application_name=another`)
      await expect(store.find('a')).rejects.toThrow(
        /lacks tables, functions or triggers; run: npx vantage-auth keys migrate --store postgres:.*$/,
      )
      const { next } = await (async () => {
        await store.migrate?.()
        return watched(store)
      })()
      await sql(`INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at)
        VALUES ('a', 'd', 's', 'live', 'jobs:read', now())`)
      expect(await next(1)).toEqual(['a'])
    })

    test('of version 1 is brought up to date with its keys', async () => {
      const store = open()
      await store.migrate?.()
      await store.insert(storedKey('a'))
      await sql('DROP TABLE vantage_audit, vantage_token_revocations')
      await sql('UPDATE vantage_schema SET version = 1')
      const later = open(`${url}?application_name=later`)
      await expect(later.find('a')).rejects.toThrow(
        /has an old key schema; run: npx vantage-auth keys migrate --store postgres:.*$/,
      )
      expect(await later.migrate?.()).toBe(SCHEMA_VERSION)
      expect(await later.find('a')).toEqual(storedKey('a'))
      await later.update(storedKey('a'), storedKey('a', { revokedAt: 1 }))
      expect((await later.readAudit?.({ limit: 9 }))?.map(({ action }) => action)).toEqual(['revoke'])
    })

    test.each([
      ['the option', (schema: string) => postgresKeyStore({ connectionString: url, schema })],
      ['the connection string', (schema: string) => openKeyStore(`${url}?schema=${encodeURIComponent(schema)}`)],
    ])('is the one that %s names, under any name, and is created there', async (_, openIn) => {
      const name = `Fleet "keys" $1 {schema} ' \\ ü`
      const quoted = `"${name.replaceAll('"', '""')}"`
      const store = openIn(name)
      closers.push(() => store.close())
      await store.migrate?.()
      const { next } = await watched(store)
      await store.insert(storedKey('a'))
      await store.addUsage([{ id: 'a', day: '2026-11-25', count: 1, lastUsedAt: Date.UTC(2026, 10, 25) }])
      expect(await next(1)).toEqual(['a'])
      expect(await store.find('a')).toEqual(storedKey('a'))
      expect(await sql(`SELECT id FROM ${quoted}.vantage_usage`)).toEqual([{ id: 'a' }])
      expect(
        await sql(`SELECT FROM pg_class WHERE relname LIKE 'vantage%' AND relnamespace = 'public'::regnamespace`),
      ).toEqual([])
      await expect(open().find('a')).rejects.toThrow(/has no key schema/)
    })

    test('is not taken from the search path of the session', async () => {
      await sql('CREATE SCHEMA elsewhere')
      const store = open(`${url}?options=-c%20search_path%3Delsewhere`)
      await store.migrate?.()
      expect(
        await sql(`SELECT relnamespace::regnamespace::text AS name FROM pg_class WHERE relname = 'vantage_keys'`),
      ).toEqual([{ name: 'public' }])
    })

    test.each([
      ['', {}],
      ['pg_keys', {}],
      ['x'.repeat(64), {}],
      ['nul\0', {}],
      [7, {}],
      ['one', { connectionString: 'postgres://h/d?schema=other' }],
      [undefined, { connectionString: 'postgres://h/d?schema=a&schema=b' }],
      [undefined, { connectionString: 'postgres://h/d?schema=%zz' }],
    ])('is refused with a TypeError when its name cannot be right: %j %j', (schema, options) => {
      expect(() => postgresKeyStore({ connectionString: url, schema, ...options } as never)).toThrow(TypeError)
    })
  })

  describe('hand-written SQL', () => {
    let store: KeyStore
    beforeEach(async () => {
      store = open()
      await store.migrate?.()
      for (const id of ['a', 'b', 'c']) await store.insert(storedKey(id))
    })

    test.each([
      ['an update of several rows', `UPDATE vantage_keys SET revoked_at = now() WHERE id IN ('a', 'c')`, ['a', 'c']],
      ['a deletion', `DELETE FROM vantage_keys WHERE id <> 'b'`, ['a', 'c']],
      ['TRUNCATE', 'TRUNCATE vantage_keys', ['*']],
      ['a new id', `UPDATE vantage_keys SET id = 'z' WHERE id = 'a'`, ['a', 'z']],
      [
        'an insert that becomes an update',
        `INSERT INTO vantage_keys SELECT * FROM vantage_keys WHERE id = 'b'
          ON CONFLICT (id) DO UPDATE SET revoked_at = now()`,
        ['b'],
      ],
      [
        'a statement within another one',
        `WITH gone AS (DELETE FROM vantage_keys WHERE id = 'a' RETURNING *)
          UPDATE vantage_keys SET name = 'heir' FROM gone WHERE vantage_keys.id = 'c'`,
        ['a', 'c'],
      ],
      [
        'COPY',
        `COPY vantage_keys FROM PROGRAM 'printf "y\\td\\ts\\t\\\\N\\t\\\\N\\tlive\\tjobs:read\\t2026-01-01\\n"'`,
        ['y'],
      ],
    ])('travels: %s', async (name, statement, expected) => {
      const { next } = await watched(store)
      await sql(
        name === 'COPY'
          ? statement.replace(
              'vantage_keys',
              'vantage_keys (id, digest, subject, tenant, name, environment, scopes, created_at)',
            )
          : statement,
      )
      expect((await next(expected.length)).sort()).toEqual(expected)
    })

    test('is what the store says afterwards', async () => {
      await sql(`UPDATE vantage_keys SET revoked_at = '2026-11-25 12:00:00.1239+00', scopes = 'jobs:read,jobs:write'
        WHERE id = 'a'`)
      expect(await store.find('a')).toMatchObject({
        revokedAt: Date.UTC(2026, 10, 25, 12, 0, 0, 124),
        scopes: ['jobs:read', 'jobs:write'],
      })
      // Compare and set works on what a microsecond clock wrote.
      const current = (await store.find('a')) as StoredKey
      expect(await store.update(current, { ...current, name: 'n' })).toBe(true)
    })

    test('leaves its traces in the audit trail, which cannot be changed', async () => {
      await sql(
        `UPDATE vantage_keys SET revoked_at = now(), revoked_by = 'ops', revoked_reason = 'leaked' WHERE id = 'a'`,
      )
      await sql(`UPDATE vantage_keys SET revoked_at = NULL WHERE id = 'a'`)
      await sql(`UPDATE vantage_keys SET scopes = 'teams:write' WHERE id = 'b'`)
      await sql(`UPDATE vantage_keys SET name = 'x' WHERE id = 'b'`)
      await sql(`UPDATE vantage_keys SET revoked_by = 'x' WHERE id = 'b'`)
      await sql(`UPDATE vantage_keys SET revoked_reason = 'x' WHERE id = 'b'`)
      await sql(`DELETE FROM vantage_keys WHERE id = 'c'`)
      await sql('TRUNCATE vantage_keys')
      const entries = (await store.readAudit?.({ limit: 9 })) ?? []
      expect(entries.map(({ action, keyId, actor, reason, detail }) => [action, keyId, actor, reason, detail])).toEqual(
        [
          ['delete', null, null, null, null],
          ['delete', 'c', null, null, null],
          ['change', 'b', null, null, null],
          ['change', 'b', null, null, null],
          ['change', 'b', null, null, null],
          ['change', 'b', null, null, null],
          ['restore', 'a', null, null, null],
          ['revoke', 'a', 'ops', 'leaked', '{"by":"sql"}'],
          ['create', 'c', null, null, null],
        ],
      )
      for (const statement of [
        `UPDATE vantage_audit SET actor = 'nobody'`,
        'DELETE FROM vantage_audit',
        'TRUNCATE vantage_audit',
      ]) {
        await expect(sql(statement)).rejects.toThrow('the audit trail cannot be changed')
      }
    })

    test('on ends of keys and revocations of tokens leaves its traces; dropped ones that have ended leave none', async () => {
      await store.update(
        storedKey('a'),
        storedKey('a', { expiresAt: 9, replacedBy: 'n' }),
        storedKey('n', { replaces: 'a' }),
      )
      await sql(`UPDATE vantage_keys SET expires_at = '2030-01-01', replaced_by = 'x' WHERE id = 'b'`)
      await sql(`UPDATE vantage_keys SET replaced_by = NULL WHERE id = 'a'`)
      await sql(`UPDATE vantage_keys SET expires_at = '2030-01-01', replaced_by = 'n' WHERE id = 'a'`)
      await sql(`INSERT INTO vantage_token_revocations (id, issuer, token_id, created_at, ends_at)
        VALUES ('d', 'i', 'jti', now(), now() + interval '1 day'), ('e', 'i', 'ended', now(), now())`)
      await sql(`UPDATE vantage_token_revocations SET token_id = 'other' WHERE id = 'd'`)
      await sql(`DELETE FROM vantage_token_revocations`)
      await sql('TRUNCATE vantage_token_revocations')
      const entries = (await store.readAudit?.({ limit: 9 })) ?? []
      expect(entries.map(({ action, keyId, detail }) => [action, keyId ?? JSON.parse(detail ?? '')])).toEqual([
        ['delete', { tokens: 'all' }],
        ['delete', { issuer: 'i', tokenId: 'other' }],
        ['change', { issuer: 'i', tokenId: 'jti' }],
        ['revoke_tokens', { issuer: 'i', tokenId: 'ended' }],
        ['revoke_tokens', { issuer: 'i', tokenId: 'jti' }],
        ['change', 'a'],
        ['change', 'a'],
        ['change', 'b'],
        ['rotate', 'a'],
      ])
    })

    test('between the read of a key and its change is not undone, whatever it changed', async () => {
      const read = (await store.find('a')) as StoredKey
      await sql(`UPDATE vantage_keys SET scopes = '' WHERE id = 'a'`)
      expect(await store.update(read, { ...read, revokedAt: 1 })).toBe(false)
      expect(await store.find('a')).toEqual({ ...read, scopes: [] })
    })

    test.each([
      `UPDATE vantage_keys SET expires_at = 'infinity'`,
      `UPDATE vantage_keys SET environment = 'staging'`,
      `UPDATE vantage_keys SET created_at = '1969-01-01'`,
    ])('cannot write what could not be read: %s', async (statement) => {
      await expect(sql(statement)).rejects.toThrow(/check constraint/)
    })

    test('of a role that may write keys and nothing else travels as well', async () => {
      const { next } = await watched(store)
      await sql(`CREATE ROLE revoker_${server.port} LOGIN PASSWORD 'r'`)
      await sql(`GRANT SELECT, UPDATE ON vantage_keys TO revoker_${server.port}`)
      await server.sql(
        url.replace(/\/\/[^@]*@/, `//revoker_${server.port}:r@`),
        `UPDATE vantage_keys SET revoked_at = now() WHERE id = 'b'`,
      )
      expect(await next(1)).toEqual(['b'])
    })
  })

  describe('changes at the same time', () => {
    test('are lost to a reader of sequence numbers alone when they commit out of order', async () => {
      // The fault that the lock closes, shown without it: it is taken by the trigger of statements, and by those of rows.
      await open().migrate?.()
      await sql(`INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at)
        SELECT id, 'd', 's', 'live', 'jobs:read', now() FROM unnest(ARRAY['a', 'b']) AS id`)
      await sql('ALTER TABLE vantage_keys DISABLE TRIGGER vantage_keys_before')
      for (const name of ['vantage_log_change', 'vantage_audit_key']) {
        const [{ body } = {}] = await sql(`SELECT pg_get_functiondef('${name}()'::regprocedure) AS body`)
        await sql(String(body).replace(/LOCK TABLE .*;/, ''))
      }
      const [slow, quick] = [await shell(), await shell()]
      await slow.query(`BEGIN; UPDATE vantage_keys SET revoked_at = now() WHERE id = 'a'`)
      await quick.query(`UPDATE vantage_keys SET revoked_at = now() WHERE id = 'b'`)
      const [{ last } = {}] = await sql('SELECT max(seq) AS last FROM vantage_changes')
      await slow.query('COMMIT')
      const [{ missed } = {}] = await sql(`SELECT seq AS missed FROM vantage_changes WHERE id = 'a' ORDER BY seq DESC`)
      expect(Number(missed)).toBeLessThan(Number(last))
    })

    test('are told in the order of their commits, and none is lost', async () => {
      const store = open()
      await store.migrate?.()
      for (const id of ['a', 'b']) await store.insert(storedKey(id))
      const { heard, next } = await watched(store)
      const [slow, quick] = [await shell(), await shell()]
      await slow.query(`BEGIN; UPDATE vantage_keys SET revoked_at = now() WHERE id = 'a'`)
      const waiting = quick.query(`UPDATE vantage_keys SET revoked_at = now() WHERE id = 'b'`)
      await until(async () => {
        const rows = await sql(`SELECT 1 FROM pg_locks WHERE relation = 'vantage_lock'::regclass AND NOT granted`)
        return rows.length === 1
      })
      expect(heard).toEqual([])
      await slow.query('COMMIT')
      await waiting
      expect(await next(2)).toEqual(['a', 'b'])
    })

    test('are given up when the time for them is over while they wait for the lock', async () => {
      const store = open()
      await store.migrate?.()
      await store.insert(storedKey('a'))
      const slow = await shell()
      await slow.query(`BEGIN; UPDATE vantage_keys SET name = 'n' WHERE id = 'a'`)
      const insertion = store.insert(storedKey('b'), { before: performance.now() + 100 })
      await expect(insertion).rejects.toThrow(KeyStoreError)
      await slow.query('COMMIT')
      expect(await store.find('b')).toBeUndefined()
    })

    test('are taken back when the time for them is over before their commit, though no statement took as long', async () => {
      const store = open()
      await store.migrate?.()
      const key = storedKey('a')
      await store.insert(key)
      await sql(
        `CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END'`,
      )
      await sql('CREATE TRIGGER dawdle BEFORE INSERT OR UPDATE ON vantage_keys FOR EACH ROW EXECUTE FUNCTION dawdle()')
      const successor = storedKey('b', { replaces: 'a' })
      const limit = { before: performance.now() + 500 }
      const rotation = store.update(key, { ...key, expiresAt: 1, replacedBy: 'b' }, successor, undefined, limit)
      await expect(rotation).rejects.toThrow(KeyStoreError)
      expect(await store.find('a')).toEqual(key)
      expect(await store.find('b')).toBeUndefined()
    })

    test('of several rows in opposite orders do not wait for each other for ever', async () => {
      const store = open()
      await store.migrate?.()
      for (const id of ['a', 'b']) await store.insert(storedKey(id))
      const [one, other] = [await shell(), await shell()]
      await one.query(`BEGIN; UPDATE vantage_keys SET name = 'one' WHERE id = 'a'`)
      await other.query('BEGIN')
      const waiting = other.query(`UPDATE vantage_keys SET name = 'other' WHERE id = 'b'`)
      await one.query(`UPDATE vantage_keys SET name = 'one' WHERE id = 'b'`)
      await one.query('COMMIT')
      await waiting
      await other.query(`UPDATE vantage_keys SET name = 'other' WHERE id = 'a'`)
      await other.query('COMMIT')
      expect(await sql('SELECT DISTINCT name FROM vantage_keys')).toEqual([{ name: 'other' }])
    })

    test('of many keyrings, with hand-written SQL among them, lose no update and tell every key', async () => {
      const stores = Array.from({ length: 4 }, (_, i) => open(`${url}?application_name=service_${i}`))
      const keyrings = stores.map((store) => createKeyring(store))
      await keyrings[0]?.get('a')
      const { heard } = await watched(stores[0] as KeyStore)
      const hand = await shell()
      let busy = true
      const byHand = (async () => {
        while (busy) {
          await hand.query(`UPDATE vantage_keys SET name = 'renamed' WHERE id IN (SELECT id FROM vantage_keys LIMIT 5)`)
        }
      })()
      const outcomes = await Promise.all(
        keyrings.map(async (keyring) => {
          const ids: string[] = []
          for (let i = 0; i < 15; i++) {
            const { record } = await keyring.create({ subject: 's', scopes: ['jobs:read'] })
            const rotated = await keyring.rotate(record.id)
            // Two at once, from different services: both succeed, and the first reason stays.
            const others = await Promise.all(
              keyrings.slice(0, 2).map((one, j) => one.revoke(record.id, { reason: `reason ${j}` })),
            )
            expect(new Set(others.map(({ revokedReason }) => revokedReason)).size).toBe(1)
            ids.push(record.id, rotated.record.id)
          }
          return ids
        }),
      )
      busy = false
      await byHand
      const ids = outcomes.flat()
      expect(new Set(ids).size).toBe(120)
      expect(await sql('SELECT count(*)::int AS n FROM vantage_keys WHERE revoked_at IS NOT NULL')).toEqual([{ n: 60 }])
      await until(() => ids.every((id) => heard.includes(id)))
    })

    test('of a key that is rotated by many, one succeeds', async () => {
      const stores = Array.from({ length: 4 }, (_, i) => open(`${url}?application_name=service_${i}`))
      const keyrings = stores.map((store) => createKeyring(store))
      const { record } = (await keyrings[0]?.create({ subject: 's', scopes: ['jobs:read'] })) ?? {}
      const outcomes = await Promise.allSettled(keyrings.map((keyring) => keyring.rotate(record?.id ?? '')))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await sql('SELECT count(*)::int AS n FROM vantage_keys')).toEqual([{ n: 2 }])
    })
  })

  describe('the log of changes', () => {
    test('is kept for seven days, and pruned by the next write down to the newest entry', async () => {
      const store = open()
      await store.migrate?.()
      await store.insert(storedKey('a'))
      await store.insert(storedKey('b'))
      await sql(`UPDATE vantage_changes SET at = now() - interval '8 days'`)
      await store.insert(storedKey('c'))
      expect(await sql('SELECT id FROM vantage_changes ORDER BY seq')).toEqual([{ id: 'b' }, { id: 'c' }])
    })

    test('takes the usage of deleted keys along when it is pruned, and of no others', async () => {
      const store = open()
      await store.migrate?.()
      for (const id of ['a', 'b']) await store.insert(storedKey(id))
      await store.addUsage(['a', 'b'].map((id) => ({ id, day: '2026-11-25', count: 1, lastUsedAt: 1 })))
      await sql(`DELETE FROM vantage_keys WHERE id = 'a'`)
      await sql(`UPDATE vantage_changes SET at = now() - interval '8 days'`)
      for (const id of ['c', 'd']) await store.insert(storedKey(id))
      await sql(`UPDATE vantage_changes SET at = now() - interval '8 days'`)
      await store.insert(storedKey('e'))
      expect(await sql('SELECT id FROM vantage_usage')).toEqual([{ id: 'b' }])
    })
  })

  describe('usage', () => {
    test('of many services at once is counted exactly', async () => {
      const stores = Array.from({ length: 4 }, (_, i) => open(`${url}?application_name=service_${i}`))
      const [first] = stores as [KeyStore]
      await first.migrate?.()
      const ids = Array.from({ length: 50 }, (_, i) => `key${i}`)
      const used = Date.UTC(2026, 10, 25)
      for (const id of ids) await first.insert(storedKey(id))
      await Promise.all(
        stores.flatMap((store, i) =>
          Array.from({ length: 10 }, (_, j) => {
            // Each in an order of its own: two that lock rows in different orders would wait for each other.
            const mixed = [...ids].sort(() => Math.random() - 0.5)
            return store.addUsage(
              mixed.map((id) => ({ id, day: '2026-11-25', count: i + 1, lastUsedAt: used + 1000 * j })),
            )
          }),
        ),
      )
      const rows = await sql(
        `SELECT DISTINCT count::int, extract(epoch FROM last_used_at)::int - ${used / 1000} AS s FROM vantage_usage`,
      )
      expect(rows).toEqual([{ count: 100, s: 9 }])
    })

    test('adds up what one batch says twice of a day', async () => {
      const store = open()
      await store.migrate?.()
      await store.insert(storedKey('a'))
      const use = { id: 'a', day: '2026-11-25', count: 2, lastUsedAt: Date.UTC(2026, 10, 25) }
      await store.addUsage([use, use])
      expect(await store.readUsage('a', '2026-11-25')).toEqual({ total: 4, days: [{ day: '2026-11-25', count: 4 }] })
    })
  })

  describe('a role with the rights of a service that verifies', () => {
    let service: string
    beforeEach(async () => {
      await open().migrate?.()
      await open().insert(storedKey('a'))
      const role = `service_${server.port}`
      await sql(`DO $$ BEGIN CREATE ROLE ${role} LOGIN PASSWORD 'service'; EXCEPTION WHEN duplicate_object THEN END $$`)
      await sql(`GRANT USAGE ON SCHEMA public TO ${role}`)
      await sql(`GRANT SELECT ON vantage_schema, vantage_keys, vantage_token_revocations, vantage_changes TO ${role}`)
      await sql(`GRANT EXECUTE ON FUNCTION vantage_add_usage TO ${role}`)
      service = url.replace(/\/\/[^@]*@/, `//${role}:service@`)
    })

    test('finds keys, hears of changes and adds usage', async () => {
      const store = open(service)
      expect(await store.find('a')).toEqual(storedKey('a'))
      const { next } = await watched(store)
      await sql(`UPDATE vantage_keys SET revoked_at = now()`)
      expect(await next(1)).toEqual(['a'])
      expect(await store.tokenRevocations?.(0)).toEqual([])
      await store.addUsage([{ id: 'a', day: '2026-11-25', count: 3, lastUsedAt: 1 }])
      expect(await sql('SELECT count::int FROM vantage_usage')).toEqual([{ count: 3 }])
    })

    test('can do nothing else', async () => {
      const store = open(service)
      const refused = /does not permit this to the role/
      await expect(store.insert(storedKey('b'))).rejects.toThrow(refused)
      await expect(store.update(storedKey('a'), storedKey('a', { revokedAt: 1 }))).rejects.toThrow(refused)
      for (const statement of [
        'DELETE FROM vantage_changes',
        'UPDATE vantage_usage SET count = 0',
        'SELECT * FROM vantage_usage',
        'SELECT * FROM vantage_audit',
        'DELETE FROM vantage_token_revocations',
        'UPDATE vantage_schema SET version = 2',
        'TRUNCATE vantage_keys',
        'DROP TABLE vantage_keys',
        'ALTER TABLE vantage_keys DISABLE TRIGGER ALL',
      ]) {
        await expect(server.sql(service, statement), statement).rejects.toThrow(/permission denied|must be owner/)
      }
    })

    test('is needed for usage: nobody else may add to it', async () => {
      await sql(
        `DO $$ BEGIN CREATE ROLE nobody_${server.port} LOGIN PASSWORD 'n'; EXCEPTION WHEN duplicate_object THEN END $$`,
      )
      const stranger = url.replace(/\/\/[^@]*@/, `//nobody_${server.port}:n@`)
      await expect(
        server.sql(stranger, `SELECT vantage_add_usage('{a}', '{2026-11-25}', '{1}', '{now}')`),
      ).rejects.toThrow(/permission denied/)
    })
  })

  describe('connections', () => {
    const count = async (database: string) => {
      const [row] = await sql(
        `SELECT count(*)::int AS n FROM pg_stat_activity
          WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
        [database],
      )
      return row?.n
    }

    test('are two and one that listens, however many stores a process opens from one URL', async () => {
      const database = new URL(url).pathname.slice(1)
      const stores = Array.from({ length: 5 }, () => openKeyStore(url))
      await stores[0]?.migrate?.()
      await stores[0]?.insert(storedKey('a'))
      const feeds = stores.map((store) => store.watch?.(() => {}))
      await until(() => feeds.every((feed) => feed?.state === 'live'))
      await Promise.all(stores.flatMap((store) => Array.from({ length: 20 }, () => store.find('a'))))
      expect(await count(database)).toBe(3)

      for (const store of stores.slice(1)) await store.close()
      expect(await stores[0]?.find('a')).toEqual(storedKey('a'))
      expect(feeds[0]?.state).toBe('live')
      expect(feeds[1]?.state).toBe('down')
      await expect(stores[1]?.find('a')).rejects.toThrow(KeyStoreError)
      await stores[0]?.close()
      await until(async () => (await count(database)) === 0)
    })

    test('stay open however long nothing is asked', async () => {
      const sessions = () =>
        sql(
          `SELECT pid FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'
            ORDER BY pid`,
          [new URL(url).pathname.slice(1)],
        )
      const store = open()
      await store.migrate?.()
      const askTwice = () => Promise.all([store.find('a'), store.find('b')])
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      try {
        await askTwice()
        const opened = await sessions()
        expect(opened).toHaveLength(2)
        vi.advanceTimersByTime(DAY)
        await askTwice()
        expect(await sessions()).toEqual(opened)
      } finally {
        vi.useRealTimers()
      }
    })

    test('of a pool that the application gave stay its own', async () => {
      const database = new URL(url).pathname.slice(1)
      const pool = new Pool({ connectionString: url, max: 1 })
      pool.on('error', () => {})
      closers.push(() => pool.end())
      const store = postgresKeyStore({ pool })
      await store.migrate?.()
      const { next } = await watched(store)
      await store.insert(storedKey('a'))
      expect(await next(1)).toEqual(['a'])
      expect(await store.find('a')).toEqual(storedKey('a'))
      expect(await count(database)).toBe(2)
      await store.close()
      expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    })

    test('are asked for many keys at once, and each look-up gets its own', async () => {
      const pool = new Pool({ connectionString: url })
      closers.push(() => pool.end())
      const asked: unknown[][] = []
      pool.on('connect', (client) => {
        const query = client.query.bind(client) as (config: { text: string; values?: unknown[][] }) => unknown
        client.query = ((config: { text: string; values?: unknown[][] }) => {
          if (/FROM "public".vantage_keys\s+WHERE id/.test(config.text)) asked.push(config.values?.[0] ?? [])
          return query(config)
        }) as typeof client.query
      })
      const store = postgresKeyStore({ pool })
      await store.migrate?.()
      const ids = Array.from({ length: 300 }, (_, i) => `key${i}`)
      for (const id of ids.slice(0, 20)) await store.insert(storedKey(id))

      const found = await Promise.all([...ids, 'key0'].map((id) => store.find(id)))
      const stored = ids.slice(0, 20).map((id) => storedKey(id))
      expect(found).toEqual([...stored, ...Array.from({ length: 280 }, () => undefined), storedKey('key0')])
      // Two that began at once, and then as many at a time as one statement takes.
      expect(asked.map(({ length }) => length).sort((a, b) => a - b)).toEqual([1, 1, 99, 100, 100])

      const admin = await shell()
      await admin.query('BEGIN; LOCK TABLE vantage_keys')
      const outcomes = Promise.allSettled(ids.slice(0, 20).map((id) => store.find(id)))
      const waiting = `FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
      await until(async () => (await sql(`SELECT 1 ${waiting}`)).length === 2)
      await sql(`SELECT pg_terminate_backend(pid) ${waiting}`)
      await until(async () => (await sql(`SELECT 1 ${waiting}`)).length > 0)
      await admin.query('ROLLBACK')
      const [first, second, ...others] = await outcomes
      // What was asked over the connections that ended fails; what waited behind it does not.
      expect(first).toMatchObject({ status: 'rejected', reason: { code: KeyStoreError.code } })
      expect(second).toMatchObject({ status: 'rejected', reason: { code: KeyStoreError.code } })
      expect(others).toEqual(stored.slice(2).map((value) => ({ status: 'fulfilled', value })))
    })

    test('are read right whatever the application does to the types of its driver', async () => {
      const pool = new Pool({ connectionString: url, types: { getTypeParser: () => () => 'spoilt' } as never })
      closers.push(() => pool.end())
      const store = postgresKeyStore({ pool })
      await store.migrate?.()
      await store.insert(storedKey('a', { expiresAt: 1_800_000_000_001 }))
      expect(await store.find('a')).toEqual(storedKey('a', { expiresAt: 1_800_000_000_001 }))
    })
  })

  test('does not end the process when the server ends a connection in the breath that opens it', async () => {
    const message = (type: string, body: Buffer) => {
      const length = Buffer.alloc(4)
      length.writeInt32BE(body.length + 4)
      return Buffer.concat([Buffer.from(type), length, body])
    }
    const fields = ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to administrator command', '']
    // No real server can be made to send all of it in one piece.
    const abrupt = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () =>
        socket.end(
          Buffer.concat([
            message('R', Buffer.alloc(4)),
            message('Z', Buffer.from('I')),
            message('E', Buffer.from(`${fields.join('\0')}\0`)),
          ]),
        ),
      )
    })
    await new Promise<void>((resolve) => abrupt.listen(0, '127.0.0.1', resolve))
    closers.push(() => abrupt.close())
    const { port } = abrupt.address() as AddressInfo
    const connectionString = `postgres://u:p@127.0.0.1:${port}/d`
    const pool = new Pool({ connectionString })
    pool.on('error', () => {})
    closers.push(() => pool.end())
    for (const store of [open(connectionString), postgresKeyStore({ pool })]) {
      await expect(store.find('a')).rejects.toThrow(KeyStoreError)
    }
  })

  describe('secrets', () => {
    test('are in no error and no inspection, whatever goes wrong', async () => {
      const secret = 'S3cretPassw0rd'
      const closed = url.replace(/:\d+\//, ':1/')
      const wrong = [
        url.replace(/:\/\/[^@]*@/, `://admin:${secret}@`),
        closed.replace(/:\/\/[^@]*@/, `://admin:${secret}@`),
        `postgres://admin:${secret}@host.invalid/db`,
        `${url.replace(/:\/\/[^@]*@/, `://admin:${secret}@`)}_absent`,
      ]
      for (const connectionString of wrong) {
        const store = open(connectionString)
        const error = await store.find('a').catch((error: unknown) => error)
        expect(error).toBeInstanceOf(KeyStoreError)
        const shown = inspect({ error, store }, { depth: null, showHidden: true })
        expect(shown).not.toContain(secret)
        expect(shown).not.toContain('postgres://')
      }
    })

    test.each([
      ['none', undefined],
      ['neither of the two', {}],
      ['another form of connection string', { connectionString: 'host=localhost password=S3cret' }],
      ['a malformed URL', { connectionString: 'postgres://user:S3cret@[host/db' }],
      ['a file that is not there', { connectionString: 'postgres://user:S3cret@host/db?sslrootcert=/S3cret/no.pem' }],
      ['both of the two', { connectionString: 'postgres://user:S3cret@host/db', pool: new Pool() }],
      ['what is no pool', { pool: { password: 'S3cret' } }],
    ])('are not in the TypeError for wrong options: %s', (_, options) => {
      const make = () => postgresKeyStore(options as never)
      expect(make).toThrow(TypeError)
      try {
        make()
      } catch (error) {
        expect(inspect(error, { depth: null, showHidden: true })).not.toContain('S3cret')
      }
    })
  })

  test('rejects a key with a value that its column does not admit, in words of its own', async () => {
    const store = open()
    await store.migrate?.()
    await expect(store.insert(storedKey('a', { name: 'nul\0' }))).rejects.toThrow(/does not accept/)
    await expect(store.insert(storedKey('a', { environment: 'x' as never }))).rejects.toThrow(/does not accept/)
    expect(await store.find('a')).toBeUndefined()
  })

  test('leaves no transaction behind when a write fails', async () => {
    const store = open()
    await store.migrate?.()
    await store.insert(storedKey('a'))
    for (let i = 0; i < 5; i++) await store.insert(storedKey('a')).catch(() => {})
    await store.update(storedKey('a', { revokedAt: 5 }), storedKey('a'))
    await store.insert(storedKey('b', { createdAt: 1_700_000_000_000 + DAY }))
    expect(await sql(`SELECT 1 FROM pg_locks WHERE relation = 'vantage_lock'::regclass`)).toEqual([])
  })
})
