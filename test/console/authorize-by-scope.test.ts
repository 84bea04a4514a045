import {
  type AnyAuthError,
  answerTo,
  createKeyring,
  createVerifier,
  InsufficientScopeError,
  InvalidTokenError,
  MissingCredentialsError,
  memoryKeyStore,
} from 'vantage-auth'
import { createTestIssuer } from 'vantage-auth/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { type AuthorizeByScopeOptions, authorizeByScope } from '../../console/authorize-by-scope.js'
import { ALL_TENANTS, type ConsoleAction, type ConsoleCaller } from '../../console/contract.js'
import { documentedRefusal, isByScope, mayNameTenant } from '../../console/preset.js'
import { generateApiKey } from '../../src/api-key/format.js'
import { enter, type Request } from '../support/portable.js'

const ACTIONS: ConsoleAction[] = ['page', 'list', 'usage', 'audit', 'events', 'create', 'rotate', 'revoke']

const issuer = createTestIssuer()
const other = createTestIssuer({ issuer: 'https://other.test' })
const store = memoryKeyStore()
const keyring = createKeyring(store, { scopes: ['keys:read', 'keys:write'] })
const verifier = createVerifier({
  issuer: [issuer, other].map(({ issuer, jwks, options: { audience } }) => ({
    issuer,
    audience,
    jwks,
    tenantClaim: 'org',
  })) as never,
  keys: store,
})
afterAll(() => verifier.close())

const named = { issuer: issuer.issuer }
const scope = 'keys:read keys:write jobs:read'

/** What the preset says of a request with this credential: the caller, or what it threw. */
async function ask(
  credential: string | undefined,
  action: ConsoleAction = 'list',
  options: AuthorizeByScopeOptions = named,
): Promise<ConsoleCaller> {
  const request = await admitted(credential)
  return (await authorizeByScope(options)(request, { action })) as ConsoleCaller
}

async function admitted(credential: string | undefined): Promise<Request> {
  const request = { headers: credential === undefined ? {} : { authorization: `Bearer ${credential}` } }
  expect(await enter(request, { verifier, optional: true })).toBe(request)
  return request
}

async function refusalOf(asked: Promise<unknown>): Promise<AnyAuthError> {
  const thrown = await asked.then(
    (caller) => expect.fail(`was let in: ${JSON.stringify(caller)}`),
    (error: unknown) => error,
  )
  const refusal = documentedRefusal(thrown)
  if (refusal === undefined) throw thrown
  return refusal
}

async function keyWith(scopes: string[], more: object = {}) {
  return keyring.create({ subject: 'svc', scopes: scopes as never, ...more })
}

describe('the caller', () => {
  test('is the subject of a token, which grants its own scopes and until its own end', async () => {
    const exp = Math.floor(Date.now() / 1000) + 90
    const caller = await ask(issuer.mint({ sub: 'ada', scope, exp }))
    expect({ ...caller }).toMatchObject({
      actor: 'ada',
      subject: 'ada',
      tenant: ALL_TENANTS,
      canWrite: true,
      grantable: ['keys:read', 'keys:write', 'jobs:read'],
      notAfter: new Date(exp * 1000),
    })
  })

  test('is limited to its subject in its tenant', async () => {
    expect(await ask(issuer.mint({ sub: 'ada', org: 'acme', scope }))).toMatchObject({ subject: 'ada', tenant: 'acme' })
  })

  test('sees all subjects of its tenant with tenantWide', async () => {
    const caller = await ask(issuer.mint({ sub: 'ada', org: 'acme', scope }), 'list', { ...named, tenantWide: true })
    expect(caller.tenant).toBe('acme')
    expect(caller).not.toHaveProperty('subject')
  })

  test('never names the tenant of a new key, also where it sees several', async () => {
    const caller = await ask(issuer.mint({ scope }), 'create')
    expect(caller.tenant).toBe(ALL_TENANTS)
    expect(mayNameTenant(caller)).toBe(false)
    expect(mayNameTenant({ actor: 'root', tenant: ALL_TENANTS })).toBe(true)
  })

  test('may not write without keys:write', async () => {
    expect((await ask(issuer.mint({ scope: 'keys:read' }), 'page')).canWrite).toBe(false)
  })

  test('is the key where it is an API key, whose end may be none', async () => {
    const { key, record } = await keyWith(['keys:read'], { expiresIn: null, tenant: 'acme' })
    const caller = await ask(key)
    expect(caller).toMatchObject({
      actor: `key:${record.id}`,
      subject: 'svc',
      tenant: 'acme',
      grantable: ['keys:read'],
    })
    expect(caller.notAfter).toBeUndefined()
  })

  test('is marked, also in a copy that an application makes', async () => {
    const caller = await ask(issuer.mint({ scope }))
    expect(isByScope({ ...caller, grantable: [] })).toBe(true)
    expect(isByScope({ actor: 'ada', tenant: 'acme' })).toBe(false)
  })
})

describe('each action takes one scope, and the other does not stand for it', () => {
  const readers = ACTIONS.filter((action) => !['create', 'rotate', 'revoke'].includes(action))

  test.each(ACTIONS)('%s', async (action) => {
    const [has, lacks] = readers.includes(action) ? ['keys:read', 'keys:write'] : ['keys:write', 'keys:read']
    expect(await ask(issuer.mint({ scope: has }), action)).toMatchObject({ actor: 'user_123' })
    const refusal = await refusalOf(ask(issuer.mint({ scope: lacks }), action))
    // The documented answer, byte for byte.
    expect(answerTo(refusal)).toMatchObject({
      status: 403,
      headers: {
        'WWW-Authenticate': `Bearer realm="vantage", error="insufficient_scope", error_description="The request requires higher privileges than provided", scope="${has}"`,
      },
      body: '{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided"}',
    })
  })
})

