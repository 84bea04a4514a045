import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client, Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Keyring } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { ChangeFeed, KeyStore } from '../../src/store/contract.js'
import { formatGrants, type Grantee } from '../../src/store/postgres/grants.js'
import { parseServiceName } from '../../src/store/postgres/service-name.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'
import { decide } from '../support/outcome.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { startProxy } from '../support/postgres-proxy.js'
import { until } from '../support/until.js'

let server: PostgresServer
let url: string
let keyring: Keyring
let closers: (() => unknown)[]

beforeAll(async () => {
  if (!postgresIsThere()) return
  server = await startPostgres()
  for (const role of ['mallory', 'service', 'administrator', 'reader', 'app']) {
    await server.sql(server.url('postgres'), `CREATE ROLE ${role} LOGIN PASSWORD 'p'`)
  }
})

afterAll(() => server?.stop())

const sql = (statement: string, values?: unknown[]) => server.sql(url, statement, values)
const as = (role: string) => url.replace(/\/\/[^@]*@/, `//${role}:p@`)
/** Its own connections for each name. */
const named = (name: string, place = url) => `${place}?application_name=${name}`

function open(connectionString: string): KeyStore {
  const store = postgresKeyStore({ connectionString })
  closers.push(() => store.close())
  return store
}

async function follow(connectionString: string, role?: 'observer'): Promise<{ store: KeyStore; feed: ChangeFeed }> {
  const store = open(connectionString)
  const feed = store.watch?.(() => {}, role) as ChangeFeed
  await until(() => feed.state === 'live')
  return { store, feed }
}

function verifier(connectionString: string): Verifier {
  const made = createVerifier({ issuer: false, keys: connectionString })
  closers.push(() => made.close())
  return made
}

async function shell(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString })
  client.on('error', () => {})
  await client.connect()
  closers.push(() => client.end())
  return client
}

async function newKey(): Promise<{ key: string; id: string }> {
  const { key, record } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
  return { key, id: record.id }
}

async function grant(grantee: Grantee): Promise<string> {
  for (const statement of formatGrants(grantee, { role: grantee, schema: 'public' })) await sql(statement)
  return as(grantee)
}

const namesOf = async () => (await keyring.services()).map(({ applicationName }) => applicationName).sort()
const sessionNames = async () =>
  (await sql(`SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'vantage-auth %'`)).map((row) =>
    String(row.application_name),
  )

