import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ArgumentError } from '../../src/core/argument-error.js'
import { KeyStoreError } from '../../src/core/errors.js'
import type { AuditOptions, Keyring, KeySort, ListKeysOptions } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyStore, StoredAuditEntry } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'

const NOW = Date.UTC(2026, 10, 25, 12)
const DAY = 86_400_000
const minimal = { subject: 'user_123', scopes: ['jobs:read'] as const }

let now: number
let store: KeyStore
let keyring: Keyring

beforeEach(() => {
  now = NOW
  store = memoryKeyStore()
  keyring = createKeyring(store, { clock: () => now })
})

afterEach(() => store.close())

const namesOf = async (options: ListKeysOptions) => (await keyring.list(options)).keys.map(({ name }) => name)

async function createThree(): Promise<void> {
  for (const [name, expiresIn] of [
    ['b', '3d'],
    ['c', null],
    ['a', '1d'],
  ] as const) {
    const { record } = await keyring.create({ ...minimal, name, expiresIn })
    if (name === 'b') {
      await store.addUsage([{ id: record.id, day: '2026-11-25', count: 1, lastUsedAt: NOW }])
    }
    now++
  }
}

describe('sort', () => {
  const orders: readonly (readonly [KeySort, string])[] = [
    ['created', 'bca'],
    ['expires', 'abc'],
    ['lastUsed', '??b'],
    ['name', 'abc'],
  ]

  test.each(orders)('by %s, and by - in front of it, over pages of one', async (sort, expected) => {
    await createThree()
    for (const [order, wanted] of [
      [sort, expected],
      [`-${sort}`, [...expected].reverse().join('')],
    ] as const) {
      const all = (await namesOf({ sort: order as KeySort })).join('')
      expect(all).toMatch(new RegExp(`^${wanted.replaceAll('?', '.')}$`))
      let paged = ''
      let cursor: string | null = null
      do {
        const page: Awaited<ReturnType<Keyring['list']>> = await keyring.list({
          sort: order as KeySort,
          limit: 1,
          cursor,
        })
        paged += page.keys[0]?.name
        cursor = page.cursor
      } while (cursor !== null)
      expect(paged).toBe(all)
    }
  })

  test('is newest first where none is given, and its cursors go with -created alone', async () => {
    await createThree()
    expect(await namesOf({})).toEqual(['a', 'c', 'b'])
    const { cursor } = await keyring.list({ limit: 1 })
    expect(await namesOf({ sort: '-created', cursor })).toEqual(['c', 'b'])
    for (const sort of ['created', 'expires', '-expires', 'lastUsed', 'name', '-name'] as const) {
      await expect(keyring.list({ sort, cursor })).rejects.toThrow(
        'cursor must be one that list() returned, with the same sort',
      )
    }
  })

  test('pages on behind a name of the greatest length', async () => {
    const name = '🚀'.repeat(128)
    await keyring.create({ ...minimal, name })
    await keyring.create({ ...minimal, name })
    const { cursor } = await keyring.list({ sort: 'name', limit: 1 })
    expect((await keyring.list({ sort: 'name', limit: 1, cursor })).keys).toHaveLength(1)
  })

  test.each<[string, unknown]>([
    ['of another shape', ['name', false, 'a', NOW]],
    ['with a name that is none', ['name', false, 'a', NOW, 5]],
    ['with a name that a store cannot take', ['name', false, 'a', NOW, '\0']],
    ['with an id that a store cannot take', ['name', false, '\0', NOW, 'a']],
    ['beyond the year 9999', ['name', false, 'a', 1e15, 'a']],
    ['that is too long', ['name', false, 'a', NOW, 'x'.repeat(4096)]],
  ])('refuses a cursor %s', async (_, values) => {
    const cursor = Buffer.from(JSON.stringify(values)).toString('base64url')
    await expect(keyring.list({ sort: 'name', cursor })).rejects.toMatchObject({
      constructor: ArgumentError,
      message: expect.stringMatching(/^cursor must be one that list\(\) returned/),
    })
  })

  test.each(['', 'id', 'Created', '--created', '-', 'constructor', 5, null])('%j is refused', async (sort) => {
    await expect(keyring.list({ sort: sort as KeySort })).rejects.toThrow(
      'sort must be created, -created, expires, -expires, lastUsed, -lastUsed, name, or -name',
    )
  })
})

