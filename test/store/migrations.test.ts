import { readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { KeyStore } from '../../src/store/contract.js'
import { connectionsByUrl } from '../../src/store/postgres/connections.js'
import * as postgres from '../../src/store/postgres/migrations.js'
import { migrateSchema as migratePostgres } from '../../src/store/postgres/schema.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { type Step, stepsToRun } from '../../src/store/sql/schema.js'
import { loadSqliteDriver } from '../../src/store/sqlite/driver.js'
import * as sqlite from '../../src/store/sqlite/migrations.js'
import { migrateSchema as migrateSqlite } from '../../src/store/sqlite/schema.js'
import { sqliteKeyStore } from '../../src/store/sqlite/store.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { storedKey } from '../support/stored-keys.js'
import { rows, sql, temporaryFolder } from './sqlite-files.js'

// test/vectors/schema has what each released version writes into an empty database. A change of a CREATE TABLE, a function
// or a trigger differs from the file of its version and fails: add a step to migrations.ts instead. The file of a new
// version is written when this test first runs.

/** One store under test, on a database of its own for each test. */
interface Subject {
  readonly name: 'sqlite' | 'postgres'
  readonly steps: readonly Step[]
  /** An empty database. */
  prepare(): Promise<void>
  open(): KeyStore
  /** Hand-written SQL. */
  run(statements: string): Promise<void>
  /** The statements with which a migration changes the database. */
  record(): Promise<string[]>
  /** What the database says of its tables, indexes, triggers and functions. */
  describeSchema(): Promise<unknown>
  /** An instant as its tables write it. */
  instant(ms: number): string
}

let folder: ReturnType<typeof temporaryFolder>
const file = () => folder.path('keys.db')

const sqliteSubject: Subject = {
  name: 'sqlite',
  steps: sqlite.STEPS,
  async prepare() {
    folder = temporaryFolder()
    closers.push(folder.remove)
  },
  open: () => sqliteKeyStore({ path: file() }),
  run: async (statements) => sql(file(), statements),
  async record() {
    const database = loadSqliteDriver().open(pathToFileURL(file()).href)
    const recorded: string[] = []
    const exec = (statement: string) => {
      recorded.push(statement)
      database.exec(statement)
    }
    migrateSqlite({ exec, prepare: (text) => database.prepare(text), close() {} }, 'recorded')
    database.close()
    return recorded
  },
  describeSchema: async () => rows(file(), 'SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name'),
  instant: String,
}

let server: PostgresServer
let url: string
let opened = 0

const postgresSubject: Subject = {
  name: 'postgres',
  steps: postgres.STEPS,
  async prepare() {
    url = await server.emptyDatabase()
  },
  open: () => postgresKeyStore({ connectionString: `${url}?application_name=service_${++opened}` }),
  run: async (statements) => void (await server.sql(url, statements)),
  async record() {
    const connections = connectionsByUrl(url, 'public')
    const recorded: string[] = []
    await migratePostgres({
      ...connections,
      migration: (write) =>
        connections.migration((ask) =>
          write((text, values) => {
            recorded.push(text.replaceAll('{schema}', '"public"'))
            return ask(text, values)
          }),
        ),
    })
    await connections.close()
    return recorded
  },
  describeSchema: () =>
    server.sql(
      url,
      `SELECT relname || '.' || attname AS name, concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity,
          attcollation::regcollation, pg_get_expr(adbin, adrelid)) AS definition
        FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
          LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum
        WHERE relname LIKE 'vantage%' AND relkind = 'r'
      UNION ALL SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid::regclass::text LIKE 'vantage%'
      UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE tablename LIKE 'vantage%'
      UNION ALL SELECT tgname, tgenabled::text || pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE 'vantage%'
      UNION ALL SELECT proname, pg_get_functiondef(oid) || proacl::text FROM pg_proc WHERE proname LIKE 'vantage%'
      ORDER BY 1, 2`,
    ),
  instant: (ms) => `'${new Date(ms).toISOString()}'`,
}

const subjects = postgresIsThere() ? [sqliteSubject, postgresSubject] : [sqliteSubject]

const closers: (() => unknown)[] = []

beforeAll(async () => {
  if (postgresIsThere()) server = await startPostgres()
})

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

afterAll(() => server?.stop())

function released(store: string, version: number): string {
  return fileURLToPath(new URL(`../vectors/schema/${store}-${version}.sql`, import.meta.url))
}

describe.each(subjects)(
  'the schema of $name',
  ({ name, steps, prepare, open, run, record, describeSchema, instant }) => {
    const newest = steps.length
    const versions = steps.map(({ version }) => version)

    function opening(): KeyStore {
      const store = open()
      closers.push(() => store.close())
      return store
    }

    test('has steps that are numbered from 1', () => {
      expect(versions).toEqual(Array.from({ length: newest }, (_, i) => i + 1))
    })

    test('is what its version writes into an empty database, and nothing of it has been edited', async () => {
      await prepare()
      const written = (await record())
        .filter((statement) => !/^\s*(SELECT|BEGIN|COMMIT|PRAGMA|WITH|SET|LOCK)/.test(statement))
        .map((statement) => `${statement.trim().replace('$1', "'feed'")};\n`)
      await expect(written.join('\n')).toMatchFileSnapshot(released(name, newest))
    })

    test.each(versions)('of version %i is brought up to date with its keys, uses and audit trail', async (version) => {
      await prepare()
      await run(readFileSync(released(name, version), 'utf8'))
      const at = instant(storedKey('a').createdAt)
      await run(`
      INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at) VALUES
        ('a', 'sha256:a', 'user_123', 'live', 'jobs:read', ${at}), ('b', 'sha256:b', 'user_123', 'live', 'jobs:read', ${at});
      INSERT INTO vantage_usage (id, day, count, last_used_at) VALUES ('a', '2026-11-25', 3, ${instant(1_764_072_000_000)})`)

      const store = opening()
      if (version < newest) {
        await expect(store.find('a')).rejects.toThrow(
          /has an old key schema; run: npx vantage-auth keys migrate --store (sqlite|postgres):.*$/,
        )
      }
      expect(await store.migrate?.()).toBe(newest)

      const [a, b] = [storedKey('a'), storedKey('b')]
      expect(await store.list({ now: 0, limit: 9 })).toEqual([
        { ...b, lastUsedAt: null },
        { ...a, lastUsedAt: 1_764_072_000_000 },
      ])
      await store.addUsage([{ id: 'a', day: '2026-11-25', count: 2, lastUsedAt: 1_764_072_000_001 }])
      expect(await store.readUsage('a', '2026-11-25')).toEqual({ total: 5, days: [{ day: '2026-11-25', count: 5 }] })
      expect(await store.update(a, { ...a, revokedAt: 1 })).toBe(true)
      expect(await store.find('a')).toEqual({ ...a, revokedAt: 1 })
      const trail = (await store.readAudit?.({ limit: 9 })) ?? []
      // Version 1 had no audit trail.
      const before = version === 1 ? [] : ['create b', 'create a']
      expect(trail.map(({ action, keyId }) => `${action} ${keyId}`)).toEqual(['revoke a', ...before])
    })

    test('tells of the tenant and the subject of the keys of old entries, and keeps the audit trail unchangeable', async () => {
      await prepare()
      await run(readFileSync(released(name, name === 'sqlite' ? 7 : 8), 'utf8'))
      const at = instant(storedKey('a').createdAt)
      await run(`
      INSERT INTO vantage_keys (id, digest, subject, tenant, environment, scopes, created_at, replaces) VALUES
        ('a', 'sha256:a', 'ann', 'acme', 'live', 'jobs:read', ${at}, NULL), ('b', 'sha256:b', 'bob', NULL, 'live', 'jobs:read', ${at}, NULL),
        ('c', 'sha256:c', 'ann', 'acme', 'live', 'jobs:read', ${at}, 'a'), ('gone', 'sha256:d', 'eve', 'acme', 'live', 'jobs:read', ${at}, NULL);
      DELETE FROM vantage_keys WHERE id = 'gone'`)
      const store = opening()
      await store.migrate?.()
      await run(`UPDATE vantage_keys SET tenant = 'globex' WHERE id = 'b'`)
      const trail = (await store.readAudit?.({ limit: 9 })) ?? []
      const told = trail.map(({ action, keyId, subject, tenant }) => [action, keyId, subject, tenant])
      expect(told.slice(2)).toEqual([
        ['delete', 'gone', null, null],
        ['create', 'gone', null, null],
        ['rotate', 'a', 'ann', 'acme'],
        ['create', 'b', 'bob', null],
        ['create', 'a', 'ann', 'acme'],
      ])
      // A change of the tenant is told to both.
      expect(told.slice(0, 2)).toEqual(
        expect.arrayContaining([
          ['change', 'b', 'bob', 'globex'],
          ['change', 'b', 'bob', null],
        ]),
      )
      await expect(run(`UPDATE vantage_audit SET tenant = 'globex'`)).rejects.toThrow(
        'the audit trail cannot be changed',
      )
    })

    test('keeps the revocations of tokens, those of sessions too, when its tables are made anew', async () => {
      await prepare()
      await run(readFileSync(released(name, newest - 1), 'utf8'))
      const createdAt = 1_764_072_000_000
      const [at, end] = [instant(createdAt), instant(createdAt + 1000)]
      await run(`
      INSERT INTO vantage_token_revocations (id, issuer, token_id, subject, client_id, issued_before, created_at, created_by, reason, ends_at)
      VALUES ('one', 'https://issuer.test', 'j1', NULL, NULL, NULL, ${at}, 'ann', 'lost', ${end}),
        ('two', 'https://issuer.test', NULL, 'u1', NULL, ${at}, ${at}, NULL, NULL, ${end}),
        ('three', 'https://issuer.test', NULL, NULL, 'c1', ${at}, ${at}, NULL, NULL, ${end})`)
      const common = { issuer: 'https://issuer.test', createdAt, endsAt: createdAt + 1000, withoutSession: false }
      const nobody = { tokenId: null, subject: null, clientId: null, sessionId: null, createdBy: null, reason: null }
      const session = { ...common, ...nobody, id: 'four', sessionId: 's1', issuedBefore: createdAt }
      const expected = [
        { ...common, ...nobody, id: 'one', tokenId: 'j1', issuedBefore: null, createdBy: 'ann', reason: 'lost' },
        { ...common, ...nobody, id: 'three', clientId: 'c1', issuedBefore: createdAt },
        { ...common, ...nobody, id: 'two', subject: 'u1', issuedBefore: createdAt },
      ]
      const listed = async (store: KeyStore) =>
        [...((await store.tokenRevocations?.(createdAt)) ?? [])].sort((one, other) => (one.id < other.id ? -1 : 1))

      const store = opening()
      await store.migrate?.()
      expect(await listed(store)).toEqual(expected)

      // All steps run again where a table of theirs is missing.
      await run('DROP TABLE vantage_usage')
      const later = opening()
      await later.migrate?.()
      expect(await listed(later)).toEqual(expected)
      await later.addTokenRevocation?.(session)
      await run('DROP TABLE vantage_usage')
      const last = opening()
      await last.migrate?.()
      expect(await listed(last)).toEqual([session, ...expected])
    })

    test.each(versions)('is the same after a walk from version %i as in an empty database', async (version) => {
      await prepare()
      await run(readFileSync(released(name, version), 'utf8'))
      await opening().migrate?.()
      const walked = await describeSchema()
      for (const close of closers.splice(0).reverse()) await close()
      await prepare()
      await opening().migrate?.()
      expect(walked).toEqual(await describeSchema())
    })

    test('gets back a table that was dropped by hand, with an empty one in its place and everything else kept', async () => {
      await prepare()
      const store = opening()
      await store.migrate?.()
      const whole = await describeSchema()
      await store.insert(storedKey('a'))
      await run('DROP TABLE vantage_usage')
      const later = opening()
      await expect(later.find('a')).rejects.toThrow(
        /lacks tables.* or triggers; run: npx vantage-auth keys migrate --store (sqlite|postgres):.*$/,
      )
      expect(await later.migrate?.()).toBe(newest)
      expect(await describeSchema()).toEqual(whole)
      expect(await later.find('a')).toEqual(storedKey('a'))
    })
  },
)

test('a database runs the steps above its version, and all of them when a table of an earlier step is missing', () => {
  const steps: Step[] = [
    { version: 1, tables: ['a'], statements: [] },
    { version: 2, tables: ['b'], statements: [] },
    { version: 3, tables: [], statements: [] },
  ]
  const run = (version: number, ...tables: string[]) =>
    stepsToRun(steps, { version, tables: new Set(tables), complete: false }).map((step) => step.version)
  expect(run(0)).toEqual([1, 2, 3])
  expect(run(1, 'a')).toEqual([2, 3])
  expect(run(2, 'a', 'b')).toEqual([3])
  expect(run(3, 'a', 'b')).toEqual([])
  expect(run(2, 'b')).toEqual([1, 2, 3])
})

test.runIf(postgresIsThere())(
  'a long audit trail is brought up to date without the time limit of a request',
  async () => {
    await postgresSubject.prepare()
    await postgresSubject.run(readFileSync(released(postgresSubject.name, 8), 'utf8'))
    const connections = connectionsByUrl(url, 'public')
    const limits: unknown[] = []
    await migratePostgres({
      ...connections,
      migration: (write) =>
        connections.migration((ask) =>
          write(async (text, values) => {
            if (/UPDATE \{schema\}\.vantage_audit/.test(text))
              limits.push((await ask('SHOW statement_timeout')).rows[0])
            return ask(text, values)
          }),
        ),
    })
    await connections.close()
    expect(limits).toEqual([{ statement_timeout: '1h' }])
  },
)