describe.runIf(postgresIsThere())('the services of a Postgres key store', () => {
  beforeEach(async () => {
    closers = []
    url = await server.emptyDatabase()
    keyring = createKeyring(open(named('administration')))
    await keyring.list()
  })

  afterEach(async () => {
    for (const close of closers.reverse()) await close()
  })

  test('are listed by host, process and name, with how far they have heard; who only looks is not', async () => {
    expect(await keyring.services()).toEqual([])
    await follow(named('jobs-api'))
    await follow(named('reports'))
    await follow(named('console'), 'observer')
    await newKey()
    const [newest] = await sql('SELECT max(seq)::text AS seq FROM vantage_changes')
    const listed = await keyring.services()
    expect(listed.map(({ applicationName }) => applicationName).sort()).toEqual(['jobs-api', 'reports'])
    for (const service of listed) {
      expect(service).toMatchObject({ host: hostname(), pid: process.pid, isUpToDate: true, heardOf: newest?.seq })
      expect(Math.abs(Date.now() - Number(service.since))).toBeLessThan(60_000)
    }
  })

  test('a session that was called otherwise for a moment has ended no earlier than it has', async () => {
    const { id } = await newKey()
    const session = await shell(url)
    const call = (name: string) => session.query(`SELECT set_config('application_name', $1, false)`, [name])
    const [schema] = await sql('SELECT left(feed, 8) AS feed FROM vantage_schema')
    const name = `vantage-auth ${schema?.feed} 4711@elsewhere jobs-api`
    await call(name)
    const revoked = keyring.revoke(id, { confirm: '8s' })
    await delay(300)
    await call('another')
    await delay(1000)
    await call(name)
    // Had it counted from the first time, it would be over soon.
    await delay(4500)
    await session.end()
    expect((await revoked).confirmation).toMatchObject({ services: 1, confirmed: 0 })
  })

  test('are refusing a key at the moment when its revocation is confirmed', async () => {
    const services = ['a', 'b', 'c'].map((name) => verifier(named(name)))
    await Promise.all(services.map((service) => service.ready()))
    // The feed comes up behind it.
    await until(async () => (await keyring.services()).length === 3)
    let accepted = 0
    for (let i = 0; i < 100; i++) {
      const { key, id } = await newKey()
      for (const service of services) await until(async () => (await decide(service, key)) === 'accepted')
      const { confirmation } = await keyring.revoke(id, { confirm: '10s' })
      const decisions = await Promise.all(services.map((service) => decide(service, key)))
      accepted += decisions.filter((decision) => decision !== '401 revoked').length
      expect(confirmation).toMatchObject({ services: 3, confirmed: 3, lastAfterMs: expect.any(Number) })
    }
    expect(accepted).toBe(0)
  }, 120_000)

  test('that are stopped are named, and the call returns when the time is over', async () => {
    const children = await Promise.all(['jobs-1', 'jobs-2', 'jobs-3'].map((name) => service(named(name))))
    const { id } = await newKey()
    const stopped = children[1] as ChildProcess
    stopped.kill('SIGSTOP')
    const { record, confirmation } = await keyring.revoke(id, { confirm: '3s' })
    expect(record.state).toBe('revoked')
    expect(confirmation).toEqual({
      services: 3,
      confirmed: 2,
      lastAfterMs: expect.any(Number),
      unanswered: [{ host: hostname(), pid: stopped.pid, applicationName: 'jobs-2' }],
    })
    stopped.kill('SIGCONT')
    expect((await keyring.revoke(id, { confirm: '20s' })).confirmation).toMatchObject({ services: 3, confirmed: 3 })
  }, 60_000)

  test('are followed by their own schema only', async () => {
    await createKeyring(open(`${named('other')}&schema=other`)).list()
    await follow(`${named('other')}&schema=other`)
    await follow(named('jobs-api'))
    expect(await namesOf()).toEqual(['jobs-api'])
  })

  test('are counted while a service follows, whoever else looks over the same connection', async () => {
    const { store, feed: observer } = await follow(named('both'), 'observer')
    expect(await namesOf()).toEqual([])
    for (let i = 0; i < 3; i++) {
      const feed = store.watch?.(() => {}) as ChangeFeed
      await until(() => feed.state === 'live')
      expect(await namesOf()).toEqual(['both'])
      expect(observer.state).toBe('live')
      await feed.close()
      await until(async () => (await namesOf()).length === 0)
    }
    const ofFeed = `SELECT FROM pg_stat_activity WHERE application_name = 'both' AND query LIKE '%vantage_changes%'`
    await until(async () => (await sql(ofFeed)).length === 1)
  })

  test('are found before they read the log that they rely upon, and live after they have told of what it has', async () => {
    const { id } = await newKey()
    const pool = new Pool({ connectionString: named('jobs-api'), max: 1 })
    closers.push(() => pool.end())
    // Without a connection it cannot prove yet that changes are pushed.
    const taken = await pool.connect()
    const store = postgresKeyStore({ pool })
    closers.push(() => store.close())
    const feeds: ChangeFeed[] = []
    const states = () => feeds.map(({ state }) => state)
    const heard: unknown[] = []
    feeds.push(store.watch?.((change) => heard.push([change, states()])) as ChangeFeed)
    feeds.push(store.watch?.(() => {}, 'observer') as ChangeFeed)
    await until(() => heard.length === 1)
    const writer = await shell(url)
    await writer.query('BEGIN; LOCK TABLE vantage_changes IN ACCESS EXCLUSIVE MODE')
    await writer.query('UPDATE vantage_keys SET revoked_at = now() WHERE id = $1', [id])
    taken.release()
    await until(async () => (await sessionNames()).length === 1)
    expect(states()).toEqual(['down', 'down'])
    await writer.query('COMMIT')
    await until(() => states().every((state) => state === 'live'))
    expect(heard).toEqual([
      [{ all: true }, ['down', 'down']],
      [expect.objectContaining({ id }), ['down', 'down']],
    ])
  })

  test('that are closed are not counted', async () => {
    const { store } = await follow(named('jobs-api'))
    await follow(named('reports'))
    await store.close()
    const { id } = await newKey()
    expect((await keyring.revoke(id, { confirm: '10s' })).confirmation).toMatchObject({ services: 1, confirmed: 1 })
  })

  test('whose session has ended, and who may not know it, are counted for as long as they may serve from a cache', async () => {
    const proxy = await startProxy(server.port)
    closers.push(proxy.close)
    await follow(named('cut-off', proxy.through(url)))
    await follow(named('jobs-api'))
    proxy.stall()
    const { id } = await newKey()
    const listener = await shell(url)
    const asked = once(listener, 'notification')
    await listener.query('LISTEN vantage_questions')
    const revoked = keyring.revoke(id, { confirm: '30s' })
    await asked
    await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%cut-off'`)
    const endedAt = performance.now()
    expect((await revoked).confirmation).toMatchObject({ services: 1, confirmed: 1 })
    expect(performance.now() - endedAt).toBeGreaterThan(4900)
    proxy.resume()
  }, 60_000)

  test('of a role that may not read the log are none, whatever a session is called', async () => {
    await follow(named('jobs-api'))
    const [name = ''] = await sessionNames()
    const log = name.split(' ')[1]
    const mallory = await shell(as('mallory'))
    for (const forged of [name, `vantage-auth ${log} 9.zzzzzzzzz.9 1@evil x`]) {
      await mallory.query(`SELECT set_config('application_name', $1, false)`, [forged])
      expect(await namesOf()).toEqual(['jobs-api'])
    }
    // One that may is one more service, and speaks for itself alone.
    await grant('service')
    const insider = await shell(as('service'))
    const claims = [`vantage-auth ${log} 1@evil x`, `vantage-auth ${log} 9.zzzzzzzzz.9 1@evil x`]
    const { id } = await newKey()
    for (const [i, claim] of claims.entries()) {
      await insider.query(`SELECT set_config('application_name', $1, false)`, [claim])
      const { confirmation } = await keyring.revoke(id, { confirm: '1s' })
      expect(confirmation).toMatchObject({ services: 2, confirmed: 1 + i })
    }
  })

  test('are found and asked with the rights that keys grants gives, also where a login changes its role', async () => {
    await follow(named('jobs-api', await grant('service')))
    await sql('GRANT service TO app; ALTER ROLE app NOINHERIT')
    closers.push(() => sql('REVOKE service FROM app'))
    await follow(`${named('reports', as('app'))}&options=-c%20role%3Dservice`)
    for (const grantee of ['administrator', 'reader'] as const) {
      const own = createKeyring(open(await grant(grantee)), { migrate: false })
      expect((await own.services()).map(({ isUpToDate }) => isUpToDate)).toEqual([true, true])
    }
  })

  test('are found where a role was granted the columns of the log, and not the table', async () => {
    const place = await grant('service')
    await sql(`REVOKE SELECT ON vantage_changes FROM service;
      GRANT SELECT (seq, id, revocation, at) ON vantage_changes TO service`)
    await follow(named('jobs-api', place))
    expect(await namesOf()).toEqual(['jobs-api'])
  })

  test('say since when they have followed without a gap', async () => {
    await follow(named('jobs-api'))
    const sinceOf = async () => Number((await keyring.services())[0]?.since)
    const first = await sinceOf()
    expect(await sinceOf()).toBe(first)
    const triggers = await sql(
      `SELECT tgname FROM pg_trigger WHERE tgrelid = 'vantage_keys'::regclass AND NOT tgisinternal`,
    )
    const back = triggers.map(({ tgname }) => `ALTER TABLE vantage_keys ENABLE ALWAYS TRIGGER ${tgname};`).join('')
    await sql(`BEGIN; ALTER TABLE vantage_keys DISABLE TRIGGER USER; ${back} COMMIT`)
    expect(await sinceOf()).toBeGreaterThan(first)
  })

  test('are asked through a proxy that delivers no notifications; those behind one cannot be', async () => {
    const proxy = await startProxy(server.port, { dropNotifications: true })
    closers.push(proxy.close)
    const polling = open(named('polling', proxy.through(url)))
    const feed = polling.watch?.(() => {}) as ChangeFeed
    await until(() => feed.state === 'polling')
    await follow(named('jobs-api'))
    const own = createKeyring(open(named('behind', proxy.through(url))))
    expect((await own.services()).map(({ applicationName }) => applicationName)).toEqual(['jobs-api'])
  })

  test('answer, and hear of revocations, in a flood of notifications', async () => {
    const by = verifier(named('jobs-api'))
    await by.ready()
    const [log] = await sql('SELECT left(feed, 8) AS log FROM vantage_schema')
    const mallory = await shell(as('mallory'))
    let flooding = true
    const flood = (async () => {
      while (flooding) {
        await mallory.query(
          `SELECT pg_notify('vantage_changes', i::text), pg_notify('vantage_questions', i::text),
            pg_notify('vantage_questions', $1) FROM generate_series(1, 10000) i`,
          [log?.log],
        )
      }
    })()
    for (let i = 0; i < 3; i++) {
      const { key, id } = await newKey()
      await until(async () => (await decide(by, key)) === 'accepted')
      const { confirmation } = await keyring.revoke(id, { confirm: '20s' })
      expect(confirmation).toMatchObject({ services: 1, confirmed: 1 })
      expect(await decide(by, key)).toBe('401 revoked')
    }
    flooding = false
    await flood
  }, 60_000)

  test('that have long names are told by a part of them, while they answer and else', async () => {
    const long = 'a-program-whose-name-is-longer-than-what-fits-into-the-name-of-it'
    await follow(named(long))
    for (let i = 0; i < 2; i++) {
      const [listed] = await keyring.services()
      expect(listed).toMatchObject({ pid: process.pid, isUpToDate: true })
      expect(long.startsWith(String(listed?.applicationName))).toBe(true)
      expect((await sessionNames())[0]?.length).toBeLessThanOrEqual(63)
    }
  })
})

