import { expect, test } from 'vitest'
import { assertScope } from '../../src/core/assert-scope.js'
import { InsufficientScopeError } from '../../src/core/errors.js'
import { hasScope } from '../../src/core/scope.js'
import { authTestAnswer } from '../../src/http/answers.js'
import { createTestAuth } from '../../src/testing/auth.js'
import { createTestIssuer } from '../../src/testing/issuer.js'
import { createTestKeys } from '../../src/testing/keys.js'
import { createVerifier } from '../../src/verifier/verifier.js'

test('has the fields that a verifier gives, of either kind', async () => {
  const issuer = createTestIssuer()
  const { store, keyring } = createTestKeys()
  const verifier = createVerifier({ ...issuer.options, keys: store })
  const { key } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
  const byToken = await verifier.authenticate({ authorization: `Bearer ${issuer.mint({ scope: 'jobs:read' })}` })
  const byKey = await verifier.authenticate({ authorization: `Bearer ${key}` })
  const token = createTestAuth({ scopes: ['jobs:read'] })
  const apiKey = createTestAuth({ kind: 'api_key', scopes: ['jobs:read'] })
  expect(Object.keys(token)).toEqual(Object.keys(byToken))
  expect(Object.keys(apiKey)).toEqual(Object.keys(byKey))
  const { tokenId: _, claims: __, expiresAt: ___, ...same } = token
  expect(byToken).toMatchObject(same)
  await verifier.close()
})

test('has what it was given', () => {
  const expiresAt = new Date('2030-01-01T00:00:00Z')
  const auth = createTestAuth({
    subject: 'ann',
    scopes: ['jobs:read'],
    tenant: 'acme',
    expiresAt,
    claims: { org: ['a'] },
  })
  expect(auth).toMatchObject({ kind: 'access_token', subject: 'ann', tenant: 'acme', expiresAt })
  expect(auth.claims).toMatchObject({ sub: 'ann', scope: 'jobs:read', org: ['a'], client_id: 'client_123' })
  const key = createTestAuth({ kind: 'api_key', keyId: 'k1', name: 'nightly', expiresAt })
  expect(key).toMatchObject({ kind: 'api_key', keyId: 'k1', name: 'nightly', expiresAt, scopes: [] })
  expect(createTestAuth({ kind: 'api_key' }).expiresAt).toBeNull()
})

test('has a session, an actor, an acr and a time of sign-in as a token has them', () => {
  const authTime = new Date('2030-01-01T00:00:00Z')
  const auth = createTestAuth({ sessionId: 's1', actor: { subject: 'svc', clientId: 'c' }, acr: 'mfa', authTime })
  expect(auth).toMatchObject({
    sessionId: 's1',
    actor: { subject: 'svc', clientId: 'c', chain: [] },
    acr: 'mfa',
    authTime,
    claims: { sid: 's1', act: { sub: 'svc', client_id: 'c' }, acr: 'mfa', auth_time: 1_893_456_000 },
  })
  const byClaims = createTestAuth({ claims: { sid: 's2', act: { sub: 'svc' }, acr: 'pwd', auth_time: 1 } })
  expect(byClaims).toMatchObject({ sessionId: 's2', actor: { subject: 'svc' }, acr: 'pwd', authTime: new Date(1000) })
  const unnamed = createTestAuth({ actor: { subject: null, clientId: 'c' } })
  expect(unnamed).toMatchObject({ actor: { subject: null, clientId: 'c' }, claims: { act: { client_id: 'c' } } })
  expect(createTestAuth()).toMatchObject({ sessionId: null, actor: null, acr: null, authTime: null })
})

test('is frozen all the way down, and answers what a verified one answers', () => {
  const auth = createTestAuth({ scopes: ['jobs:read'], claims: { org: { id: 1 } } })
  expect(Object.isFrozen(auth)).toBe(true)
  expect(Object.isFrozen(auth.scopes)).toBe(true)
  expect(Object.isFrozen(auth.claims.org)).toBe(true)
  expect(hasScope(auth, 'jobs:read')).toBe(true)
  expect(hasScope(auth, 'jobs:write')).toBe(false)
  assertScope(auth, 'jobs:read')
  expect(() => assertScope(auth, 'jobs:write')).toThrow(InsufficientScopeError)
  expect(JSON.parse(authTestAnswer(auth).body)).toMatchObject({ authenticated: true, user_id: 'user_123' })
})

test.each([
  [{ kind: 'key' }, /^kind must be/],
  [{ kind: 'api_key', clientId: 'x' }, /^unknown option of createTestAuth\(\)/],
  [{ subject: '' }, /^subject must be/],
  [{ scopes: 'jobs:read' }, /^scopes must be a list/],
  [{ scopes: ['two words'] }, /^scopes must be a list/],
  [{ expiresAt: 5 }, /^expiresAt must be a Date/],
  [{ tenant: 5 }, /^tenant must be/],
  [{ sessionId: '' }, /^sessionId must be/],
  [{ acr: 5 }, /^acr must be/],
  [{ authTime: 5 }, /^authTime must be a Date/],
  [{ actor: {} }, /^actor\.subject is missing/],
  [{ actor: { subject: '' } }, /^actor\.subject must be/],
  [{ actor: { sub: 'svc' } }, /^unknown member of actor/],
])('is not made of %j', (options, message) => {
  expect(() => createTestAuth(options as never)).toThrow(TypeError)
  expect(() => createTestAuth(options as never)).toThrow(message)
})
