import { expect, test } from 'vitest'
import { createTestClock } from '../../src/testing/clock.js'
import { createTestIssuer } from '../../src/testing/issuer.js'
import { createTestKeys } from '../../src/testing/keys.js'
import { createVerifier } from '../../src/verifier/verifier.js'

test('stands still until it is moved', () => {
  const clock = createTestClock('2026-11-25T12:00:00Z')
  const start = Date.parse('2026-11-25T12:00:00Z')
  expect([clock(), clock.now()]).toEqual([start, start])
  expect(clock.advance('1h')).toBe(start + 3_600_000)
  expect(clock.advance(5)).toBe(start + 3_605_000)
  expect(clock.advance('0s')).toBe(clock())
  expect(clock.set(new Date(start))).toBe(start)
  expect(clock.set(start + 1)).toBe(start + 1)
  const { now } = clock
  expect(now()).toBe(start + 1)
})

test('begins at the present', () => {
  const before = Date.now()
  const clock = createTestClock()
  expect(clock()).toBeGreaterThanOrEqual(before)
  expect(clock()).toBeLessThanOrEqual(Date.now())
})

test.each([
  ['set', 'yesterday', /^to must be a date/],
  ['set', Number.NaN, /^to must be a date/],
  ['advance', '1w', /^by must be a duration/],
  ['advance', -1, /^by must be/],
] as const)('%s(%j) is a TypeError and moves nothing', (method, value, message) => {
  const clock = createTestClock(0)
  expect(() => clock[method](value)).toThrow(TypeError)
  expect(() => clock[method](value)).toThrow(message)
  expect(clock()).toBe(0)
  expect(() => createTestClock('never')).toThrow(/^start must be a date/)
})

test('is one for issuer, verifier, keyring and keys', async () => {
  const clock = createTestClock('2030-01-01T00:00:00Z')
  const issuer = createTestIssuer({ clock })
  const { store, keyring } = createTestKeys({ clock })
  const verifier = createVerifier({ ...issuer.options, keys: store, clock })
  const { key, record } = await keyring.create({ subject: 'ci', scopes: ['jobs:read'], expiresIn: '1d' })
  expect(record.createdAt).toEqual(new Date('2030-01-01T00:00:00Z'))
  const ask = async (credential: string) => verifier.authenticate({ authorization: `Bearer ${credential}` })
  expect(await ask(key)).toMatchObject({ kind: 'api_key', subject: 'ci' })
  expect(await ask(issuer.mint())).toMatchObject({ kind: 'access_token' })
  clock.advance('1d')
  await expect(ask(key)).rejects.toMatchObject({ reason: 'expired' })
  const { record: next } = await keyring.create({ subject: 'ci', scopes: ['jobs:read'] })
  await keyring.revoke(next.id)
  expect(await keyring.get(next.id)).toMatchObject({ state: 'revoked', revokedAt: new Date('2030-01-02T00:00:00Z') })
  await verifier.close()
  await keyring.close()
})
