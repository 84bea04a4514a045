import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { KeyStoreError } from '../../src/core/errors.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { UnconfirmedError } from '../../src/keyring/unconfirmed-error.js'
import type { AskedService, KeyStore } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'

const SELECTOR = { issuer: 'https://sso.example.com', tokenId: 'jti-1' }
const SERVICE: AskedService = {
  host: 'jobs-1',
  pid: 7,
  applicationName: 'jobs-api',
  since: 1_700_000_000_000,
  heardOf: '42',
  answeredAfterMs: 22.2,
}
const SILENT: AskedService = { ...SERVICE, host: 'jobs-2', since: null, heardOf: null, answeredAfterMs: null }

/** A keyring with one key, on a store whose services answer as given. */
async function keyringWith(askServices: KeyStore['askServices'] | undefined) {
  const store = memoryKeyStore()
  const keyring = createKeyring(Object.assign(store, { askServices }))
  const { record } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
  return { keyring, store, id: record.id }
}

test('a revocation that is to be confirmed tells who has said that it refuses the key', async () => {
  const { keyring, id } = await keyringWith(async (_limitMs, written) => {
    await written
    return [{ ...SERVICE, answeredAfterMs: 3 }, SERVICE]
  })
  const { record, confirmation } = await keyring.revoke(id, { confirm: '2s', reason: 'leaked' })
  expect(record).toMatchObject({ id, state: 'revoked', revokedReason: 'leaked' })
  expect(confirmation).toEqual({ services: 2, confirmed: 2, lastAfterMs: 23 })
})

test('it names those that have not answered, and asks again when it is called again', async () => {
  const limits: number[] = []
  const { keyring, id } = await keyringWith(async (limitMs) => {
    limits.push(limitMs)
    return limits.length === 1 ? [SERVICE, SILENT] : [SERVICE, SERVICE]
  })
  const unanswered = [{ host: 'jobs-2', pid: 7, applicationName: 'jobs-api' }]
  const first = await keyring.revoke(id, { confirm: 3 })
  expect(first.confirmation).toEqual({ services: 2, confirmed: 1, lastAfterMs: 23, unanswered })
  expect((await keyring.revoke(id, { confirm: '1m' })).confirmation.confirmed).toBe(2)
  expect(limits).toEqual([3000, 60_000])
})

test('services are asked only once the revocation is written, and not at all where that fails', async () => {
  const asked: string[] = []
  const { keyring, store, id } = await keyringWith(async (_limitMs, written) => {
    asked.push('called')
    await written
    asked.push(String((await store.find(id))?.revokedAt !== null))
    return []
  })
  expect((await keyring.revoke(id, { confirm: '1s' })).confirmation).toEqual({
    services: 0,
    confirmed: 0,
    lastAfterMs: null,
  })
  expect(asked).toEqual(['called', 'true'])
  await expect(keyring.revoke('absentabsent', { confirm: '1s' })).rejects.toMatchObject({
    code: 'ERR_VANTAGE_KEY_NOT_FOUND',
  })
  expect(asked).toEqual(['called', 'true', 'called'])
})

test('where services cannot be asked it says that the key is revoked all the same', async () => {
  const { keyring, store, id } = await keyringWith(() => Promise.reject(new Error('no LISTEN here')))
  const error = await keyring.revoke(id, { confirm: '1s' }).catch((fault: unknown) => fault)
  expect(error).toBeInstanceOf(KeyStoreError)
  expect(error).toBeInstanceOf(UnconfirmedError)
  expect(error).toMatchObject({
    name: 'UnconfirmedError',
    code: 'ERR_VANTAGE_UNCONFIRMED',
    message: expect.stringMatching(/^It is revoked, but .*no LISTEN here/),
    record: { id, state: 'revoked' },
    cause: { message: 'no LISTEN here' },
  })
  expect((await store.find(id))?.revokedAt).toEqual(expect.any(Number))
  await expect(keyring.revokeTokens(SELECTOR, { confirm: '1s' })).rejects.toMatchObject({
    code: UnconfirmedError.code,
    record: SELECTOR,
  })
})

