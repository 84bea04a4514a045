import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { KeyStoreError } from '../../src/core/errors.js'
import type {
  ChangeFeed,
  KeyChange,
  KeyQuery,
  KeyStore,
  StoredAuditEntry,
  StoredKey,
  StoredTokenRevocation,
} from '../../src/store/contract.js'

import { memoryKeyStore } from '../../src/store/memory.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { libsql, loadSqliteDriver } from '../../src/store/sqlite/driver.js'
import { createSqliteKeyStore, sqliteKeyStore } from '../../src/store/sqlite/store.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { temporaryFolder } from './sqlite-files.js'

/** One empty store, ready for use, and what ends it. */
interface Opened {
  readonly store: KeyStore
  /** A second store on the same keys, where there can be one. */
  readonly another?: () => KeyStore
  readonly remove?: () => void
}

interface Candidate {
  readonly name: string
  open(): Promise<Opened>
}

async function openSqlite(make: (path: string) => KeyStore): Promise<Opened> {
  const folder = temporaryFolder()
  const another = () => make(folder.path('keys.db'))
  const store = another()
  await store.migrate?.()
  return { store, another, remove: folder.remove }
}

const candidates: Candidate[] = [
  { name: 'memory', open: async () => ({ store: memoryKeyStore() }) },
  {
    name: `SQLite by ${loadSqliteDriver().name}`,
    open: () => openSqlite((path) => sqliteKeyStore({ path })),
  },
]

const other = libsql()
if (loadSqliteDriver().name === 'node:sqlite') {
  if (other === undefined) throw new Error('libsql is a development dependency: run npm ci')
  candidates.push({ name: 'SQLite by libsql', open: () => openSqlite((path) => createSqliteKeyStore(path, other)) })
}

let server: Promise<PostgresServer> | undefined

async function openPostgres(): Promise<Opened> {
  server ??= startPostgres()
  const url = await (await server).emptyDatabase()
  let number = 0
  // Stores of one URL share their connections, which those of two services do not.
  const another = () => postgresKeyStore({ connectionString: `${url}?application_name=service_${++number}` })
  const store = another()
  await store.migrate?.()
  return { store, another }
}

if (postgresIsThere()) candidates.push({ name: 'Postgres', open: openPostgres })

afterAll(async () => (await server)?.stop())

const NOW = Date.UTC(2026, 10, 25, 12)
const HOUR = 3_600_000
const DAY = 24 * HOUR

let serial = 0

function storedKey(values: Partial<StoredKey> = {}): StoredKey {
  serial++
  const id = `key${String(serial).padStart(9, '0')}`
  return {
    id,
    digest: `sha256:${id}`,
    subject: 'user_123',
    tenant: null,
    name: null,
    environment: 'live',
    scopes: ['jobs:read'],
    createdAt: NOW,
    createdBy: null,
    expiresAt: NOW + 365 * DAY,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    replaces: null,
    replacedBy: null,
    ...values,
  }
}