describe('search', () => {
  test('finds a name, a subject and a hint, as it is copied', async () => {
    await createThree()
    const { record } = await keyring.create({ subject: 'Größe', scopes: ['jobs:read'], name: 'd' })
    for (const search of [
      'GRÖSSE'.replace('SS', 'ß'),
      record.hint,
      record.id,
      record.hint.slice(0, -1).toUpperCase(),
    ]) {
      expect(await namesOf({ search })).toEqual(['d'])
    }
    expect(await namesOf({ search: 'D' })).toContain('d')
  })

  test.each<[string, unknown]>([
    ['empty', ''],
    ['of spaces', '  '],
    ['too long', 'x'.repeat(257)],
    ['with a line break', 'a\nb'],
    ['no text', 5],
  ])('is refused where it is %s', async (_, search) => {
    await expect(keyring.list({ search: search as string })).rejects.toThrow(/^search must be a text/)
  })

  test('is refused where it holds an API key, which the message does not repeat', async () => {
    const { key } = await keyring.create(minimal)
    for (const search of [key, ` ${key.slice('vak_live_'.length)} `]) {
      const error = await keyring.list({ search }).catch((thrown: Error) => thrown)
      expect(error).toBeInstanceOf(ArgumentError)
      expect((error as Error).message).toBe('search must not hold an API key; its hint, or its id, finds it as well')
    }
  })
})

describe('usage', () => {
  test('is one number for each of the last days, today last', async () => {
    const { record } = await keyring.create(minimal)
    await store.addUsage([
      { id: record.id, day: '2026-11-22', count: 9, lastUsedAt: NOW - 3 * DAY },
      { id: record.id, day: '2026-11-23', count: 2, lastUsedAt: NOW - 2 * DAY },
      { id: record.id, day: '2026-11-25', count: 1, lastUsedAt: NOW },
    ])
    expect((await keyring.list({ usage: 3 })).keys[0]?.usage).toEqual([2, 0, 1])
    expect((await keyring.list({ usage: 1 })).keys[0]?.usage).toEqual([1])
    expect((await keyring.list()).keys[0]).not.toHaveProperty('usage')
  })

  test('of all pages that are asked for at once has a bound, and the error says the cure', async () => {
    await expect(keyring.list({ usage: 366, limit: 101 })).rejects.toThrow(
      'usage times limit must be at most 36600; ask for fewer days, or for shorter pages',
    )
    await expect(keyring.list({ usage: 37, limit: 1000 })).rejects.toThrow(TypeError)
    expect((await keyring.list({ usage: 366 })).keys).toEqual([])
    expect((await keyring.list({ usage: 36, limit: 1000 })).keys).toEqual([])
  })

  test.each([0, 367, 1.5, '30', true])('of %j days is refused', async (usage) => {
    await expect(keyring.list({ usage: usage as number })).rejects.toThrow('usage must be a whole number from 1 to 366')
  })
})

