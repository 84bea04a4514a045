import type { JSONWebKeySet } from 'jose'
import { expect, test } from 'vitest'
import type { VerifierOptions } from '../../src/config/options.js'
import { entra } from '../../src/presets/entra.js'
import { createTestClock } from '../../src/testing/clock.js'
import { createTestIssuer, type ProviderOptions, type TestIssuer } from '../../src/testing/issuer.js'
import { PROVIDERS, type TestProvider } from '../../src/testing/providers.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'

function verifierFor(issuer: TestIssuer<ProviderOptions>, options: VerifierOptions = {}): Verifier {
  return createVerifier({ ...issuer.options, keys: false, ...options })
}

async function outcome(verifier: Verifier, token: string): Promise<string> {
  try {
    await verifier.authenticate({ authorization: `Bearer ${token}` })
    return 'accepted'
  } catch (error) {
    const { reason, code } = error as { reason?: string; code: string }
    return code === 'ERR_VANTAGE_UNAVAILABLE' ? '503' : (reason ?? code)
  }
}

function partsOf(token: string): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  const [header = '', claims = ''] = token.split('.')
  const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  return { header: decode(header), claims: decode(claims) }
}

const PROVIDER_NAMES = [undefined, ...Object.keys(PROVIDERS)] as (TestProvider | undefined)[]

test.each(['ES256', 'RS256', 'EdDSA'] as const)(
  'signs with %s what a verifier with its options accepts',
  async (algorithm) => {
    const issuer = createTestIssuer({ algorithm })
    const verifier = verifierFor(issuer, { algorithms: [algorithm] })
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
  },
)

test.each([
  ['another subject', { sub: 'user_9' }, {}, undefined],
  ['an expired token', { exp: 1 }, {}, 'expired'],
  ['another audience', { aud: 'https://other.test' }, {}, 'audience'],
  ['a claim left out', { client_id: undefined }, {}, 'claims'],
  ['another type', {}, { typ: 'JWT' }, 'type'],
])('mints %s', async (_, claims, header, reason) => {
  const issuer = createTestIssuer()
  const verifier = verifierFor(issuer)
  expect(await outcome(verifier, issuer.mint(claims, header))).toBe(reason ?? 'accepted')
  await verifier.close()
})

test.each(PROVIDER_NAMES)(
  'mints tokens of the shape of %s, and what is refused for one reason each',
  async (provider) => {
    const issuer = createTestIssuer({ provider, clients: ['client_123', 'web'] })
    const verifier = verifierFor(issuer)
    const token = issuer.mint({ scope: 'jobs:read teams:read', client_id: 'web' })
    expect(await verifier.authenticate({ authorization: `Bearer ${token}` })).toMatchObject({
      subject: 'user_123',
      clientId: 'web',
      scopes: ['jobs:read', 'teams:read'],
      issuer: issuer.issuer,
    })
    expect(await verifier.authenticate({ authorization: `Bearer ${issuer.mint()}` })).toMatchObject({
      clientId: 'client_123',
      scopes: [],
    })
    const withoutScope = issuer.withoutScope({ scope: 'jobs:read' })
    expect(await verifier.authenticate({ authorization: `Bearer ${withoutScope}` })).toMatchObject({ scopes: [] })
    expect({
      expired: await outcome(verifier, issuer.expired()),
      wrongAudience: await outcome(verifier, issuer.wrongAudience()),
      wrongIssuer: await outcome(verifier, issuer.wrongIssuer()),
      wrongType: await outcome(verifier, issuer.wrongType()),
      wrongKey: await outcome(verifier, issuer.wrongKey()),
      notYetValid: await outcome(verifier, issuer.notYetValid()),
      withoutAudience: await outcome(verifier, issuer.mint({ aud: undefined })),
    }).toEqual({
      expired: 'expired',
      wrongAudience: 'audience',
      wrongIssuer: 'issuer',
      wrongType: 'type',
      wrongKey: 'key',
      notYetValid: 'not_active',
      // The tokens of Cognito have none: there the client decides.
      withoutAudience: provider === 'cognito' ? 'accepted' : 'audience',
    })
    await verifier.close()
  },
)