/** Waits for what a feed brings; the limit is generous, since it only tells "never" from "later". */
async function until(feed: ChangeFeed, condition: () => boolean): Promise<void> {
  const limit = performance.now() + 5000
  for (;;) {
    feed.poll?.()
    if (condition()) return
    if (performance.now() > limit) throw new Error(`it did not come about; the feed is ${feed.state}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe.each(candidates)('a key store: $name', ({ open }) => {
  const closers: (() => unknown)[] = []

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  async function opened(): Promise<Opened> {
    const result = await open()
    closers.push(() => result.remove?.())
    closers.push(() => result.store.close())
    return result
  }

  async function openStore(): Promise<KeyStore> {
    return (await opened()).store
  }

  function watch(store: KeyStore, into: KeyChange[]): ChangeFeed {
    const feed = store.watch?.((change) => into.push(change))
    if (feed === undefined) throw new Error('the store has no change feed')
    closers.push(() => feed.close())
    return feed
  }

  const ids = (changes: KeyChange[]) => changes.map((change) => ('id' in change ? change.id : '(all)'))

  describe('find and insert', () => {
    test('gives back every field of a key as it was inserted', async () => {
      const store = await openStore()
      const full = storedKey({
        subject: 'Größe "日本" \' 🚀',
        tenant: 'acme',
        name: 'nightly; DROP TABLE vantage_keys',
        environment: 'test',
        scopes: ['jobs:write', 'jobs:read', 'reports:read'],
        createdBy: 'ops',
        expiresAt: NOW + 1,
        revokedAt: NOW + 2,
        revokedBy: 'sec',
        revokedReason: 'leaked',
        replaces: 'before',
        replacedBy: 'after',
      })
      const bare = storedKey({ expiresAt: null })
      await store.insert(full)
      await store.insert(bare)
      expect(await store.find(full.id)).toEqual(full)
      expect(await store.find(bare.id)).toEqual(bare)
    })

    test('finds nothing under an unknown id, an empty one, or one in other letters', async () => {
      const store = await openStore()
      await store.insert(storedKey({ id: 'AbcdefGhijkl' }))
      expect(await store.find('unknown')).toBeUndefined()
      expect(await store.find('')).toBeUndefined()
      expect(await store.find('abcdefghijkl')).toBeUndefined()
    })

    test('rejects a second key of one id and keeps the first', async () => {
      const store = await openStore()
      const key = storedKey()
      await store.insert(key)
      await expect(store.insert({ ...key, subject: 'intruder' })).rejects.toThrow(KeyStoreError)
      expect(await store.find(key.id)).toEqual(key)
    })

    test('keeps a key as it was when the caller changes its object afterwards', async () => {
      const store = await openStore()
      const scopes = ['jobs:read']
      const key = storedKey({ scopes })
      await store.insert(key)
      scopes.push('teams:write')
      expect((await store.find(key.id))?.scopes).toEqual(['jobs:read'])
    })
  })

  describe('update', () => {
    test('replaces a key and adds its successor', async () => {
      const store = await openStore()
      const key = storedKey()
      const successor = storedKey({ replaces: key.id })
      const next = { ...key, expiresAt: NOW + DAY, replacedBy: successor.id }
      await store.insert(key)
      expect(await store.update(key, next, successor)).toBe(true)
      expect(await store.find(key.id)).toEqual(next)
      expect(await store.find(successor.id)).toEqual(successor)
    })

    test.each<[string, Partial<StoredKey>]>([
      ['expiry', { expiresAt: NOW + 1 }],
      ['expiry, to none,', { expiresAt: null }],
      ['revocation', { revokedAt: NOW }],
      ['successor', { replacedBy: 'another' }],
    ])('writes nothing when the %s has changed in between', async (_, change) => {
      const store = await openStore()
      const key = storedKey()
      const changed = { ...key, ...change }
      const successor = storedKey()
      await store.insert(key)
      expect(await store.update(key, changed)).toBe(true)
      expect(await store.update(key, { ...key, revokedAt: NOW + 5 }, successor)).toBe(false)
      expect(await store.find(key.id)).toEqual(changed)
      expect(await store.find(successor.id)).toBeUndefined()
    })

    test('writes nothing for an unknown key', async () => {
      const store = await openStore()
      const key = storedKey()
      const successor = storedKey()
      expect(await store.update(key, { ...key, revokedAt: NOW }, successor)).toBe(false)
      expect(await store.find(key.id)).toBeUndefined()
      expect(await store.find(successor.id)).toBeUndefined()
    })

    test('writes nothing when the id of the successor is taken', async () => {
      const store = await openStore()
      const [key, taken] = [storedKey(), storedKey()]
      await store.insert(key)
      await store.insert(taken)
      const next = { ...key, replacedBy: taken.id }
      await expect(store.update(key, next, { ...taken, subject: 'intruder' })).rejects.toThrow(KeyStoreError)
      expect(await store.find(key.id)).toEqual(key)
      expect(await store.find(taken.id)).toEqual(taken)
    })

    test('lets one of several updates at once win', async () => {
      const { store, another } = await opened()
      const key = storedKey()
      await store.insert(key)
      const second = another?.() ?? store
      closers.push(() => second.close())
      const outcomes = await Promise.all(
        [store, second, store, second].map((one, i) => one.update(key, { ...key, replacedBy: `successor${i}` })),
      )
      expect(outcomes.filter(Boolean)).toHaveLength(1)
      expect((await store.find(key.id))?.replacedBy).toBe(`successor${outcomes.indexOf(true)}`)
    })
  })

  describe('list', () => {
    async function listed(store: KeyStore, query: Partial<KeyQuery>): Promise<string[]> {
      return (await store.list({ now: NOW, limit: 100, ...query })).map((key) => key.id)
    }

    async function fill(store: KeyStore, keys: Record<string, Partial<StoredKey>>): Promise<void> {
      for (const [id, values] of Object.entries(keys)) await store.insert(storedKey({ id, ...values }))
    }

    test('gives the newest first, and of one instant the greater id', async () => {
      const store = await openStore()
      await fill(store, { b: {}, d: {}, old: { createdAt: NOW - 1 }, new: { createdAt: NOW + 1 }, a: {}, B: {} })
      expect(await listed(store, {})).toEqual(['new', 'd', 'b', 'a', 'B', 'old'])
      expect(await listed(store, { limit: 2 })).toEqual(['new', 'd'])
    })

    test('gives every field, and the last use', async () => {
      const store = await openStore()
      const key = storedKey({ tenant: 'acme', name: 'n', createdBy: 'ops' })
      await store.insert(key)
      expect(await store.list({ now: NOW, limit: 1 })).toEqual([{ ...key, lastUsedAt: null }])
      await store.addUsage([{ id: key.id, day: '2026-11-25', count: 1, lastUsedAt: NOW + 7 }])
      expect(await store.list({ now: NOW, limit: 1 })).toEqual([{ ...key, lastUsedAt: NOW + 7 }])
    })

    test('filters by id, subject and tenant', async () => {
      const store = await openStore()
      await fill(store, {
        a: { subject: 'ann' },
        b: { subject: 'bob', tenant: 'acme' },
        c: { subject: 'ann', tenant: 'acme' },
      })
      expect(await listed(store, { id: 'b' })).toEqual(['b'])
      expect(await listed(store, { id: 'x' })).toEqual([])
      expect(await listed(store, { subject: 'ann' })).toEqual(['c', 'a'])
      expect(await listed(store, { tenant: 'acme' })).toEqual(['c', 'b'])
      expect(await listed(store, { subject: 'ann', tenant: 'acme' })).toEqual(['c'])
      expect(await listed(store, { id: 'b', subject: 'ann' })).toEqual([])
    })

    test('filters by state: revocation outranks expiry, and expiry outranks replacement', async () => {
      const store = await openStore()
      await fill(store, {
        active: {},
        endless: { expiresAt: null },
        lastMoment: { expiresAt: NOW + 1 },
        superseded: { replacedBy: 'x' },
        supersededEndless: { replacedBy: 'x', expiresAt: null },
        expired: { expiresAt: NOW },
        expiredReplaced: { expiresAt: NOW - 1, replacedBy: 'x' },
        revoked: { revokedAt: NOW - 1 },
        revokedExpired: { revokedAt: NOW - 1, expiresAt: NOW - 1, replacedBy: 'x' },
      })
      expect(await listed(store, { state: 'active' })).toEqual(['lastMoment', 'endless', 'active'])
      expect(await listed(store, { state: 'superseded' })).toEqual(['supersededEndless', 'superseded'])
      expect(await listed(store, { state: 'expired' })).toEqual(['expiredReplaced', 'expired'])
      expect(await listed(store, { state: 'revoked' })).toEqual(['revokedExpired', 'revoked'])
      expect(await listed(store, { state: 'expired', now: NOW + 1 })).toEqual([
        'lastMoment',
        'expiredReplaced',
        'expired',
      ])
    })

    test('filters those that were not used since an instant, and existed before it', async () => {
      const store = await openStore()
      const old = { createdAt: NOW - 100 * DAY }
      await fill(store, { never: old, before: old, at: old, after: old, young: { createdAt: NOW - DAY } })
      const since = NOW - 30 * DAY
      await store.addUsage([
        { id: 'before', day: '2026-10-26', count: 1, lastUsedAt: since - 1 },
        { id: 'at', day: '2026-10-26', count: 1, lastUsedAt: since },
        { id: 'after', day: '2026-10-26', count: 1, lastUsedAt: since - 1 },
        { id: 'after', day: '2026-10-27', count: 1, lastUsedAt: since + DAY },
      ])
      expect(await listed(store, { unusedSince: since })).toEqual(['never', 'before'])
    })

    test('filters those that are accepted and will not be at an instant', async () => {
      const store = await openStore()
      await fill(store, {
        endless: { expiresAt: null },
        past: { expiresAt: NOW },
        soon: { expiresAt: NOW + 1 },
        at: { expiresAt: NOW + 30 * DAY },
        revoked: { expiresAt: NOW + 1, revokedAt: NOW },
        superseded: { expiresAt: NOW + 2, replacedBy: 'x' },
      })
      expect(await listed(store, { expiringBefore: NOW + 30 * DAY })).toEqual(['superseded', 'soon'])
    })

    test('gives every key once over pages of any length, also where instants are equal', async () => {
      const store = await openStore()
      for (let i = 0; i < 23; i++) await store.insert(storedKey({ createdAt: NOW + Math.floor(i / 5) }))
      const all = await listed(store, {})
      for (const limit of [1, 4, 23]) {
        const seen: string[] = []
        for (let after: KeyQuery['after']; ; ) {
          const page = await store.list({ now: NOW, limit, ...(after && { after }) })
          seen.push(...page.map((key) => key.id))
          const last = page.at(-1)
          if (last === undefined) break
          after = { createdAt: last.createdAt, id: last.id }
        }
        expect(seen).toEqual(all)
      }
    })

    test('combines filters with a place in the list', async () => {
      const store = await openStore()
      await fill(store, { a: { subject: 'ann' }, b: { subject: 'bob' }, c: { subject: 'ann' }, d: { subject: 'ann' } })
      expect(await listed(store, { subject: 'ann', after: { createdAt: NOW, id: 'd' }, limit: 1 })).toEqual(['c'])
    })
  })

  describe('usage', () => {
    test('adds up counts by day, and lets the last use only move forward', async () => {
      const store = await openStore()
      const key = storedKey()
      await store.insert(key)
      await store.addUsage([
        { id: key.id, day: '2026-11-24', count: 3, lastUsedAt: NOW - DAY },
        { id: key.id, day: '2026-11-25', count: 2, lastUsedAt: NOW },
      ])
      await store.addUsage([{ id: key.id, day: '2026-11-25', count: 5, lastUsedAt: NOW - HOUR }])
      expect(await store.readUsage(key.id, '2026-11-24')).toEqual({
        total: 10,
        days: [
          { day: '2026-11-24', count: 3 },
          { day: '2026-11-25', count: 7 },
        ],
      })
      expect(await store.readUsage(key.id, '2026-11-25')).toEqual({
        total: 10,
        days: [{ day: '2026-11-25', count: 7 }],
      })
      expect((await store.list({ now: NOW, id: key.id, limit: 1 }))[0]?.lastUsedAt).toBe(NOW)
    })

    test('ignores ids that are not there, and counts the others', async () => {
      const store = await openStore()
      const key = storedKey()
      await store.insert(key)
      await store.addUsage([])
      await store.addUsage([
        { id: 'gone', day: '2026-11-25', count: 3, lastUsedAt: NOW },
        { id: key.id, day: '2026-11-25', count: 1, lastUsedAt: NOW },
      ])
      expect((await store.readUsage(key.id, '2026-01-01')).total).toBe(1)
      expect(await store.readUsage('gone', '2026-01-01')).toEqual({ total: 0, days: [] })
    })
  })

  describe('list, for keys that are to be given up', () => {
    test('filters those that were created before an instant', async () => {
      const store = await openStore()
      const [old, young] = [storedKey({ createdAt: NOW - 1 }), storedKey({ createdAt: NOW })]
      await store.insert(old)
      await store.insert(young)
      expect((await store.list({ now: NOW, createdBefore: NOW, limit: 9 })).map(({ id }) => id)).toEqual([old.id])
    })

    test('filters those that are superseded and were used since', async () => {
      const store = await openStore()
      const uses: [string, number][] = []
      const rotated = async (id: string, usedAt: number, values: Partial<StoredKey> = {}) => {
        const successor = storedKey({ createdAt: NOW, replaces: id })
        const key = storedKey({ id, createdAt: NOW - DAY })
        await store.insert(key)
        await store.update(key, { ...key, replacedBy: successor.id, ...values }, successor)
        uses.push([id, usedAt])
      }
      await rotated('inUse', NOW)
      await rotated('before', NOW - 1)
      await rotated('ended', NOW, { expiresAt: NOW + HOUR })
      await rotated('revoked', NOW, { revokedAt: NOW })
      const single = storedKey({ id: 'single' })
      await store.insert(single)
      uses.push(['single', NOW])
      await store.addUsage(uses.map(([id, lastUsedAt]) => ({ id, day: '2026-11-25', count: 1, lastUsedAt })))
      const listed = await store.list({ now: NOW + HOUR, supersededInUse: true, limit: 9 })
      expect(listed.map(({ id }) => id)).toEqual(['inUse'])
    })
  })

  describe('revocations of tokens', () => {
    const revocation = (id: string, values: Partial<StoredTokenRevocation> = {}): StoredTokenRevocation => ({
      id,
      issuer: 'https://issuer.example',
      tokenId: null,
      subject: 'user_123',
      clientId: null,
      issuedBefore: NOW - 5,
      createdAt: NOW,
      createdBy: null,
      reason: null,
      endsAt: NOW + DAY,
      ...values,
    })

    test('come back as they were added, until they end', async () => {
      const store = await openStore()
      const all = [
        revocation('a', { createdBy: 'ops', reason: 'Größe "日本" \' 🚀' }),
        revocation('b', { tokenId: 'jti', subject: null, issuedBefore: null, endsAt: NOW + 1 }),
        revocation('c', { subject: null, clientId: 'client' }),
      ]
      for (const one of all) await store.addTokenRevocation?.(one)
      const read = async (now: number) =>
        [...((await store.tokenRevocations?.(now)) ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1))
      expect(await read(NOW)).toEqual(all)
      expect((await read(NOW + 1)).map(({ id }) => id)).toEqual(['a', 'c'])
      expect(await read(NOW + DAY)).toEqual([])
    })

    test('that have ended are dropped by the next one', async () => {
      const store = await openStore()
      await store.addTokenRevocation?.(revocation('a', { endsAt: NOW + 1 }))
      await store.addTokenRevocation?.(revocation('b', { createdAt: NOW + 1 }))
      expect((await store.tokenRevocations?.(0))?.map(({ id }) => id)).toEqual(['b'])
    })

    test('are told to every watcher, as no change of any key', async () => {
      const { store, another } = await opened()
      const writer = another?.() ?? store
      closers.push(() => writer.close())
      const changes: KeyChange[] = []
      const feed = watch(store, changes)
      await until(feed, () => feed.state !== 'down')
      await writer.addTokenRevocation?.(revocation('a'))
      await until(feed, () => changes.length > 0)
      expect(changes.map(({ at: _, ...change }) => change)).toEqual([{ tokens: true }])
    })
  })

  describe('the audit trail', () => {
    test('tells of creation, rotation and revocation, newest first, and of nothing that was not done', async () => {
      const store = await openStore()
      const key = storedKey({ createdBy: 'ann' })
      const successor = storedKey({ createdBy: 'bob', replaces: key.id })
      const next = { ...key, expiresAt: NOW + DAY, replacedBy: successor.id }
      const revoked = { ...next, revokedAt: NOW, revokedBy: 'eve', revokedReason: 'leaked' }
      await store.insert(key)
      await store.insert(key).catch(() => {})
      await store.update(key, next, successor)
      await store.update(key, revoked)
      await store.update(next, revoked)
      await store.addUsage([{ id: key.id, day: '2026-11-25', count: 1, lastUsedAt: NOW }])
      await store.addTokenRevocation?.({
        id: 'r',
        issuer: 'https://issuer.example',
        tokenId: null,
        subject: null,
        clientId: 'cli "1"',
        issuedBefore: Date.UTC(2026, 10, 25, 12, 0, 0, 7),
        createdAt: NOW,
        createdBy: 'sam',
        reason: 'gone',
        endsAt: NOW + DAY,
      })
      const entries = (await store.readAudit?.({ limit: 10 })) ?? []
      const nothing = { keyId: null, successorId: null, actor: null, reason: null, detail: null }
      const { at, seq, ...tokens } = entries[0] ?? ({} as StoredAuditEntry)
      expect(Math.abs(at - Date.now())).toBeLessThan(60_000)
      expect(seq).toBeGreaterThan(entries[1]?.seq ?? Number.NaN)
      expect(JSON.parse(tokens.detail ?? '')).toEqual({
        issuer: 'https://issuer.example',
        clientId: 'cli "1"',
        issuedBefore: '2026-11-25T12:00:00.007Z',
      })
      expect({ ...tokens, detail: null }).toEqual({ ...nothing, action: 'revoke_tokens', actor: 'sam', reason: 'gone' })
      expect(entries.slice(1).map(({ seq: _, at: __, ...entry }) => entry)).toEqual([
        { ...nothing, action: 'revoke', keyId: key.id, actor: 'eve', reason: 'leaked' },
        { ...nothing, action: 'rotate', keyId: key.id, successorId: successor.id, actor: 'bob' },
        { ...nothing, action: 'create', keyId: key.id, actor: 'ann' },
      ])
    })

    test('can be read by key and by page', async () => {
      const store = await openStore()
      const keys = [storedKey(), storedKey(), storedKey()]
      for (const key of keys) await store.insert(key)
      const [first, second] = keys as [StoredKey, StoredKey]
      const successor = storedKey({ replaces: first.id })
      await store.update(first, { ...first, replacedBy: successor.id }, successor)
      const actions = async (keyId: string) =>
        ((await store.readAudit?.({ keyId, limit: 10 })) ?? []).map(({ action }) => action)
      expect(await actions(first.id)).toEqual(['rotate', 'create'])
      expect(await actions(successor.id)).toEqual(['rotate'])
      expect(await actions('unknown')).toEqual([])
      const [newest, ...others] = (await store.readAudit?.({ limit: 3 })) ?? []
      expect(others.map(({ keyId }) => keyId)).toEqual([keys[2]?.id, second.id])
      expect(await store.readAudit?.({ limit: 2, before: newest?.seq ?? 0 })).toEqual(others)
    })
  })

  describe('watch', () => {
    test('tells of a key that is added, changed, or gets a successor', async () => {
      const store = await openStore()
      const changes: KeyChange[] = []
      const feed = watch(store, changes)
      await until(feed, () => feed.state !== 'down')
      const [key, successor] = [storedKey(), storedKey()]
      await store.insert(key)
      await until(feed, () => changes.length === 1)
      // The clock of a store need not be ours.
      expect(Math.abs((changes[0]?.at ?? 0) - Date.now())).toBeLessThan(60_000)
      await store.update(key, { ...key, revokedAt: NOW }, successor)
      await until(feed, () => changes.length === 3)
      expect(ids(changes)[0]).toBe(key.id)
      expect(ids(changes).slice(1).sort()).toEqual([key.id, successor.id])
    })

    test('tells nothing of what was before, of usage, of a lost race, or of a rejected key', async () => {
      const store = await openStore()
      const key = storedKey()
      await store.insert(key)
      const changes: KeyChange[] = []
      const feed = watch(store, changes)
      await until(feed, () => feed.state !== 'down')
      await store.addUsage([{ id: key.id, day: '2026-11-25', count: 1, lastUsedAt: NOW }])
      await store.update({ ...key, revokedAt: NOW }, key)
      await store.insert(key).catch(() => {})
      const marker = storedKey()
      await store.insert(marker)
      await until(feed, () => changes.length > 0)
      expect(ids(changes)).toEqual([marker.id])
    })

    test('tells every watcher, and none after its feed is closed', async () => {
      const store = await openStore()
      const heard: [KeyChange[], KeyChange[]] = [[], []]
      const feeds = heard.map((into) => watch(store, into)) as [ChangeFeed, ChangeFeed]
      for (const feed of feeds) await until(feed, () => feed.state !== 'down')
      const [first, second] = [storedKey(), storedKey()]
      await store.insert(first)
      for (const [i, feed] of feeds.entries()) await until(feed, () => heard[i]?.length === 1)
      await feeds[0].close()
      await feeds[0].close()
      expect(feeds[0].state).toBe('down')
      await store.insert(second)
      await until(feeds[1], () => heard[1].length === 2)
      expect(ids(heard[0])).toEqual([first.id])
      expect(ids(heard[1])).toEqual([first.id, second.id])
    })

    test('tells of what another store on the same keys wrote', async () => {
      const { store, another } = await opened()
      const writer = another?.() ?? store
      closers.push(() => writer.close())
      const changes: KeyChange[] = []
      const feed = watch(store, changes)
      await until(feed, () => feed.state !== 'down')
      const key = storedKey()
      await writer.insert(key)
      await until(feed, () => changes.length > 0)
      expect(ids(changes)).toEqual([key.id])
      expect(await store.find(key.id)).toEqual(key)
    })
  })

  describe('close', () => {
    test('may be repeated; afterwards everything rejects and feeds are down', async () => {
      const store = await openStore()
      const feed = watch(store, [])
      await until(feed, () => feed.state !== 'down')
      const key = storedKey()
      await store.insert(key)
      await store.close()
      await store.close()
      expect(feed.state).toBe('down')
      const calls = [
        store.find(key.id),
        store.insert(storedKey()),
        store.update(key, key),
        store.list({ now: NOW, limit: 1 }),
        store.addUsage([]),
        store.readUsage(key.id, '2026-11-25'),
      ]
      for (const call of calls) await expect(call).rejects.toThrow(KeyStoreError)
      feed.poll?.()
      expect(feed.state).toBe('down')
    })

    test('may come before the first use', async () => {
      const { store, another } = await opened()
      const unused = another?.() ?? store
      await unused.close()
      await expect(unused.find('x')).rejects.toThrow(KeyStoreError)
    })
  })

  test('migrates to the same version however often it is asked', async () => {
    const store = await openStore()
    const versions = [await store.migrate?.(), await store.migrate?.()]
    expect(versions[0]).toBe(versions[1])
  })
})
