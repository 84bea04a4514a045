import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Keyring } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { ChangeFeed, KeyChange, KeyStore } from '../../src/store/contract.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'
import { decide } from '../support/outcome.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { type PostgresProxy, startProxy } from '../support/postgres-proxy.js'
import { until } from '../support/until.js'

let server: PostgresServer
let url: string
let keyring: Keyring
let closers: (() => unknown)[]

beforeAll(async () => {
  if (postgresIsThere()) server = await startPostgres()
})

afterAll(() => server?.stop())

const sql = (statement: string, values?: unknown[]) => server.sql(url, statement, values)

function open(connectionString: string): KeyStore {
  const store = postgresKeyStore({ connectionString })
  closers.push(() => store.close())
  return store
}

async function proxied(options?: { dropNotifications?: boolean }): Promise<PostgresProxy> {
  const proxy = await startProxy(server.port, options)
  closers.push(proxy.close)
  return proxy
}

interface Watched {
  readonly feed: ChangeFeed
  readonly heard: string[]
}

function watch(store: KeyStore): Watched {
  const heard: string[] = []
  const feed = store.watch?.((change: KeyChange) => heard.push('id' in change ? change.id : '*'))
  if (feed === undefined) throw new Error('the store has no change feed')
  closers.push(() => feed.close())
  return { feed, heard }
}

function verifier(store: KeyStore, options: { storeMaxStaleSeconds?: number } = {}): Verifier {
  const made = createVerifier({ issuer: false, keys: store, ...options })
  closers.push(() => made.close())
  return made
}

/** Whether the decision comes from the cache: it is synchronous then. */
function fromCache(by: Verifier, key: string): boolean {
  try {
    const decision = by.authenticate({ authorization: `Bearer ${key}` })
    if (decision instanceof Promise) decision.catch(() => {})
    return !(decision instanceof Promise)
  } catch {
    return false
  }
}

async function newKey(): Promise<{ key: string; id: string }> {
  const { key, record } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
  return { key, id: record.id }
}