test.each([
  [undefined, { typ: 'at+jwt' }, { client_id: 'web', scope: 'a b' }],
  ['keycloak', { typ: 'JWT' }, { azp: 'web', scope: 'a b', typ: 'Bearer' }],
  [
    'auth0',
    { typ: 'JWT' },
    { azp: 'web', scope: 'a b', aud: ['https://api.test', 'https://tenant.auth0.test/userinfo'] },
  ],
  ['entra', { typ: 'JWT' }, { azp: 'web', scp: 'a b', ver: '2.0', tid: expect.any(String), uti: expect.any(String) }],
  ['okta', { typ: undefined }, { cid: 'web', scp: ['a', 'b'], ver: 1 }],
  ['cognito', { typ: undefined }, { client_id: 'web', scope: 'a b', token_use: 'access' }],
] as const)('writes the claims of %s as it does', (provider, header, expected) => {
  const issuer = createTestIssuer({ provider, audience: 'https://api.test' })
  const minted = partsOf(issuer.mint({ client_id: 'web', scope: 'a b' }))
  expect(minted.header).toEqual({ alg: 'ES256', kid: expect.any(String), ...header })
  expect(minted.claims).toMatchObject({ iss: issuer.issuer, sub: 'user_123', ...expected })
  const others = ['client_id', 'azp', 'cid', 'scope', 'scp'].filter((name) => !(name in expected))
  for (const name of others) expect(minted.claims).not.toHaveProperty(name)
})

test('has the options of the preset for a provider, with the name of the issuer that it was given', async () => {
  const entryOf = ({ options: { issuer } }: TestIssuer<ProviderOptions>) => (typeof issuer === 'string' ? [] : issuer)
  for (const provider of Object.keys(PROVIDERS) as TestProvider[]) {
    const issuer = createTestIssuer({ provider, audience: 'https://api.test' })
    expect(entryOf(issuer)).toMatchObject([{ preset: provider, issuer: issuer.issuer, profile: 'lenient' }])
    const named = createTestIssuer({ provider, audience: 'https://api.test', issuer: 'https://sso.test/one' })
    const verifier = verifierFor(named)
    expect(await outcome(verifier, named.mint())).toBe('accepted')
    expect(await outcome(verifier, issuer.mint())).toBe('issuer')
    await verifier.close()
  }
})

test('writes the tenant of an own issuer of Entra ID, so that the entry of the service accepts its tokens', async () => {
  const tenant = 'aaaabbbb-0000-1111-2222-ccccddddeeee'
  const issuer = createTestIssuer({
    provider: 'entra',
    audience: 'api',
    issuer: `https://login.microsoftonline.com/${tenant}/v2.0`,
  })
  const verifier = createVerifier({
    issuer: [{ ...entra({ tenants: [tenant], audience: 'api' }), jwks: issuer.jwks }],
    keys: false,
  })
  expect(await verifier.authenticate({ authorization: `Bearer ${issuer.mint()}` })).toMatchObject({ tenant })
  await verifier.close()
})

test('accepts the tokens of the clients of Cognito that it was given, and of no others', async () => {
  const issuer = createTestIssuer({ provider: 'cognito', clients: ['web'] })
  const verifier = verifierFor(issuer)
  expect(partsOf(issuer.mint()).claims).not.toHaveProperty('aud')
  expect(await outcome(verifier, issuer.mint({ client_id: 'web' }))).toBe('accepted')
  expect(await outcome(verifier, issuer.mint())).toBe('audience')
  await verifier.close()
})

test('makes a key of its own each time: one test issuer does not stand for another', async () => {
  const [one, other] = [createTestIssuer(), createTestIssuer()]
  const verifier = verifierFor(one)
  expect(await outcome(verifier, other.mint())).toBe('key')
  await verifier.close()
})

test('is found by its metadata, and by a static key set without a fetch', async () => {
  const issuer = createTestIssuer({ issuer: 'https://sso.test/realms/one' })
  const { jwksUri: _, ...discovered } = issuer.options
  const verifier = createVerifier({ ...discovered, keys: false })
  expect(await outcome(verifier, issuer.mint())).toBe('accepted')
  const fetch = () => Promise.reject(new Error('a test must not fetch'))
  const { issuer: name, audience } = issuer.options
  const fixed = createVerifier({ issuer: name, audience, jwks: issuer.jwks, keys: false, fetch })
  expect(await outcome(fixed, issuer.mint())).toBe('accepted')
  expect(await outcome(fixed, issuer.wrongKey())).toBe('key')
  await verifier.close()
  await fixed.close()
})

