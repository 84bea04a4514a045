import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { resolveOptions, type VerifierOptions } from '../../src/config/options.js'
import type { AccessTokenAuth } from '../../src/core/auth.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { checkClaims, claimedAuth, reportClaims } from '../../src/token/access-token.js'
import type { CheckReport } from '../../src/token/check-report.js'
import { claimChecks } from '../../src/token/claim-checks.js'
import { createIssuer } from '../../src/token/issuer/issuer.js'
import { type VerifiedAccessToken, verifyAccessToken } from '../../src/token/signature.js'
import { type Issuers, parseAccessToken, type UnverifiedAccessToken } from '../../src/token/unverified-token.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { outcomeOf } from '../support/outcome.js'
import {
  compact,
  createKeyPair,
  createTestIssuer,
  DEFAULT_AUDIENCE,
  DEFAULT_ISSUER,
  encode,
  hmacSigner,
  publicJwk,
  SIGNING_ALGORITHMS,
  signer,
  type TestIssuer,
} from '../support/tokens.js'
import { readVectors } from '../support/vectors.js'

/** Instant of all checks here, in seconds since the epoch; the vectors are written for it. */
const NOW = 2_000_000_000
const clock = () => NOW * 1000

const issuer = createTestIssuer({ kid: 'key-1', clock })

/** Accepts the tokens of the issuer above, and looks at each anew. */
function verifierFor(options: VerifierOptions = {}) {
  return createVerifier({ ...issuer.options, keys: false, cache: false, clock, ...options })
}

const verifiers = { rfc9068: verifierFor(), lenient: verifierFor({ profile: 'lenient' }) }
const strict = verifiers.rfc9068

/** The configured issuers, as a verifier has them. */
function issuersOf(options: VerifierOptions = {}): Issuers {
  const config = resolveOptions({ ...(options.issuer === undefined && issuer.options), keys: false, ...options }, {})
  return new Map(config.issuers.map((policy) => [policy.issuer, createIssuer(policy, config)]))
}

function parse(token: string, issuers: Issuers = issuersOf()): UnverifiedAccessToken {
  const parsed = parseAccessToken(token, issuers)
  if ('reason' in parsed) throw new Error(`the token is refused: ${parsed.reason}`)
  return parsed
}

async function verify(token: string, issuers?: Issuers): Promise<VerifiedAccessToken> {
  const parsed = parse(token, issuers)
  const verified = await verifyAccessToken(parsed, await parsed.issuer.keysFor(parsed.alg, parsed.kid))
  if (verified === undefined) throw new Error('the issuer has not signed the token')
  return verified
}

/** How the checks went that look at the token alone: as far as it could be parsed, and then all of the claims. */
function reportsOf(token: string, issuers: Issuers): CheckReport[] {
  const reports: CheckReport[] = []
  const parsed = parseAccessToken(token, issuers, (check) => reports.push(check))
  return 'reason' in parsed ? reports : [...reports, ...reportClaims(parsed, NOW)]
}

async function authOf(verifier: ReturnType<typeof verifierFor>, token: string): Promise<AccessTokenAuth> {
  const auth = await verifier.authenticate({ authorization: `Bearer ${token}` })
  if (auth.kind !== 'access_token') throw new Error('the token was taken for a key')
  return auth
}

/** One change to the header or the claims of a good token, and what becomes of the token. */
interface Vector {
  name: string
  /** `accepted`, or the reason of the refusal. */
  reason: string
  /** Members in the place of the good ones. */
  set?: object
  /** Members left out. */
  without?: string[]
  /** Members whose value is this text, for what JSON.stringify does not write. */
  raw?: Record<string, string>
  profile?: string
}

/** JSON text of an object after a vector's changes. */
function change(good: Record<string, unknown>, { set, without = [], raw = {} }: Vector): string {
  const kept = Object.entries({ ...good, ...set }).filter(([name]) => ![...without, ...Object.keys(raw)].includes(name))
  const members = [...kept.map(([name, value]) => [name, JSON.stringify(value)] as const), ...Object.entries(raw)]
  return `{${members.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`
}

const verifierOf = ({ profile }: Vector) => (profile === 'lenient' ? verifiers.lenient : strict)

describe('a good token', () => {
  test.each(SIGNING_ALGORITHMS)('signed with %s is accepted', async (alg) => {
    const other = createTestIssuer({ alg, clock })
    const verifier = verifierFor(other.options)

    expect(await outcomeOf(verifier, other.mint())).toBe('accepted')
    expect(await outcomeOf(verifier, other.mint().slice(0, -8))).not.toBe('accepted')
    expect(await outcomeOf(verifier, other.mint().slice(0, -8).concat('AAAAAAAA'))).not.toBe('accepted')
  })

  test('becomes an Auth that says what the token says', async () => {
    const token = issuer.mint({
      sub: 'user_9',
      client_id: 'c',
      jti: 'j',
      scope: 'jobs:read,teams:read x',
      tier: ['gold'],
    })
    const auth = await authOf(strict, token)

    expect(auth).toMatchObject({
      kind: 'access_token',
      subject: 'user_9',
      scopes: ['jobs:read', 'teams:read', 'x'],
      tenant: null,
      issuer: DEFAULT_ISSUER,
      clientId: 'c',
      tokenId: 'j',
    })
    expect(auth.expiresAt).toEqual(new Date((NOW + 3600) * 1000))
    expect(auth.claims).toMatchObject({ aud: DEFAULT_AUDIENCE, iat: NOW, tier: ['gold'] })
    expect(() => (auth.claims.tier as string[]).push('x')).toThrow(TypeError)
  })

  test('has null for client and id where the lenient profile does without', async () => {
    const auth = await authOf(verifiers.lenient, issuer.mint({ client_id: undefined, jti: undefined, iat: undefined }))
    expect(auth).toMatchObject({ clientId: null, tokenId: null })
  })

  test('of exactly 8192 bytes is accepted, and of one more refused', async () => {
    // No base64url text has a length of 4n + 1: what the claims cannot fill, the header does.
    const sized = (bytes: number) => {
      const fill = Math.floor(((bytes - issuer.mint({ pad: '' }, { spare: '' }).length) * 3) / 4) - 8
      for (let pad = fill; pad < fill + 16; pad++) {
        for (const spare of ['', 'x', 'xx']) {
          const token = issuer.mint({ pad: 'x'.repeat(pad) }, { spare })
          if (token.length === bytes) return token
        }
      }
      throw new Error(`no token has ${bytes} bytes`)
    }
    const longest = sized(8192)
    expect(longest).toHaveLength(8192)
    expect(await outcomeOf(strict, longest)).toBe('accepted')
    expect(await outcomeOf(strict, sized(8193))).toBe('malformed')
  })

  test('may nest its claims as deep as its size permits', async () => {
    const nested = `${'['.repeat(2800)}${']'.repeat(2800)}`
    const token = issuer.mintRaw({ payload: change(issuer.claims(), { name: '', reason: '', raw: { x: nested } }) })
    const auth = await authOf(strict, token)

    let level = auth.claims.x
    for (let depth = 0; depth < 2799; depth++) {
      expect(Object.isFrozen(level)).toBe(true)
      level = (level as unknown[])[0]
    }
    expect(level).toEqual([])
  })
})

describe('the header', () => {
  test.each(readVectors<Vector>('headers'))('$name: $reason $profile', async (vector) => {
    const header = change(issuer.header(), vector)
    expect(await outcomeOf(verifierOf(vector), issuer.mintRaw({ header }))).toBe(vector.reason)
  })
})

describe('a header that the token before had as well', () => {
  const stranger = createTestIssuer({ kid: 'key-1', clock })

  test('saves its decoding, and no check', async () => {
    const bad = { typ: 'dpop+jwt' }
    for (const mint of [issuer.mint, issuer.mint]) {
      expect(await outcomeOf(strict, mint({}, bad))).toBe('type')
      expect(await outcomeOf(strict, mint({}, bad))).toBe('type')
      expect(await outcomeOf(strict, mint())).toBe('accepted')
      expect(await outcomeOf(strict, mint())).toBe('accepted')
      expect(await outcomeOf(strict, stranger.mint())).toBe('signature')
      expect(await outcomeOf(strict, mint({}, { crit: ['exp'] }))).toBe('malformed')
      expect(await outcomeOf(strict, `${mint()}=`)).toBe('malformed')
      expect(await outcomeOf(strict, mint().replace(/^[^.]*/, ''))).toBe('malformed')
    }
  })

  test('is the header of its own token, also when several are read in turns', () => {
    const issuers = issuersOf({ profile: 'lenient' })
    const tokens = [{}, { typ: 'JWT' }, {}].map((header) => parse(issuer.mint({}, header), issuers))
    expect(tokens.map(({ header }) => header.typ)).toEqual(['at+jwt', 'JWT', 'at+jwt'])
  })
})

