import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { describePolicy } from '../../src/config/effective-policy.js'
import { ALGORITHMS } from '../../src/token/algorithms.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { issuerOf, messageOf, resolve } from '../support/options.js'
import { outcomeOf } from '../support/outcome.js'
import { createKeyPair, createTestIssuer, publicJwk } from '../support/tokens.js'

const ISSUER = 'https://auth.vantage.omnivector.solutions'

const ec = createKeyPair('ES256').publicKey
const jwks = { keys: [publicJwk(ec, { kid: '1' })] }

describe('an issuer', () => {
  test.each(['https://a.example', 'https://a.example/', 'https://A.example/tenant', 'https://a.example:8443/x'])(
    'is kept character for character: %s',
    (issuer) => {
      expect(issuerOf({ issuer })?.issuer).toBe(issuer)
    },
  )

  test.each([' https://a.example', 'https://a.example\n', 'https://a.exa\tmple', 'https://a.example/a b'])(
    'has no white space, which no token would equal: %j',
    (issuer) => {
      expect(messageOf({ issuer })).toMatch(/^issuer is not a URL/)
    },
  )

  test.each([
    'http://localhost',
    'http://127.0.0.1:8080',
    'http://[::1]:8080',
    'http://a.localhost',
    'http://127.9.9.9',
  ])('may be http on loopback: %s', (issuer) => {
    expect(issuerOf({ issuer })?.keySource).toEqual({ kind: 'discovery', url: new URL(issuer) })
  })

  test.each([
    'http://a.example',
    'http://localhost.example',
    'http://127.0.0.1.example',
    'http://10.0.0.1',
    'http://[::2]',
  ])('is https elsewhere, unless it says otherwise: %s', (issuer) => {
    expect(messageOf({ issuer })).toMatch(/^issuer must be https/)
    expect(issuerOf({ issuer: [{ issuer, allowInsecureHttp: true }] })?.keySource.kind).toBe('discovery')
    // Where nothing is fetched from it, nobody is in between.
    expect(issuerOf({ issuer: [{ issuer, jwks }] })?.keySource.kind).toBe('static')
    expect(issuerOf({ issuer: [{ issuer, jwksUri: 'https://a.example' }] })?.keySource.kind).toBe('jwks_uri')
  })

  test('has its own options, and the shared ones for the rest', () => {
    const own = {
      audience: ['x', 'y'],
      profile: 'rfc9068',
      algorithms: ['ES256', 'ES384'],
      scopeClaims: ['scp'],
      tenantClaim: 'tid',
      clientIdClaim: 'azp',
    }
    const config = resolve({
      audience: 'shared',
      profile: 'lenient',
      algorithms: ['RS256'],
      scopeClaims: 'permissions',
      tenantClaim: 'org',
      clientIdClaim: 'app',
      clockToleranceSeconds: 0,
      maxTokenAgeSeconds: 60,
      issuer: ['https://a.example', { issuer: 'https://b.example', ...own }],
    })
    const shared = { clockToleranceSeconds: 0, maxTokenAgeSeconds: 60 }
    expect(describePolicy(config).issuers).toMatchObject([
      {
        ...shared,
        audience: ['shared'],
        profile: 'lenient',
        algorithms: ['RS256'],
        scopeClaims: ['permissions'],
        tenantClaim: 'org',
        clientIdClaim: 'app',
      },
      { ...shared, ...own },
    ])
  })

  test.each([
    [['EdDSA'], ['EdDSA', 'Ed25519']],
    [['Ed25519'], ['Ed25519', 'EdDSA']],
    [['ES256', 'ES256'], ['ES256']],
  ])('of the algorithms %j accepts %j: two names of one are one', (given, accepted) => {
    expect(issuerOf({ algorithms: given })?.algorithms).toEqual(accepted)
  })

  test('accepts every algorithm by name', () => {
    expect(issuerOf({ algorithms: [...ALGORITHMS] })?.algorithms).toEqual(ALGORITHMS)
  })

  const OTHER = 'https://b.example'
  const separators = (options: object, env: NodeJS.ProcessEnv = {}) =>
    resolve(options, env).issuers.map(({ scopeSeparator }) => scopeSeparator)

  test.each<[what: string, options: object, env: NodeJS.ProcessEnv, separators: string[]]>([
    ['the default', {}, {}, ['comma']],
    ['a text', { issuer: OTHER }, {}, ['comma']],
    ['a variable', {}, { VANTAGE_ISSUER: OTHER }, ['comma']],
    ['a variable with several', {}, { VANTAGE_ISSUER: `${OTHER} ${ISSUER}` }, ['space', 'comma']],
    ['a list of texts', { issuer: [ISSUER, OTHER] }, {}, ['comma', 'space']],
    ['a list of one text', { issuer: [OTHER] }, {}, ['space']],
    ['a list of entries', { issuer: [{ issuer: OTHER }, { issuer: ISSUER }] }, {}, ['space', 'comma']],
    ['a list of one entry', { issuer: [{ issuer: OTHER }] }, {}, ['space']],
    ['an issuer that resembles the documented one', { issuer: [`${ISSUER}/`] }, {}, ['space']],
    ['an entry that says otherwise', { issuer: [{ issuer: OTHER, scopeSeparator: 'comma' }] }, {}, ['comma']],
    [
      'an option for all, and an entry of its own',
      { scopeSeparator: 'space', issuer: [ISSUER, { issuer: OTHER, scopeSeparator: 'comma' }] },
      {},
      ['space', 'comma'],
    ],
    ['an option and a text', { scopeSeparator: 'space', issuer: ISSUER }, {}, ['space']],
  ])('given by %s has the separator of its scopes', (_, options, env, expected) => {
    expect(separators(options, env)).toEqual(expected)
  })

  test('is described with the claim of the client and the separator of scopes', () => {
    const config = resolve({ issuer: [{ issuer: OTHER, clientIdClaim: 'azp' }] })
    expect(describePolicy(config).issuers).toMatchObject([{ clientIdClaim: 'azp', scopeSeparator: 'space' }])
  })

  test('false means API keys only', () => {
    expect(resolve({ issuer: false }).issuers).toEqual([])
  })
})