test('answers for itself alone', async () => {
  const { fetch, jwksUri } = createTestIssuer().options
  await expect(fetch('https://elsewhere.test/')).rejects.toThrow('fetch failed')
  const answer = await fetch(new Request(jwksUri))
  expect(((await answer.json()) as JSONWebKeySet).keys[0]).toMatchObject({ use: 'sig', kty: 'EC' })
  await expect(fetch(jwksUri, { signal: AbortSignal.abort(new Error('too late')) })).rejects.toThrow('too late')
})

test('shows no private key', () => {
  const issuer = createTestIssuer()
  expect(issuer.jwks.keys[0]).not.toHaveProperty('d')
  expect(JSON.stringify(issuer)).not.toContain('"d":')
})

test('a new key is accepted at once, however often it changes, and the old one no longer', async () => {
  const issuer = createTestIssuer()
  // As long a gap as there is: with it the test would take half a minute.
  const verifier = verifierFor(issuer, { timeoutMs: 60_000 })
  const tokens = [issuer.mint()]
  expect(await outcome(verifier, issuer.mint())).toBe('accepted')
  for (let i = 0; i < 5; i++) {
    issuer.rotate()
    tokens.push(issuer.mint())
    expect(await outcome(verifier, tokens.at(-1) ?? '')).toBe('accepted')
    expect(await outcome(verifier, issuer.wrongKey())).toBe('key')
  }
  expect(await outcome(verifier, tokens[0] ?? '')).toBe('key')
  await verifier.close()
})

test('an outage is 503 without a key set, and nothing while the last one serves', async () => {
  const clock = createTestClock('2026-11-25T12:00:00Z')
  const issuer = createTestIssuer({ clock })
  const verifier = verifierFor(issuer)
  issuer.down()
  expect(await outcome(verifier, issuer.mint())).toBe('503')
  issuer.up()
  clock.advance('30s')
  expect(await outcome(verifier, issuer.mint())).toBe('accepted')

  issuer.down()
  issuer.rotate()
  expect(await outcome(verifier, issuer.mint())).toBe('503')
  issuer.up()
  clock.advance('30s')
  const token = issuer.mint({ exp: clock() / 1000 + 86_400 })
  expect(await outcome(verifier, token)).toBe('accepted')
  issuer.down()
  clock.advance('30m')
  expect(await outcome(verifier, token)).toBe('accepted')
  clock.advance('2h')
  expect(await outcome(verifier, token)).toBe('503')
  await verifier.close()
})

test('gives the verifier the clock that it is given', async () => {
  const clock = createTestClock('2024-12-31T23:54:59Z')
  const issuer = createTestIssuer({ clock })
  const verifier = verifierFor(issuer)
  const token = issuer.mint()
  const auth = await verifier.authenticate({ authorization: `Bearer ${token}` })
  expect(auth.expiresAt?.toISOString()).toBe('2024-12-31T23:59:59.000Z')
  clock.advance('304s')
  expect(await outcome(verifier, token)).toBe('accepted')
  clock.advance('1s')
  expect(await outcome(verifier, token)).toBe('expired')
  expect(createTestIssuer().options).not.toHaveProperty('clock')
  await verifier.close()
})

test.each([
  [{ algorithm: 'HS256' }, /^algorithm must be "ES256", "RS256", or "EdDSA"$/],
  [{ provider: 'ping' }, /^provider must be "keycloak"/],
  [{ clients: [] }, /^clients must be a string, or a list of strings/],
  [{ clock: 5 }, /^clock must be a function/],
  [{ algoritm: 'ES256' }, /^unknown option of createTestIssuer\(\) "algoritm"/],
])('is not made with %j', (options, message) => {
  expect(() => createTestIssuer(options as never)).toThrow(TypeError)
  expect(() => createTestIssuer(options as never)).toThrow(message)
})
