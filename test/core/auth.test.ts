import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  type Auth,
  createAccessTokenAuth,
  createApiKeyAuth,
  deepFreeze,
  noteSubjects,
  subjectsOf,
} from '../../src/core/auth.js'
import { createKeyring, createVerifier } from '../../src/index.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createTestIssuer } from '../support/tokens.js'

const issuer = createTestIssuer()
const token = issuer.mint({ act: { sub: 'svc', act: { sub: 'ann' } }, actor: { roles: ['admin', { name: 'x' }] } })
const store = memoryKeyStore()
const { key } = await createKeyring(store).create({ subject: 'user_1', scopes: ['jobs:read'], tenant: 't', name: 'ci' })
const verifier = createVerifier({ ...issuer.options, keys: store })
const decide = async (credential: string) => verifier.authenticate({ authorization: `Bearer ${credential}` })

/** Every object that can be reached from a value. */
function reach(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null || value instanceof Date || found.has(value)) return found
  found.add(value)
  for (const inner of Object.values(value)) reach(inner, found)
  return found
}

describe.each([
  ['an access token', token],
  ['an API key', key],
])('the Auth of %s', (_, credential) => {
  test('is frozen all the way down: to write to it throws', async () => {
    const auth = await decide(credential)
    expect([...reach(auth)].filter((object) => !Object.isFrozen(object))).toEqual([])
    expect(() => Object.assign(auth, { subject: 'root' })).toThrow(TypeError)
    expect(() => (auth.scopes as string[]).push('teams:write')).toThrow(TypeError)
    expect(() => Object.assign(auth, { expiresAt: null })).toThrow(TypeError)
    expect(() => Object.defineProperty(auth, 'tenant', { value: 'x' })).toThrow(TypeError)
    expect(() => Object.assign(auth, { extra: 1 })).toThrow(TypeError)
  })

  test('gives a new Date each time, so that moving one moves nothing', async () => {
    const auth = await decide(credential)
    const end = auth.expiresAt?.getTime() as number
    expect(auth.expiresAt).not.toBe(auth.expiresAt)
    auth.expiresAt?.setTime(0)
    auth.expiresAt?.setFullYear(9999)
    expect(auth.expiresAt?.getTime()).toBe(end)
    expect((await decide(credential)).expiresAt?.getTime()).toBe(end)
  })

  test('is shared between the requests of one credential', async () => {
    expect(await decide(credential)).toBe(await decide(credential))
  })

  test('holds nothing of the credential', async () => {
    const text = inspect(await decide(credential), { depth: 9, showHidden: true, getters: true })
    for (const part of credential.split('.')) expect(text).not.toContain(part.slice(22))
  })

  test('can be logged as JSON', async () => {
    const auth = await decide(credential)
    expect(JSON.parse(JSON.stringify(auth))).toMatchObject({
      kind: auth.kind,
      subject: auth.subject,
      scopes: auth.scopes,
      expiresAt: auth.expiresAt?.toISOString(),
    })
  })
})

test('of a key without an end never expires', () => {
  const auth = createApiKeyAuth({ subject: 's', scopes: [], tenant: null, keyId: 'k', name: null }, null)
  expect(auth.expiresAt).toBeNull()
  expect(auth).toEqual({
    kind: 'api_key',
    subject: 's',
    scopes: [],
    tenant: null,
    keyId: 'k',
    name: null,
    expiresAt: null,
  })
})

test('tells the two kinds apart', async () => {
  const name = (auth: Auth) => (auth.kind === 'api_key' ? auth.name : auth.clientId)
  expect([name(await decide(key)), name(await decide(token))]).toEqual(['ci', 'client_1'])
})

test('has a fraction of a second where the token has one', () => {
  const values = { subject: 's', scopes: [], tenant: null, issuer: 'i', clientId: null, tokenId: null, sessionId: null }
  expect(createAccessTokenAuth({ ...values, claims: { exp: 1.5007 } }).expiresAt?.getTime()).toBe(1500)
})

describe('what an access token says of the sign-in', () => {
  const values = { subject: 's', scopes: [], tenant: null, issuer: 'i', clientId: null, tokenId: null, sessionId: null }
  const withClaims = (claims: object) => createAccessTokenAuth({ ...values, claims: { exp: 1, ...claims } })

  test('is null where the token says nothing', () => {
    expect(withClaims({})).toMatchObject({ sessionId: null, actor: null, acr: null, authTime: null })
  })

  test('is in members of the Auth, and in its JSON', () => {
    const auth = withClaims({ act: { sub: 'svc' }, acr: 'mfa', auth_time: 1_700_000_000.5 })
    expect({ ...auth }).toMatchObject({
      actor: { subject: 'svc', clientId: null, chain: [] },
      acr: 'mfa',
      authTime: new Date(1_700_000_000_500),
    })
    expect(JSON.parse(JSON.stringify(auth)).authTime).toBe('2023-11-14T22:13:20.500Z')
    expect(auth.actor).toBe(auth.actor)
    expect(auth.authTime).not.toBe(auth.authTime)
  })

  test.each([[7], [''], [null], [['mfa']], [{}]])('is no acr where that is %j', (acr) => {
    expect(withClaims({ acr }).acr).toBeNull()
  })

  test.each([['1700000000'], [-1], [253_402_300_800], [null], [[1]], [true]])(
    'is no time where auth_time is %j',
    (auth_time) => {
      expect(withClaims({ auth_time }).authTime).toBeNull()
    },
  )

  test('comes from claims of the token itself', () => {
    const claims = Object.assign(Object.create({ acr: 'mfa', auth_time: 1, act: { sub: 'svc' } }), { exp: 1 })
    expect(createAccessTokenAuth({ ...values, claims })).toMatchObject({ acr: null, authTime: null, actor: null })
  })
})

describe('the names of a subject', () => {
  const values = { subject: 's', scopes: [], tenant: null, issuer: 'i', clientId: null, tokenId: null, sessionId: null }

  test('are that of the Auth, and those that were noted', () => {
    const auth = createAccessTokenAuth({ ...values, claims: {} })
    expect(subjectsOf(auth)).toEqual(['s'])
    noteSubjects(auth, ['00u1', 's', '00u1'])
    expect(subjectsOf(auth)).toEqual(['s', '00u1'])
  })
})

describe('deepFreeze', () => {
  test('freezes objects and arrays at every depth, and returns what it was given', () => {
    const value = JSON.parse('{"a":[{"b":[[1]]}],"__proto__":{"c":{}},"d":null,"e":"x"}')
    expect(deepFreeze(value)).toBe(value)
    expect([...reach(value)]).toHaveLength(7)
    expect([...reach(value)].every(Object.isFrozen)).toBe(true)
    expect(Object.isFrozen({}.constructor.prototype)).toBe(false)
  })

  test('does not run out of stack', () => {
    let value = {}
    for (let depth = 0; depth < 100_000; depth++) value = [value]
    expect(() => deepFreeze(value)).not.toThrow()
  })
})
