import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { type AnyAuthError, type DecisionEvent, isAuthError } from 'vantage-auth'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { VerifierOptions } from '../../src/config/options.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'
import { createOwnStore, createTestKey } from '../support/stored-keys.js'
import { createTestIssuer } from '../support/tokens.js'

const issuer = createTestIssuer()
const key = createTestKey()
const unknown = createTestKey()
const ofKey = { kind: 'api_key', keyId: key.id }
const ofToken = { kind: 'access_token', issuer: issuer.issuer }

const verifiers: Verifier[] = []
const events: DecisionEvent[] = []
const listen = (event: unknown) => void events.push(event as DecisionEvent)
beforeEach(() => void events.splice(0))
beforeEach(() => subscribe('vantage-auth:decision', listen))
afterEach(() => void unsubscribe('vantage-auth:decision', listen))
afterEach(async () => {
  for (const verifier of verifiers.splice(0)) await verifier.close()
})

function verifierOf(options: VerifierOptions = {}): Verifier {
  const verifier = createVerifier({ ...issuer.options, keys: createOwnStore(key), timeoutMs: 50, ...options })
  verifiers.push(verifier)
  return verifier
}

async function refusalOf(verifier: Verifier, authorization: unknown): Promise<AnyAuthError> {
  try {
    await verifier.authenticate({ authorization: authorization as string })
  } catch (error) {
    if (isAuthError(error)) return error
    throw error
  }
  throw new Error('accepted')
}

/** The error of each of the cases tells the same as the event, and nothing that is secret. */
async function expectRefusal(verifier: Verifier, authorization: unknown, reason: string, credential: unknown) {
  const error = await refusalOf(verifier, authorization)
  expect(error.reason).toBe(reason)
  expect(error.credential).toEqual(credential)
  expect(Object.hasOwn(error, 'credential')).toBe(true)
  if (error.credential) expect(Object.isFrozen(error.credential)).toBe(true)
  const { kind, keyId, issuer } = error.credential ?? {}
  expect(events.at(-1)).toMatchObject({ reason, kind, keyId, issuer })
  const secret = typeof authorization === 'string' ? authorization.slice(-20) : ''
  if (secret.length === 20) expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain(secret)
}

test.each([
  ['no credential', undefined, 'missing', undefined],
  ['another scheme', 'Basic dTpw', 'missing', undefined],
  ['two lines', [`Bearer ${key.key}`, `Bearer ${key.key}`], 'repeated', undefined],
  ['nothing behind the scheme', 'Bearer ', 'malformed', undefined],
  ['no token', 'Bearer x', 'malformed', { kind: 'access_token' }],
  ['a token that is too long', `Bearer ${'x'.repeat(9000)}`, 'malformed', { kind: 'access_token' }],
  ['a key that is too long', `bearer  vak_live_${'x'.repeat(9000)}`, 'malformed', { kind: 'api_key' }],
  ['a key of another format', 'Bearer vak_live_hush', 'malformed', { kind: 'api_key' }],
  ['a key with a wrong checksum', `Bearer ${key.key.slice(0, -1)}_`, 'malformed', { kind: 'api_key' }],
  ['an unknown key', `Bearer ${unknown.key}`, 'unknown', { kind: 'api_key', keyId: unknown.id }],
  [
    'a token of an issuer that is not configured',
    () => issuer.mint({ iss: 'https://evil.example' }),
    'issuer',
    { kind: 'access_token' },
  ],
  ['a token for another audience', () => issuer.mint({ aud: 'other' }), 'audience', ofToken],
  ['a token that has ended', () => issuer.mint({ exp: 1 }), 'expired', ofToken],
  ['a forged token', () => `${issuer.mint().slice(0, -10)}AAAAAAAAAA`, 'signature', ofToken],
])('tells of %s what may be logged, also when the refusal is remembered', async (_, given, reason, credential) => {
  const verifier = verifierOf()
  const authorization = typeof given === 'function' ? `Bearer ${given()}` : given
  await expectRefusal(verifier, authorization, reason, credential)
  await expectRefusal(verifier, authorization, reason, credential)
})

test('tells of a key for another environment', async () => {
  await expectRefusal(verifierOf({ environment: 'test' }), `Bearer ${key.key}`, 'environment', ofKey)
})

test.each([
  ['a key', `Bearer ${key.key}`, ofKey],
  ['a token', `Bearer ${issuer.mint()}`, ofToken],
])('tells of %s that the application revoked', async (_, authorization, credential) => {
  await expectRefusal(verifierOf({ isRevoked: () => true }), authorization, 'revoked', credential)
  await expectRefusal(verifierOf({ isRevoked: async () => true }), authorization, 'revoked', credential)
})

test.each([
  ['the store is out of reach', `Bearer ${key.key}`, ofKey, { keys: brokenStore() }],
  ['there is no store', `Bearer ${key.key}`, ofKey, { keys: undefined }],
  ['isRevoked throws', `Bearer ${issuer.mint()}`, ofToken, { isRevoked: fail }],
  ['isRevoked rejects', `Bearer ${issuer.mint()}`, ofToken, { isRevoked: async () => fail() }],
  ['the clock throws', `Bearer ${key.key}`, ofKey, { clock: fail }],
  [
    'the key set is out of reach',
    `Bearer ${issuer.mint()}`,
    ofToken,
    { jwks: undefined, jwksUri: 'https://issuer.test/jwks', fetch: async () => fail() },
  ],
] as [string, string, object, VerifierOptions][])(
  'tells of the credential where %s',
  async (_, authorization, credential, options) => {
    await expectRefusal(verifierOf(options), authorization, 'unavailable', credential)
  },
)

test('tells of the credential that comes after close()', async () => {
  const verifier = verifierOf()
  await verifier.close()
  await expectRefusal(verifier, `Bearer ${key.key}`, 'unavailable', ofKey)
})

test('knows nothing of header lines that are none', async () => {
  await expectRefusal(verifierOf(), { length: 1 }, 'missing', undefined)
  const broken = {
    get length() {
      return fail()
    },
  }
  await expectRefusal(verifierOf(), broken, 'unavailable', undefined)
})

function fail(): never {
  throw new Error('out of reach')
}

function brokenStore() {
  const store = createOwnStore(key)
  store.onFind = () => Promise.reject(new Error('out of reach'))
  return store
}