test.each([
  ['vantage-auth', undefined],
  ['vantage-auth 01234567', undefined],
  ['vantage-auth 01234567 12345678901@host app', undefined],
  ['vantage-auth 01234567 1.2 3@host app', undefined],
  ['vantage-auth 01234567 3@host a b', undefined],
  ['vantage-auth 01234567 1.2.zzzzzzzzzzzzzz 3@host app', undefined],
  ['vantage-auth 01234567 3@h\u001b[2Jost app', { pid: 3, host: 'h_[2Jost', applicationName: 'app' }],
  ['vantage-auth 01234567 3@ ', { pid: 3, host: null, applicationName: null }],
  [
    'vantage-auth 01234567 10.zzzzzzzzzzzzz.11 3@host app',
    { since: 36, snapshot: 36n ** 13n - 1n, heardOf: '37', pid: 3, host: 'host', applicationName: 'app' },
  ],
])('the name %j is read with care', (name, expected) => {
  expect(parseServiceName(name)).toEqual(expected)
})

/** A service in a process of its own, once it follows the store. */
async function service(connectionString: string): Promise<ChildProcess> {
  const program = `
    import { postgresKeyStore } from ${JSON.stringify(new URL('../../src/store/postgres/store.ts', import.meta.url).href)}
    const store = postgresKeyStore({ connectionString: process.argv[2] })
    const feed = store.watch(() => {})
    const timer = setInterval(() => {
      if (feed.state !== 'live') return
      clearInterval(timer)
      process.send('live')
    }, 5)
    process.on('disconnect', () => process.exit())`
  const folder = mkdtempSync(join(tmpdir(), 'vantage-service-'))
  const path = join(folder, 'program.mjs')
  writeFileSync(path, program)
  const child = fork(path, [connectionString], { execArgv: ['--import', import.meta.resolve('tsx')] })
  child.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  closers.push(() => {
    child.kill('SIGCONT')
    if (child.connected) child.disconnect()
  })
  await once(child, 'message')
  return child
}
