import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Examination } from '../../src/cli/doctor/examination.js'
import { examineIssuer } from '../../src/cli/doctor/issuers.js'
import { examineStore } from '../../src/cli/doctor/store.js'
import type { ServiceStore } from '../../src/cli/service.js'
import { resolveOptions, type VerifierOptions } from '../../src/config/options.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { openKeyStoreForReading } from '../../src/store/open.js'
import { formatGrants } from '../../src/store/postgres/grants.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { rows, sql, temporaryFolder } from '../store/sqlite-files.js'
import { type ChildOutput, outputOf } from '../support/child-output.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { createTestIssuer } from '../support/tokens.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const folder = temporaryFolder()
const config = (options: VerifierOptions = {}) => resolveOptions({ ...options, keys: false })

afterAll(() => folder.remove())

async function doctor(env: NodeJS.ProcessEnv, ...flags: string[]): Promise<ChildOutput> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(ROOT, 'src/cli/main.ts'), 'doctor', ...flags], {
    cwd: ROOT,
    env: { ...process.env, VANTAGE_KEY_STORE: '', VANTAGE_ISSUER: '', VANTAGE_AUDIENCE: '', ...env },
  })
  child.stdin.end()
  return outputOf(child)
}

const resultsOf = (checks: readonly Examination[]) =>
  Object.fromEntries(checks.map(({ check, result }) => [check, result]))
const find = (checks: readonly Examination[], name: string) => checks.find(({ check }) => check === name)

const named = (url: string): ServiceStore => ({ kind: 'url', url, open: () => openKeyStoreForReading(url) })

describe('an issuer', () => {
  const issuer = createTestIssuer()
  let server: Server
  let url: string
  let answer: { status?: number; metadata?: object; keys?: object; headers?: Record<string, string>; dated?: boolean }

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (answer.dated === false) response.sendDate = false
      const metadata = answer.metadata ?? { issuer: url, jwks_uri: `${url}/jwks` }
      response
        .writeHead(answer.status ?? 200, answer.headers)
        .end(JSON.stringify(request.url === '/jwks' ? (answer.keys ?? issuer.jwks) : metadata))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })

  beforeEach(() => {
    answer = {}
  })

  afterAll(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })

  async function examine(options: VerifierOptions = {}): Promise<Examination[]> {
    const resolved = config({ issuer: url, ...options })
    const [policy] = resolved.issuers
    if (policy === undefined) throw new Error('no issuer')
    return examineIssuer(policy, resolved)
  }

  const dateOf = (aheadSeconds: number) => ({ Date: new Date(Date.now() + 1000 * aheadSeconds).toUTCString() })

  test('in order: metadata, keys and the same clock', async () => {
    expect(resultsOf(await examine())).toEqual({ metadata: 'ok', 'key set': 'ok', clock: 'ok' })
  })

  test.each([
    [-60, 'wrong', 'ahead of'],
    [60, 'wrong', 'behind'],
    [-4, 'ok', 'ahead of'],
    [30, 'wrong', 'behind'],
  ] as const)('whose clock differs by %i s is %s', async (seconds, result, words) => {
    answer.headers = dateOf(seconds)
    expect(find(await examine(), 'clock')).toMatchObject({ result, found: expect.stringContaining(words) })
  })

  test('whose clock differs less than the tolerance and a second is in order', async () => {
    answer.headers = dateOf(-50)
    expect(find(await examine({ clockToleranceSeconds: 60 }), 'clock')?.result).toBe('ok')
    expect(find(await examine({ clockToleranceSeconds: 30 }), 'clock')?.result).toBe('wrong')
  })

  test('whose answers lay in a cache: their age is no difference of clocks', async () => {
    answer.headers = { ...dateOf(-300), Age: '300' }
    expect(find(await examine(), 'clock')?.result).toBe('ok')
    answer.headers = { ...dateOf(0), Age: '300' }
    expect(find(await examine(), 'clock')).toMatchObject({ result: 'wrong', found: expect.stringContaining('behind') })
  })

  test('that sends no Date is not measured', async () => {
    answer.dated = false
    expect(find(await examine(), 'clock')?.result).toBe('not measured')
  })

  test('that names another issuer, or has no usable key, or is out of reach', async () => {
    answer.metadata = { issuer: `${url}/`, jwks_uri: `${url}/jwks` }
    expect(find(await examine(), 'metadata')).toMatchObject({
      result: 'wrong',
      found: expect.stringContaining('names the issuer'),
      cure: expect.stringContaining('VANTAGE_ISSUER'),
    })
    answer = { keys: { keys: [] } }
    expect(resultsOf(await examine())).toMatchObject({ metadata: 'ok', 'key set': 'wrong' })
    const gone = await examine({ jwksUri: 'http://127.0.0.1:1/jwks?secret=hunter2' })
    expect(resultsOf(gone)).toEqual({ metadata: 'ok', 'key set': 'wrong', clock: 'not measured' })
    expect(JSON.stringify(gone)).not.toContain('hunter2')
  })

  test('that asks for a credential: the cure is a fetch that sends one', async () => {
    const cure = expect.stringContaining('a fetch of its own')
    for (const status of [401, 403]) {
      answer = { status }
      expect(find(await examine(), 'metadata')).toMatchObject({ result: 'wrong', cure })
      expect(find(await examine({ jwksUri: `${url}/jwks` }), 'key set')).toMatchObject({ result: 'wrong', cure })
    }
    answer = { status: 400 }
    expect(find(await examine(), 'metadata')?.cure).toContain('curl')
  })

  test('with a static key set is not asked', async () => {
    const fetch = () => Promise.reject(new Error('asked'))
    expect(resultsOf(await examine({ jwks: issuer.jwks, fetch }))).toEqual({
      metadata: 'ok',
      'key set': 'ok',
      clock: 'not measured',
    })
  })

  test('that does not answer costs no more than the time limit', async () => {
    const fetch = () => new Promise<Response>(() => {})
    expect(find(await examine({ fetch, timeoutMs: 50 }), 'metadata')).toMatchObject({
      result: 'wrong',
      found: expect.stringContaining('no answer within 50 ms'),
    })
  })

  test('the command: exit codes, table and JSON', async () => {
    const good = await doctor({ VANTAGE_ISSUER: url, VANTAGE_KEY_STORE: 'false' })
    expect([good.code, good.stderr]).toEqual([0, ''])
    expect(good.stdout).toMatch(/^CHECK +RESULT +FOUND\nnode +ok +\d/)
    expect(good.stdout).toMatch(/\nclock +ok .+\nstore +ok .+\n\nNothing is wrong\.\n$/)
    answer.keys = { keys: [] }
    const bad = await doctor({ VANTAGE_ISSUER: url, VANTAGE_KEY_STORE: 'false' }, '--json')
    expect([bad.code, bad.stderr]).toEqual([1, ''])
    const { ok, checks } = JSON.parse(bad.stdout)
    expect([ok, find(checks, 'key set')?.result]).toEqual([false, 'wrong'])
    expect((await doctor({ VANTAGE_PROFILE: 'strict' })).code).toBe(2)
    expect((await doctor({}, '--config', folder.path('absent.mjs'))).code).toBe(2)
    expect((await doctor({}, '--unknown')).code).toBe(2)
  })
})