describe('refuses', () => {
  test('a request without a credential', async () => {
    const refusal = await refusalOf(ask(undefined))
    expect(refusal.code).toBe(MissingCredentialsError.code)
    expect(answerTo(refusal).headers['WWW-Authenticate']).toBe('Bearer realm="vantage"')
  })

  // The same `sub` from another issuer is somebody else.
  test('a good token of an issuer that is not named, in every action', async () => {
    const token = other.mint({ sub: 'ada', org: 'acme', scope })
    for (const action of ACTIONS) {
      const refusal = await refusalOf(ask(token, action))
      expect([refusal.code, refusal.reason]).toEqual([InvalidTokenError.code, 'issuer'])
    }
    expect(await ask(token, 'list', { issuer: [issuer.issuer, other.issuer] })).toMatchObject({ actor: 'ada' })
  })

  test.each(['create', 'rotate'] as const)('%s by an API key, unless keysMayCreate', async (action) => {
    const { key } = await keyWith(['keys:read', 'keys:write'])
    const refusal = await refusalOf(ask(key, action))
    expect([refusal.code, refusal.reason]).toEqual([InsufficientScopeError.code, 'rule'])
    expect(answerTo(refusal).headers['WWW-Authenticate']).not.toContain('scope=')
    expect(await ask(key, action, { ...named, keysMayCreate: true })).toMatchObject({ canWrite: true })
    expect(await ask(key, 'revoke')).toMatchObject({ canWrite: true })
  })

  test('a caller without a tenant under tenantWide', async () => {
    const refusal = await refusalOf(ask(issuer.mint({ scope }), 'list', { ...named, tenantWide: true }))
    expect([refusal.status, refusal.reason]).toEqual([403, 'rule'])
  })

  test.each([
    ['too long', 'x'.repeat(257)],
    ['with a line break', 'ada\nbob'],
    ['that looks like a key', generateApiKey('live').key],
  ])('a subject that no key can have: %s', async (_, sub) => {
    expect((await refusalOf(ask(issuer.mint({ sub, scope })))).status).toBe(403)
  })
})

test('asks the verifier again for events, since the mount decided when the stream began', async () => {
  const { key, record } = await keyWith(['keys:read'])
  const request = await admitted(key)
  const authorize = authorizeByScope(named)
  expect(await authorize(request, { action: 'events' })).toMatchObject({ actor: `key:${record.id}` })
  await keyring.revoke(record.id)
  const refusal = await refusalOf(Promise.resolve(authorize(request, { action: 'events' })))
  expect([refusal.status, refusal.reason]).toEqual([401, 'revoked'])
})

test('tells onError of the mount what it refuses', async () => {
  const heard: unknown[] = []
  const request: Request = { headers: { authorization: `Bearer ${issuer.mint({ scope: 'jobs:read' })}` } }
  await enter(request, { verifier, onError: (error) => heard.push(error.reason) })
  await refusalOf(Promise.resolve(authorizeByScope(named)(request, { action: 'list' })))
  expect(heard).toEqual(['scope'])
})

test('without vantageAuth() it names the mistake, and that is no answer to the client', async () => {
  const thrown = await Promise.resolve(authorizeByScope(named)({}, { action: 'list' })).catch((error) => error)
  expect(thrown.message).toBe('authorizeByScope() ran without vantageAuth(): mount the middleware before the route')
  expect(documentedRefusal(thrown)).toBeUndefined()
})

test('an AuthError from elsewhere is no documented refusal', () => {
  expect(documentedRefusal(new MissingCredentialsError('vantage'))).toBeUndefined()
  expect(documentedRefusal(undefined)).toBeUndefined()
})

describe('is a TypeError at start that names it', () => {
  test.each<[string, unknown, RegExp]>([
    ['no options', undefined, /^options of authorizeByScope\(\) must be an object with issuer/],
    ['no issuer', {}, /^issuer must be/],
    ['an empty issuer', { issuer: '' }, /^issuer must be/],
    ['an empty list', { issuer: [] }, /^issuer must be/],
    ['an issuer that is no text', { issuer: [7] }, /^issuer must be/],
    ['an issuer that is no URL', { issuer: 'auth.example.com' }, /^issuer is not a URL/],
    ['an issuer of another scheme', { issuer: 'ftp://auth.example.com' }, /^issuer must be an https URL/],
    ['tenantWide that is no boolean', { ...named, tenantWide: 'yes' }, /^tenantWide must be true or false/],
    ['keysMayCreate that is no boolean', { ...named, keysMayCreate: 1 }, /^keysMayCreate must be true or false/],
    ['an unknown option', { ...named, tenantwide: true }, /tenantwide.*did you mean tenantWide/],
  ])('%s', (_, options, message) => {
    expect(() => authorizeByScope(options as never)).toThrow(TypeError)
    expect(() => authorizeByScope(options as never)).toThrow(message)
  })

  test('the preset itself, given where its result belongs', () => {
    const asked = authorizeByScope as unknown as (...given: unknown[]) => unknown
    expect(() => asked({}, { action: 'list' })).toThrow('authorizeByScope was passed without being called')
  })
})