describe('the claims', () => {
  test.each(readVectors<Vector>('claims'))('$name: $reason $profile', async (vector) => {
    const payload = change(issuer.claims(), vector)
    expect(await outcomeOf(verifierOf(vector), issuer.mintRaw({ payload }))).toBe(vector.reason)
  })
})

describe('shape and encoding', () => {
  const good = issuer.mint()
  const [header, payload, signature] = good.split('.') as [string, string, string]
  /** The part in another spelling of the same bytes: its last character carries bits that nobody reads. */
  const respelt = (part: string) => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = part.at(-1) as string
    const other = `${part.slice(0, -1)}${alphabet[alphabet.indexOf(last) ^ 1]}`
    expect(Buffer.from(other, 'base64url')).toEqual(Buffer.from(part, 'base64url'))
    return other
  }
  /** Parts whose length leaves four spare bits, as a signature of 64 bytes does, or two. */
  const looseHeader = encode(JSON.stringify(issuer.header({ pad: '' })).padEnd(97))
  const loosePayload = encode(JSON.stringify(issuer.claims()).padEnd(400))
  const lessLooseHeader = encode(JSON.stringify(issuer.header({ pad: '' })).padEnd(98))
  const lessLoosePayload = encode(JSON.stringify(issuer.claims()).padEnd(401))
  const signed = (input: string) => `${input}.${encode(signer('ES256', issuer.privateKey)(Buffer.from(input)))}`

  test.each<[name: string, token: string]>([
    ['an empty part only', '.'],
    ['no dot', 'token'],
    ['one dot', `${header}.${payload}`],
    ['three dots', `${good}.`],
    ['the five parts of an encrypted token', `${good}.${payload}.${payload}`],
    ['a leading dot', `.${good}`],
    ['nothing but two dots', '..'],
    ['no header', `.${payload}.${signature}`],
    ['no payload', `${header}..${signature}`],
    ['padding behind the signature', `${good}==`],
    ['padding behind the header', signed(`${header}=.${payload}`)],
    ['padding behind the payload', signed(`${header}.${payload}=`)],
    ['characters of plain base64', signed(`${header}.${encode(JSON.stringify(issuer.claims({ x: '>>>???' })))}+/`)],
    ['a space inside', signed(`${header}.${payload.slice(0, 9)} ${payload.slice(9)}`)],
    ['a line feed inside', signed(`${header}.${payload.slice(0, 9)}\n${payload.slice(9)}`)],
    ['a trailing space', `${good} `],
    ['a letter outside ASCII', signed(`${header}.${payload}é`)],
    ['a percent sign', signed(`${header}.${payload}%3D`)],
    ['a tilde', signed(`${header}.${payload}~`)],
    ['a length that no bytes have', signed(`${encode(JSON.stringify(issuer.header()).padEnd(99))}A.${payload}`)],
    ['spare bits in the header', signed(`${respelt(looseHeader)}.${payload}`)],
    ['spare bits in the payload', signed(`${header}.${respelt(loosePayload)}`)],
    ['fewer spare bits in the header', signed(`${respelt(lessLooseHeader)}.${payload}`)],
    ['fewer spare bits in the payload', signed(`${header}.${respelt(lessLoosePayload)}`)],
    ['spare bits in the signature', `${header}.${payload}.${respelt(signature)}`],
    ['two credentials', `${good} ${good}`],
    ['two credentials joined by a comma', `${good},${good}`],
    ['two credentials joined by a comma and the scheme', `${good}, Bearer ${good}`],
  ])('%s is malformed', async (_, token) => {
    expect(await outcomeOf(strict, token)).toBe('malformed')
  })

  test('accepts the parts that the cases above respell', async () => {
    expect(await outcomeOf(strict, signed(`${looseHeader}.${payload}`))).toBe('accepted')
    expect(await outcomeOf(strict, signed(`${header}.${loosePayload}`))).toBe('accepted')
    expect(await outcomeOf(strict, signed(`${lessLooseHeader}.${payload}`))).toBe('accepted')
    expect(await outcomeOf(strict, signed(`${header}.${lessLoosePayload}`))).toBe('accepted')
  })

  test('finds no parts in a text without dots, whatever it encodes', async () => {
    // Less its last character it is both a header and claims.
    const text = JSON.stringify({ ...issuer.header(), ...issuer.claims() }).padEnd(400)
    expect(await outcomeOf(strict, `${encode(text)}A`)).toBe('malformed')
  })

  test('refuses a token without its signature, or with another one', async () => {
    expect(await outcomeOf(strict, `${header}.${payload}.`)).toBe('signature')
    expect(await outcomeOf(strict, `${header}.${payload}.${issuer.mint().split('.')[2]}`)).toBe('signature')
    expect(await outcomeOf(strict, `${header}.${encode(issuer.claims({ sub: 'root' }))}.${signature}`)).toBe(
      'signature',
    )
    expect(await outcomeOf(strict, `${encode(issuer.header({ x: 1 }))}.${payload}.${signature}`)).toBe('signature')
  })

  const text = { header: JSON.stringify(issuer.header()), payload: JSON.stringify(issuer.claims()) }
  describe.each(['header', 'payload'] as const)('a %s', (part) => {
    test.each<[name: string, bytes: string | Buffer]>([
      ['with a byte order mark', `\uFEFF${text[part]}`],
      ['with two byte order marks', `\uFEFF\uFEFF${text[part]}`],
      ['in UTF-16', Buffer.from(text[part], 'utf16le')],
      ['in UTF-16 with a byte order mark', Buffer.from(`\uFEFF${text[part]}`, 'utf16le')],
      ['in Latin-1', Buffer.from(text[part].replace('{', '{"é":1,'), 'latin1')],
      ['with an overlong slash', bytesIn(text[part], [0xc0, 0xaf])],
      ['with a surrogate in UTF-8', bytesIn(text[part], [0xed, 0xa0, 0x80])],
      ['with a code point beyond the last', bytesIn(text[part], [0xf4, 0x90, 0x80, 0x80])],
      ['with a lone continuation byte', bytesIn(text[part], [0x80])],
      ['cut within a character', Buffer.concat([Buffer.from(text[part]), Buffer.from([0xe2, 0x82])])],
      ['that is an array', `[${text[part]}]`],
      ['that is null', 'null'],
      ['that is a string', JSON.stringify(text[part])],
      ['that is a number', '1'],
      ['that is true', 'true'],
      ['with text behind', `${text[part]}x`],
      ['with a second object behind', `${text[part]}{}`],
      ['with a trailing comma', text[part].replace(/}$/, ',}')],
      ['with a comment', text[part].replace('{', '{/**/')],
      ['in single quotes', text[part].replaceAll('"', "'")],
      ['with NaN', text[part].replace('{', '{"x":NaN,')],
      ['with a NUL behind', `${text[part]}\0`],
      ['with a bare control character', text[part].replace('{', '{"x":"\u0001",')],
      ['that is cut off', text[part].slice(0, -1)],
      ['of white space', '  '],
    ])('%s is malformed', async (_, bytes) => {
      expect(await outcomeOf(strict, issuer.mintRaw({ [part]: bytes }))).toBe('malformed')
    })

    test('may have white space and characters of any plane', async () => {
      const spaced = ` \n${text[part].replace('{', '{"é€😀\uFFFD":"\\ud800", ')}\t\r\n`
      expect(await outcomeOf(strict, issuer.mintRaw({ [part]: spaced }))).toBe('accepted')
    })
  })

  test('takes the last of two members of one name, as RFC 7515 §4 permits', async () => {
    const payload = JSON.stringify(issuer.claims()).replace('{', '{"sub":"first",')
    expect((await authOf(strict, issuer.mintRaw({ payload }))).subject).toBe('user_123')
  })

  function bytesIn(json: string, bytes: number[]): Buffer {
    return Buffer.concat([Buffer.from('{"x":"'), Buffer.from(bytes), Buffer.from('",'), Buffer.from(json.slice(1))])
  }
})

