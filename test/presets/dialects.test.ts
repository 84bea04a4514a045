import { afterEach, expect, test } from 'vitest'
import type { IssuerOptions } from '../../src/config/issuer-options.js'
import type { AccessTokenAuth } from '../../src/core/auth.js'
import { subjectsOf } from '../../src/core/auth.js'
import { entra, keycloak, kubernetes } from '../../src/presets.js'
import { createTestIssuer } from '../../src/testing/issuer.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { readPage } from './page.js'
import { type Claims, createProvider, type Place, type Provider } from './provider.js'

const open: Provider[] = []
function providerOf(...given: Parameters<typeof createProvider>): Provider {
  const provider = createProvider(...given)
  open.push(provider)
  return provider
}
afterEach(async () => {
  for (const provider of open.splice(0)) await provider.close()
})

const [ONE, OTHER, STRANGER] = [
  'aaaabbbb-0000-cccc-1111-dddd2222eeee',
  'bbbbcccc-1111-dddd-2222-eeee3333ffff',
  'ccccdddd-2222-eeee-3333-ffff4444aaaa',
]
const directory = (tenant: string): Place => ({
  issuer: `https://login.microsoftonline.com/${tenant}/v2.0`,
  metadata: `https://login.microsoftonline.com/${tenant}/v2.0/.well-known/openid-configuration`,
  jwksUri: `https://login.microsoftonline.com/${tenant}/discovery/v2.0/keys`,
})

test('a tenant of Entra issues tokens for itself alone', async () => {
  const { token } = readPage('entra')
  const entry = entra({ tenants: [ONE, OTHER], audience: token.aud as string })
  const provider = providerOf('entra', { places: [ONE, OTHER, STRANGER].map(directory), entry, header: { typ: 'JWT' } })
  const from = (iss: string, tid: string) =>
    provider.outcome(provider.sign({ ...token, iss: directory(iss).issuer, tid }))
  for (const tenant of [ONE, OTHER]) {
    expect(await from(tenant, tenant)).toMatchObject({ issuer: directory(tenant).issuer, tenant })
  }
  expect(await from(ONE, OTHER)).toBe('claims')
  expect(await from(OTHER, ONE)).toBe('claims')
  expect(await from(STRANGER, STRANGER)).toBe('issuer')
  expect(await from('{tenantid}', '{tenantid}')).toBe('issuer')
  expect(await from('common', ONE)).toBe('issuer')
  expect([...provider.asked].filter((url) => url.includes(STRANGER))).toEqual([])
})

/** The claims of version 1, as the vendor documents them. */
const V1: Claims = {
  aud: '11112222-bbbb-3333-cccc-4444dddd5555',
  iss: `https://sts.windows.net/${ONE}/`,
  iat: 1537231048,
  nbf: 1537231048,
  exp: 1537234948,
  acr: '1',
  amr: ['rsa'],
  appid: '00001111-aaaa-2222-bbbb-3333cccc4444',
  appidacr: '0',
  idp: `https://sts.windows.net/${OTHER}/`,
  ipaddr: '203.0.113.22',
  name: 'abeli',
  oid: '02223b6b-aa1d-42d4-9ec0-1b2bb9194438',
  rh: 'I',
  scp: 'user_impersonation',
  sub: 'l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA',
  tid: ONE,
  unique_name: 'abeli@microsoft.com',
  uti: 'FVsGxYXI30-TuikuuUoFAA',
  ver: '1.0',
}

test.each<[what: string, over: Claims, outcome: unknown]>([
  [
    'the token of a user',
    {},
    {
      issuer: `https://sts.windows.net/${ONE}/`,
      subject: '02223b6b-aa1d-42d4-9ec0-1b2bb9194438',
      clientId: '00001111-aaaa-2222-bbbb-3333cccc4444',
      tenant: ONE,
      scopes: ['user_impersonation'],
      sessionId: null,
      tokenId: null,
    },
  ],
  ['the Application ID URI', { aud: 'api://jobs' }, expect.objectContaining({ tenant: ONE })],
  ['an application', { scp: undefined, roles: ['Jobs.Read'] }, expect.objectContaining({ scopes: ['Jobs.Read'] })],
  ['an ID token', { appid: undefined, appidacr: undefined, scp: undefined }, 'claims'],
  ['an ID token with a nonce', { appid: undefined, scp: undefined, nonce: 'n' }, 'type'],
  ['a token that names a client as version 2 does', { appid: undefined, azp: 'a' }, 'claims'],
  ['another tenant in tid', { tid: OTHER }, 'claims'],
  ['a token of version 2', { iss: directory(ONE).issuer, azp: 'a', ver: '2.0' }, 'issuer'],
  ['the issuer without its slash', { iss: `https://sts.windows.net/${ONE}` }, 'issuer'],
])('version 1 of Entra: %s', async (_, over, outcome) => {
  const issuer = `https://sts.windows.net/${ONE}/`
  const provider = providerOf('entra', {
    places: [
      {
        issuer,
        metadata: `${issuer}.well-known/openid-configuration`,
        jwksUri: 'https://login.microsoftonline.com/common/discovery/keys',
      },
    ],
    entry: entra({ tenants: [ONE], audience: [V1.aud as string, 'api://jobs'], version: 1 }),
    header: { typ: 'JWT', x5t: 'i6lGk3FZzxRcUb2C3nEQ7syHJlY' },
  })
  expect(await provider.outcome(provider.sign({ ...V1, ...over }))).toEqual(outcome)
})

