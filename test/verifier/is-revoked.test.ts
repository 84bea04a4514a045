import { expect, test } from 'vitest'
import { createAccessTokenAuth, createApiKeyAuth } from '../../src/core/auth.js'
import { InvalidTokenError, UnavailableError } from '../../src/core/errors.js'
import { createIsRevoked } from '../../src/verifier/is-revoked.js'

const KEY = createApiKeyAuth({ subject: 'u', scopes: [], tenant: null, keyId: 'k', name: null }, null)
const TOKEN = createAccessTokenAuth({
  subject: 'u',
  scopes: [],
  tenant: null,
  issuer: 'i',
  clientId: null,
  tokenId: 't',
  sessionId: null,
  claims: {},
})

/** A list that says of each token what is given. */
const list = (answer: boolean | Promise<boolean>) => ({ has: () => answer, hear() {}, ready: async () => {} })

test('without a list and without the option nothing is revoked, and it is known at once', () => {
  const isRevoked = createIsRevoked(undefined, undefined, 100)
  expect([isRevoked(KEY), isRevoked(TOKEN)]).toEqual([false, false])
})

test.each([true, Promise.resolve(true)])(
  'a token on the list is revoked, and the application is not asked',
  async (on) => {
    const asked: unknown[] = []
    const isRevoked = createIsRevoked(list(on), (auth) => asked.push(auth) > 0, 100)
    expect(await isRevoked(TOKEN)).toBe(true)
    expect(asked).toEqual([])
  },
)

test.each([false, Promise.resolve(false)])(
  'of a token that is not on the list the application is asked',
  async (on) => {
    const isRevoked = createIsRevoked(list(on), () => true, 100)
    expect(await isRevoked(TOKEN)).toBe(true)
  },
)

test('of an API key the application alone is asked', async () => {
  expect(await createIsRevoked(list(true), () => false, 100)(KEY)).toBe(false)
  expect(await createIsRevoked(list(false), async () => true, 100)(KEY)).toBe(true)
})

test.each([
  ['answers no boolean', () => 'yes'],
  ['answers nothing', () => undefined],
  ['resolves to no boolean', async () => 1],
  ['rejects', () => Promise.reject(new Error('down'))],
  ['throws a refusal', () => Promise.reject(new InvalidTokenError('vantage', 'revoked'))],
  ['is silent', () => new Promise(() => {})],
])('an option that %s is an outage', async (_, option) => {
  const isRevoked = createIsRevoked(undefined, option as () => never, 20)
  await expect(isRevoked(KEY)).rejects.toBeInstanceOf(UnavailableError)
})

test('an option that throws is an outage', () => {
  const isRevoked = createIsRevoked(
    undefined,
    () => {
      throw new InvalidTokenError('vantage', 'revoked')
    },
    20,
  )
  expect(() => isRevoked(KEY)).toThrow(UnavailableError)
})
