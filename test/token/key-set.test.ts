import { createHash, createPublicKey, generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto'
import type { JWK } from 'jose'
import { describe, expect, test } from 'vitest'
import { type KeySet, MAX_KEYS, parseKeySet, type VerificationKey } from '../../src/token/key-set.js'
import { verifySignature } from '../../src/token/signature.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { outcomeOf } from '../support/outcome.js'
import {
  compact,
  createKeyPair,
  createTestIssuer,
  publicJwk,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
} from '../support/tokens.js'

const jwkOf = (alg: SigningAlgorithm, members: Partial<JWK> = {}) => publicJwk(createKeyPair(alg).publicKey, members)
const ec = jwkOf('ES256', { kid: 'a' })
const rsa = jwkOf('RS256', { kid: 'a' })
const ed = jwkOf('EdDSA', { kid: 'a' })

/** How many keys a set of this one key gives to a token. */
const count = (jwk: unknown, alg: string, kid: string | undefined = 'a') =>
  parseKeySet({ keys: [jwk] }).match(alg, kid).keys.length

const only = (set: KeySet, alg: string, kid = 'a'): VerificationKey => {
  const { keys } = set.match(alg, kid)
  if (keys[0] === undefined || keys.length !== 1) throw new Error(`${keys.length} keys fit`)
  return keys[0]
}

describe('a key set', () => {
  test.each([undefined, null, 1, 'keys', [], {}, { keys: null }, { keys: {} }, { keys: 'x' }])('is not %j', (value) => {
    expect(() => parseKeySet(value)).toThrow(TypeError)
  })

  test('may be empty, and then knows no kid', () => {
    expect(parseKeySet({ keys: [] })).toMatchObject({ size: 0 })
    expect(parseKeySet({ keys: [] }).match('ES256', 'a')).toEqual({ keys: [], unknown: true })
    expect(parseKeySet({ keys: [] }).match('ES256', undefined)).toEqual({ keys: [], unknown: false })
  })

  test('holds 1000 keys at most', () => {
    const keys = Array.from({ length: MAX_KEYS }, (_, n) => ({ ...ec, kid: String(n) }))
    expect(MAX_KEYS).toBe(1000)
    expect(parseKeySet({ keys }).size).toBe(1000)
    expect(() => parseKeySet({ keys: [...keys, ec] })).toThrow(/more than 1000 keys/)
  })

  test('passes over entries that are no objects', () => {
    const set = parseKeySet({ keys: [null, 1, 'x', true, [], ec] })
    expect(set.match('ES256', 'a').keys).toHaveLength(1)
  })

  const tooDeep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)

  test.each<[what: string, jwk: object]>([
    ['nests deeper than it can be written down', { ...ec, kid: 'b', x: tooDeep }],
    ['has a kid that nests so', { ...ec, kid: tooDeep }],
    ['has numbers for texts', { kty: 1, crv: 2, x: 3, y: 4, kid: 5, alg: 6, use: 7, key_ops: 8 }],
    ['has null for everything', { kty: null, crv: null, x: null, y: null, kid: null, key_ops: null }],
    ['has objects for texts', { kty: 'EC', crv: {}, x: { toString: 1 }, y: [], kid: {}, key_ops: [{}] }],
    ['has a huge coordinate', { ...ec, kid: 'b', x: 'A'.repeat(200_000) }],
    ['has a huge modulus', { ...rsa, kid: 'b', n: '_'.repeat(200_000) }],
    ['has texts that are not Unicode', { ...ec, kid: '\ud800', x: '\udfff' }],
    ['has names of properties', JSON.parse('{"__proto__":{"kty":"EC"},"constructor":1,"toJSON":1,"hasOwnProperty":1}')],
  ])('passes over an entry that %s, and never over those beside it', (_, jwk) => {
    for (const keys of [
      [jwk, ec],
      [ec, jwk],
    ]) {
      const set = parseKeySet({ keys })
      expect(set.canVerify(['ES256'])).toBe(true)
      expect(set.match('ES256', 'a').keys).toHaveLength(1)
      expect(set.match('ES256', undefined).keys).toHaveLength(1)
      for (const alg of SIGNING_ALGORITHMS) expect(set.match(alg, 'b').keys).toEqual([])
    }
  })

  test('may hold two keys without kid, though no token can be verified with them', () => {
    expect(parseKeySet({ keys: [jwkOf('ES256'), jwkOf('ES256')] })).toMatchObject({ size: 2 })
  })

  test('holds a key once that is listed twice', () => {
    const set = parseKeySet({ keys: [ec, { ...ec }, { ...ec, x5t: 'other' }] })
    expect(set.size).toBe(1)
    expect(set.match('ES256', undefined).keys).toHaveLength(1)
  })
})

