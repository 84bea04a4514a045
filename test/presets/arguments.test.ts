import { expect, test } from 'vitest'
import * as presets from '../../src/presets.js'

const { auth0, cognito, entra, githubActions, googleServiceAccount, keycloak, kubernetes, okta, spiffe } = presets

const GRANTS = [{ match: { sub: 'a' }, scopes: ['jobs:read'] }]
const REALM = { issuer: 'https://sso.example.com/realms/main', audience: 'api' }
const TENANT = { domain: 'acme.eu.auth0.com', audience: 'api' }
const GUID = 'aaaabbbb-0000-cccc-1111-dddd2222eeee'
const DIRECTORY = { tenants: [GUID], audience: 'api' }
const SERVER = { issuer: 'https://acme.okta.com/oauth2/default', audience: 'api' }
const POOL = { region: 'eu-central-1', userPoolId: 'eu-central-1_Abc123xyz', clients: ['web'] }
const GOOGLE = { audience: 'https://api.example.com', grants: GRANTS }
const CLUSTER = { issuer: 'https://kubernetes.default.svc', audience: 'api', grants: GRANTS }
const DOMAIN = { trustDomain: 'acme.org', audience: 'api', jwksUri: 'https://spire.acme.org/keys', grants: GRANTS }

const GOOD = {
  keycloak: REALM,
  auth0: TENANT,
  entra: DIRECTORY,
  okta: SERVER,
  cognito: POOL,
  googleServiceAccount: GOOGLE,
  kubernetes: CLUSTER,
  githubActions: GOOGLE,
  spiffe: DOMAIN,
} as const

type Function = (args: unknown) => unknown
const call = (name: string, args: unknown) => (presets as unknown as Record<string, Function>)[name]?.(args)

test.each(Object.keys(GOOD))('%s names an argument that it does not have, and one that is missing', (name) => {
  const good = GOOD[name as keyof typeof GOOD]
  expect(call(name, good)).toMatchObject({ preset: name, profile: 'lenient' })
  expect(() => call(name, { ...good, scope: 'x' })).toThrow(
    new RegExp(`^unknown argument of ${name}\\(\\) "scope"; there are `),
  )
  expect(() => call(name, undefined)).toThrow(new RegExp(`^argument of ${name}\\(\\) must be an object with `))
  expect(() => call(name, Object.create(good))).toThrow(TypeError)
  for (const argument of Object.keys(good)) {
    // What is in a grant is checked by the verifier, which reads it.
    const lists = argument === 'grants' ? [[]] : [[], [42], ['']]
    for (const value of [undefined, null, 42, '', ...lists]) {
      const wrong = () => call(name, { ...good, [argument]: value })
      expect(wrong, `${argument}: ${JSON.stringify(value)}`).toThrow(TypeError)
      expect(wrong).toThrow(new RegExp(`^${argument} of ${name}\\(\\) `))
    }
  }
})