test.each<[roles: string | undefined, scopes: readonly string[]]>([
  [undefined, ['email', 'profile', 'jobs:read']],
  ['realm', ['email', 'profile', 'jobs:read', 'offline_access', 'jobs:write']],
  ['reports-api', ['email', 'profile', 'jobs:read', 'reports:read']],
  ['reports.api', ['email', 'profile', 'jobs:read', 'reports:dots']],
  ['other-api', ['email', 'profile', 'jobs:read']],
  ['constructor', ['email', 'profile', 'jobs:read']],
])('roles of Keycloak: %s', async (roles, scopes) => {
  const { token } = readPage('keycloak')
  const issuer = token.iss as string
  const provider = providerOf('keycloak', {
    places: [{ issuer, metadata: `${issuer}/.well-known/openid-configuration`, jwksUri: `${issuer}/certs` }],
    entry: keycloak({ issuer, audience: token.aud as string, roles }),
  })
  const resource_access = { ...(token.resource_access as object), 'reports.api': { roles: ['reports:dots'] } }
  expect(await provider.outcome(provider.sign({ ...token, resource_access }))).toMatchObject({ scopes })
})

test('revocations find a user of Okta by the id that Okta names, too', async () => {
  const entry = readPage('okta').entry
  const issuer = createTestIssuer({ issuer: entry.issuer, audience: 'api://default' })
  const verifier = createVerifier({ issuer: [{ ...entry, jwks: issuer.jwks }], keys: false })
  const token = issuer.mint(
    { sub: 'joe@example.com', cid: 'web', uid: '00uixa', client_id: undefined },
    { typ: undefined },
  )
  const auth = (await verifier.authenticate({ authorization: `Bearer ${token}` })) as AccessTokenAuth
  expect([auth.subject, subjectsOf(auth)]).toEqual(['joe@example.com', ['joe@example.com', '00uixa']])
  await verifier.close()
})

test('a cluster is asked by its own fetch, also where its keys are on another host, and nobody else is', async () => {
  const { token } = readPage('kubernetes')
  const shared: string[] = []
  const own: string[] = []
  const issuer = createTestIssuer({ issuer: token.iss as string, algorithm: 'RS256', clock: () => 1731609900_000 })
  const jwksUri = 'https://172.18.0.2:6443/openid/v1/jwks'
  const entry: IssuerOptions = kubernetes({
    issuer: token.iss as string,
    audience: 'https://api.example.com',
    grants: [{ match: { sub: 'system:serviceaccount:jobs:*' }, scopes: ['jobs:read'] }],
    fetch: async (input) => {
      const url = String(input instanceof Request ? input.url : input)
      own.push(url)
      if (url === jwksUri) return Response.json(issuer.jwks)
      if (url !== `${token.iss}/.well-known/openid-configuration`) return new Response('Forbidden', { status: 403 })
      return Response.json({ issuer: token.iss, jwks_uri: jwksUri })
    },
  })
  const verifier = createVerifier({
    issuer: [entry],
    keys: false,
    clock: () => 1731609900_000,
    fetch: async (input) => {
      shared.push(String(input))
      return new Response('no', { status: 404 })
    },
  })
  const credential = issuer.mint({ ...token, client_id: undefined }, { typ: undefined })
  const auth = await verifier.authenticate({ authorization: `Bearer ${credential}` })
  expect([auth.tenant, auth.scopes]).toEqual(['jobs', ['jobs:read']])
  expect([own.at(-1), shared]).toEqual([jwksUri, []])
  await verifier.close()
})
