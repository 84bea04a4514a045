import type { JWK } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { IssuerOptions, VerifierOptions } from '../../src/config/options.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { createTestServer } from '../support/json-server.js'
import { messageOf } from '../support/options.js'
import { outcomeOf } from '../support/outcome.js'
import { createTestIssuer, publicJwk } from '../support/tokens.js'

const AUDIENCE = 'jobs'
const domain = createTestIssuer({ audience: [AUDIENCE] })
const SUB = 'spiffe://acme.org/ns/jobs/sa/worker'
const jwks = { keys: [publicJwk(domain.publicKey, { kid: domain.kid, use: 'jwt-svid' })] }
const ENTRY: IssuerOptions = { trustDomain: 'acme.org', audience: AUDIENCE, jwks }

/** A JWT-SVID as SPIRE writes it. */
const svid = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  domain.mint(
    {
      iss: undefined,
      sub: SUB,
      client_id: undefined,
      jti: undefined,
      iat: undefined,
      scope: undefined,
      ...claims,
    },
    { typ: 'JWT', ...header },
  )

function verifierOf(issuer: VerifierOptions['issuer'] = [ENTRY], options: VerifierOptions = {}) {
  const verifier = createVerifier({ issuer, keys: false, ...options })
  onTestFinished(() => verifier.close())
  return verifier
}

describe('a token of a workload', () => {
  test.each(['JWT', 'jwt', 'JOSE', undefined])('is accepted with typ %s, without iss, iat and jti', async (typ) => {
    const auth = await verifierOf().authenticate({ authorization: `Bearer ${svid({}, { typ })}` })
    expect(auth).toMatchObject({
      issuer: 'spiffe://acme.org',
      subject: SUB,
      clientId: null,
      tokenId: null,
      scopes: [],
    })
  })

  test.each(['at+jwt', 'application/at+jwt', 'logout+jwt', 'secevent+jwt', '', 'JWS', null, 7])(
    'is refused with typ %j',
    async (typ) => {
      expect(await outcomeOf(verifierOf(), svid({}, { typ }))).toBe('type')
    },
  )

  test.each([
    'spiffe://acme.org',
    'spiffe://acme.org.evil/x',
    'spiffe://acme.orgx/x',
    'spiffe://evil/acme.org/x',
    'spiffe://evil@acme.org/x',
    'spiffe://acme.org:443/x',
    'spiffe://ACME.org/x',
    'SPIFFE://acme.org/x',
    ' spiffe://acme.org/x',
    'spiffe:acme.org/x',
    'spiffe:///acme.org/x',
    'spiffe://acme.org\\x',
    'spiffe://acme.org?/x',
    'https://acme.org/x',
    'user',
    '',
    undefined,
    null,
    7,
    [SUB],
  ])('is of another trust domain with the sub %j', async (sub) => {
    expect(await outcomeOf(verifierOf(), svid({ sub }))).toBe('issuer')
  })

  const id = (length: number) => `spiffe://acme.org/${'x'.repeat(length - 18)}`

  test.each(['spiffe://acme.org/x', 'spiffe://acme.org/A-z_0.9/..a/.../b.', id(2048)])(
    'has the SPIFFE ID %j',
    async (sub) => expect(await outcomeOf(verifierOf(), svid({ sub }))).toBe('accepted'),
  )

  test.each([
    'spiffe://acme.org/',
    'spiffe://acme.org/x/',
    'spiffe://acme.org//x',
    'spiffe://acme.org/.',
    'spiffe://acme.org/x/..',
    'spiffe://acme.org/../evil',
    'spiffe://acme.org/./x',
    'spiffe://acme.org/x?y',
    'spiffe://acme.org/x#y',
    'spiffe://acme.org/%2e%2e/x',
    'spiffe://acme.org/x y',
    'spiffe://acme.org/x\n',
    'spiffe://acme.org/ä',
    'spiffe://acme.org/jobs:worker',
    id(2049),
  ])('is refused by its claims with the sub %j, which is no SPIFFE ID', async (sub) =>
    expect(await outcomeOf(verifierOf(), svid({ sub }))).toBe('claims'),
  )

  test.each(['spiffe://acme.org', 'https://other.example', 'acme.org', SUB, '', null, undefined, 7, {}])(
    'goes by its iss alone where it has one: %j',
    async (iss) => {
      const outcome = await outcomeOf(verifierOf(), svid({ iss }))
      // JSON leaves out what is undefined.
      if (iss === undefined) expect(outcome).toBe('accepted')
      else expect(outcome).toBe('issuer')
    },
  )

  test('of one domain is not verified with the keys of another, nor those of an issuer', async () => {
    const other = createTestIssuer({ issuer: 'https://issuer.example', audience: AUDIENCE })
    const verifier = verifierOf([
      ENTRY,
      { trustDomain: 'other.org', audience: AUDIENCE, jwks: other.jwks },
      { ...other.options, audience: AUDIENCE, profile: 'lenient' },
    ])
    const forged = other.mint({ iss: undefined, sub: SUB }, { typ: 'JWT' })
    expect(await outcomeOf(verifier, forged)).toBe('signature')
    expect(await outcomeOf(verifier, svid({ sub: 'spiffe://other.org/x' }))).toBe('signature')
    expect(await outcomeOf(verifier, svid({ iss: other.issuer }))).toBe('signature')
    expect(await outcomeOf(verifier, other.mint({ sub: SUB }))).toBe('accepted')
  })

  test('has the checks of the lenient profile, and those of time and audience', async () => {
    const verifier = verifierOf()
    for (const [claims, reason] of [
      [{ aud: 'other' }, 'audience'],
      [{ aud: undefined }, 'audience'],
      [{ exp: 1 }, 'expired'],
      [{ exp: undefined }, 'claims'],
      [{ nonce: 'x' }, 'type'],
      [{ at_hash: 'x' }, 'type'],
      [{ events: {} }, 'type'],
      [{ cnf: {} }, 'sender_constrained'],
    ] as const) {
      expect(await outcomeOf(verifier, svid(claims))).toBe(reason)
    }
    const aged = verifierOf([ENTRY], { maxTokenAgeSeconds: 60 })
    expect(await outcomeOf(aged, svid())).toBe('claims')
    expect(await outcomeOf(aged, svid({ iat: Math.floor(Date.now() / 1000) }))).toBe('accepted')
  })

  test('is refused where no trust domain is configured', async () => {
    const lenient = verifierOf([{ issuer: 'https://issuer.example', jwks: domain.jwks, profile: 'lenient' }])
    expect(await outcomeOf(lenient, svid())).toBe('issuer')
    expect(await outcomeOf(lenient, svid({}, { typ: 'JOSE' }))).toBe('type')
  })
})

