import { expect, test } from 'vitest'
import { createVerifier } from '../../src/index.js'
import { createTestIssuer } from '../../src/testing/issuer.js'

const noNetwork: typeof fetch = () => Promise.reject(new Error('a test must not fetch'))

test('mints tokens that a verifier with its options accepts, without a network', async () => {
  const issuer = createTestIssuer()
  const verifier = createVerifier({ ...issuer.options, keys: false, fetch: noNetwork })
  const auth = await verifier.authenticate({
    authorization: `Bearer ${issuer.mint({ scope: 'jobs:read,jobs:write' })}`,
  })
  expect(auth).toMatchObject({
    kind: 'access_token',
    issuer: 'https://issuer.test',
    subject: 'user_123',
    clientId: 'client_123',
    scopes: ['jobs:read', 'jobs:write'],
  })
  await verifier.close()
})

test.each([
  ['another subject', { sub: 'user_9' }, {}, undefined],
  ['an expired token', { exp: 1 }, {}, 'expired'],
  ['another audience', { aud: 'https://other.test' }, {}, 'audience'],
  ['a claim left out', { client_id: undefined }, {}, 'claims'],
  ['another type', {}, { typ: 'JWT' }, 'type'],
])('mints %s', async (_, claims, header, reason) => {
  const issuer = createTestIssuer()
  const verifier = createVerifier({ ...issuer.options, keys: false, fetch: noNetwork })
  const decision = (async () => verifier.authenticate({ authorization: `Bearer ${issuer.mint(claims, header)}` }))()
  if (reason === undefined) await expect(decision).resolves.toMatchObject({ subject: 'user_9' })
  else await expect(decision).rejects.toMatchObject({ code: 'ERR_VANTAGE_TOKEN_INVALID', reason })
  await verifier.close()
})

test('makes a key of its own each time: one test issuer does not stand for another', async () => {
  const [one, other] = [createTestIssuer(), createTestIssuer()]
  const verifier = createVerifier({ ...one.options, keys: false, fetch: noNetwork })
  await expect(async () => verifier.authenticate({ authorization: `Bearer ${other.mint()}` })).rejects.toMatchObject({
    code: 'ERR_VANTAGE_TOKEN_INVALID',
    reason: 'key',
  })
  await verifier.close()
})

test('counts from the clock that it is given', async () => {
  const clock = () => Date.parse('2024-12-31T23:54:59Z')
  const issuer = createTestIssuer({ clock })
  const verifier = createVerifier({ ...issuer.options, keys: false, clock })
  const auth = await verifier.authenticate({ authorization: `Bearer ${issuer.mint()}` })
  expect(auth.expiresAt?.toISOString()).toBe('2024-12-31T23:59:59.000Z')
  await verifier.close()
})