describe('the algorithm', () => {
  const rsa = createTestIssuer({ alg: 'RS256', clock })
  const spki = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string
  const jwk = publicJwk(rsa.publicKey)
  /** Each form of a public key that somebody may have taken for a shared secret. */
  const secrets: Record<string, string | Buffer> = {
    'PEM, SPKI': spki,
    'PEM, SPKI, without its last line feed': spki.trimEnd(),
    'PEM, SPKI, with CRLF': spki.replaceAll('\n', '\r\n'),
    'PEM, SPKI, without its first and last line': spki.split('\n').slice(1, -2).join('\n'),
    'PEM, PKCS 1': rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }),
    'PEM, PKCS 1, without its last line feed': (
      rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }) as string
    ).trimEnd(),
    'DER, SPKI': rsa.publicKey.export({ type: 'spki', format: 'der' }),
    'DER, PKCS 1': rsa.publicKey.export({ type: 'pkcs1', format: 'der' }),
    'DER in base64': rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    'JWK text': JSON.stringify(jwk),
    'JWK text as published': JSON.stringify(rsa.jwks.keys[0]),
    'key set text': JSON.stringify(rsa.jwks),
    'modulus in base64url': jwk.n as string,
    'modulus in bytes': Buffer.from(jwk.n as string, 'base64url'),
    nothing: '',
  }

  describe.each(['HS256', 'HS384', 'HS512'] as const)('%s', (alg) => {
    test.each(Object.keys(secrets))('keyed with the public key as %s is refused', async (form) => {
      const token = compact(rsa.header({ alg }), rsa.claims(), hmacSigner(alg, secrets[form] as string))
      expect(await outcomeOf(verifierFor(rsa.options), token)).toBe('algorithm')
      expect(await outcomeOf(verifierFor({ ...rsa.options, profile: 'lenient' }), token)).toBe('algorithm')
    })

    test('is no algorithm that an option can name', () => {
      expect(() => verifierFor({ algorithms: [alg as 'RS256'] })).toThrow(/^algorithms must be a list of asymmetric/)
    })

    test('under the name of an asymmetric algorithm is a wrong signature', async () => {
      const token = compact(rsa.header(), rsa.claims(), hmacSigner(alg, spki))
      expect(await outcomeOf(verifierFor(rsa.options), token)).toBe('signature')
    })
  })

  test.each(['none', 'None', 'NONE', 'nonE'])('%s is refused with and without a signature', async (alg) => {
    const token = issuer.mint({}, { alg })
    expect(await outcomeOf(strict, token)).toBe('algorithm')
    expect(await outcomeOf(strict, token.slice(0, token.lastIndexOf('.') + 1))).toBe('algorithm')
    expect(
      await outcomeOf(
        strict,
        compact({ alg }, issuer.claims(), () => Buffer.alloc(0)),
      ),
    ).toBe('type')
    expect(
      await outcomeOf(
        verifiers.lenient,
        compact({ alg }, issuer.claims(), () => Buffer.alloc(0)),
      ),
    ).toBe('algorithm')
  })

  test('that the issuer does not use is refused, whatever the keys would permit', async () => {
    const keys = createKeyPair('RS256')
    const jwks = { keys: [publicJwk(keys.publicKey, { kid: 'key-1' })] }
    for (const alg of ['RS256', 'RS512', 'PS256'] as const) {
      const minted = createTestIssuer({ alg, keys, kid: 'key-1', clock }).mint()
      expect(await outcomeOf(verifierFor({ jwks }), minted)).toBe('accepted')
      expect(await outcomeOf(verifierFor({ jwks, algorithms: ['RS384', 'ES256'] }), minted)).toBe('algorithm')
      expect(await outcomeOf(verifierFor({ jwks, algorithms: [alg] }), minted)).toBe('accepted')
    }
  })

  test.each([
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'EdDSA'],
    ['EdDSA', 'EdDSA'],
    ['Ed25519', 'Ed25519'],
  ] as const)('%s is accepted where the key says %s, and where the option does', async (alg, other) => {
    const keys = createKeyPair('EdDSA')
    const { mint, options, publicKey } = createTestIssuer({ alg, keys, kid: 'key-1', clock })
    const jwks = { keys: [publicJwk(publicKey, { kid: 'key-1', alg: other })] }
    expect(await outcomeOf(verifierFor({ ...options, jwks }), mint())).toBe('accepted')
    expect(await outcomeOf(verifierFor({ ...options, algorithms: [other] }), mint())).toBe('accepted')
    const mixed = { keys: [...options.jwks.keys, ...issuer.jwks.keys] }
    expect(await outcomeOf(verifierFor({ ...options, jwks: mixed, algorithms: ['ES256'] }), mint())).toBe('algorithm')
  })

  test.each(SIGNING_ALGORITHMS)('%s in the header does not fit a key of another type or curve', async (alg) => {
    const others = SIGNING_ALGORITHMS.filter((other) => family(other) !== family(alg))
    for (const other of others) {
      const { options, mint } = createTestIssuer({ alg: other, kid: 'key-1', clock })
      const jwks = { keys: options.jwks.keys.map(({ alg: _, ...key }) => key) }
      expect(await outcomeOf(verifierFor({ ...options, jwks }), mint({}, { alg }))).toBe('key')
    }
  })

  function family(alg: string): string {
    return alg.startsWith('ES') ? alg : alg.startsWith('Ed') ? 'Ed' : 'RSA'
  }
})

describe('keys that a token brings along', () => {
  const attacker = createTestIssuer({ kid: 'key-1', clock })
  const jwk = attacker.jwks.keys[0]
  const brought: [name: string, header: Record<string, unknown>, reason: string][] = [
    ['jwk', { jwk }, 'signature'],
    ['jwk without a kid', { jwk, kid: undefined }, 'signature'],
    ['jwk under its own kid', { jwk: { ...jwk, kid: 'mine' }, kid: 'mine' }, 'key'],
    ['jku', { jku: 'https://attacker.example/jwks.json' }, 'signature'],
    ['x5u', { x5u: 'https://attacker.example/cert.pem' }, 'signature'],
    ['x5c', { x5c: [attacker.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] }, 'signature'],
    ['a data URL as jku', { jku: `data:application/json,${JSON.stringify(attacker.jwks)}` }, 'signature'],
    ['a file URL as kid', { kid: 'file:///dev/null' }, 'key'],
    ['a web URL as kid', { kid: 'https://attacker.example/key.pem' }, 'key'],
  ]

  test.each(brought)('%s: is ignored, and nothing is fetched', async (_, header, reason) => {
    const fetched: string[] = []
    const fetch: typeof globalThis.fetch = async (url) => {
      fetched.push(String(url))
      return Response.json({})
    }
    expect(await outcomeOf(verifierFor({ fetch }), attacker.mint({}, header))).toBe(reason)
    expect(fetched).toEqual([])
  })
})

describe('the issuer', () => {
  test.each(readVectors<{ name: string; iss: unknown }>('issuers'))(
    'that differs by $name is refused, and nothing is fetched',
    async ({ iss }) => {
      const fetched: string[] = []
      const verifier = createVerifier({
        issuer: DEFAULT_ISSUER,
        keys: false,
        clock,
        fetch: async (url) => {
          fetched.push(String(url))
          return Response.json({})
        },
      })
      expect(await outcomeOf(verifier, issuer.mint({ iss }))).toBe('issuer')
      expect(await outcomeOf(strict, issuer.mint({ iss }))).toBe('issuer')
      expect(fetched).toEqual([])
    },
  )

  test('has to be named', async () => {
    expect(await outcomeOf(strict, issuer.mint({ iss: undefined }))).toBe('issuer')
    const inherited = JSON.stringify(issuer.claims({ iss: undefined, inherited: { iss: DEFAULT_ISSUER } }))
    const payload = inherited.replace('"inherited"', '"__proto__"')
    expect(await outcomeOf(strict, issuer.mintRaw({ payload }))).toBe('issuer')
  })

  test('has to be configured: keys only refuses every token', async () => {
    expect(await outcomeOf(createVerifier({ issuer: false, keys: false, clock }), issuer.mint())).toBe('issuer')
  })
})

