import { expect, test } from 'vitest'
import { digestApiKey, generateApiKey, type ParsedApiKey, parseApiKey } from '../../src/api-key/format.js'
import { checkStoredKey, judgeStoredKey, type PresentedKey, reportStoredKey } from '../../src/api-key/verdict.js'
import type { StoredKey } from '../../src/store/contract.js'
import { createTestKey, type TestKey } from '../support/stored-keys.js'

const NOW = 1_000_000

function present(key: string): PresentedKey {
  return { ...(parseApiKey(key) as ParsedApiKey), digest: digestApiKey(key) }
}

function judge({ key, stored }: TestKey, over: Partial<StoredKey> = {}) {
  return judgeStoredKey({ ...stored, ...over }, present(key), NOW)
}

test('an active key grants what is stored with it', () => {
  const key = createTestKey({ tenant: 't', name: 'n', scopes: ['jobs:read', 'own:one'] })
  expect(judge(key)).toEqual({
    kind: 'api_key',
    keyId: key.id,
    subject: 'user_1',
    tenant: 't',
    name: 'n',
    scopes: ['jobs:read', 'own:one'],
    expiresAt: null,
  })
})

test.each([
  ['unknown', { digest: digestApiKey('another') }],
  ['environment', { environment: 'test' }],
  ['revoked', { revokedAt: 1, expiresAt: 1 }],
  ['expired', { expiresAt: NOW }],
] as const)('a key is refused as %s', (reason, over) => {
  expect(judge(createTestKey(), over)).toBe(reason)
})

test('a key that is not there is unknown, and one is accepted up to its end', () => {
  const key = createTestKey()
  expect(judgeStoredKey(undefined, present(key.key), NOW)).toBe('unknown')
  expect(judge(key, { expiresAt: NOW + 1 })).toMatchObject({ kind: 'api_key', expiresAt: new Date(NOW + 1) })
})

test.each([
  ['accepted', {}],
  ['unknown', { digest: digestApiKey('another') }],
  ['environment', { environment: 'test' }],
  ['revoked', { revokedAt: 1 }],
  ['expired', { expiresAt: NOW }],
  ['environment', { environment: 'test', revokedAt: 1, expiresAt: 1 }],
] as const)('what people are told of a key is the decision on it: %s', (reason, over) => {
  const { key, stored } = createTestKey()
  const row = { ...stored, ...over }
  const verdict = judgeStoredKey(row, present(key), NOW)
  const refusal = reportStoredKey(row, present(key), NOW).find(({ passed }) => !passed)
  expect(typeof verdict === 'string' ? verdict : 'accepted').toBe(reason)
  expect(refusal?.reason ?? 'accepted').toBe(reason)
})

test('who does not hold the whole key is told nothing of the row', () => {
  const { key, stored } = createTestKey({ revokedAt: 1 })
  const other = { ...present(generateApiKey('live').key), id: stored.id }
  expect(reportStoredKey(stored, other, NOW).map(({ name, found }) => [name, found])).toEqual([
    ['store', `a key with the id ${stored.id}`],
    ['digest', 'another: the key has the id of a stored one, and another secret'],
  ])
  expect(reportStoredKey(undefined, present(key), NOW)).toMatchObject([{ passed: false, reason: 'unknown' }])
})

test.each([
  ['id', 'another'],
  ['digest', undefined],
  ['subject', null],
  ['tenant', undefined],
  ['name', 7],
  ['environment', 'elsewhere'],
  ['scopes', 'jobs:read'],
  ['scopes', [1]],
  ['scopes', new Array(1)],
  ['expiresAt', undefined],
  ['expiresAt', '2026-11-25'],
  ['revokedAt', undefined],
  ['revokedAt', Number.NaN],
])('a stored key whose %s is %j is not taken, and the message names the member alone', (member, value) => {
  const { id, stored } = createTestKey()
  expect(() => checkStoredKey({ ...stored, [member]: value }, id)).toThrow(
    new TypeError(`KeyStore.find() answered a key whose ${member} is not what StoredKey says`),
  )
})

test('what is not there passes, and what is no key does not', () => {
  expect(() => checkStoredKey(undefined, 'id')).not.toThrow()
  for (const value of [null, 'key', 7]) expect(() => checkStoredKey(value, 'id')).toThrow(TypeError)
})
