import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { digestApiKey, parseApiKey } from '../../src/api-key/format.js'
import { KeyNotFoundError, KeyStateError, KeyStoreError } from '../../src/core/errors.js'
import { DOCUMENTED_SCOPES, type Scope } from '../../src/core/scope.js'
import type { Keyring, KeyringOptions } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyRecord } from '../../src/keyring/records.js'
import type { KeyStore } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { openKeyStore } from '../../src/store/open.js'
import { SCHEMA_VERSION } from '../../src/store/sqlite/schema.js'
import { sql, temporaryFolder } from '../store/sqlite-files.js'

const NOW = Date.UTC(2026, 10, 25, 12)
const SECOND = 1000
const HOUR = 3_600_000
const DAY = 24 * HOUR

let store: KeyStore
let keyring: Keyring

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] })
  store = memoryKeyStore()
  keyring = createKeyring(store)
})

afterEach(async () => {
  await keyring.close()
  await store.close()
  vi.useRealTimers()
})

const minimal = { subject: 'user_123', scopes: ['jobs:read'] as const }

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.fail('it was expected to reject'),
    (error: Error) => error,
  )
}

describe('create', () => {
  test('makes a key that parses, and stores its digest and nothing more of it', async () => {
    const { key, record } = await keyring.create(minimal)
    expect(parseApiKey(key)).toEqual({ environment: 'live', id: record.id })
    const stored = await store.find(record.id)
    expect(stored?.digest).toBe(digestApiKey(key))
    expect(JSON.stringify(stored)).not.toContain(key)
  })

  test('records what it was given', async () => {
    const { record } = await keyring.create({
      subject: 'user_123',
      scopes: ['jobs:write', 'jobs:read', 'jobs:write'],
      name: 'Größe 🚀',
      tenant: 'acme',
      expiresIn: '90d',
      actor: 'ops',
    })
    expect(record).toEqual({
      id: expect.stringMatching(/^[0-9A-Za-z]{12}$/),
      hint: `vak_live_${record.id}…`,
      name: 'Größe 🚀',
      subject: 'user_123',
      tenant: 'acme',
      environment: 'live',
      scopes: ['jobs:write', 'jobs:read'],
      state: 'active',
      createdAt: new Date(NOW),
      createdBy: 'ops',
      expiresAt: new Date(NOW + 90 * DAY),
      lastUsedAt: null,
      revokedAt: null,
      revokedBy: null,
      revokedReason: null,
      replaces: null,
      replacedBy: null,
    })
    expect(await keyring.get(record.id)).toEqual(record)
  })

  test.each<[string, string | number | null | undefined, number | null]>([
    ['a year by default', undefined, 365 * DAY],
    ['seconds', '15s', 15 * SECOND],
    ['minutes', '30m', 30 * 60 * SECOND],
    ['hours', '24h', 24 * HOUR],
    ['days', '90d', 90 * DAY],
    ['a number of seconds', 3600, HOUR],
    ['no end', null, null],
  ])('gives a life of %s', async (_, expiresIn, lifeMs) => {
    const { record } = await keyring.create({ ...minimal, expiresIn })
    expect(record.expiresAt).toEqual(lifeMs === null ? null : new Date(NOW + lifeMs))
  })

  test('follows the options of the keyring', async () => {
    const other = createKeyring(store, { environment: 'test', expiresIn: '30d', scopes: ['reports:read'] })
    const { key, record } = await other.create({ subject: 's', scopes: ['reports:read', 'jobs:read'] as Scope[] })
    expect(key).toMatch(/^vak_test_/)
    expect(record).toMatchObject({ environment: 'test', expiresAt: new Date(NOW + 30 * DAY) })
    const endless = await createKeyring(store, { expiresIn: null }).create(minimal)
    expect(endless.record.expiresAt).toBeNull()
  })

  test('shows the key as a property alone', async () => {
    const created = await keyring.create(minimal)
    const { key, record } = created
    expect(created.key).toBe(key)
    const sights = [
      JSON.stringify(created),
      JSON.stringify({ ...created }),
      inspect(created, { depth: 9, showHidden: false }),
      inspect({ nested: [created] }, { depth: 9 }),
      `${Object.values(created)}`,
      JSON.stringify(structuredClone(created)),
    ]
    for (const sight of sights) expect(sight).not.toContain(key)
    expect(JSON.parse(JSON.stringify(created)).record.hint).toBe(record.hint)
    expect(inspect(created)).toContain(record.hint)
    expect(inspect(record, { showHidden: true })).not.toContain(key)
  })

  test('takes the scopes of VANTAGE_SCOPES besides the documented ones', async () => {
    vi.stubEnv('VANTAGE_SCOPES', 'reports:read, reports:write')
    try {
      const { record } = await createKeyring(store).create({
        subject: 's',
        scopes: ['reports:write', 'jobs:read'] as Scope[],
      })
      expect(record.scopes).toEqual(['reports:write', 'jobs:read'])
    } finally {
      vi.unstubAllEnvs()
    }
    await expect(keyring.create({ subject: 's', scopes: ['reports:write' as string as Scope] })).rejects.toThrow(
      TypeError,
    )
  })

  test('gives none of the documented scopes where they are taken out', async () => {
    const own = createKeyring(store, { documentedScopes: false, scopes: ['reports:read'] })
    const { record } = await own.create({ subject: 's', scopes: ['reports:read' as string as Scope] })
    expect(record.scopes).toEqual(['reports:read'])
    const error = await rejection(own.create({ subject: 's', scopes: ['jobs:read'] }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toBe('scopes must be known scopes, not "jobs:read"; valid are reports:read')
  })

  test.each([
    [
      { documentedScopes: false },
      /^documentedScopes takes the documented scopes out and leaves none; name your own in/,
    ],
    [{ documentedScopes: 'false' }, /^documentedScopes must be true or false$/],
    [{ documentedScopes: null }, /^documentedScopes must be true or false$/],
    [{ clock: 5 }, /^clock must be a function$/],
  ])('is not made with %j', (options, message) => {
    expect(() => createKeyring(store, options as KeyringOptions)).toThrow(TypeError)
    expect(() => createKeyring(store, options as KeyringOptions)).toThrow(message)
  })

  test('counts from the clock that it is given', async () => {
    let now = Date.parse('2030-01-01T00:00:00Z')
    const timed = createKeyring(store, { clock: () => now })
    const { record } = await timed.create({ ...minimal, expiresIn: '1d' })
    expect([record.createdAt, record.expiresAt]).toEqual([new Date(now), new Date(now + DAY)])
    now += DAY
    expect(await timed.get(record.id)).toMatchObject({ state: 'expired' })
    expect((await timed.list({ state: 'expired' })).keys).toHaveLength(1)
    const revoked = await timed.revoke(record.id)
    expect(revoked.revokedAt).toEqual(new Date(now))
    const { createdAt } = await timed.revokeTokens({ issuer: 'https://issuer.test', tokenId: '1' })
    expect(createdAt).toEqual(new Date(now))
    now = Number.NaN
    await expect(timed.create(minimal)).rejects.toThrow('the clock option must answer milliseconds since the epoch')
  })

  test('refuses a list of scopes with one unknown, names the valid ones, and writes nothing', async () => {
    const error = await rejection(keyring.create({ subject: 's', scopes: ['jobs:read', 'jobs:wirte'] as Scope[] }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain('"jobs:wirte"')
    expect(error.message).toContain(DOCUMENTED_SCOPES.join(', '))
    expect((await keyring.list()).keys).toEqual([])
  })

  test.each<[string, object | undefined, RegExp]>([
    ['no argument', undefined, /takes its options as an object/],
    ['no subject', { scopes: ['jobs:read'] }, /^subject must/],
    ['an empty subject', { ...minimal, subject: '' }, /^subject must/],
    ['a blank subject', { ...minimal, subject: '  ' }, /^subject must/],
    ['a subject of 257 characters', { ...minimal, subject: 'x'.repeat(257) }, /^subject must/],
    ['a line break in the subject', { ...minimal, subject: 'a\nb' }, /^subject must/],
    ['an escape sequence in the name', { ...minimal, name: '\u001b[2J' }, /^name must/],
    ['a C1 control character in the tenant', { ...minimal, tenant: 'a\u009bb' }, /^tenant must/],
    ['a line separator in the actor', { ...minimal, actor: 'a\u2028b' }, /^actor must/],
    ['half a character in the name', { ...minimal, name: '\ud83d' }, /^name must/],
    ['a number as name', { ...minimal, name: 5 }, /^name must/],
    ['no scopes', { subject: 's' }, /^scopes must name at least one/],
    ['an empty list of scopes', { subject: 's', scopes: [] }, /^scopes must name at least one/],
    ['scopes as a string', { subject: 's', scopes: 'jobs:read' }, /^scopes must/],
    ['a scope that is no string', { subject: 's', scopes: [5] }, /^scopes must be known scopes/],
    ['a duration without a unit', { ...minimal, expiresIn: '90' }, /^expiresIn must be a duration/],
    ['an unknown unit', { ...minimal, expiresIn: '1y' }, /^expiresIn must be a duration/],
    ['a life of nothing', { ...minimal, expiresIn: '0s' }, /^expiresIn must be between/],
    ['a negative life', { ...minimal, expiresIn: -5 }, /^expiresIn must be between/],
    ['half a second', { ...minimal, expiresIn: 0.5 }, /^expiresIn must be a duration/],
    ['an infinite life', { ...minimal, expiresIn: Number.POSITIVE_INFINITY }, /^expiresIn must be a duration/],
    ['a life of centuries', { ...minimal, expiresIn: '36501d' }, /^expiresIn must be between/],
    ['a misspelt option', { ...minimal, expires: '90d' }, /^expires is no option of create\(\); it takes subject/],
  ])('refuses %s and writes nothing', async (_, given, message) => {
    const error = await rejection(keyring.create(given as typeof minimal))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toMatch(message)
    expect((await keyring.list()).keys).toEqual([])
  })
})

describe('rotate', () => {
  test('makes a successor with everything but the secret, and lets the old key live for a day', async () => {
    const first = await keyring.create({ ...minimal, name: 'n', tenant: 'acme', expiresIn: '90d', actor: 'ann' })
    vi.setSystemTime(NOW + 10 * DAY)
    const { key, record, previous } = await keyring.rotate(first.record.id, { actor: 'bob' })
    expect(key).not.toBe(first.key)
    expect(parseApiKey(key)).toEqual({ environment: 'live', id: record.id })
    expect(record).toMatchObject({
      subject: 'user_123',
      scopes: ['jobs:read'],
      name: 'n',
      tenant: 'acme',
      state: 'active',
      createdBy: 'bob',
      createdAt: new Date(NOW + 10 * DAY),
      expiresAt: new Date(NOW + 100 * DAY),
      replaces: first.record.id,
      replacedBy: null,
    })
    expect(previous).toMatchObject({
      id: first.record.id,
      state: 'superseded',
      createdBy: 'ann',
      expiresAt: new Date(NOW + 11 * DAY),
      replacedBy: record.id,
    })
    expect(await keyring.get(previous.id)).toEqual(previous)
    expect(await keyring.get(record.id)).toEqual(record)
    vi.setSystemTime(NOW + 11 * DAY)
    expect((await keyring.get(previous.id))?.state).toBe('expired')
  })

  test('keeps the environment of the key and scopes that the vocabulary has lost', async () => {
    const other = createKeyring(store, { environment: 'test', scopes: ['reports:read'] })
    const first = await other.create({ subject: 's', scopes: ['reports:read' as string as Scope] })
    const { key, record } = await keyring.rotate(first.record.id)
    expect(key).toMatch(/^vak_test_/)
    expect(record).toMatchObject({ environment: 'test', scopes: ['reports:read'] })
  })

  test('gives the successor of a key without an end no end either', async () => {
    const first = await keyring.create({ ...minimal, expiresIn: null })
    const { record, previous } = await keyring.rotate(first.record.id)
    expect(record.expiresAt).toBeNull()
    expect(previous.expiresAt).toEqual(new Date(NOW + DAY))
  })

  test.each<[string, string | number, number, KeyRecord['state']]>([
    ['0s', '0s', 0, 'expired'],
    ['zero', 0, 0, 'expired'],
    ['an hour', '1h', HOUR, 'superseded'],
    ['more than its own expiry', '7d', 2 * DAY, 'superseded'],
  ])('with an overlap of %s ends the old key accordingly', async (_, overlap, endMs, state) => {
    const first = await keyring.create({ ...minimal, expiresIn: '2d' })
    const { previous } = await keyring.rotate(first.record.id, { overlap })
    expect(previous).toMatchObject({ state, expiresAt: new Date(NOW + endMs) })
  })

  test('refuses a key that is replaced, expired or revoked, and names the successor', async () => {
    const replaced = await keyring.create(minimal)
    const { record: successor } = await keyring.rotate(replaced.record.id)
    const revoked = await keyring.create(minimal)
    await keyring.revoke(revoked.record.id)
    const expired = await keyring.create({ ...minimal, expiresIn: '1s' })
    vi.setSystemTime(NOW + SECOND)
    const error = await rejection(keyring.rotate(replaced.record.id))
    expect(error).toBeInstanceOf(KeyStateError)
    expect(error.message).toContain(successor.id)
    await expect(keyring.rotate(revoked.record.id)).rejects.toThrow(/revoked/)
    await expect(keyring.rotate(expired.record.id)).rejects.toThrow(/expired/)
    expect((await keyring.list()).keys).toHaveLength(4)
  })

  test('lets one of several rotations at once win; the others are a KeyStateError', async () => {
    const folder = temporaryFolder()
    const rings = [1, 2].map(() => createKeyring(`sqlite:${folder.path('keys.db')}`)) as [Keyring, Keyring]
    try {
      const { record } = await rings[0].create(minimal)
      const outcomes = await Promise.allSettled([...rings, ...rings].map((ring) => ring.rotate(record.id)))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(KeyStateError)
      }
      expect((await rings[1].list()).keys).toHaveLength(2)
    } finally {
      for (const ring of rings) await ring.close()
      folder.remove()
    }
  })

  test('keeps scopes that somebody took away between its read and its write, in both keys', async () => {
    const folder = temporaryFolder()
    const file = openKeyStore(`sqlite:${folder.path('keys.db')}`)
    let reads = 0
    const interrupted: KeyStore = {
      ...file,
      async list(query) {
        const found = await file.list(query)
        if (++reads === 1) sql(folder.path('keys.db'), `UPDATE vantage_keys SET scopes = 'jobs:read'`)
        return found
      },
    }
    try {
      const { record } = await createKeyring(file).create({ subject: 'ci', scopes: ['jobs:read', 'jobs:write'] })
      const rotated = await createKeyring(interrupted).rotate(record.id)
      expect(reads).toBe(2)
      for (const id of [record.id, rotated.record.id]) {
        expect(await file.find(id)).toMatchObject({ scopes: ['jobs:read'] })
      }
    } finally {
      await file.close()
      folder.remove()
    }
  })

  test('goes on when the key changes in between and is active still, and gives up in the end', async () => {
    const { record } = await keyring.create(minimal)
    let lost = 3
    const contended: KeyStore = {
      ...store,
      update: async (...change) => (lost-- > 0 ? false : store.update(...change)),
    }
    expect((await createKeyring(contended).rotate(record.id)).previous.state).toBe('superseded')
    lost = Number.POSITIVE_INFINITY
    const { record: next } = await keyring.create(minimal)
    await expect(createKeyring(contended).rotate(next.id)).rejects.toThrow(KeyStateError)
  })

  test('shows the key as a property alone', async () => {
    const { record } = await keyring.create(minimal)
    const rotated = await keyring.rotate(record.id)
    for (const sight of [JSON.stringify(rotated), inspect(rotated, { depth: 9 }), JSON.stringify({ ...rotated })]) {
      expect(sight).not.toContain(rotated.key)
      expect(sight).toContain(rotated.previous.id)
    }
  })

  test.each<[object, RegExp]>([
    [{ overlap: '1w' }, /^overlap must be a duration/],
    [{ overlap: -1 }, /^overlap must be between zero/],
    [{ overlap: null, actor: '' }, /^actor must/],
    [{ overlaps: '1h' }, /^overlaps is no option of rotate\(\)/],
  ])('refuses %j', async (given, message) => {
    const { record } = await keyring.create(minimal)
    const error = await rejection(keyring.rotate(record.id, given))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toMatch(message)
    expect((await keyring.get(record.id))?.state).toBe('active')
  })
})

describe('revoke', () => {
  test('ends a key at once, with the reason', async () => {
    const { record } = await keyring.create(minimal)
    const revoked = await keyring.revoke(record.id, { reason: 'leaked', actor: 'ops' })
    expect(revoked).toEqual({
      ...record,
      state: 'revoked',
      revokedAt: new Date(NOW),
      revokedBy: 'ops',
      revokedReason: 'leaked',
    })
    expect(await keyring.get(record.id)).toEqual(revoked)
  })

  test('is final: the first reason and time stay', async () => {
    const { record } = await keyring.create(minimal)
    const first = await keyring.revoke(record.id, { reason: 'leaked', actor: 'ann' })
    vi.setSystemTime(NOW + HOUR)
    expect(await keyring.revoke(record.id, { reason: 'other', actor: 'bob' })).toEqual(first)
    expect(await keyring.revoke(record.id)).toEqual(first)
    expect(first.revokedBy).toBe('ann')
  })

  test('of an old key leaves its successor alone, and of an expired one is recorded', async () => {
    const { record } = await keyring.create({ ...minimal, expiresIn: '1s' })
    const { record: successor } = await keyring.rotate(record.id)
    vi.setSystemTime(NOW + SECOND / 2)
    expect((await keyring.revoke(record.id)).state).toBe('revoked')
    expect((await keyring.get(successor.id))?.state).toBe('active')
    vi.setSystemTime(NOW + HOUR)
    expect((await keyring.revoke(successor.id)).state).toBe('revoked')
  })

  test('refuses a reason that is no text', async () => {
    const { record } = await keyring.create(minimal)
    await expect(keyring.revoke(record.id, { reason: '\u0007' })).rejects.toThrow(/^reason must/)
    expect((await keyring.get(record.id))?.state).toBe('active')
  })
})

describe('ids', () => {
  test('that are unknown are undefined to get, and a KeyNotFoundError elsewhere', async () => {
    expect(await keyring.get('Cvr9ZyvaWKKY')).toBeUndefined()
    for (const call of [keyring.rotate('nope'), keyring.revoke('nope'), keyring.usage('nope')]) {
      await expect(call).rejects.toThrow(KeyNotFoundError)
    }
  })

  test.each(['get', 'rotate', 'revoke', 'usage'] as const)(
    'that are no ids are a TypeError of %s, unprinted',
    async (method) => {
      const { key, record } = await keyring.create(minimal)
      for (const id of [key, record.hint, '', 'a b', 'x'.repeat(65), 'a\u001b', undefined, null, 5, {}]) {
        const error = await rejection(keyring[method](id as string))
        expect(error).toBeInstanceOf(TypeError)
        expect(error.message).toMatch(/^id must be/)
        expect(error.message).not.toContain(key.slice(21))
      }
    },
  )
})

describe('usage', () => {
  test('gives the total, the last use, and the days asked for', async () => {
    const { record } = await keyring.create(minimal)
    const day = (ago: number) => new Date(NOW - ago * DAY).toISOString().slice(0, 10)
    await store.addUsage(
      [0, 1, 29, 30, 365].map((ago) => ({ id: record.id, day: day(ago), count: ago + 1, lastUsedAt: NOW - ago * DAY })),
    )
    const counts = async (days?: number) => (await keyring.usage(record.id, { days })).days
    expect(await keyring.usage(record.id)).toEqual({
      total: 430,
      lastUsedAt: new Date(NOW),
      days: [
        { day: day(29), count: 30 },
        { day: day(1), count: 2 },
        { day: '2026-11-25', count: 1 },
      ],
    })
    expect(await counts(1)).toEqual([{ day: '2026-11-25', count: 1 }])
    expect(await counts(31)).toHaveLength(4)
    expect(await counts(366)).toHaveLength(5)
    expect((await keyring.get(record.id))?.lastUsedAt).toEqual(new Date(NOW))
  })

  test('of a key that was never used is nothing', async () => {
    const { record } = await keyring.create(minimal)
    expect(await keyring.usage(record.id)).toEqual({ total: 0, lastUsedAt: null, days: [] })
  })

  test.each([0, 367, 1.5, -1, '30', Number.NaN])('refuses %s days', async (days) => {
    const { record } = await keyring.create(minimal)
    await expect(keyring.usage(record.id, { days: days as number })).rejects.toThrow(
      /^days must be a whole number from 1 to 366$/,
    )
  })
})

describe('list', () => {
  async function fill(count: number): Promise<string[]> {
    const ids: string[] = []
    for (let i = 0; i < count; i++) {
      vi.setSystemTime(NOW + i)
      ids.unshift((await keyring.create({ ...minimal, subject: i % 2 ? 'ann' : 'bob' })).record.id)
    }
    return ids
  }

  const idsOf = (page: { keys: readonly KeyRecord[] }) => page.keys.map(({ id }) => id)

  test('gives pages of the newest first, and no cursor on the last one', async () => {
    const ids = await fill(5)
    const first = await keyring.list({ limit: 2 })
    const second = await keyring.list({ limit: 2, cursor: first.cursor })
    const third = await keyring.list({ limit: 2, cursor: second.cursor })
    expect([first, second, third].map(idsOf)).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)])
    expect(third.cursor).toBeNull()
    expect((await keyring.list({ limit: 5 })).cursor).toBeNull()
    expect(idsOf(await keyring.list())).toEqual(ids)
  })

  test('gives a hundred by default, and never a digest', async () => {
    await fill(101)
    const { keys, cursor } = await keyring.list()
    expect(keys).toHaveLength(100)
    expect(cursor).not.toBeNull()
    expect(JSON.stringify(keys)).not.toMatch(/sha256|digest/)
  })

  test('filters by subject, state, disuse and expiry', async () => {
    const old = (await keyring.create({ ...minimal, subject: 'old', tenant: 'acme', expiresIn: '100d' })).record.id
    vi.setSystemTime(NOW + 95 * DAY)
    const young = (await keyring.create({ ...minimal, subject: 'young' })).record.id
    expect(idsOf(await keyring.list({ subject: 'young' }))).toEqual([young])
    expect(idsOf(await keyring.list({ tenant: 'acme' }))).toEqual([old])
    expect(idsOf(await keyring.list({ unusedFor: '90d' }))).toEqual([old])
    expect(idsOf(await keyring.list({ expiringWithin: '30d' }))).toEqual([old])
    expect(idsOf(await keyring.list({ expiringWithin: '4d' }))).toEqual([])
    await keyring.revoke(old)
    expect(idsOf(await keyring.list({ state: 'active' }))).toEqual([young])
    expect(idsOf(await keyring.list({ state: 'revoked' }))).toEqual([old])
  })

  test.each<[object, RegExp]>([
    [{ limit: 0 }, /^limit must be a whole number from 1 to 1000$/],
    [{ limit: 1001 }, /^limit must/],
    [{ limit: '5' }, /^limit must/],
    [{ state: 'dead' }, /^state must be one of active, superseded, expired, revoked$/],
    [{ subject: '' }, /^subject must/],
    [{ tenant: 5 }, /^tenant must/],
    [{ unusedFor: '90' }, /^unusedFor must be a duration/],
    [{ expiringWithin: 'soon' }, /^expiringWithin must be a duration/],
    [{ cursor: 'x' }, /^cursor must be one that list\(\) returned, with the same sort$/],
    [{ cursor: 5 }, /^cursor must/],
    [{ cursor: Buffer.from('[1,2]').toString('base64url') }, /^cursor must/],
    [{ cursor: Buffer.from('[1, "a"]').toString('base64url') }, /^cursor must/],
    [{ cursor: Buffer.from('{"a":1}').toString('base64url') }, /^cursor must/],
    [{ name: 'n' }, /^name is no option of list\(\)/],
  ])('refuses %j', async (given, message) => {
    const error = await rejection(keyring.list(given))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toMatch(message)
  })
})