test.each<[string, unknown]>([
  ['no list', undefined],
  ['no list', { length: 0 }],
  ['a member that is no object', [SERVICE, null]],
  ['a member that is no object', [7]],
  ['no time', [{ ...SERVICE, answeredAfterMs: undefined }]],
  ['no time', [{ ...SERVICE, answeredAfterMs: '3' }]],
  ['a time before the question', [{ ...SERVICE, answeredAfterMs: -1 }]],
  ['no number', [{ ...SERVICE, answeredAfterMs: Number.NaN }]],
  ['no end', [{ ...SERVICE, answeredAfterMs: Number.POSITIVE_INFINITY }]],
])('an answer of a store of the application that is %s confirms nothing: %j', async (_, answer) => {
  const { keyring, id } = await keyringWith(async () => answer as AskedService[])
  const message = expect.stringContaining('askServices()')
  await expect(keyring.revoke(id, { confirm: '1s' })).rejects.toMatchObject({
    code: 'ERR_VANTAGE_UNCONFIRMED',
    message,
    record: { id, state: 'revoked' },
  })
  await expect(keyring.services()).rejects.toMatchObject({ code: 'ERR_VANTAGE_KEY_STORE', message })
})

test.each<[string, KeyStore['askServices']]>([
  [
    'throws',
    () => {
      throw new Error('no list')
    },
  ],
  ['answers with no promise', () => [{ ...SERVICE, answeredAfterMs: undefined }] as never],
])('a store of the application that %s at once confirms nothing', async (_, askServices) => {
  const { keyring, id } = await keyringWith(askServices)
  await expect(keyring.revoke(id, { confirm: '1s' })).rejects.toMatchObject({
    code: 'ERR_VANTAGE_UNCONFIRMED',
    record: { id, state: 'revoked' },
  })
  await expect(keyring.revoke('absentabsent', { confirm: '1s' })).rejects.toMatchObject({
    code: 'ERR_VANTAGE_KEY_NOT_FOUND',
  })
})

test('a store that cannot ask is refused before anything is written', async () => {
  const { keyring, store, id } = await keyringWith(undefined)
  const refused = { code: 'ERR_VANTAGE_KEY_STORE', message: expect.stringContaining('askServices()') }
  await expect(keyring.revoke(id, { confirm: '1s' })).rejects.toMatchObject(refused)
  await expect(keyring.revokeTokens(SELECTOR, { confirm: '1s' })).rejects.toMatchObject(refused)
  await expect(keyring.services()).rejects.toMatchObject(refused)
  expect((await store.find(id))?.revokedAt).toBeNull()
  expect(await keyring.tokenRevocations()).toEqual([])
})

test.each(['0s', '11m', '500ms', 0, 1.5, null, true])('confirm: %j is refused', async (confirm) => {
  const { keyring, id } = await keyringWith(async () => [])
  await expect(keyring.revoke(id, { confirm: confirm as string })).rejects.toThrow(TypeError)
  await expect(keyring.revokeTokens(SELECTOR, { confirm: confirm as string })).rejects.toThrow(TypeError)
  if (confirm !== null) await expect(keyring.services({ timeout: confirm as string })).rejects.toThrow(TypeError)
})

test('the revocation of tokens is confirmed in the same way', async () => {
  const { keyring } = await keyringWith(async () => [SERVICE])
  const { record, confirmation } = await keyring.revokeTokens(SELECTOR, { confirm: '2s' })
  expect(record).toMatchObject(SELECTOR)
  expect(confirmation).toEqual({ services: 1, confirmed: 1, lastAfterMs: 23 })
})

test('services() lists who follows, since when and how far', async () => {
  const { keyring } = await keyringWith(async () => [SERVICE, SILENT])
  expect(await keyring.services()).toEqual([
    {
      host: 'jobs-1',
      pid: 7,
      applicationName: 'jobs-api',
      since: new Date(1_700_000_000_000),
      heardOf: '42',
      isUpToDate: true,
    },
    { host: 'jobs-2', pid: 7, applicationName: 'jobs-api', since: null, heardOf: null, isUpToDate: false },
  ])
})

test('in one process the services of a store in memory confirm at once; who only looks is none', async () => {
  const store = memoryKeyStore()
  const keyring = createKeyring(store)
  const { record } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
  const feeds = [store.watch?.(() => {}), store.watch?.(() => {}), store.watch?.(() => {}, 'observer')]
  const { confirmation } = await keyring.revoke(record.id, { confirm: '1s' })
  expect(confirmation).toEqual({ services: 2, confirmed: 2, lastAfterMs: 0 })
  await feeds[0]?.close()
  expect(await keyring.services()).toEqual([
    expect.objectContaining({ host: hostname(), pid: process.pid, since: expect.any(Date), isUpToDate: true }),
  ])
})