describe('two issuers', () => {
  const a = createTestIssuer({ issuer: 'https://a.example', kid: 'key-a', audience: 'https://api.a.example', clock })
  const b = createTestIssuer({
    issuer: 'https://b.example',
    kid: 'key-b',
    audience: 'https://api.b.example',
    alg: 'EdDSA',
    clock,
  })
  const verifier = createVerifier({
    issuer: [
      {
        issuer: a.issuer,
        jwks: a.jwks,
        audience: 'https://api.a.example',
        algorithms: ['ES256'],
        tenantClaim: 'org',
        scopeClaims: ['roles'],
      },
      { issuer: b.issuer, jwks: b.jwks, audience: 'https://api.b.example', algorithms: ['EdDSA'], profile: 'lenient' },
    ],
    keys: false,
    clock,
  })
  const sameKid = createTestIssuer({ issuer: a.issuer, kid: 'key-a', audience: 'https://api.a.example', clock })

  test.each<[name: string, token: string, reason: string]>([
    ['accept each its own', a.mint(), 'accepted'],
    ['accept each its own, in its own profile', b.mint({ jti: undefined }, { typ: 'JWT' }), 'accepted'],
    ["do not lend each other keys: a's token signed by b", b.mint({ iss: a.issuer, aud: a.claims().aud }), 'algorithm'],
    ["do not lend each other keys: b's kid in a's token", a.mint({}, { kid: 'key-b' }), 'key'],
    ['do not take a kid for a key', sameKid.mint(), 'signature'],
    ["do not lend each other audiences: a's token for b", a.mint({ aud: 'https://api.b.example' }), 'audience'],
    ["do not lend each other audiences: b's token for a", b.mint({ aud: 'https://api.a.example' }), 'audience'],
    ["do not lend each other algorithms: b's alg in a's token", a.mint({}, { alg: 'EdDSA' }), 'algorithm'],
    ["do not lend each other profiles: a's token with b's typ", a.mint({}, { typ: 'JWT' }), 'type'],
    ["do not lend each other profiles: a's token without typ", a.mint({}, { typ: undefined }), 'type'],
    ["do not lend each other profiles: a's token without jti", a.mint({ jti: undefined }), 'claims'],
  ])('%s', async (_, token, reason) => {
    expect(await outcomeOf(verifier, token)).toBe(reason)
    expect(await outcomeOf(verifier, token)).toBe(reason)
  })

  test('do not lend each other keys, not even of one algorithm', async () => {
    const c = createTestIssuer({ issuer: 'https://c.example', clock })
    const d = createTestIssuer({ issuer: 'https://d.example', clock })
    const both = createVerifier({ issuer: [c, d].map(({ options }) => options), keys: false, clock })
    expect(await outcomeOf(both, c.mint())).toBe('accepted')
    expect(await outcomeOf(both, d.mint())).toBe('accepted')
    expect(await outcomeOf(both, c.mint({ iss: d.issuer }))).toBe('signature')
    expect(await outcomeOf(both, d.mint({ iss: c.issuer }, { kid: undefined }))).toBe('signature')
  })

  test('do not lend each other claims for tenant and scopes', async () => {
    const claims = { org: 'org_1', roles: ['jobs:read'], scope: 'jobs:write' }
    expect(await authOf(verifier, a.mint(claims))).toMatchObject({ tenant: 'org_1', scopes: ['jobs:read'] })
    expect(await authOf(verifier, b.mint(claims))).toMatchObject({ tenant: null, scopes: ['jobs:write'] })
  })
})

describe('the time', () => {
  let now = NOW
  const moving = (options: VerifierOptions = {}) =>
    verifierFor({ clock: () => now * 1000, cache: { ttlSeconds: 86_400 }, ...options })
  const at = async (verifier: ReturnType<typeof verifierFor>, instant: number, token: string) => {
    now = instant
    return outcomeOf(verifier, token)
  }

  describe.each([['without a cache', false] as const, ['on cache hits', { ttlSeconds: 86_400 }] as const])(
    '%s',
    (_, cache) => {
      test.each([0, 5, 300])('exp ends a token after a tolerance of %d s, to the millisecond', async (tolerance) => {
        const verifier = moving({ cache, clockToleranceSeconds: tolerance })
        const token = issuer.mint({ exp: NOW + 100 })
        expect(await at(verifier, NOW, token)).toBe('accepted')
        expect(await at(verifier, NOW + 100 + tolerance - 0.001, token)).toBe('accepted')
        expect(await at(verifier, NOW + 100 + tolerance, token)).toBe('expired')
      })

      test.each([0, 5])('maxTokenAgeSeconds ends a token after a tolerance of %d s as well', async (tolerance) => {
        const verifier = moving({ cache, clockToleranceSeconds: tolerance, maxTokenAgeSeconds: 60 })
        const token = issuer.mint({ iat: NOW, exp: NOW + 86_400 })
        expect(await at(verifier, NOW, token)).toBe('accepted')
        expect(await at(verifier, NOW + 60 + tolerance - 0.001, token)).toBe('accepted')
        expect(await at(verifier, NOW + 60 + tolerance, token)).toBe('too_old')
      })
    },
  )

  test.each([0, 5])('nbf and iat may be ahead by a tolerance of %d s, to the millisecond', async (tolerance) => {
    for (const claims of [{ nbf: NOW + 100 }, { iat: NOW + 100 }, { nbf: NOW + 100, iat: NOW + 100 }]) {
      const verifier = moving({ clockToleranceSeconds: tolerance })
      const token = issuer.mint(claims)
      expect(await at(verifier, NOW + 100 - tolerance - 0.001, token)).toBe('not_active')
      expect(await at(verifier, NOW + 100 - tolerance, token)).toBe('accepted')
    }
  })

  test('of issue is required, also by the lenient profile, where an age is', async () => {
    const verifier = verifierFor({ profile: 'lenient', maxTokenAgeSeconds: 60 })
    expect(await outcomeOf(verifier, issuer.mint({ iat: undefined }))).toBe('claims')
    expect(await outcomeOf(verifier, issuer.mint({ iat: NOW - 59 }))).toBe('accepted')
  })

  test('of no clock at all lets nobody in', async () => {
    expect(await outcomeOf(verifierFor({ clock: () => Number.NaN }), issuer.mint())).not.toBe('accepted')
    expect(checkClaims(await verify(issuer.mint()), Number.NaN)).toBe('expired')
  })

  test('ends an accepted token at the earliest end that a check sets', async () => {
    const token = (claims: Record<string, unknown>) =>
      verify(issuer.mint({ iat: NOW, ...claims }), issuersOf({ maxTokenAgeSeconds: 60 }))
    expect(checkClaims(await token({ exp: NOW + 100 }), NOW)).toMatchObject({ endsAt: NOW + 65 })
    expect(checkClaims(await token({ exp: NOW + 10 }), NOW)).toMatchObject({ endsAt: NOW + 15 })
  })

  /** For each check that can end an acceptance: a token that this check ends first, 60 s after NOW. */
  const ending: Record<string, { claims: Record<string, unknown>; options?: VerifierOptions; reason: string }> = {
    exp: { claims: { exp: NOW + 60 }, reason: 'expired' },
    age: { claims: { iat: NOW - 40, exp: NOW + 3600 }, options: { maxTokenAgeSeconds: 100 }, reason: 'too_old' },
  }

  test('is compared by checks that tell the cache when they end an acceptance, and by no others', () => {
    const longLived = parse(issuer.mint(), issuersOf({ maxTokenAgeSeconds: 3600 }))
    const endedByTime = claimChecks.filter(({ holds }) => holds(longLived, NOW) && !holds(longLived, NOW + 1e9))
    expect(endedByTime.map(({ name }) => name)).toEqual(Object.keys(ending))
    expect(claimChecks.filter(({ endsAt }) => endsAt).map(({ name }) => name)).toEqual(Object.keys(ending))
  })

  test.each(claimChecks.filter(({ endsAt }) => endsAt))(
    '$name ends what a cache accepted, at the very millisecond',
    async ({ name, endsAt }) => {
      const { claims, options, reason } = ending[name] as (typeof ending)[string]
      const verifier = moving({ ...options, clockToleranceSeconds: 5 })
      const token = issuer.mint(claims)
      expect(endsAt?.(parse(token, issuersOf(options)))).toBe(NOW + 60)

      now = NOW
      const first = await authOf(verifier, token)
      now = NOW + 65 - 0.001
      expect(verifier.authenticate({ authorization: `Bearer ${token}` })).toBe(first)
      expect(await at(verifier, NOW + 65, token)).toBe(reason)
    },
  )
})