describe('the store', () => {
  test('is created by the first operation, and closed when it came from a URL', async () => {
    const folder = temporaryFolder()
    try {
      const own = createKeyring(`sqlite:${folder.path('keys.db')}`)
      const { record } = await own.create(minimal)
      expect((await own.get(record.id))?.id).toBe(record.id)
      await own.close()
      await own.close()
      await expect(own.get(record.id)).rejects.toThrow(KeyStoreError)
    } finally {
      folder.remove()
    }
  })

  test('stays open when it was passed in', async () => {
    const { record } = await keyring.create(minimal)
    await keyring.close()
    expect((await store.find(record.id))?.id).toBe(record.id)
    await expect(keyring.get(record.id)).rejects.toThrow(/keyring is closed/)
  })

  test('is migrated once, and again after a failure', async () => {
    let [calls, failures] = [0, 2]
    const migrating: KeyStore = {
      ...store,
      migrate: async () => {
        calls++
        if (failures-- > 0) throw new KeyStoreError('not yet')
        return 1
      },
    }
    const ring = createKeyring(migrating)
    await expect(ring.list()).rejects.toThrow('not yet')
    await expect(ring.create(minimal)).rejects.toThrow('not yet')
    await Promise.all([ring.create(minimal), ring.list(), ring.create(minimal)])
    await ring.list()
    expect(calls).toBe(3)
    expect((await keyring.list()).keys).toHaveLength(2)
  })

  test.each([undefined, null, 5, {}, { find: () => undefined }])(
    'must be a KeyStore or a URL: %j is a TypeError',
    (given) => {
      expect(() => createKeyring(given as unknown as string)).toThrow(
        /createKeyring\(\) needs a KeyStore or a store URL/,
      )
    },
  )

  test.each<[object, RegExp]>([
    [{ environment: 'prod' }, /^environment must be 'live' or 'test'$/],
    [{ expiresIn: '1y' }, /^expiresIn must be a duration/],
    [{ scopes: 'reports:read' }, /^scopes must be a list/],
    [{ scopes: ['a b'] }, /^scopes must hold scope tokens/],
    [{ scope: ['a'] }, /^scope is no option of createKeyring\(\)/],
  ])('comes with checked options: %j is a TypeError', (options, message) => {
    expect(() => createKeyring(store, options)).toThrow(TypeError)
    expect(() => createKeyring(store, options)).toThrow(message)
  })
})