describe('a static key set', () => {
  const rsa = (modulusLength: number, publicExponent = 65_537) =>
    generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey
  const withPrivate = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

  test.each(withPrivate)('with the private member %s is refused', (member) => {
    expect(messageOf({ jwks: { keys: [jwks.keys[0], { ...jwks.keys[0], [member]: 'AQAB' }] } })).toMatch(
      /^jwks\.keys\[1\] is a private or symmetric key/,
    )
  })

  test('with a symmetric key is refused', () => {
    expect(messageOf({ jwks: { keys: [{ kty: 'oct' }] } })).toMatch(/^jwks\.keys\[0\] is a private or symmetric key/)
  })

  test.each([
    ['RSA of 1024 bits', [publicJwk(rsa(1024), { kid: '1' })]],
    ['for encryption', [publicJwk(ec, { kid: '1', use: 'enc' })]],
    ['for another operation', [publicJwk(ec, { kid: '1', key_ops: ['sign'] })]],
    ['for an algorithm of another type', [publicJwk(ec, { kid: '1', alg: 'RS256' })]],
    ['of an unknown type', [{ kty: 'XYZ', kid: '1' }]],
    ['broken', [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: '1' }]],
    ['several without a kid', [publicJwk(ec), publicJwk(createKeyPair('ES256').publicKey)]],
  ])('that can verify no token is refused: %s', (_, keys) => {
    expect(messageOf({ jwks: { keys } })).toMatch(/^jwks holds no key that can verify a token/)
    expect(messageOf({ issuer: [{ issuer: ISSUER, jwks: { keys } }] })).toMatch(/^issuer\[0\]\.jwks holds no key/)
    expect(issuerOf({ jwks: { keys: [...keys, jwks.keys[0]] } })?.keySource.kind).toBe('static')
  })

  test('whose keys fit none of the accepted algorithms is refused', () => {
    expect(messageOf({ jwks, algorithms: ['RS256'] })).toMatch(/^jwks holds no key that can verify a token/)
    expect(messageOf({ issuer: [{ issuer: ISSUER, jwks, algorithms: ['ES384'] }] })).toMatch(/^issuer\[0\]\.jwks holds/)
  })

  test('is copied: what becomes of the object later changes nothing', async () => {
    const issuer = createTestIssuer()
    const other = createTestIssuer({ kid: issuer.kid })
    for (const shape of [
      (set: object) => ({ ...issuer.options, jwks: set }),
      (set: object) => ({ issuer: [{ ...issuer.options, jwks: set }] }),
    ]) {
      const given = structuredClone(issuer.jwks)
      const verifier = createVerifier({ ...shape(given), keys: false } as never)
      Object.assign(given.keys[0], other.jwks.keys[0])
      ;(given.keys as object[]).length = 0
      expect(await outcomeOf(verifier, issuer.mint())).toBe('accepted')
      expect(await outcomeOf(verifier, other.mint())).toBe('signature')
    }
  })

  test.each<[what: string, key: unknown]>([
    ['is null', null],
    ['is a number', 7],
    ['is a text', 'key'],
    ['holds a bigint', { kty: 'EC', x: 1n }],
    [
      'refers to itself',
      (() => {
        const key: Record<string, unknown> = { kty: 'EC' }
        key.key = key
        return key
      })(),
    ],
    [
      'throws when it is read',
      {
        get kty() {
          throw new Error('unreadable')
        },
      },
    ],
  ])('keeps its other keys when one %s', async (_, key) => {
    const issuer = createTestIssuer()
    const keys = [key, ...issuer.jwks.keys]
    const verifier = createVerifier({ issuer: issuer.issuer, jwks: { keys } as never, keys: false })
    expect(await outcomeOf(verifier, issuer.mint())).toBe('accepted')
    expect(messageOf({ jwks: { keys: [key] } })).toMatch(/^jwks must be a JSON Web Key Set/)
    expect(messageOf({ jwks: { keys: [...keys, { kty: 'oct' }] } })).toMatch(/^jwks\.keys\[2\] is a private/)
  })

  test('with one key needs no kid', () => {
    expect(issuerOf({ jwks: { keys: [publicJwk(ec)] } })?.keySource.kind).toBe('static')
  })
})

describe('the fetch of an entry', () => {
  const own: typeof fetch = () => Promise.reject(new Error('own'))
  const issuer = 'https://a.example'

  test('is where the keys of that issuer come from, and of no other', () => {
    const { issuers } = resolve({ issuer: [{ issuer, fetch: own }, { issuer: 'https://b.example' }] })
    const fetches = issuers.map(({ keySource }) => keySource.kind !== 'static' && keySource.fetch)
    expect(fetches).toEqual([own, undefined])
  })

  test('is a function', () => {
    for (const fetch of [null, 'fetch', {}, true]) {
      expect(messageOf({ issuer: [{ issuer, fetch }] })).toBe('issuer[0].fetch must be a function')
    }
  })

  test('asks for nothing where the key set is static', () => {
    const jwks = { keys: [createTestIssuer().jwks.keys[0]] }
    expect(messageOf({ issuer: [{ issuer, jwks, fetch: own }] })).toContain('issuer[0].fetch exclude each other')
  })
})