describe('scopes', () => {
  const scopesOf = async (claims: Record<string, unknown>, options: VerifierOptions = {}) =>
    (await authOf(verifierFor(options), issuer.mint({ scope: undefined, ...claims }))).scopes

  test.each<[name: string, claims: Record<string, unknown>, scopes: string[]]>([
    ['a string with spaces', { scope: 'jobs:read jobs:write' }, ['jobs:read', 'jobs:write']],
    ['a string with commas', { scope: 'jobs:read,jobs:write' }, ['jobs:read', 'jobs:write']],
    ['a string with both, and too many of them', { scope: ' jobs:read, ,,jobs:write ' }, ['jobs:read', 'jobs:write']],
    ['an array', { scope: ['jobs:read', 'jobs:write'] }, ['jobs:read', 'jobs:write']],
    ['an array whose elements are not split', { scope: ['jobs:read jobs:write'] }, ['jobs:read jobs:write']],
    ['the order of the token, each once', { scope: 'b a b c a' }, ['b', 'a', 'c']],
    ['the order of an array, each once', { scope: ['b', 'a', 'b'] }, ['b', 'a']],
    ['no claim', {}, []],
    ['an empty string', { scope: '' }, []],
    ['an empty array', { scope: [] }, []],
    ['scp where scope is absent', { scp: ['jobs:read'] }, ['jobs:read']],
    ['scope before scp', { scp: ['teams:write'], scope: 'jobs:read' }, ['jobs:read']],
    ['an empty scope before scp', { scp: ['teams:write'], scope: '' }, []],
    ['names of properties', { scope: '__proto__ constructor' }, ['__proto__', 'constructor']],
  ])('%s', async (_, claims, scopes) => {
    expect(await scopesOf(claims)).toEqual(scopes)
  })

  const other = createTestIssuer({ issuer: 'https://other.example', clock })

  test('of another issuer of a list are separated by spaces alone: a comma is part of its scope', async () => {
    const verifier = verifierFor({ issuer: [issuer.options, other.options], jwks: undefined })
    const scope = 'x,jobs:write jobs:read'
    expect((await authOf(verifier, other.mint({ scope }))).scopes).toEqual(['x,jobs:write', 'jobs:read'])
    expect((await authOf(verifier, issuer.mint({ scope }))).scopes).toEqual(['x', 'jobs:write', 'jobs:read'])
    // Each reads its own way, also what the other has read before.
    expect((await authOf(verifier, other.mint({ scope }))).scopes).toEqual(['x,jobs:write', 'jobs:read'])
    expect((await authOf(verifier, other.mint({ scope: undefined, scp: 'a,b c' }))).scopes).toEqual(['a,b', 'c'])
    expect((await authOf(verifier, other.mint({ scope: ['a,b', 'c d'] }))).scopes).toEqual(['a,b', 'c d'])
  })

  test('of a single issuer that is given as a text are separated by commas too, wherever it runs', async () => {
    const auth = await authOf(verifierFor(other.options), other.mint({ scope: 'x,jobs:write jobs:read' }))
    expect(auth.scopes).toEqual(['x', 'jobs:write', 'jobs:read'])
  })

  test('come from the claims that the option names, and no other', async () => {
    const options = { scopeClaims: ['permissions', 'constructor'] }
    expect(await scopesOf({ permissions: ['a'], scope: 'b' }, options)).toEqual(['a'])
    expect(await scopesOf({ scope: 'b' }, options)).toEqual([])
    expect(await scopesOf({ constructor: 'c' }, options)).toEqual(['c'])
    expect(await outcomeOf(verifierFor(options), issuer.mint({ permissions: null }))).toBe('claims')
  })
})

describe('who acts for the subject', () => {
  test.each<[name: string, act: unknown, actor: object | null | 'claims']>([
    ['is nobody without an act', undefined, null],
    ['is named by act', { sub: 'svc' }, { subject: 'svc', clientId: null, chain: [] }],
    ['is in the outermost act', { sub: 'a', act: { sub: 'b' } }, { subject: 'a', chain: [{ subject: 'b' }] }],
    ['cannot be a text', 'svc', 'claims'],
    ['cannot be null', null, 'claims'],
    ['cannot be a list', [{ sub: 'svc' }], 'claims'],
    ['may be without a sub', { client_id: 'c' }, { subject: null, clientId: 'c', chain: [] }],
    ['cannot have a sub that is null', { sub: null }, 'claims'],
    ['cannot have an empty sub', { sub: '' }, 'claims'],
    ['cannot have a sub that is no text', { sub: 7 }, 'claims'],
  ])('%s', async (_, act, actor) => {
    for (const verifier of Object.values(verifiers)) {
      const token = issuer.mint(act === undefined ? {} : { act })
      if (actor === 'claims') expect(await outcomeOf(verifier, token)).toBe('claims')
      else if (actor === null) expect((await authOf(verifier, token)).actor).toBeNull()
      else expect((await authOf(verifier, token)).actor).toMatchObject(actor)
    }
  })

  test('is found in an act that nests as deep as a token permits', async () => {
    const depth = 250
    const nested = JSON.parse(`${'{"sub":"a","act":'.repeat(depth)}{"sub":"z"}${'}'.repeat(depth)}`)
    const { actor } = await authOf(strict, issuer.mint({ act: nested }))
    expect(actor?.chain).toHaveLength(10)
  })
})

test('how the subject signed in refuses no token, whatever type it is of', async () => {
  for (const wrong of [7, '', null, ['x'], { x: 1 }]) {
    const token = issuer.mint({ acr: wrong, auth_time: wrong === 7 ? -7 : wrong, sid: wrong })
    expect(await authOf(strict, token)).toMatchObject({ acr: null, authTime: null, sessionId: null })
  }
  const token = issuer.mint({ acr: 'mfa', auth_time: NOW, sid: 's1' })
  expect(await authOf(strict, token)).toMatchObject({
    acr: 'mfa',
    authTime: new Date(NOW * 1000),
    sessionId: 's1',
  })
})

describe('the tenant', () => {
  test.each<[name: string, claim: unknown, tenant: string | null | 'claims']>([
    ['is the claim that the option names', 'org_1', 'org_1'],
    ['is null without the claim', undefined, null],
    ['is never an empty string', '', 'claims'],
    ['is never a number', 7, 'claims'],
    ['is never null in the token', null, 'claims'],
    ['is never an object', {}, 'claims'],
  ])('%s', async (_, claim, tenant) => {
    const verifier = verifierFor({ tenantClaim: 'org' })
    const token = issuer.mint({ org: claim })
    if (tenant === 'claims') expect(await outcomeOf(verifier, token)).toBe('claims')
    else expect((await authOf(verifier, token)).tenant).toBe(tenant)
  })

  test.each(['__proto__', 'constructor', 'toString'])(
    'is null where the token has no claim called %s',
    async (name) => {
      expect((await authOf(verifierFor({ tenantClaim: name }), issuer.mint())).tenant).toBeNull()
    },
  )

  test('is null without the option', async () => {
    expect((await authOf(strict, issuer.mint({ tenant: 'org_1', org: 'org_1' }))).tenant).toBeNull()
    expect((await authOf(strict, issuer.mint({ undefined: 7 }))).tenant).toBeNull()
  })
})

describe('other tokens of an issuer that writes typ JWT into all of them', () => {
  const lenientOutcome = (claims: Record<string, unknown>, typ?: string) =>
    outcomeOf(verifiers.lenient, issuer.mint(claims, { typ }))

  test.each<[what: string, claims: Record<string, unknown>]>([
    ['an ID token, by at_hash', { at_hash: 'x' }],
    ['an ID token, by c_hash', { c_hash: 'x' }],
    ['an ID token, by s_hash', { s_hash: null }],
    ['an ID token, by its nonce', { nonce: 'n' }],
    ['an ID token, by a nonce that is null', { nonce: null }],
    ['an ID token of Keycloak', { typ: 'ID', nonce: 'n' }],
    ['an ID token of Cognito', { token_use: 'id' }],
    ['a refresh token of Keycloak', { typ: 'Refresh' }],
    ['an offline token of Keycloak', { typ: 'Offline' }],
    ['a logout token of Keycloak', { typ: 'Logout' }],
    ['a logout token, by its events', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }],
    ['a token whose payload has a nonce and the typ DPoP', { nonce: 'n', typ: 'DPoP' }],
    ['a token whose payload has a typ in other letters', { typ: 'bearer' }],
    ['a token whose payload has a typ that is no string', { typ: ['Bearer'] }],
    ['a token whose token_use is no string', { token_use: null }],
  ])('%s is refused as of another type', async (_, claims) => {
    for (const typ of ['JWT', undefined, 'at+jwt']) expect(await lenientOutcome(claims, typ)).toBe('type')
  })

  test.each<[what: string, claims: Record<string, unknown>]>([
    ['an access token of Keycloak', { typ: 'Bearer' }],
    ['an access token of Keycloak before version 25', { typ: 'Bearer', nonce: 'n' }],
    ['an access token of Keycloak that a client with DPoP asked for, without a binding', { typ: 'DPoP' }],
    ['an access token of Cognito', { token_use: 'access' }],
    ['a token that says nothing of its kind', {}],
  ])('%s is accepted', async (_, claims) => {
    expect(await lenientOutcome(claims, 'JWT')).toBe('accepted')
  })

  test('are told by the header under the strict profile, which reads those claims like any other', async () => {
    const claims = { at_hash: 'x', nonce: 'n', events: {}, typ: 'ID', token_use: 'id' }
    expect(await outcomeOf(strict, issuer.mint(claims))).toBe('accepted')
    expect(await outcomeOf(strict, issuer.mint(claims, { typ: 'JWT' }))).toBe('type')
  })
})

