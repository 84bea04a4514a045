import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ArgumentError } from '../../src/core/argument-error.js'
import { DOCUMENTED_SCOPES } from '../../src/core/scope.js'
import type { CreateKeyOptions, Keyring } from '../../src/keyring/contract.js'
import { createKeyring, isKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'

const NOW = Date.UTC(2026, 10, 25, 12)
const DAY = 86_400_000
const minimal = { subject: 'user_123', scopes: ['jobs:read'] as const }

let now: number
let keyring: Keyring
const store = () => memoryKeyStore()

beforeEach(() => {
  now = NOW
  keyring = createKeyring(store(), { clock: () => now })
})

afterEach(() => keyring.close())

describe('notAfter', () => {
  test('ends a new key that would live longer, or for ever, and no key that ends before', async () => {
    const notAfter = new Date(NOW + 10 * DAY)
    const end = async (expiresIn: string | null) =>
      (await keyring.create({ ...minimal, expiresIn, notAfter })).record.expiresAt
    expect(await end('90d')).toEqual(notAfter)
    expect(await end(null)).toEqual(notAfter)
    expect(await end('9d')).toEqual(new Date(NOW + 9 * DAY))
  })

  test('ends a successor, and a later one has that shorter life', async () => {
    const { record } = await keyring.create({ ...minimal, expiresIn: '90d' })
    const rotated = await keyring.rotate(record.id, { notAfter: new Date(NOW + DAY) })
    expect(rotated.record.expiresAt).toEqual(new Date(NOW + DAY))
    now += DAY / 2
    expect((await keyring.rotate(rotated.record.id)).record.expiresAt).toEqual(new Date(now + DAY))
  })

  test.each([
    ['past', new Date(NOW)],
    ['no date', new Date(Number.NaN)],
    ['beyond the year 9999', new Date(8.64e15)],
    ['a text', '2027-01-01'],
    ['null', null],
  ])('is refused where it is %s, and no key is made', async (_, notAfter) => {
    const { record } = await keyring.create(minimal)
    const given = { ...minimal, notAfter } as CreateKeyOptions
    const refused = { constructor: ArgumentError, message: expect.stringMatching(/^notAfter must /) }
    await expect(keyring.create(given)).rejects.toMatchObject(refused)
    await expect(keyring.rotate(record.id, { notAfter: given.notAfter })).rejects.toMatchObject(refused)
    expect((await keyring.list()).keys).toEqual([record])
  })
})

describe('environment', () => {
  test('of a new key is the one that create() is given, and else the one of the keyring', async () => {
    const { key, record } = await keyring.create({ ...minimal, environment: 'test' })
    expect(key).toMatch(/^vak_test_/)
    expect(record.environment).toBe('test')
    expect((await keyring.create(minimal)).record.environment).toBe('live')
    expect((await keyring.rotate(record.id)).record.environment).toBe('test')
  })

  test.each(['', 'Live', 'prod', null, 1])('%j is refused', async (environment) => {
    const given = { ...minimal, environment } as CreateKeyOptions
    await expect(keyring.create(given)).rejects.toThrow("environment must be 'live' or 'test'")
    expect((await keyring.list()).keys).toEqual([])
  })
})

describe('describe', () => {
  test('tells what keys can be made of', () => {
    expect(keyring.describe()).toEqual({
      scopes: DOCUMENTED_SCOPES,
      environments: ['live', 'test'],
      environment: 'live',
      defaultLife: '365d',
    })
    const own = { environment: 'test', documentedScopes: false, scopes: ['b:read', 'a:read'] } as const
    expect(createKeyring(store(), own).describe()).toMatchObject({ scopes: ['b:read', 'a:read'], environment: 'test' })
  })

  test.each([
    [null, null],
    ['36h', '36h'],
    [90, '90s'],
    [86_400, '1d'],
  ])('writes a default life of %j as %j', (expiresIn, defaultLife) => {
    expect(createKeyring(store(), { expiresIn }).describe().defaultLife).toBe(defaultLife)
  })
})

test('a keyring is known by its brand, which no copy and no store has', () => {
  expect(isKeyring(keyring)).toBe(true)
  for (const other of [{ ...keyring }, store(), null, undefined, 'sqlite:./keys.db'])
    expect(isKeyring(other)).toBe(false)
})