describe('totalUsage', () => {
  test('adds up the days that are asked for, of a tenant and a subject', async () => {
    for (const [tenant, count] of [
      ['acme', 3],
      ['globex', 5],
    ] as const) {
      const { record } = await keyring.create({ ...minimal, tenant })
      await store.addUsage([
        { id: record.id, day: '2026-11-25', count, lastUsedAt: NOW },
        { id: record.id, day: '2026-10-01', count: 100, lastUsedAt: NOW - 55 * DAY },
      ])
    }
    const acme = await keyring.totalUsage({ tenant: 'acme', subject: 'user_123' })
    expect(acme).toEqual({
      total: 3,
      days: [{ day: '2026-11-25', count: 3 }],
      keys: [{ id: expect.any(String), count: 3 }],
    })
    expect(await keyring.totalUsage({ days: 366 })).toMatchObject({
      total: 208,
      keys: [{ count: 105 }, { count: 103 }],
    })
    expect(await keyring.totalUsage({ subject: 'nobody' })).toEqual({ total: 0, days: [], keys: [] })
  })

  test('names twenty keys, and counts all', async () => {
    for (let i = 0; i < 21; i++) {
      const { record } = await keyring.create(minimal)
      await store.addUsage([{ id: record.id, day: '2026-11-25', count: 1, lastUsedAt: NOW }])
    }
    const { total, keys } = await keyring.totalUsage()
    expect([total, keys.length]).toEqual([21, 20])
  })

  test('is a KeyStoreError for a store that has none', async () => {
    const { readTotalUsage: _, ...others } = store
    await expect(createKeyring(others).totalUsage()).rejects.toThrow(KeyStoreError)
  })

  test.each([{ days: 0 }, { tenant: '' }, { subject: null }, { id: 'x' }])('refuses %j', async (given) => {
    await expect(keyring.totalUsage(given as object)).rejects.toThrow(TypeError)
  })
})

test('keys that a store gives beyond the tenant or the subject that was asked for are not shown', async () => {
  await keyring.create({ ...minimal, tenant: 'globex' })
  const ignoring = { ...store, list: ({ tenant: _, subject: __, ...query }) => store.list(query) } as KeyStore
  for (const view of [{ tenant: 'acme' }, { subject: 'bob' }]) {
    await expect(createKeyring(ignoring).list(view)).rejects.toThrow(KeyStoreError)
  }
  expect((await createKeyring(ignoring).list({ tenant: 'globex' })).keys).toHaveLength(1)
})

describe('audit', () => {
  test('is of one tenant, one subject or both, over pages', async () => {
    const made: string[] = []
    for (const [tenant, subject] of [
      ['acme', 'ann'],
      ['globex', 'ann'],
      ['acme', 'bob'],
      [null, 'bob'],
    ] as const) {
      made.push((await keyring.create({ ...minimal, tenant, subject })).record.id)
    }
    await keyring.revokeTokens({ issuer: 'https://issuer.test', subject: 'bob', issuedBefore: NOW })
    const [first, second, third, fourth] = made
    const idsOf = async (view: AuditOptions) => (await keyring.audit(view)).entries.map(({ keyId }) => keyId)
    expect(await idsOf({ tenant: 'acme' })).toEqual([third, first])
    expect(await idsOf({ subject: 'bob' })).toEqual([fourth, third])
    expect(await idsOf({ subject: 'ann', tenant: 'globex' })).toEqual([second])
    expect(await idsOf({ id: first as string, tenant: 'globex' })).toEqual([])
    const page = await keyring.audit({ tenant: 'acme', limit: 1 })
    expect(page.entries).toMatchObject([{ keyId: third, tenant: 'acme', subject: 'bob' }])
    expect(await idsOf({ tenant: 'acme', limit: 1, cursor: page.cursor })).toEqual([first])
  })

  test('shows nothing where a store ignores the filters, or does not say whose an entry is', async () => {
    await keyring.create({ ...minimal, tenant: 'acme' })
    await keyring.create({ ...minimal, tenant: 'globex' })
    const all = async () => (await store.readAudit?.({ limit: 9 })) ?? []
    const older = async () => (await all()).map(({ tenant: _, subject: __, ...entry }) => entry as StoredAuditEntry)
    for (const readAudit of [all, older]) {
      const own = createKeyring({ ...store, readAudit })
      for (const view of [{ tenant: 'acme' }, { subject: 'bob' }]) {
        await expect(own.audit(view)).rejects.toThrow('The key store ignores the filters subject and tenant')
      }
    }
    expect((await createKeyring({ ...store, readAudit: older }).audit()).entries).toMatchObject([
      { tenant: null, subject: null },
      { tenant: null, subject: null },
    ])
  })

  test.each([{ tenant: '' }, { tenant: null }, { subject: 5 }])('refuses %j', async (given) => {
    await expect(keyring.audit(given as AuditOptions)).rejects.toThrow(TypeError)
  })
})