describe('the client', () => {
  const lenient: VerifierOptions = { profile: 'lenient' }
  const clientOf = async (claims: Record<string, unknown>, options: VerifierOptions) =>
    (await authOf(verifierFor(options), issuer.mint({ client_id: undefined, ...claims }))).clientId

  test.each<[name: string, claims: Record<string, unknown>, client: string | null]>([
    ['is client_id before all others', { appid: 'd', cid: 'c', azp: 'b', client_id: 'a' }, 'a'],
    ['is azp, as Auth0, Keycloak and Entra ID send it', { appid: 'd', cid: 'c', azp: 'b' }, 'b'],
    ['is cid, as Okta sends it', { appid: 'd', cid: 'c' }, 'c'],
    ['is appid, as version 1 of Entra ID sends it', { appid: 'd' }, 'd'],
    ['is the first that is a string', { azp: 7, cid: ['c'], appid: 'd' }, 'd'],
    ['is not an empty string', { azp: '', appid: 'd' }, 'd'],
    ['is null where none of them is there', {}, null],
  ])('%s, under the lenient profile', async (_, claims, client) => {
    expect(await clientOf(claims, lenient)).toBe(client)
  })

  test('is client_id alone under the strict profile', async () => {
    expect(await clientOf({ client_id: 'a', azp: 'b' }, {})).toBe('a')
    expect(await outcomeOf(strict, issuer.mint({ client_id: undefined, azp: 'b' }))).toBe('claims')
  })

  test('is the claim that clientIdClaim names, alone', async () => {
    expect(await clientOf({ client_id: 'a', azp: 'b' }, { clientIdClaim: 'azp' })).toBe('b')
    expect(await clientOf({ client_id: 'a', azp: 'b' }, { clientIdClaim: 'azp', ...lenient })).toBe('b')
    expect(await clientOf({ client_id: 'a', cid: 'c' }, { clientIdClaim: 'azp', ...lenient })).toBeNull()
  })

  test.each([
    ['the claim that clientIdClaim names', { clientIdClaim: 'azp' }, { client_id: 'a', azp: undefined }, { azp: 'b' }],
    ['any of those that issuers use', {}, { client_id: undefined }, { client_id: undefined, cid: 'c' }],
    ['a text', {}, { client_id: undefined, azp: 7 }, { client_id: undefined, azp: 'a' }],
    ['a text that is not empty', {}, { client_id: undefined, azp: '' }, { client_id: 'a' }],
  ])('is required with requireClient: %s', async (_, options, without, named) => {
    const entry = { ...issuer.options, profile: 'lenient' as const, ...options }
    const required = verifierFor({ issuer: [{ ...entry, requireClient: true }], jwks: undefined })
    expect(await outcomeOf(required, issuer.mint(without))).toBe('claims')
    expect(await outcomeOf(required, issuer.mint(named))).toBe('accepted')
    const open = verifierFor({ issuer: [{ ...entry, requireClient: false }], jwks: undefined })
    expect(await outcomeOf(open, issuer.mint(without))).toBe('accepted')
  })

  test('that clientIdClaim names is required where the profile requires a client', async () => {
    const verifier = verifierFor({ clientIdClaim: 'azp' })
    expect(await outcomeOf(verifier, issuer.mint())).toBe('claims')
    expect(await outcomeOf(verifier, issuer.mint({ client_id: undefined, azp: 'b' }))).toBe('claims')
    for (const azp of ['', 7, null, ['b']]) {
      expect(await outcomeOf(verifier, issuer.mint({ azp }))).toBe('claims')
      expect(await outcomeOf(verifierFor({ clientIdClaim: 'azp', ...lenient }), issuer.mint({ azp }))).toBe('claims')
    }
  })

  test.each<[claim: string, options: VerifierOptions]>([
    ['azp', lenient],
    ['cid', lenient],
    ['appid', lenient],
    ['app', { clientIdClaim: 'app', ...lenient }],
  ])('that %s names can be revoked with all its tokens', async (claim, options) => {
    const store = memoryKeyStore()
    const verifier = verifierFor({ keys: store, ...options })
    const [token, other] = ['app_1', 'app_2'].map((client) => issuer.mint({ client_id: undefined, [claim]: client }))
    expect(await outcomeOf(verifier, token as string)).toBe('accepted')
    const revocation = { issuer: issuer.issuer, clientId: 'app_1', issuedBefore: new Date((NOW + 60) * 1000) }
    await createKeyring(store).revokeTokens(revocation)
    expect(await outcomeOf(verifier, token as string)).toBe('revoked')
    expect(await outcomeOf(verifier, other as string)).toBe('accepted')
    await verifier.close()
  })
})

describe('keys of one issuer', () => {
  const ofOneKid = (count: number, alg: 'ES256' | 'ES384' | 'ES512' = 'ES256') =>
    Array.from({ length: count }, () => createTestIssuer({ alg, kid: 'key-1', clock }))
  const [first, second] = ofOneKid(2) as [TestIssuer, TestIssuer]
  const keysOf = (...issuers: { jwks: { keys: object[] } }[]) => ({ keys: issuers.flatMap(({ jwks }) => jwks.keys) })

  test.each(['ES256', 'ES384', 'ES512'] as const)(
    'of one kid are tried with %s in their order, four at most',
    async (alg) => {
      const issuers = ofOneKid(5, alg)
      const verifier = verifierFor({ jwks: keysOf(...issuers) as never })
      const outcomes = await Promise.all(issuers.map(({ mint }) => outcomeOf(verifier, mint())))
      expect(outcomes).toEqual([...Array(4).fill('accepted'), 'signature'])
    },
  )

  test('of one kid and another algorithm do not count', async () => {
    const rsa = createTestIssuer({ alg: 'RS256', kid: 'key-1', clock })
    const edwards = createTestIssuer({ alg: 'EdDSA', kid: 'key-1', clock })
    const verifier = verifierFor({ jwks: keysOf(rsa, edwards, first, second) as never })
    for (const { mint } of [rsa, edwards, first, second]) expect(await outcomeOf(verifier, mint())).toBe('accepted')
  })

  test('are not guessed: without a kid only a single fitting one is taken', async () => {
    const rsa = createTestIssuer({ alg: 'RS256', kid: 'key-2', clock })
    const noKid = { kid: undefined }
    expect(await outcomeOf(verifierFor({ jwks: keysOf(first, rsa) as never }), first.mint({}, noKid))).toBe('accepted')
    expect(await outcomeOf(verifierFor({ jwks: keysOf(first, second) as never }), first.mint({}, noKid))).toBe('key')
    expect(await outcomeOf(verifierFor({ jwks: keysOf(rsa) as never }), first.mint({}, noKid))).toBe('key')
  })
})