describe('a SQLite store', () => {
  const state = (at: string) =>
    readdirSync(at).map((name) => {
      const { mtimeNs, size, ino } = statSync(join(at, name), { bigint: true })
      return [name, mtimeNs, size, ino, readFileSync(join(at, name)).toString('base64')]
    })

  async function makeStore(name: string): Promise<{ readonly at: string; readonly path: string }> {
    const at = folder.path(name)
    mkdirSync(at)
    const path = join(at, 'keys.db')
    const keyring = createKeyring(`sqlite:${path}`)
    await keyring.create({ subject: 'u', scopes: ['jobs:read'] })
    await keyring.close()
    return { at, path }
  }

  test('in order, and nothing of it or beside it changes', async () => {
    // The file alone, as it is at rest: a connection of this process may still hold the other one.
    const at = folder.path('at-rest')
    const path = join(at, 'keys.db')
    mkdirSync(at)
    copyFileSync((await makeStore('good')).path, path)
    const before = state(at)
    const checks = await examineStore(named(`sqlite:${path}`), false, config())
    expect(resultsOf(checks)).toEqual({
      driver: 'ok',
      store: 'ok',
      schema: 'ok',
      triggers: 'ok',
      grants: 'ok',
      feed: 'not measured',
    })
    expect(state(at)).toEqual(before)
  })

  test('without a trigger, with another schema, or that is no database', async () => {
    const silent = await makeStore('silent')
    sql(
      silent.path,
      `DROP TRIGGER ${rows(silent.path, "SELECT name FROM sqlite_master WHERE type = 'trigger'")[0]?.name}`,
    )
    expect(resultsOf(await examineStore(named(`sqlite:${silent.path}`), false, config()))).toMatchObject({
      schema: 'ok',
      triggers: 'wrong',
    })
    for (const [name, version] of [
      ['old', 1],
      ['newer', 99],
    ] as const) {
      const { path } = await makeStore(name)
      sql(path, `UPDATE vantage_schema SET version = ${version}`)
      const checks = await examineStore(named(`sqlite:${path}`), false, config())
      expect(find(checks, 'schema')).toMatchObject({
        result: 'wrong',
        cure: expect.stringContaining(name === 'old' ? 'keys migrate' : 'update vantage-auth'),
      })
    }
    writeFileSync(folder.path('text.db'), 'not a database, but long enough to be read as the header of one'.repeat(10))
    const text = await examineStore(named(`sqlite:${folder.path('text.db')}`), false, config())
    expect(find(text, 'store')).toMatchObject({
      result: 'wrong',
      found: expect.stringContaining('not a SQLite database'),
    })
  })

  test('that is absent is not made', async () => {
    const url = `sqlite:${folder.path('none.db')}`
    const { code, stdout } = await doctor({ VANTAGE_ISSUER: 'false' }, '--store', url)
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /store +wrong +there is no file .+; a service does not start\n +Cure: create it: npx vantage-auth keys migrate/,
    )
    expect(readdirSync(folder.path('.'))).not.toContain('none.db')
  })

  test('--probe measures the feed by writing a key back as it is', async () => {
    const { path } = await makeStore('probed')
    const contents = () =>
      ['vantage_keys', 'vantage_audit', 'vantage_usage'].map((table) => rows(path, `SELECT * FROM ${table}`))
    const before = contents()
    const checks = await examineStore(named(`sqlite:${path}`), true, config())
    expect(find(checks, 'feed')).toMatchObject({ result: 'ok', found: expect.stringMatching(/^\d+ to \d+ ms/) })
    expect(contents()).toEqual(before)
  })
})

