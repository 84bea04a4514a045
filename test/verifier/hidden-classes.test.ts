import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { LRUCache } from 'lru-cache'
import { expect, test, vi } from 'vitest'
import { createAccessTokenAuth } from '../../src/core/auth.js'
import { InvalidTokenError } from '../../src/core/errors.js'
import { verifyAccessToken } from '../../src/token/signature.js'
import type { UnverifiedAccessToken } from '../../src/token/unverified-token.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { outcomeOf } from '../support/outcome.js'
import { createOwnStore, createTestKey } from '../support/stored-keys.js'
import { createTestIssuer } from '../support/tokens.js'

// Code that reads objects of many hidden classes is slow: while each entry of a key had its own, a cached key took twice as
// long. V8 of Node 20 gives one to every object that adds to a spread, and every version to one whose member becomes a getter.
setFlagsFromString('--allow-natives-syntax')
const haveSameMap = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (a: object, b: object) => boolean
// It is compiled when it is called.
haveSameMap({}, {})
setFlagsFromString('--no-allow-natives-syntax')

/** More than V8 has to see before it settles how a piece of code makes its objects. */
const MANY = 50

function expectOneHiddenClass(objects: readonly object[]): void {
  expect(objects).toHaveLength(MANY)
  const last = objects.slice(-10)
  expect(last.map((object) => haveSameMap(object, last[0] as object))).toEqual(last.map(() => true))
}

test.each(['key', 'key with an end', 'token', 'token that says when somebody signed in'])(
  'each %s leaves objects of the same hidden class: Auth, entry and event',
  async (kind) => {
    const set = vi.spyOn(LRUCache.prototype, 'set')
    const events: object[] = []
    const note = (event: unknown) => void events.push(event as object)
    subscribe('vantage-auth:decision', note)
    const issuer = createTestIssuer()
    const isToken = kind.startsWith('token')
    const mint = () => issuer.mint(kind === 'token' ? {} : { auth_time: 1_700_000_000 })
    const expiresAt = kind === 'key' ? null : Date.now() + 60_000
    const keys = Array.from({ length: MANY }, () => createTestKey({ expiresAt }))
    const verifier = createVerifier({ ...issuer.options, keys: createOwnStore(...keys) })
    try {
      const auths: object[] = []
      for (const { key } of keys) {
        auths.push(await verifier.authenticate({ authorization: `Bearer ${isToken ? mint() : key}` }))
      }
      expectOneHiddenClass(auths)
      expectOneHiddenClass(events.splice(0))
      const values: readonly unknown[] = set.mock.calls.map(([, value]) => value)
      expectOneHiddenClass(values.filter((value): value is object => Object.hasOwn(Object(value), 'confirmedAt')))

      for (let i = 0; i < MANY; i++) await outcomeOf(verifier, isToken ? `${issuer.mint()}x` : createTestKey().key)
      expectOneHiddenClass(events)
    } finally {
      unsubscribe('vantage-auth:decision', note)
      set.mockRestore()
      await verifier.close()
    }
  },
)

test('all Auths of tokens are of the same hidden class, those of a second build too', async () => {
  vi.resetModules()
  const second = await import('../../src/core/auth.js')
  expect(second.createAccessTokenAuth).not.toBe(createAccessTokenAuth)
  const names = { tenant: null, issuer: 'i', clientId: null, tokenId: null, sessionId: null }
  for (const claims of [{ exp: 1 }, { exp: 1, auth_time: 1 }]) {
    const values = { subject: 'u', scopes: [], ...names, claims }
    const first = createAccessTokenAuth(values)
    const others = Array.from({ length: MANY - 1 }, () => second.createAccessTokenAuth(values))
    expectOneHiddenClass([...others, first])
  }
})

test('all verified tokens are of the same hidden class', () => {
  const { alg, publicKey, mint } = createTestIssuer()
  const key = { kid: undefined, keyObject: publicKey, isCurrent: () => true }
  // As many members as a parsed token has; the signature needs two of them.
  const parse = (text: string) =>
    ({ text, alg, issuer: {}, policy: {}, header: {}, kid: undefined, claims: {} }) as unknown as UnverifiedAccessToken
  expectOneHiddenClass(Array.from({ length: MANY }, () => verifyAccessToken(parse(mint()), [key]) as object))
})

test('all refusals are of the same hidden class, and their headers', () => {
  const refusals = Array.from({ length: MANY }, () => new InvalidTokenError('vantage', 'checksum', { kind: 'api_key' }))
  expectOneHiddenClass(refusals)
  expectOneHiddenClass(refusals.map(({ headers }) => headers))
})