describe('a key fits', () => {
  test.each(SIGNING_ALGORITHMS)('%s, and the algorithms of its type and curve', (alg) => {
    const jwk = jwkOf(alg, { kid: 'a' })
    const fitting = SIGNING_ALGORITHMS.filter((other) => count(jwk, other) === 1)
    const family = (name: string) => (/^[RP]S/.test(name) ? 'RSA' : name.startsWith('Ed') ? 'Ed25519' : name)
    expect(fitting).toEqual(SIGNING_ALGORITHMS.filter((other) => family(other) === family(alg)))
  })

  test.each(['none', 'HS256', 'ES256K', 'Ed448', 'RSA-OAEP', '', '__proto__', 'constructor', 'toString'])(
    'no algorithm called %j',
    (alg) => {
      for (const jwk of [ec, rsa, ed]) expect(count(jwk, alg)).toBe(0)
    },
  )

  test('only its own alg, where it names one', () => {
    for (const alg of SIGNING_ALGORITHMS) {
      const jwk = jwkOf(alg, { kid: 'a', alg })
      for (const other of SIGNING_ALGORITHMS) {
        const same = other === alg || (other.startsWith('Ed') && alg.startsWith('Ed'))
        expect(count(jwk, other), `${other} with a key for ${alg}`).toBe(same ? 1 : 0)
      }
    }
  })

  test.each([null, '', 1, 'es256', 'ECDH-ES', ['ES256']])('nothing where its alg is %j', (alg) => {
    expect(count({ ...ec, alg }, 'ES256')).toBe(0)
  })

  test.each<[members: object, fits: boolean]>([
    [{ use: 'sig' }, true],
    [{ use: 'enc' }, false],
    [{ use: 'SIG' }, false],
    [{ use: '' }, false],
    [{ use: null }, false],
    [{ use: ['sig'] }, false],
    [{ key_ops: ['verify'] }, true],
    [{ key_ops: ['sign', 'verify'] }, true],
    [{ key_ops: ['sign'] }, false],
    [{ key_ops: [] }, false],
    [{ key_ops: 'verify' }, false],
    [{ key_ops: null }, false],
    [{ use: 'sig', key_ops: ['encrypt'] }, false],
    [{ use: 'enc', key_ops: ['verify'] }, false],
    [{ ext: true, x5c: ['AAAA'], x5t: 'AAAA', exp: 0, nbf: 9e9, unknown: {} }, true],
  ])('by use and key_ops: %j %s', (members, fits) => {
    expect(count({ ...ec, ...members }, 'ES256')).toBe(fits ? 1 : 0)
    expect(count({ ...rsa, ...members }, 'RS256')).toBe(fits ? 1 : 0)
    expect(count({ ...ed, ...members }, 'EdDSA')).toBe(fits ? 1 : 0)
  })
})