test('a store of the application is asked, and not measured beyond that', async () => {
  const checks = await examineStore({ kind: 'own', store: memoryKeyStore() }, false, config())
  expect(resultsOf(checks)).toMatchObject({ store: 'ok', schema: 'not measured', grants: 'not measured' })
  const failing = { ...memoryKeyStore(), find: () => Promise.reject(new Error('the disk is gone')) }
  const failed = await examineStore({ kind: 'own', store: failing }, false, config())
  expect(find(failed, 'store')).toMatchObject({ result: 'wrong', found: 'the disk is gone' })
})

describe.skipIf(!postgresIsThere())('a PostgreSQL store', () => {
  let server: PostgresServer
  let admin: string
  const GRANTS = `GRANT USAGE ON SCHEMA public TO service;
    GRANT SELECT ON vantage_schema, vantage_keys, vantage_token_revocations, vantage_changes TO service;
    GRANT EXECUTE ON FUNCTION vantage_add_usage TO service`
  const asService = () => admin.replace(/\/\/[^@]*@/, '//service:hunter2@')

  beforeAll(async () => {
    server = await startPostgres()
    admin = await server.emptyDatabase()
    await server.sql(admin, "CREATE ROLE service LOGIN PASSWORD 'hunter2'")
  }, 90_000)

  beforeEach(async () => {
    admin = await server.emptyDatabase()
  })

  afterAll(() => server.stop())

  async function migrate(): Promise<void> {
    const keyring = createKeyring(admin)
    await keyring.create({ subject: 'u', scopes: ['jobs:read'] })
    await keyring.close()
  }

  const examine = (url: string, probe = false) => examineStore(named(url), probe, config())

  test('that is empty stays without tables', async () => {
    const checks = await examine(admin)
    expect(find(checks, 'schema')).toMatchObject({ result: 'wrong', found: 'there is none' })
    expect(await server.sql(admin, "SELECT FROM pg_class WHERE relname LIKE 'vantage%'")).toEqual([])
  })

  test('in order, for a role with the rights of a service', async () => {
    await migrate()
    await server.sql(admin, GRANTS)
    const changes = () => server.sql(admin, 'SELECT count(*) FROM vantage_changes')
    const before = await changes()
    const checks = await examine(asService(), true)
    expect(resultsOf(checks)).toEqual({
      driver: 'ok',
      store: 'ok',
      schema: 'ok',
      grants: 'ok',
      triggers: 'ok',
      feed: 'not measured',
    })
    expect(await changes()).toEqual(before)
    expect(JSON.stringify(checks)).not.toContain('hunter2')
  })

  test('names the table, privilege and role of a missing grant', async () => {
    await migrate()
    await server.sql(
      admin,
      `${GRANTS}; REVOKE SELECT ON vantage_changes FROM service; REVOKE EXECUTE ON FUNCTION vantage_add_usage FROM service`,
    )
    expect(find(await examine(asService()), 'grants')).toMatchObject({
      result: 'wrong',
      found: 'the role service lacks SELECT on vantage_changes, EXECUTE on vantage_add_usage',
      cure: expect.stringContaining('npx vantage-auth keys grants service --role service'),
    })
  })

  test('knows a role that administers keys, and measures the feed as that role', async () => {
    await migrate()
    const statements = formatGrants('administrator', { role: 'service', schema: 'public' })
    await server.sql(admin, statements.join('\n'))
    const checks = await examine(asService(), true)
    expect(resultsOf(checks)).toMatchObject({ grants: 'warning', triggers: 'ok', feed: 'ok' })
    expect(find(checks, 'grants')?.found).toContain('administers keys, and is no service')
    expect(find(checks, 'grants')?.cure).toMatch(
      /its own, with what this prints: npx vantage-auth keys grants service$/,
    )
    await server.sql(admin, 'REVOKE SELECT ON vantage_changes FROM service')
    expect(find(await examine(asService(), true), 'feed')).toMatchObject({
      result: 'not measured',
      found: 'the role service lacks SELECT on vantage_changes',
    })
  })

  test('warns of a service that may write', async () => {
    await migrate()
    await server.sql(admin, `${GRANTS}; GRANT UPDATE (name) ON vantage_keys TO service`)
    expect(find(await examine(asService()), 'grants')).toMatchObject({
      result: 'warning',
      found: expect.stringContaining('UPDATE on vantage_keys'),
    })
    expect(find(await examine(admin), 'grants')).toMatchObject({
      result: 'warning',
      found: expect.stringContaining('superuser'),
      cure: expect.not.stringContaining('--role'),
    })
  })

  test('names triggers that are switched off, missing, or silent in replication', async () => {
    await migrate()
    await server.sql(
      admin,
      `${GRANTS}; ALTER TABLE vantage_keys DISABLE TRIGGER vantage_keys_changed; ALTER TABLE vantage_keys ENABLE TRIGGER vantage_keys_before;
       DROP TRIGGER vantage_tokens_changed ON vantage_token_revocations`,
    )
    const found = find(await examine(asService()), 'triggers')
    expect(found?.result).toBe('wrong')
    for (const name of ['vantage_keys_changed', 'vantage_keys_before', 'vantage_tokens_changed'])
      expect(found?.found).toContain(name)
    expect(found?.found).not.toContain('vantage_keys_audited')
  })

  test('of another version, or of another owner', async () => {
    await migrate()
    await server.sql(admin, `${GRANTS}; UPDATE vantage_schema SET version = 1`)
    expect(find(await examine(asService()), 'schema')).toMatchObject({
      result: 'wrong',
      found: expect.stringContaining('version 1,'),
    })
    await server.sql(admin, 'ALTER TABLE vantage_keys OWNER TO service')
    const checks = await examine(admin)
    expect(find(checks, 'schema')).toMatchObject({
      result: 'wrong',
      found: expect.stringContaining('table vantage_keys of "service"'),
    })
    await server.sql(admin, 'ALTER TABLE vantage_keys OWNER TO admin')
  })

  test('that nobody may log in to, or that is gone', async () => {
    const wrong = await examine(admin.replace(/\/\/[^@]*@/, '//service:wrong-password@'))
    expect(find(wrong, 'store')?.result).toBe('wrong')
    expect(JSON.stringify(wrong)).not.toContain('wrong-password')
    expect(find(await examine('postgres://nobody@127.0.0.1:1/none'), 'store')?.result).toBe('wrong')
  })

  test('--probe measures the feed, and changes no key and no audit trail', async () => {
    await migrate()
    const contents = async () => [
      await server.sql(admin, 'SELECT * FROM vantage_keys'),
      await server.sql(admin, 'SELECT * FROM vantage_audit'),
    ]
    const before = await contents()
    expect(find(await examine(admin, true), 'feed')).toMatchObject({
      result: 'ok',
      found: expect.stringMatching(/^\d+ to \d+ ms/),
    })
    expect(await contents()).toEqual(before)
  })

  test("through the application's own pool", async () => {
    await migrate()
    await server.sql(admin, GRANTS)
    const pool = new Pool({ connectionString: asService() })
    const store = postgresKeyStore({ pool })
    const checks = await examineStore({ kind: 'own', store }, false, config())
    expect(resultsOf(checks)).toMatchObject({ store: 'ok', schema: 'ok', grants: 'ok', triggers: 'ok' })
    await store.close()
    await pool.end()
  })
})