/** One way of being wrong for each check, in the order of the checks. `member` is what it takes out of a token's good state. */
const faults: { check: string; reason: string; member: string; header?: object; claims?: object; spoil?: Spoil }[] = [
  { check: 'shape', reason: 'malformed', member: 'dots', spoil: (token) => `${token}.` },
  { check: 'encoding', reason: 'malformed', member: 'padding', spoil: (token) => `${token}=` },
  {
    check: 'header',
    reason: 'malformed',
    member: 'header text',
    spoil: (token) => token.replace(/^[^.]+/, encode('[]')),
  },
  { check: 'typ', reason: 'type', member: 'typ', header: { typ: 'dpop+jwt' } },
  { check: 'crit, b64', reason: 'malformed', member: 'crit', header: { crit: ['exp'] } },
  { check: 'alg', reason: 'algorithm', member: 'alg', header: { alg: 'none' } },
  {
    check: 'payload',
    reason: 'malformed',
    member: 'claims text',
    spoil: (token) => token.replace(/\.[^.]*/, `.${encode('[]')}`),
  },
  { check: 'iss', reason: 'issuer', member: 'iss', claims: { iss: 'https://attacker.example' } },
  {
    check: 'typ of the issuer',
    reason: 'type',
    member: 'typ',
    header: { typ: 'JWT' },
    claims: { iss: 'https://strict.example' },
  },
  { check: 'alg of the issuer', reason: 'algorithm', member: 'alg', header: { alg: 'RS256' } },
  { check: 'kid', reason: 'key', member: 'kid', header: { kid: 1 } },
  { check: 'key', reason: 'key', member: 'kid', header: { kid: 'key-9' } },
  { check: 'signature', reason: 'signature', member: 'signature' },
  { check: 'at_hash, c_hash, s_hash', reason: 'type', member: 'at_hash', claims: { at_hash: 'x', s_hash: 'y' } },
  { check: 'events', reason: 'type', member: 'events', claims: { events: {} } },
  { check: 'nonce', reason: 'type', member: 'nonce', claims: { nonce: 'n' } },
  { check: 'typ of the payload', reason: 'type', member: 'typ of the payload', claims: { typ: 'Refresh' } },
  { check: 'token_use', reason: 'type', member: 'token_use', claims: { token_use: 'id' } },
  { check: 'aud is a string or strings', reason: 'claims', member: 'aud', claims: { aud: [1] } },
  { check: 'aud', reason: 'audience', member: 'aud', claims: { aud: 'https://api.example.com' } },
  { check: 'exp is a time', reason: 'claims', member: 'exp', claims: { exp: undefined } },
  { check: 'exp', reason: 'expired', member: 'exp', claims: { exp: NOW - 60 } },
  { check: 'nbf is a time', reason: 'claims', member: 'nbf', claims: { nbf: '0' } },
  { check: 'nbf', reason: 'not_active', member: 'nbf', claims: { nbf: NOW + 60 } },
  { check: 'iat is a time', reason: 'claims', member: 'iat', claims: { iat: undefined } },
  { check: 'iat', reason: 'not_active', member: 'iat', claims: { iat: NOW + 60 } },
  { check: 'age', reason: 'too_old', member: 'iat', claims: { iat: NOW - 86_400 } },
  { check: 'sub', reason: 'claims', member: 'sub', claims: { sub: '' } },
  { check: 'subject', reason: 'claims', member: 'oid', claims: { oid: undefined } },
  { check: 'alias', reason: 'claims', member: 'uid', claims: { uid: ['u'] } },
  { check: 'client_id', reason: 'claims', member: 'client_id', claims: { client_id: '' } },
  { check: 'client', reason: 'claims', member: 'app', claims: { app: 7 } },
  { check: 'client is named', reason: 'claims', member: 'app', claims: { app: undefined } },
  { check: 'client of ours', reason: 'audience', member: 'app', claims: { app: 'client_1' } },
  { check: 'jti', reason: 'claims', member: 'jti', claims: { jti: 7 } },
  { check: 'scope', reason: 'claims', member: 'scope', claims: { scope: 7 } },
  { check: 'grants', reason: 'claims', member: 'scope', claims: { scope: undefined, pod: 'p' } },
  { check: 'tenant', reason: 'claims', member: 'org', claims: { org: 7 } },
  { check: 'session', reason: 'claims', member: 'session', claims: { session: [{ id: 's' }] } },
  { check: 'required claims', reason: 'claims', member: 'ver', claims: { ver: 2 } },
  { check: 'act', reason: 'claims', member: 'act', claims: { act: 'svc' } },
  { check: 'cnf', reason: 'sender_constrained', member: 'cnf', claims: { cnf: { jkt: 'x' } } },
]
type Spoil = (token: string) => string

describe('the order of the checks', () => {
  // Only the lenient profile makes all checks. A second issuer has the strict one, so that a lenient typ is a question of
  // the issuer.
  const options: VerifierOptions = {
    issuer: [
      {
        ...issuer.options,
        algorithms: ['ES256', 'PS256'],
        profile: 'lenient',
        clients: ['client_8', 'client_9'],
        requireClient: true,
        subjectClaim: 'oid',
        subjectAliases: ['uid', 'device.id'],
        sessionClaim: 'session.id',
        grants: [{ match: { 'pod.name': 'p' }, scopes: ['jobs:read'] }],
        required: { ver: ['1.0', '2.0'], azpacr: true },
      },
      { issuer: 'https://strict.example', jwks: issuer.jwks, profile: 'rfc9068' },
    ],
    maxTokenAgeSeconds: 3600,
    tenantClaim: 'org',
    clientIdClaim: 'app',
    keys: false,
    cache: false,
    clock,
  }
  const verifier = createVerifier(options)
  const issuers = issuersOf(options)
  const stranger = createTestIssuer({ clock })

  function tokenWith(...wrong: (typeof faults)[number][]): string {
    const by = wrong.some(({ check }) => check === 'signature') ? stranger : issuer
    // Of two faults in one member the earlier counts.
    const faults = wrong.toReversed()
    const header = issuer.header(Object.assign({}, ...faults.map((fault) => fault.header)))
    const good = { app: 'client_9', oid: 'user_123', ver: '2.0', azpacr: true }
    const claims = issuer.claims(Object.assign(good, ...faults.map((fault) => fault.claims)))
    // Text is spoilt from the inside out.
    return wrong.reduceRight((token, { spoil }) => spoil?.(token) ?? token, by.mintRaw({ header, payload: claims }))
  }

  /** Name of the first check that fails, of those that look at the token alone. */
  function failedCheck(token: string): string | undefined {
    return reportsOf(token, issuers).find(({ passed }) => !passed)?.name
  }

  test('is the one that is documented', () => {
    const parsing: CheckReport[] = []
    parseAccessToken(tokenWith(), issuers, (check) => parsing.push(check))
    const keys = [
      { name: 'key', reason: 'key' },
      { name: 'signature', reason: 'signature' },
    ]
    expect([...parsing, ...keys, ...claimChecks].map(({ name, reason }) => [name, reason])).toEqual(
      faults.map(({ check, reason }) => [check, reason]),
    )
    expect(reportsOf(tokenWith(), issuers).every(({ passed }) => passed)).toBe(true)
  })

  test.each(faults)('$check alone is $reason', async (fault) => {
    expect(await outcomeOf(verifier, tokenWith())).toBe('accepted')
    expect(await outcomeOf(verifier, tokenWith(fault))).toBe(fault.reason)
    if (fault.check !== 'key' && fault.check !== 'signature') expect(failedCheck(tokenWith(fault))).toBe(fault.check)
  })

  test.each(faults.slice(0, -1).map((fault, index) => ({ fault, check: fault.check, later: faults.slice(index + 1) })))(
    '$check comes before everything behind it',
    async ({ fault, later }) => {
      for (const other of later) {
        if (other.member === fault.member) continue
        const token = tokenWith(fault, other)
        expect(await outcomeOf(verifier, token), `${fault.check} and ${other.check}`).toBe(fault.reason)
        const looksAtTokenAlone = [fault, other].every(({ check }) => check !== 'key' && check !== 'signature')
        if (looksAtTokenAlone) expect(failedCheck(token)).toBe(fault.check)
      }
    },
  )

  test('ends with an Auth and its end for a token that passes them all', async () => {
    expect(checkClaims(await verify(tokenWith(), issuers), NOW)).toMatchObject({
      auth: { subject: 'user_123', clientId: 'client_9' },
      endsAt: NOW + 3605,
    })
  })

  test.each(
    faults.slice(
      0,
      faults.findIndex(({ check }) => check === 'key'),
    ),
  )('stops at $check when a token cannot be parsed further', (fault) => {
    const reports = reportsOf(tokenWith(fault), issuers)
    expect(reports.map(({ passed }) => passed)).toEqual([...Array(reports.length - 1).fill(true), false])
    expect(reports.at(-1)).toMatchObject({ name: fault.check, reason: fault.reason })
  })

  test.each<[check: string, expected: string, found: string]>([
    ['shape', 'three parts separated by dots (RFC 7515 §3.1)', '4 parts'],
    ['encoding', 'canonical base64url without padding (RFC 7515 §2)', 'wrong in its signature'],
    ['header', 'a JSON object in UTF-8 (RFC 7515 §4)', 'something else'],
    [
      'typ',
      'at+jwt or application/at+jwt; for an issuer with the lenient profile also JWT or none (RFC 9068 §4)',
      '"dpop+jwt"',
    ],
    ['crit, b64', 'neither', 'crit ["exp"], b64 none'],
    ['alg', 'one of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519', '"none"'],
    ['payload', 'a JSON object in UTF-8 without byte order mark (RFC 7519 §7.2)', 'something else'],
    ['iss', 'a configured issuer, character for character (RFC 9068 §4)', '"https://attacker.example"'],
    ['typ of the issuer', 'at+jwt or application/at+jwt', '"JWT"'],
    ['alg of the issuer', 'one of ES256 PS256', '"RS256"'],
    ['kid', 'a string, or none (RFC 7515 §4.1.4)', '1'],
    ['at_hash, c_hash, s_hash', 'none: only ID tokens have them (OpenID Connect Core §3.3.2.11)', 'at_hash, s_hash'],
    ['events', 'none: only logout tokens and other security events have it (RFC 8417 §2.2)', '{}'],
    ['nonce', 'none, as in an ID token, unless the payload\'s typ is "Bearer" (OpenID Connect Core §2)', '"n"'],
    ['typ of the payload', '"Bearer", "DPoP" or none', '"Refresh"'],
    ['token_use', '"access" or none', '"id"'],
    ['aud is a string or strings', 'a string or an array of strings (RFC 7519 §4.1.3)', '[1]'],
    ['aud', `one of ["${DEFAULT_AUDIENCE}"], or none`, '"https://api.example.com"'],
    ['exp is a time', 'seconds since the epoch, present (RFC 7519 §4.1.4)', 'none'],
    ['exp', 'later than 2033-05-18T03:33:20.000Z, less 5 s of tolerance', '2033-05-18T03:32:20.000Z, 60 s ago'],
    ['nbf is a time', 'seconds since the epoch, or none (RFC 7519 §4.1.5)', '"0"'],
    ['nbf', 'not later than 2033-05-18T03:33:20.000Z, plus 5 s of tolerance', '2033-05-18T03:34:20.000Z, in 60 s'],
    ['iat is a time', 'seconds since the epoch, present unless the profile is lenient (RFC 9068 §2.2)', 'none'],
    ['iat', 'not later than 2033-05-18T03:33:20.000Z, plus 5 s of tolerance', '2033-05-18T03:34:20.000Z, in 60 s'],
    ['age', 'issued at most 3600 s ago', '2033-05-17T03:33:20.000Z, 24 h ago'],
    ['sub', 'a string, not empty (RFC 9068 §2.2)', '""'],
    ['subject', 'oid: a string, not empty', 'none'],
    ['alias', 'uid, device.id: strings, not empty, or none', '["u"], none'],
    ['client_id', 'a string, not empty, present unless the profile is lenient (RFC 9068 §2.2)', '""'],
    ['client', 'app: a string, not empty, present unless the profile is lenient', '7'],
    ['client of ours', 'one of ["client_8","client_9"]', '"client_1"'],
    ['jti', 'a string, not empty, present unless the profile is lenient (RFC 9068 §2.2)', '7'],
    ['scope', 'a string, or an array of strings, or no claim (RFC 9068 §2.2.3)', '7 in "scope"'],
    ['grants', 'one that matches, or no scope', 'pod.name: something else than an object on the way'],
    ['tenant', 'org: a string, not empty, or none', '7'],
    ['session', 'session.id: a string, not empty, or none', 'something else than an object on the way'],
    ['required claims', 'ver "1.0" or "2.0", azpacr true', 'ver 2, azpacr true'],
    ['cnf', 'none: a plain bearer request proves no possession', 'bound by ["jkt"]'],
  ])('tells people of %s: %s, and not %s', (check, expected, found) => {
    const fault = faults.find((candidate) => candidate.check === check) as (typeof faults)[number]
    const failed = reportsOf(tokenWith(fault), issuers).find(({ passed }) => !passed)
    expect([failed?.name, failed?.expected, failed?.found]).toEqual([check, expected, found])
  })

  test.each(faults)('tells people what $check expects and finds, in one printable line without the token', (fault) => {
    const token = tokenWith(fault)
    for (const { expected, found } of reportsOf(token, issuers)) {
      for (const text of [expected, found]) {
        expect(text).toMatch(/^[\x20-\x7E…§]+$/)
        for (const part of token.split('.')) if (part.length > 8) expect(text).not.toContain(part)
      }
    }
  })
})