describe('keys that are passed over', () => {
  test.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'])('one with the private member %s', (member) => {
    expect(count({ ...rsa, [member]: 'AAAA' }, 'RS256')).toBe(0)
    expect(count({ ...ec, [member]: 'AAAA' }, 'ES256')).toBe(0)
  })

  test('whole private keys, and symmetric ones', () => {
    for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) {
      const jwk = createKeyPair(alg).privateKey.export({ format: 'jwk' })
      expect(count({ ...jwk, kid: 'a' }, alg)).toBe(0)
    }
    const oct = { kty: 'oct', k: randomBytes(32).toString('base64url'), kid: 'a' }
    for (const alg of [...SIGNING_ALGORITHMS, 'HS256']) expect(count(oct, alg)).toBe(0)
  })

  test.each([
    ['of another curve', { crv: 'secp256k1' }],
    ['of a curve that does not hold the point', { crv: 'P-384' }],
    ['of no curve', { crv: undefined }],
    ['with a point off the curve', { x: Buffer.alloc(32, 1).toString('base64url') }],
    ['with a short coordinate', { x: 'AAAA' }],
    ['with an empty coordinate', { y: '' }],
    ['without a coordinate', { y: undefined }],
    ['with a number for a coordinate', { x: 1 }],
    ['with the type of another', { kty: 'RSA' }],
    ['with a type in lower case', { kty: 'ec' }],
    ['without a type', { kty: undefined }],
    ['of a type that nobody knows', { kty: '__proto__' }],
  ])('one %s', (_, members) => {
    for (const alg of SIGNING_ALGORITHMS) expect(count({ ...ec, ...members }, alg)).toBe(0)
  })

  test.each(['Ed448', 'X25519', 'X448'] as const)('one on %s', (crv) => {
    const pair = {
      Ed448: () => generateKeyPairSync('ed448'),
      X25519: () => generateKeyPairSync('x25519'),
      X448: () => generateKeyPairSync('x448'),
    }[crv]()
    for (const alg of SIGNING_ALGORITHMS) expect(count(publicJwk(pair.publicKey, { kid: 'a' }), alg)).toBe(0)
  })

  /** A modulus of a size. Nothing here factors it, and no import checks that it is a product of primes. */
  const modulus = (bits: number) => {
    const bytes = randomBytes(Math.ceil(bits / 8))
    const top = (bits - 1) % 8
    bytes[0] = ((bytes[0] as number) & ((1 << top) - 1)) | (1 << top)
    bytes[bytes.length - 1] = (bytes.at(-1) as number) | 1
    return bytes.toString('base64url')
  }

  test.each([
    [512, 0],
    [1024, 0],
    [2040, 0],
    [2047, 0],
    [2048, 1],
    [2049, 1],
    [3072, 1],
    [4096, 1],
    [8192, 1],
    [8193, 0],
    [16_384, 0],
  ])('RSA with a modulus of %d bits: %d key fits', (bits, fits) => {
    for (const alg of ['RS256', 'PS512'])
      expect(count({ kty: 'RSA', n: modulus(bits), e: 'AQAB', kid: 'a' }, alg)).toBe(fits)
  })

  test.each([
    ['0', '', 0],
    ['0, written out', 'AA', 0],
    ['1', 'AQ', 0],
    ['2', 'Ag', 0],
    ['3', 'Aw', 1],
    ['17', 'EQ', 1],
    ['65537', 'AQAB', 1],
  ])('RSA with an exponent of %s', (_, e, fits) => {
    expect(count({ kty: 'RSA', n: modulus(2048), e, kid: 'a' }, 'RS256')).toBe(fits)
  })

  test('RSA with an exponent of 1, under which everybody can sign', async () => {
    const jwk: JWK = { kty: 'RSA', n: modulus(2048), e: 'AQ', kid: 'key-1', alg: 'RS256', use: 'sig' }
    const issuer = createTestIssuer({ alg: 'RS256', kid: 'key-1' })
    // The signature to the power of 1 is itself: it has to be no more than the padded digest (RFC 8017 §9.2).
    const forged = compact(issuer.header(), issuer.claims(), (input) => {
      const digestInfo = Buffer.from('3031300d060960864801650304020105000420', 'hex')
      const tail = Buffer.concat([Buffer.from([0]), digestInfo, createHash('sha256').update(input).digest()])
      return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(256 - 2 - tail.length, 0xff), tail])
    })
    expect(await verifySignature('RS256', createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }), forged)).toBe(
      true,
    )
    const verifier = createVerifier({ issuer: issuer.issuer, jwks: { keys: [jwk, ec] }, keys: false })
    expect(await outcomeOf(verifier, forged)).toBe('key')
  })

  test('a small RSA key that is real, with a signature that is right', async () => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const issuer = createTestIssuer({ alg: 'RS256', keys })
    expect(await verifySignature('RS256', issuer.publicKey, issuer.mint())).toBe(true)
    const jwks = { keys: [...issuer.jwks.keys, ec] }
    expect(await outcomeOf(createVerifier({ ...issuer.options, jwks, keys: false }), issuer.mint())).toBe('key')
  })

  test('leave the good ones of their set alone', () => {
    const keys = [{ kty: 'oct', k: 'AAAA', kid: 'a' }, { ...ec, use: 'enc' }, { ...rsa, e: 'AQ' }, ec, null]
    expect(parseKeySet({ keys }).match('ES256', 'a').keys).toHaveLength(1)
    expect(parseKeySet({ keys }).match('ES256', undefined).keys).toHaveLength(1)
    expect(parseKeySet({ keys }).match('RS256', 'a')).toEqual({ keys: [], unknown: false })
  })
})