describe('openKeyStore', () => {
  test('opens stores in memory', async () => {
    const opened = openKeyStore('memory:')
    expect(await opened.find('a')).toBeUndefined()
    await opened.close()
  })

  test.each([
    ['an absolute path', (path: string) => `sqlite:${path}`],
    ['an absolute path after an empty authority', (path: string) => `sqlite://${path}`],
  ])('opens SQLite files by %s', async (_, toUrl) => {
    const folder = temporaryFolder()
    const opened = openKeyStore(toUrl(folder.path('keys.db')))
    try {
      expect(await opened.migrate?.()).toBe(SCHEMA_VERSION)
      expect(await opened.find('a')).toBeUndefined()
    } finally {
      await opened.close()
      folder.remove()
    }
  })

  test('opens Postgres by either name of its scheme, without connecting', async () => {
    for (const scheme of ['postgres', 'postgresql'])
      await openKeyStore(`${scheme}://user:secret@127.0.0.1:1/db`).close()
  })

  test.each([
    'postgres:user:secret@host/db',
    'postgres://user:secret@[host/db',
    'mysql://user:secret@host/db',
    'sqlite://user:secret@host/keys.db',
    'sqlite:keys.db?password=secret',
    'sqlite:postgres://user:secret@host/db',
    'sqlite:',
    'sqlite::memory:',
    'memory:secret',
    './secret.db',
    '',
    undefined,
    { secret: 1 },
  ])('refuses %j, says what it takes, and does not print it', (url) => {
    const open = () => openKeyStore(url as string)
    expect(open).toThrow(TypeError)
    expect(open).toThrow(/'memory:', 'sqlite:' .* or 'postgres:\/\/|connection string .* malformed/)
    expect(open).not.toThrow(/secret/)
  })
})

describe('timeoutMs', () => {
  /** A store that takes its time to read, and knows no limit of a write. */
  function slowStore(): KeyStore {
    return {
      ...store,
      async migrate() {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return 1
      },
      insert: (key) => store.insert(key),
      async list(query) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return store.list(query)
      },
      update: (current, next, successor) => store.update(current, next, successor),
    }
  }

  test('keeps create and rotate from writing when it is over, also in a store that knows no limit', async () => {
    const slow = createKeyring(slowStore())
    expect(await rejection(slow.create({ ...minimal, timeoutMs: 1 }))).toBeInstanceOf(KeyStoreError)
    expect((await keyring.list()).keys).toEqual([])
    const { record } = await slow.create({ ...minimal, timeoutMs: 60_000 })
    expect(await rejection(slow.rotate(record.id, { timeoutMs: 1 }))).toBeInstanceOf(KeyStoreError)
    expect((await keyring.list()).keys).toEqual([record])
    expect((await slow.rotate(record.id, { timeoutMs: 60_000 })).previous.state).toBe('superseded')
  })

  test('tells the store until when it may write', async () => {
    const limits: unknown[] = []
    const asked: KeyStore = {
      ...store,
      insert: (key, limit) => {
        limits.push(limit)
        return store.insert(key, limit)
      },
      update: (current, next, successor, editor, limit) => {
        limits.push(limit)
        return store.update(current, next, successor, editor, limit)
      },
    }
    const own = createKeyring(asked)
    const calledAt = performance.now()
    const { record } = await own.create({ ...minimal, timeoutMs: 60_000 })
    await own.rotate(record.id, { timeoutMs: 60_000 })
    for (const limit of limits) expect((limit as { before: number }).before).toBeGreaterThanOrEqual(calledAt + 60_000)
    const { record: unlimited } = await own.create(minimal)
    await own.revoke(unlimited.id)
    expect(limits.slice(2)).toEqual([undefined, undefined])
  })

  test.each([0, 1.5, '1', null, 3_600_001])(
    'is refused when it is no number of milliseconds: %j',
    async (timeoutMs) => {
      const given = { ...minimal, timeoutMs } as never
      await expect(keyring.create(given)).rejects.toThrow(/^timeoutMs must be a whole number from 1 to 3600000/)
      await expect(keyring.rotate('a', { timeoutMs } as never)).rejects.toThrow(TypeError)
    },
  )
})