describe.runIf(postgresIsThere())('the change feed of a Postgres key store', () => {
  beforeEach(async () => {
    closers = []
    url = await server.emptyDatabase()
    const administration = open(`${url}?application_name=administration`)
    keyring = createKeyring(administration)
    await keyring.list()
  })

  afterEach(async () => {
    for (const close of closers.reverse()) await close()
  })

  test('is down at first, and live once push is proven', async () => {
    const { feed } = watch(open(url))
    expect(feed.state).toBe('down')
    await until(() => feed.state !== 'down')
    expect(feed.state).toBe('live')
  })

  // Or a key that was cached before, and revoked before the first reading, would be accepted in an outage.
  test('tells of a change of everything before it is up, and not when it comes back to an unbroken log', async () => {
    const states: unknown[] = []
    const feed = open(url).watch?.((change) => states.push([change, feed.state])) as ChangeFeed
    closers.push(() => feed.close())
    await until(() => feed.state === 'live')
    expect(states).toEqual([[{ all: true }, 'down']])
    const { epoch } = feed
    await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name LIKE 'vantage-auth%' AND datname = current_database()`)
    await until(() => feed.state === 'live' && feed.epoch > epoch)
    expect(states).toHaveLength(1)
  })

  test('leaves nothing for storeMaxStaleSeconds of what may have changed while a trigger was off', async () => {
    const proxy = await proxied()
    const store = open(proxy.through(url))
    const by = verifier(store, { storeMaxStaleSeconds: 600 })
    const { feed } = watch(store)
    const { key, id } = await newKey()
    await until(async () => (await decide(by, key)) === 'accepted' && fromCache(by, key))
    const { epoch } = feed
    const triggers = await sql(
      `SELECT tgname FROM pg_trigger WHERE tgrelid = 'vantage_keys'::regclass AND NOT tgisinternal`,
    )
    const back = triggers.map(({ tgname }) => `ALTER TABLE vantage_keys ENABLE ALWAYS TRIGGER ${tgname};`)
    await sql(`BEGIN; ALTER TABLE vantage_keys DISABLE TRIGGER USER;
      UPDATE vantage_keys SET revoked_at = now() WHERE id = '${id}'; ${back.join(' ')} COMMIT`)
    await until(() => feed.epoch > epoch)
    proxy.stall()
    proxy.cut()
    await until(() => feed.state === 'down')
    expect(await decide(by, key)).toBe('503')
  }, 60_000)

  test('tells of a change of everything before it answers while triggers are missing', async () => {
    const { feed, heard } = watch(open(url))
    await until(() => feed.state === 'live')
    await sql('DROP TRIGGER vantage_keys_changed ON vantage_keys')
    await until(() => feed.state === 'down')
    heard.length = 0
    expect(await keyring.services()).toMatchObject([{ isUpToDate: true }])
    expect(heard).toContain('*')
  })

  test('tells a verifier of a revocation that another service makes', async () => {
    const store = open(url)
    const by = verifier(store)
    const { feed } = watch(store)
    await until(() => feed.state === 'live')
    for (let i = 0; i < 20; i++) {
      const { key, id } = await newKey()
      await until(async () => (await decide(by, key)) === 'accepted' && fromCache(by, key))
      await keyring.revoke(id)
      await until(async () => (await decide(by, key)) === '401 revoked')
    }
  })

  test('is polling where LISTEN is cut off, says so once in a process warning, and hears of everything', async () => {
    const warnings: unknown[] = []
    const note = (warning: Error & { code?: string }) => warnings.push(warning.code)
    process.on('warning', note)
    closers.push(() => process.off('warning', note))
    const proxy = await proxied({ dropNotifications: true })
    const feeds = [1, 2].map((i) => watch(open(`${proxy.through(url)}?application_name=service_${i}`)))
    for (const { feed } of feeds) await until(() => feed.state !== 'down')
    expect(feeds.map(({ feed }) => feed.state)).toEqual(['polling', 'polling'])
    expect(warnings.filter((code) => code === 'VANTAGE_FEED_POLLING')).toHaveLength(1)
    const { id } = await newKey()
    for (const { heard } of feeds) await until(() => heard.includes(id))
  })

  test('starts a new epoch and misses nothing when its connection is ended', async () => {
    const { feed, heard } = watch(open(url))
    await until(() => feed.state === 'live')
    const epoch = feed.epoch
    const ids: string[] = []
    for (let i = 0; i < 3; i++) {
      await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE 'vantage-auth%' AND datname = current_database()`)
      ids.push((await newKey()).id)
      await until(() => feed.state === 'live' && feed.epoch > epoch + i)
    }
    await until(() => ids.every((id) => heard.includes(id)))
  })

  test('is down at once when its connection ends, so that cached keys are confirmed with the store', async () => {
    const proxy = await proxied()
    const store = open(proxy.through(url))
    const by = verifier(store)
    const { key, id } = await newKey()
    await until(async () => (await decide(by, key)) === 'accepted' && fromCache(by, key))
    await server.halt()
    closers.push(() => server.start())
    await until(() => !fromCache(by, key))
    // Out of reach is 503, and never a word on the key.
    expect(await decide(by, key)).toBe('503')
    closers.pop()
    await server.start()
    await sql(`UPDATE vantage_keys SET revoked_at = now() WHERE id = $1`, [id])
    await until(async () => (await decide(by, key)) !== '503')
    expect(await decide(by, key)).toBe('401 revoked')
  })

  test('comes back after a restart of the server, and the cache with it', async () => {
    const store = open(url)
    const by = verifier(store)
    const { feed, heard } = watch(store)
    const { key } = await newKey()
    await until(async () => feed.state === 'live' && (await decide(by, key)) === 'accepted' && fromCache(by, key))
    const epoch = feed.epoch
    await server.halt()
    await until(() => feed.state === 'down')
    await server.start()
    await until(() => feed.state === 'live')
    expect(feed.epoch).toBeGreaterThan(epoch)
    // Not from the cache of the older epoch.
    expect(fromCache(by, key)).toBe(false)
    await until(async () => (await decide(by, key)) === 'accepted' && fromCache(by, key))
    const { id } = await newKey()
    await until(() => heard.includes(id))
  })

  describe('over a network that stalls without closing', () => {
    test('is down within 5 s of the last answer; then 503, never 401 and never a cached key; and refuses what was revoked meanwhile', async () => {
      const proxy = await proxied()
      const store = open(proxy.through(url))
      const by = verifier(store)
      const { feed } = watch(store)
      const { key, id } = await newKey()
      const other = await newKey()
      await until(async () => (await decide(by, key)) === 'accepted' && fromCache(by, key))
      await until(async () => (await decide(by, other.key)) === 'accepted' && fromCache(by, other.key))
      const epoch = feed.epoch

      proxy.stall()
      const stalledAt = performance.now()
      await keyring.revoke(id)
      await until(() => feed.state === 'down')
      expect(performance.now() - stalledAt).toBeLessThan(5500)
      expect(await Promise.all([decide(by, key), decide(by, other.key)])).toEqual(['503', '503'])

      proxy.resume()
      await until(async () => (await decide(by, key)) !== '503')
      expect(await decide(by, key)).toBe('401 revoked')
      await until(() => feed.state === 'live')
      expect(feed.epoch).toBeGreaterThan(epoch)
      expect(await decide(by, key)).toBe('401 revoked')
      expect(await decide(by, other.key)).toBe('accepted')
    }, 60_000)

    test('serves what was confirmed before, for storeMaxStaleSeconds and no revoked key', async () => {
      const proxy = await proxied()
      const store = open(proxy.through(url))
      const by = verifier(store, { storeMaxStaleSeconds: 600 })
      const { feed } = watch(store)
      const [kept, revoked] = [await newKey(), await newKey()]
      for (const { key } of [kept, revoked]) {
        await until(async () => (await decide(by, key)) === 'accepted' && fromCache(by, key))
      }
      await keyring.revoke(revoked.id)
      await until(async () => (await decide(by, revoked.key)) === '401 revoked')
      const unseen = await newKey()
      proxy.stall()
      proxy.cut()
      await until(() => feed.state === 'down')
      expect(await decide(by, kept.key)).toBe('accepted')
      expect(await decide(by, unseen.key)).toBe('503')
      expect(await decide(by, revoked.key)).not.toBe('accepted')
    }, 60_000)

    test('closes all the same', async () => {
      const proxy = await proxied()
      const store = open(proxy.through(url))
      const { feed } = watch(store)
      await until(() => feed.state === 'live')
      await store.find('a')
      proxy.stall()
      await store.close()
      expect(feed.state).toBe('down')
    })
  })

  describe('in a history that is another one', () => {
    async function followed(): Promise<Watched & { epoch: number }> {
      const { feed, heard } = watch(open(url))
      await until(() => feed.state === 'live')
      const { id } = await newKey()
      await until(() => heard.includes(id))
      heard.length = 0
      return { feed, heard, epoch: feed.epoch }
    }

    test.each([
      ['the sequence has gone back', 'DELETE FROM vantage_changes'],
      ['the feed id has changed', `UPDATE vantage_schema SET feed = 'restored'`],
      [
        'the log was pruned beyond its position',
        `WITH added AS (INSERT INTO vantage_changes (id) VALUES ('x') RETURNING seq)
          DELETE FROM vantage_changes WHERE seq < (SELECT seq FROM added)`,
      ],
      [
        'the change at its position is not the one that it read',
        `UPDATE vantage_changes SET at = at - interval '1 hour' WHERE seq = (SELECT max(seq) FROM vantage_changes)`,
      ],
    ])('starts a new epoch in which every key is looked at again: %s', async (_, change) => {
      const { feed, heard, epoch } = await followed()
      await sql(change)
      await until(() => feed.epoch > epoch)
      await until(() => heard.includes('*'))
      const { id } = await newKey()
      await until(() => heard.includes(id))
    })

    test('tells of all keys at once when more has changed than is worth telling one by one', async () => {
      const { heard } = await followed()
      await sql(`INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at)
        SELECT 'bulk' || i, 'd', 's', 'live', 'jobs:read', now() FROM generate_series(1, 6000) AS i`)
      await until(() => heard.length > 0)
      expect(heard).toEqual(['*'])
      const { id } = await newKey()
      await until(() => heard.length > 1)
      expect(heard).toEqual(['*', id])
    })
  })

  test('does not keep a process alive', async () => {
    const program = `
      import { postgresKeyStore } from ${JSON.stringify(new URL('../../src/store/postgres/store.ts', import.meta.url).href)}
      const store = postgresKeyStore({ connectionString: process.argv[2] })
      const feed = store.watch(() => {})
      while (feed.state === 'down') await new Promise((resolve) => setTimeout(resolve, 5))
      await store.find('a')
      process.send(feed.state)
      process.disconnect()`
    const child = run(program, url)
    const [state] = await once(child, 'message')
    expect(state).toBe('live')
    // Nothing is closed, and it ends by itself.
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('reaches the verifiers of other processes, and none accepts after it has refused', async () => {
    const program = `
      import { createVerifier } from ${JSON.stringify(new URL('../../src/verifier/verifier.ts', import.meta.url).href)}
      const verifier = createVerifier({ issuer: false, keys: process.argv[2] })
      const decide = async (key) => {
        try { await verifier.authenticate({ authorization: 'Bearer ' + key }); return true } catch { return false }
      }
      process.on('message', async (key) => {
        let cached = 0
        while (cached < 3) {
          if (verifier.authenticate({ authorization: 'Bearer ' + key }) instanceof Promise) await decide(key)
          else cached++
          await new Promise((resolve) => setTimeout(resolve, 2))
        }
        process.send({ warm: key })
        while (await decide(key)) await new Promise((resolve) => setImmediate(resolve))
        process.send({ refused: key, at: performance.timeOrigin + performance.now() })
        let again = 0
        for (let i = 0; i < 50; i++) { if (await decide(key)) again++; await new Promise((resolve) => setImmediate(resolve)) }
        process.send({ ended: key, again })
      })
      process.on('disconnect', () => process.exit())`
    const children = [run(program, url), run(program, url)]
    closers.push(() => {
      for (const child of children) child.disconnect()
    })
    const lags: number[] = []
    for (let round = 0; round < 5; round++) {
      const { key, id } = await newKey()
      const messages = children.map((child) => {
        const seen: { warm?: string; refused?: string; at?: number; again?: number }[] = []
        child.on('message', (message) => seen.push(message as (typeof seen)[number]))
        child.send(key)
        return seen
      })
      for (const seen of messages) await until(() => seen.some(({ warm }) => warm === key))
      const revokedAt = performance.timeOrigin + performance.now()
      await keyring.revoke(id)
      for (const seen of messages) {
        await until(() => seen.some(({ again }) => again !== undefined))
        expect(seen.find(({ again }) => again !== undefined)?.again).toBe(0)
        lags.push((seen.find(({ at }) => at !== undefined)?.at ?? 0) - revokedAt)
      }
      for (const child of children) child.removeAllListeners('message')
    }
    console.info(`refused by the other processes after ${lags.map((ms) => ms.toFixed(1)).join(', ')} ms`)
  }, 60_000)
})

/** A process of its own that runs a program. */
function run(program: string, ...words: string[]): ChildProcess {
  const folder = mkdtempSync(join(tmpdir(), 'vantage-program-'))
  const path = join(folder, 'program.mjs')
  writeFileSync(path, program)
  const child = fork(path, words, { execArgv: ['--import', import.meta.resolve('tsx')] })
  child.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return child
}