describe('the kid', () => {
  const many = (n: number, members: Partial<JWK>) => Array.from({ length: n }, () => jwkOf('ES256', members))

  test('finds its key, character for character', () => {
    const set = parseKeySet({ keys: [ec, jwkOf('ES256', { kid: 'b' })] })
    expect(only(set, 'ES256', 'a').kid).toBe('a')
    expect(only(set, 'ES256', 'b').kid).toBe('b')
    for (const kid of ['A', 'a ', '', 'ab', 'á']) {
      expect(set.match('ES256', kid)).toEqual({ keys: [], unknown: true })
    }
  })

  test.each(['__proto__', 'constructor', 'toString', ''])('may be %j, and is unknown where it is not', (kid) => {
    expect(only(parseKeySet({ keys: [{ ...ec, kid }] }), 'ES256', kid).kid).toBe(kid)
    expect(parseKeySet({ keys: [ec] }).match('ES256', kid)).toEqual({ keys: [], unknown: true })
  })

  test('is known without a fitting key, so that nothing is fetched', () => {
    expect(parseKeySet({ keys: [ec] }).match('RS256', 'a')).toEqual({ keys: [], unknown: false })
    expect(parseKeySet({ keys: [{ ...ec, use: 'enc' }] }).match('ES256', 'a')).toEqual({ keys: [], unknown: false })
  })

  test('of several keys gives those that fit, in their order, four at most', () => {
    const keys = many(5, { kid: 'a' })
    const matched = parseKeySet({ keys: [rsa, ...keys, ed] }).match('ES256', 'a').keys
    expect(matched.map((key) => key.keyObject.export({ format: 'jwk' }).x)).toEqual(keys.slice(0, 4).map(({ x }) => x))
  })

  test('left out takes a single fitting key, with or without a kid of its own', () => {
    const [without] = many(1, {})
    expect(parseKeySet({ keys: [without, rsa] }).match('ES256', undefined).keys).toHaveLength(1)
    expect(parseKeySet({ keys: [ec, rsa] }).match('ES256', undefined).keys).toHaveLength(1)
    expect(parseKeySet({ keys: [ec, without] }).match('ES256', undefined)).toEqual({ keys: [], unknown: false })
    expect(parseKeySet({ keys: [rsa] }).match('ES256', undefined)).toEqual({ keys: [], unknown: false })
  })

  test('of a token may be any where the only key of the set that fits has none', () => {
    const [without] = many(1, {})
    for (const keys of [[without], [without, rsa], [rsa, without], [{ ...without, use: 'sig' }, { kty: 'EC' }]]) {
      for (const kid of ['b', '', 'undefined', '__proto__']) {
        const { keys: found, unknown } = parseKeySet({ keys }).match('ES256', kid)
        expect([found.length, found[0]?.kid, unknown]).toEqual([1, undefined, false])
      }
    }
    // It is named by a key that cannot be meant.
    expect(parseKeySet({ keys: [without, rsa] }).match('ES256', 'a').keys).toHaveLength(1)
  })

  test('finds no key without one where another key fits as well, or where no key does', () => {
    const [without, another] = many(2, {})
    const unknown = { keys: [], unknown: true }
    expect(parseKeySet({ keys: [without, another] }).match('ES256', 'b')).toEqual(unknown)
    expect(parseKeySet({ keys: [without, ec] }).match('ES256', 'b')).toEqual(unknown)
    expect(parseKeySet({ keys: [ec, without] }).match('ES256', 'b')).toEqual(unknown)
    expect(parseKeySet({ keys: [without] }).match('RS256', 'b')).toEqual(unknown)
    expect(parseKeySet({ keys: [{ ...without, use: 'enc' }] }).match('ES256', 'b')).toEqual(unknown)
  })

  test.each([null, 1, true, ['a'], {}])('that is %j counts as none', (kid) => {
    const set = parseKeySet({ keys: [{ ...ec, kid }] })
    expect(set.match('ES256', String(kid))).toEqual({ keys: [], unknown: true })
    expect(set.match('ES256', undefined).keys.map((key) => key.kid)).toEqual([undefined])
  })
})
