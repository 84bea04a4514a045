import { expect, test } from 'vitest'
import { digestApiKey, type ParsedApiKey, parseApiKey } from '../../src/api-key/format.js'
import { checkStoredKey, judgeStoredKey } from '../../src/api-key/verdict.js'
import type { StoredKey } from '../../src/store/contract.js'
import { createTestKey, type TestKey } from '../support/stored-keys.js'

const NOW = 1_000_000

function judge({ key, stored }: TestKey, over: Partial<StoredKey> = {}) {
  return judgeStoredKey({ ...stored, ...over }, parseApiKey(key) as ParsedApiKey, digestApiKey(key), NOW)
}

test('an active key grants what is stored with it', () => {
  const key = createTestKey({ tenant: 't', name: 'n', scopes: ['jobs:read', 'own:one'] })
  expect(judge(key)).toMatchObject({
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
  expect(judgeStoredKey(undefined, parseApiKey(key.key) as ParsedApiKey, digestApiKey(key.key), NOW)).toBe('unknown')
  expect(judge(key, { expiresAt: NOW + 1 })).toMatchObject({ kind: 'api_key' })
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