describe('the keys of a trust domain', () => {
  const outcomeWith = (use: unknown, entry: Partial<IssuerOptions> = {}) => {
    const key = publicJwk(domain.publicKey, { kid: domain.kid, ...(use === undefined ? {} : { use }) } as Partial<JWK>)
    // A second key, so that the set is one that can be used.
    const spare = publicJwk(createTestIssuer().publicKey, { kid: 'spare', use: 'sig' })
    return outcomeOf(verifierOf([{ ...ENTRY, jwks: { keys: [key, spare] }, ...entry }]), svid())
  }

  test.each(['jwt-svid', 'sig', undefined])('count with use %s', async (use) => {
    expect(await outcomeWith(use)).toBe('accepted')
  })

  test.each(['x509-svid', 'JWT-SVID', 'enc', '', null, ['jwt-svid']])('do not count with use %j', async (use) => {
    expect(await outcomeWith(use)).toBe('key')
  })

  test('of an ordinary issuer do not count with use jwt-svid', async () => {
    expect(messageOf({ keys: false, issuer: [{ issuer: 'https://issuer.example', jwks }] })).toContain('holds no key')
    const { url } = await createTestServer((path) => (path === '/jwks' ? jwks : undefined))
    const verifier = verifierOf([
      { issuer: url, jwksUri: `${url}/jwks`, audience: AUDIENCE },
      { trustDomain: 'acme.org', jwksUri: `${url}/jwks`, audience: AUDIENCE },
    ])
    expect(await outcomeOf(verifier, domain.mint({ iss: url }))).toBe('ERR_VANTAGE_UNAVAILABLE')
    expect(await outcomeOf(verifier, svid())).toBe('accepted')
  })
})

describe('an entry with trustDomain', () => {
  test.each(['acme.org', 'a', 'a-b_c.d9', 'x'.repeat(255)])('takes %j', (trustDomain) => {
    verifierOf([{ ...ENTRY, trustDomain }])
  })

  test.each([
    '',
    'ACME.org',
    'spiffe://acme.org',
    'acme.org/',
    'acme org',
    'acme.org:1',
    'ä.org',
    'x'.repeat(256),
    null,
    7,
  ])('does not take %j', (trustDomain) => {
    expect(messageOf({ keys: false, issuer: [{ ...ENTRY, trustDomain }] })).toMatch(
      /^issuer\[0\]\.trustDomain must be the name of a SPIFFE trust domain/,
    )
  })

  test.each<[more: object, message: string]>([
    [{ issuer: 'https://a.example' }, 'issuer[0].trustDomain and issuer[0].issuer exclude each other'],
    [{ jwks: undefined }, 'issuer[0].jwksUri is missing: a trust domain has no metadata'],
    [{ profile: 'rfc9068' }, 'issuer[0].profile cannot be "rfc9068" for a trust domain'],
    [{ tenants: ['a'] }, 'issuer[0].issuer must have {tenantid}'],
  ])('is refused with %j', (more, message) => {
    expect(messageOf({ keys: false, issuer: [{ ...ENTRY, ...more }] })).toContain(message)
  })

  test('stands once for its domain, which is no issuer', () => {
    expect(messageOf({ keys: false, issuer: [ENTRY, { ...ENTRY, audience: 'other' }] })).toContain('twice')
    for (const issuer of ['spiffe://acme.org', [{ issuer: 'spiffe://acme.org', jwks }]]) {
      expect(messageOf({ keys: false, issuer })).toContain("give its name as the entry's trustDomain")
    }
  })

  test('is what describe() says', () => {
    expect(verifierOf([ENTRY], { profile: 'rfc9068' }).describe().issuers).toMatchObject([
      { issuer: 'spiffe://acme.org', trustDomain: 'acme.org', profile: 'lenient', keySource: 'static' },
    ])
  })
})