// What people write there by mistake, and what must never be accepted.
test.each<[call: () => unknown, message: RegExp]>([
  [
    () => keycloak({ ...REALM, audience: 'account' }),
    /^audience of keycloak\(\) must not be account, .*audience mapper/,
  ],
  [
    () => keycloak({ ...REALM, audience: ['https://api.example.com', 'account'] }),
    /^audience of keycloak\(\) must not/,
  ],
  [() => keycloak({ ...REALM, audience: 'broker' }), /^audience of keycloak\(\) must not be/],
  [() => keycloak({ ...REALM, audience: 'realm-management' }), /^audience of keycloak\(\) must not be/],
  [() => keycloak({ ...REALM, issuer: `${REALM.issuer}/` }), /^issuer of keycloak\(\) must have no slash at its end/],
  [() => keycloak({ ...REALM, issuer: 'sso.example.com/realms/main' }), /^issuer of keycloak\(\) is not a URL/],
  [() => keycloak({ ...REALM, roles: '' }), /^roles of keycloak\(\) must be 'realm', or the id of the client/],
  [() => keycloak({ ...REALM, roles: ['realm'] as never }), /^roles of keycloak\(\) must be 'realm'/],
  [
    () => auth0({ ...TENANT, domain: 'https://acme.eu.auth0.com' }),
    /^domain of auth0\(\) must be .*without https:\/\//,
  ],
  [() => auth0({ ...TENANT, domain: 'acme.eu.auth0.com/' }), /^domain of auth0\(\) must be/],
  [() => auth0({ ...TENANT, domain: 'acme.eu.auth0.com/api' }), /^domain of auth0\(\) must be/],
  [() => auth0({ ...TENANT, domain: 'acme.eu.auth0.com@evil.org' }), /^domain of auth0\(\) must be/],
  [() => auth0({ ...TENANT, domain: 'Acme.eu.auth0.com' }), /^domain of auth0\(\) must be .*lower case/],
  [() => auth0({ ...TENANT, domain: 'acme.eu.auth0.com\n' }), /^domain of auth0\(\) must be/],
  [() => auth0({ ...TENANT, domain: 'acme' }), /^domain of auth0\(\) must be/],
  [
    () => auth0({ ...TENANT, audience: 'https://acme.eu.auth0.com/userinfo' }),
    /^audience of auth0\(\) must not be an API/,
  ],
  [
    () => auth0({ ...TENANT, audience: ['api', 'https://acme.eu.auth0.com/api/v2/'] }),
    /^audience of auth0\(\) must not/,
  ],
  [() => entra({ ...DIRECTORY, tenants: ['common'] }), /^tenants of entra\(\) must not be common, .*resolveIssuer/],
  [() => entra({ ...DIRECTORY, tenants: [GUID, 'Organizations'] }), /^tenants of entra\(\) must not be common/],
  [() => entra({ ...DIRECTORY, tenants: ['consumers'] }), /^tenants of entra\(\) must not be common/],
  [
    () => entra({ ...DIRECTORY, tenants: ['contoso.onmicrosoft.com'] }),
    /^tenants of entra\(\) must be ids in lower case/,
  ],
  [() => entra({ ...DIRECTORY, tenants: [GUID.toUpperCase()] }), /^tenants of entra\(\) must be ids in lower case/],
  [() => entra({ ...DIRECTORY, tenants: GUID as never }), /^tenants of entra\(\) must be a list of tenant ids/],
  [() => entra({ ...DIRECTORY, version: '2' as never }), /^version of entra\(\) must be 2 or 1$/],
  [() => okta({ ...SERVER, issuer: 'https://acme.okta.com' }), /^issuer of okta\(\) is the org authorization server/],
  [() => okta({ ...SERVER, issuer: 'https://acme.okta.com/' }), /^issuer of okta\(\) is the org authorization server/],
  [() => okta({ ...SERVER, issuer: 'acme.okta.com' }), /^issuer of okta\(\) is not a URL/],
  [() => cognito({ ...POOL, region: 'eu-west-1' }), /^userPoolId of cognito\(\) is in another region/],
  [() => cognito({ ...POOL, region: 'eu-central-1.evil.org/' }), /^region of cognito\(\) must be the region/],
  [() => cognito({ ...POOL, userPoolId: 'eu-central-1_Abc/../x' }), /^userPoolId of cognito\(\) must be the id/],
  [() => cognito({ ...POOL, userPoolId: 'Abc123xyz' }), /^userPoolId of cognito\(\) must be the id/],
  [() => cognito({ ...POOL, clients: 'web' as never }), /^clients of cognito\(\) must be a list of app client ids/],
  [
    () => googleServiceAccount({ ...GOOGLE, audience: '32555940559.apps.googleusercontent.com' }),
    /^audience of googleServiceAccount\(\) must not be an OAuth client id/,
  ],
  [() => googleServiceAccount({ ...GOOGLE, grants: [] }), /^grants of googleServiceAccount\(\) must be a list/],
  [() => kubernetes({ ...CLUSTER, fetch: 'curl' as never }), /^fetch of kubernetes\(\) must be a function/],
  [() => githubActions({ ...GOOGLE, grants: {} as never }), /^grants of githubActions\(\) must be a list/],
  [
    () => spiffe({ ...DOMAIN, trustDomain: 'spiffe://acme.org' }),
    /^trustDomain of spiffe\(\) must be .*without spiffe:/,
  ],
  [() => spiffe({ ...DOMAIN, trustDomain: 'Acme.org' }), /^trustDomain of spiffe\(\) must be .*lower case/],
  [() => spiffe({ ...DOMAIN, trustDomain: 'acme.org/jobs' }), /^trustDomain of spiffe\(\) must be/],
])('a wrong argument is a TypeError with its cure: %s', (make, message) => {
  expect(make).toThrow(TypeError)
  expect(make).toThrow(message)
})

test('what was given is not shown, since it may be a secret', () => {
  const secret = 'sk-0123456789abcdef0123456789abcdef'
  for (const [name, good] of Object.entries(GOOD)) {
    for (const argument of Object.keys(good)) {
      try {
        call(name, { ...good, [argument]: { [secret]: secret } })
      } catch (error) {
        expect(String(error)).not.toContain(secret)
      }
    }
  }
})

test('a later change of what was given changes nothing', () => {
  const audience = ['https://api.example.com']
  const tenants = [GUID]
  const grants = [...GRANTS]
  const entry = entra({ tenants, audience })
  const workload = githubActions({ audience, grants })
  audience[0] = 'https://evil.example.com'
  tenants.push('bbbbbbbb-0000-cccc-1111-dddd2222eeee')
  grants.pop()
  expect(entry).toMatchObject({ tenants: [GUID], audience: ['https://api.example.com'] })
  expect(workload).toMatchObject({ grants: GRANTS, audience: ['https://api.example.com'] })
})

test('roles of Keycloak are one step of a path, also where the id of the client has dots', () => {
  expect(keycloak(REALM)).toMatchObject({ scopeClaims: ['scope'], scopes: 'first' })
  expect(keycloak({ ...REALM, roles: 'realm' })).toMatchObject({
    scopeClaims: ['scope', ['realm_access', 'roles']],
    scopes: 'union',
  })
  expect(keycloak({ ...REALM, roles: 'api.example.com' })).toMatchObject({
    scopeClaims: ['scope', ['resource_access', 'api.example.com', 'roles']],
    scopes: 'union',
  })
})

test('the issuers are those of the vendors, character for character', () => {
  expect([
    auth0(TENANT).issuer,
    entra(DIRECTORY).issuer,
    entra({ ...DIRECTORY, version: 1 }).issuer,
    cognito(POOL).issuer,
    cognito({ region: 'cn-north-1', userPoolId: 'cn-north-1_Abc123xyz', clients: ['web'] }).issuer,
    cognito({ region: 'us-gov-west-1', userPoolId: 'us-gov-west-1_Abc123xyz', clients: ['web'] }).issuer,
    googleServiceAccount(GOOGLE).issuer,
    githubActions(GOOGLE).issuer,
    spiffe(DOMAIN).issuer,
  ]).toEqual([
    'https://acme.eu.auth0.com/',
    'https://login.microsoftonline.com/{tenantid}/v2.0',
    'https://sts.windows.net/{tenantid}/',
    'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Abc123xyz',
    'https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Abc123xyz',
    'https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_Abc123xyz',
    'https://accounts.google.com',
    'https://token.actions.githubusercontent.com',
    undefined,
  ])
})