describe('what people are told of a check', () => {
  const told = (
    name: string,
    parts: { header?: Record<string, unknown>; claims?: Record<string, unknown> },
    options: VerifierOptions = {},
  ) => {
    const reports = reportsOf(issuer.mint(parts.claims, parts.header), issuersOf(options))
    const report = reports.find((candidate) => candidate.name === name)
    if (report === undefined) throw new Error(`no check that was made is called ${name}`)
    return [report.expected, report.found]
  }

  test.each<[check: string, claims: Record<string, unknown>, told: [string, string]]>([
    ['aud', { aud: 'x' }, [`one of ["${DEFAULT_AUDIENCE}"]`, '"x"']],
    ['aud', { aud: undefined }, [`one of ["${DEFAULT_AUDIENCE}"]`, 'none']],
    [
      'exp',
      { exp: NOW - 5 },
      ['later than 2033-05-18T03:33:20.000Z, less 5 s of tolerance', '2033-05-18T03:33:15.000Z, 5 s ago'],
    ],
    [
      'nbf',
      { nbf: NOW + 6 },
      ['not later than 2033-05-18T03:33:20.000Z, plus 5 s of tolerance', '2033-05-18T03:33:26.000Z, in 6 s'],
    ],
    ['exp is a time', { exp: '1' }, ['seconds since the epoch, present (RFC 7519 §4.1.4)', '"1"']],
    ['iat is a time', { iat: '1' }, [expect.stringContaining('seconds since the epoch'), '"1"']],
    ['age', { iat: NOW }, ['any age: no maxTokenAgeSeconds is set', '2033-05-18T03:33:20.000Z, 0 s ago']],
    ['client', { undefined: 7 }, ['anything: no clientIdClaim is set', 'not looked at']],
    ['nonce', { nonce: 'n' }, ['anything: typ has told the kind of token', 'not looked at']],
    ['tenant', { undefined: 7 }, ['anything: no tenantClaim is set', 'not looked at']],
    ['aud is a string or strings', { aud: ['x', 'y'] }, [expect.stringContaining('a string or'), '2 strings']],
    ['aud is a string or strings', { aud: 'x' }, [expect.stringContaining('a string or'), 'a string']],
    ['exp is a time', { exp: NOW + 9 }, [expect.stringContaining('seconds'), 'a time']],
    ['scope', { scope: 'a b' }, [expect.stringContaining('a string'), '"a b" in "scope"']],
    [
      'scope',
      { scope: undefined },
      [expect.stringContaining('a string'), 'none in "scope", "scp": it grants no scope'],
    ],
    ['cnf', { undefined: 7 }, ['none: a plain bearer request proves no possession', 'none']],
    ['cnf', { cnf: { jkt: 'secret' } }, ['none: a plain bearer request proves no possession', 'bound by ["jkt"]']],
  ])('%s %j', (check, claims, expected) => {
    expect(told(check, { claims })).toEqual(expected)
  })

  test('reads as good where a check of the form passes', () => {
    expect(told('shape', {})[1]).toBe('3 parts')
    expect(told('encoding', {})[1]).toBe('base64url')
    expect(told('header', {})[1]).toBe('a JSON object with typ, alg, kid')
    expect(told('crit, b64', {})[1]).toBe('neither')
    expect(told('payload', {})[1]).toMatch(/^a JSON object with iss, .*exp/)
  })

  test('depends on the header, and on what the issuer is allowed', () => {
    expect(told('crit, b64', { header: { b64: false } })).toEqual(['neither', 'crit none, b64 false'])
    const untyped = { header: { typ: undefined } }
    expect(told('typ of the issuer', {})).toEqual(['at+jwt or application/at+jwt', '"at+jwt"'])
    expect(told('typ of the issuer', untyped, { profile: 'lenient' })).toEqual([
      'JWT, none, at+jwt or application/at+jwt',
      'none',
    ])
    expect(told('tenant', { claims: { org: 7 } }, { tenantClaim: 'org' })).toEqual([
      'org: a string, not empty, or none',
      '7',
    ])
  })

  test('names whom a token claims to be from, and nobody where a check fails', () => {
    expect(claimedAuth(parse(issuer.mint({ sub: 'user_7' })), NOW)).toMatchObject({ subject: 'user_7' })
    expect(claimedAuth(parse(issuer.mint({ exp: NOW - 60 })), NOW)).toBeUndefined()
    expect(claimedAuth(parse(issuer.mint({ sub: 7 })), NOW)).toBeUndefined()
  })

  test('is short, whatever a claim holds, and moves no cursor', () => {
    const sub = (value: unknown) => told('sub', { claims: { sub: value } })[1]
    expect(sub('a\u202eb€')).toBe('"a?b?"')
    expect(sub('x'.repeat(198))).toBe(`"${'x'.repeat(198)}"`)
    expect(sub('x'.repeat(199))).toBe(`"${'x'.repeat(199)}…`)
    expect(sub(['\u001b[2J\r\n\u202e', 'x'.repeat(1000)])).toMatch(/^[\x20-\x7E]{200}…$/)
    expect(sub(JSON.parse(`${'['.repeat(2900)}${']'.repeat(2900)}`))).toMatch(/^[\x20-\x7E]+…?$/)
  })

  test('is not kept by an error', async () => {
    const token = issuer.mint({ aud: 'https://canary.example' })
    const error = await Promise.resolve()
      .then(() => strict.authenticate({ authorization: `Bearer ${token}` }))
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_VANTAGE_TOKEN_INVALID', reason: 'audience' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/canary|eyJ/)
  })
})
