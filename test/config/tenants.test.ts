import { describe, expect, onTestFinished, test } from 'vitest'
import { createVerifier } from '../../src/verifier/verifier.js'
import { createTestServer } from '../support/json-server.js'
import { messageOf, resolve } from '../support/options.js'
import { outcomeOf } from '../support/outcome.js'
import { createTestIssuer } from '../support/tokens.js'

const ISSUER = 'https://login.example/{tenantid}/v2.0'
const refusal = (entry: object) => messageOf({ keys: false, issuer: [{ issuer: ISSUER, ...entry }] })

test('each tenant is an issuer of its own, in its URLs and in what it requires', () => {
  const { issuers } = resolve({
    issuer: [
      {
        issuer: ISSUER,
        tenants: ['one', 'two'],
        jwksUri: 'https://keys.example/{tenantid}/{tenantid}',
        required: { tid: '{tenantid}', ver: ['2.0', '{tenantid}'], n: 1 },
      },
      'https://a.example',
    ],
  })
  expect(issuers.map(({ issuer }) => issuer)).toEqual([
    'https://login.example/one/v2.0',
    'https://login.example/two/v2.0',
    'https://a.example',
  ])
  const [one, two] = issuers
  expect(one?.keySource).toMatchObject({ url: new URL('https://keys.example/one/one') })
  expect(two?.required?.map(({ values }) => values)).toEqual([['two'], ['2.0', 'two'], [1]])
})

test('a tenant stands as it is, whatever signs it has', () => {
  expect(
    resolve({ issuer: [{ issuer: ISSUER, tenants: ['$&', "$'", 'a.b', 'A'] }] }).issuers.map((one) => one.issuer),
  ).toEqual([
    'https://login.example/$&/v2.0',
    "https://login.example/$'/v2.0",
    'https://login.example/a.b/v2.0',
    'https://login.example/A/v2.0',
  ])
})

test('a token names the tenant of its issuer where a claim for tenants is known', async () => {
  const issuer = createTestIssuer({ issuer: 'https://login.example/one/v2.0' })
  const entry = { issuer: ISSUER, tenants: ['one', 'two'], jwks: issuer.jwks }
  const own = createVerifier({ keys: false, issuer: [{ ...entry, tenantClaim: 'org.tid' }] })
  const shared = createVerifier({ keys: false, tenantClaim: 'org.tid', issuer: [entry] })
  for (const verifier of [own, shared]) {
    expect(verifier.describe().issuers).toMatchObject([{ tenant: 'one' }, { tenant: 'two' }])
    expect(await outcomeOf(verifier, issuer.mint({ org: { tid: 'one' } }))).toBe('accepted')
    for (const org of [undefined, {}, { tid: 'two' }, { tid: 'ONE' }, { tid: ['one'] }, { tid: null }, 'one']) {
      expect(await outcomeOf(verifier, issuer.mint({ org }))).toBe('claims')
    }
    await verifier.close()
  }
  const without = createVerifier({ keys: false, issuer: [entry] })
  expect(await outcomeOf(without, issuer.mint({ org: { tid: 'two' } }))).toBe('accepted')
  await without.close()
})

describe('is refused at start', () => {
  const rule = 'issuer[0].tenants must be a list of tenants'
  test.each([
    '',
    'a/b',
    '/',
    '..',
    '.',
    'a?b',
    'a#b',
    'a%2fb',
    'a\\b',
    'a b',
    'a\n',
    '{tenantid}',
    '}',
    'x@y',
    '\u0000',
    '\u200b',
    7,
    null,
    ['a'],
  ])('the tenant %j', (tenant) => expect(refusal({ tenants: ['ok', tenant] })).toContain(rule))

  test.each([[], 'a', {}, null, 7])('tenants that are %j', (tenants) => expect(refusal({ tenants })).toContain(rule))

  test('one tenant twice, also over two entries', () => {
    expect(refusal({ tenants: ['a', 'b', 'a'] })).toBe('issuer[0].tenants names one tenant twice')
    const entry = { issuer: ISSUER, tenants: ['a'] }
    expect(messageOf({ keys: false, issuer: [entry, 'https://login.example/a/v2.0'] })).toContain('one issuer twice')
  })

  test('{tenantid} without tenants, and tenants without {tenantid}', () => {
    expect(refusal({})).toContain('issuer[0].tenants is missing')
    expect(refusal({ issuer: 'https://a.example', tenants: ['a'] })).toContain('issuer[0].issuer must have {tenantid}')
    expect(messageOf({ keys: false, issuer: ISSUER })).toContain('{tenantid}')
  })

  test.each([
    [{ required: { tid: '{tenantid}' } }, 'required has'],
    [{ required: { ver: '2.0', tid: ['{tenantid}', 'x'] } }, 'required has'],
    [{ jwksUri: 'https://a.example/{tenantid}/keys' }, 'jwksUri has'],
  ])('a stray {tenantid} in an entry without tenants: %j', (entry, message) => {
    expect(refusal({ issuer: 'https://a.example', ...entry })).toContain(`issuer[0].tenants is missing: ${message}`)
    // As whoever spreads a preset and takes its tenants away.
    expect(refusal({ issuer: 'https://a.example', tenants: undefined, ...entry })).toContain(message)
  })

  test.each([
    [{ required: { tid: ['{tenantid}'] }, issuer: [{ issuer: ISSUER, tenants: ['a'] }] }, 'required has {tenantid}'],
    [{ jwksUri: 'https://a.example/{tenantid}', issuer: 'https://a.example' }, 'jwksUri has {tenantid}'],
  ])('{tenantid} among what all issuers share: %j', (options, message) => {
    expect(messageOf({ keys: false, ...options })).toContain(message)
    expect(messageOf({ keys: false, ...options })).toContain('issuer: [{ issuer, tenants }]')
  })
})

test('tokens of a tenant are verified with its own keys alone, and no other tenant is accepted', async () => {
  const signers = new Map(['one', 'two', 'three'].map((tenant) => [tenant, createTestIssuer({ kid: tenant })]))
  const { url, requests } = await createTestServer((path, origin) => {
    const [, tenant = '', keys] = /^\/(\w+)\/(keys)$/.exec(path) ?? /openid-configuration\/(\w+)$/.exec(path) ?? []
    if (keys !== undefined) return signers.get(tenant)?.jwks
    return tenant === '' ? undefined : { issuer: `${origin}/${tenant}`, jwks_uri: `${origin}/${tenant}/keys` }
  })
  const verifier = createVerifier({ keys: false, issuer: [{ issuer: `${url}/{tenantid}`, tenants: ['one', 'two'] }] })
  onTestFinished(() => verifier.close())
  const mint = (signer: string, tenant: string) => signers.get(signer)?.mint({ iss: `${url}/${tenant}` }) as string
  expect(await outcomeOf(verifier, mint('one', 'one'))).toBe('accepted')
  expect(await outcomeOf(verifier, mint('two', 'two'))).toBe('accepted')
  expect(await outcomeOf(verifier, mint('two', 'one'))).toBe('key')
  const before = requests.length
  for (const tenant of ['three', '{tenantid}', 'one/', 'one/../two', 'ONE', '']) {
    expect(await outcomeOf(verifier, mint('three', tenant))).toBe('issuer')
  }
  expect(requests).toHaveLength(before)
})
