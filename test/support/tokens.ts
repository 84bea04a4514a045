import { constants, createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { JSONWebKeySet, JWK } from 'jose'

/** Every algorithm that a verifier can accept. */
export const SIGNING_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

export const DEFAULT_ISSUER = 'https://auth.vantage.omnivector.solutions'
export const DEFAULT_AUDIENCE = 'https://api.vantage.omnivector.solutions'

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** What an authorization server of a test has: an identifier, one key pair, and the key set that it publishes. */
export interface TestIssuer extends KeyPair {
  readonly issuer: string
  readonly alg: SigningAlgorithm
  readonly kid: string
  /** Its public key as a key set, ready for the option `jwks`. */
  readonly jwks: JSONWebKeySet & { keys: [JWK] }
  /** The options of a verifier that accepts its tokens, without network access. */
  readonly options: { readonly issuer: string; readonly jwks: JSONWebKeySet }
  /** Claims of a good RFC 9068 access token, with others in their place; `undefined` leaves one out. */
  claims(over?: Record<string, unknown>): Record<string, unknown>
  /** Protected header of a good token, with other members in their place; `undefined` leaves one out. */
  header(over?: Record<string, unknown>): Record<string, unknown>
  /** A signed access token; good unless a claim or a member of the header is replaced. */
  mint(claims?: Record<string, unknown>, header?: Record<string, unknown>): string
  /** Signs parts as they are given: an object as JSON, text in UTF-8, bytes unchanged. */
  mintRaw(parts: { header?: Part; payload?: Part }): string
}

/** What goes into one part of a token. */
export type Part = Record<string, unknown> | string | Uint8Array

/**
 * Creates an issuer whose tokens a verifier with the default audience accepts.
 *
 * @param options.keys an existing pair; default: one of its own for the algorithm (RSA pairs are shared by issuers of the
 *   same `kid`, since making one takes a tenth of a second)
 * @param options.clock what `iat`, `nbf` and `exp` are computed from; default `Date.now`
 */
export function createTestIssuer(
  options: {
    issuer?: string
    audience?: string | string[]
    alg?: SigningAlgorithm
    kid?: string
    keys?: KeyPair
    clock?: () => number
  } = {},
): TestIssuer {
  const { issuer = DEFAULT_ISSUER, audience = DEFAULT_AUDIENCE, alg = 'ES256', clock = Date.now } = options
  const kid = options.kid ?? `${alg}-1`
  const { publicKey, privateKey } = options.keys ?? keyPairFor(alg, kid)
  const jwks: TestIssuer['jwks'] = { keys: [publicJwk(publicKey, { kid, alg, use: 'sig' })] }
  let serial = 0

  const claims: TestIssuer['claims'] = (over = {}) => {
    const now = Math.floor(clock() / 1000)
    return {
      iss: issuer,
      aud: audience,
      sub: 'user_123',
      client_id: 'client_1',
      iat: now,
      exp: now + 3600,
      jti: `jti_${++serial}`,
      scope: 'jobs:read clusters:read',
      ...over,
    }
  }
  const header: TestIssuer['header'] = (over = {}) => ({ typ: 'at+jwt', alg, kid, ...over })
  const mintRaw: TestIssuer['mintRaw'] = (parts) =>
    compact(parts.header ?? header(), parts.payload ?? claims(), signer(alg, privateKey))

  return {
    issuer,
    alg,
    kid,
    publicKey,
    privateKey,
    jwks,
    options: { issuer, jwks },
    claims,
    header,
    mint: (overClaims, overHeader) => mintRaw({ header: header(overHeader), payload: claims(overClaims) }),
    mintRaw,
  }
}

/** Joins and signs a compact JWS. The header says what it says; nothing here makes it true. */
export function compact(header: Part, payload: Part, signInput: (input: Buffer) => Uint8Array): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${encode(signInput(Buffer.from(input)))}`
}

/** One part of a compact JWS. */
export function encode(part: Part): string {
  const bytes = part instanceof Uint8Array ? part : typeof part === 'string' ? part : JSON.stringify(part)
  return Buffer.from(bytes as string).toString('base64url')
}

/** The signature of each algorithm as RFC 7518 §3 and RFC 8037 §3.1 write it. */
export function signer(alg: SigningAlgorithm, key: KeyObject): (input: Buffer) => Buffer {
  const digest = `sha${alg.slice(2)}`
  switch (alg.slice(0, 2)) {
    case 'RS':
      return (input) => sign(digest, input, { key, padding: constants.RSA_PKCS1_PADDING })
    case 'PS':
      return pssSigner(digest, Number(alg.slice(2)) / 8, key)
    case 'ES':
      return (input) => sign(digest, input, { key, dsaEncoding: 'ieee-p1363' })
    default:
      return (input) => sign(null, input, key)
  }
}

/** RSASSA-PSS with a salt of any length. */
export function pssSigner(digest: string, saltLength: number, key: KeyObject): (input: Buffer) => Buffer {
  return (input) => sign(digest, input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
}

/** HMAC, which no verifier accepts, with whatever an attacker takes for the secret. */
export function hmacSigner(alg: 'HS256' | 'HS384' | 'HS512', secret: string | Uint8Array): (input: Buffer) => Buffer {
  return (input) =>
    createHmac(`sha${alg.slice(2)}`, secret)
      .update(input)
      .digest()
}

/** A public key as JWK, with the members that key sets add. */
export function publicJwk(key: KeyObject, members: Partial<JWK> = {}): JWK {
  return { ...(createPublicKeyOf(key).export({ format: 'jwk' }) as JWK), ...members }
}

function createPublicKeyOf(key: KeyObject): KeyObject {
  return key.type === 'private' ? createPublicKey(key) : key
}

/** A new key pair for an algorithm. */
export function createKeyPair(alg: SigningAlgorithm): KeyPair {
  switch (alg.slice(0, 2)) {
    case 'RS':
    case 'PS':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ES':
      return generateKeyPairSync('ec', { namedCurve: `P-${alg === 'ES512' ? 521 : alg.slice(2)}` })
    default:
      return generateKeyPairSync('ed25519')
  }
}

const rsaPairs = new Map<string, KeyPair>()

function keyPairFor(alg: SigningAlgorithm, kid: string): KeyPair {
  if (!/^[RP]S/.test(alg)) return createKeyPair(alg)
  const pair = rsaPairs.get(kid) ?? createKeyPair(alg)
  rsaPairs.set(kid, pair)
  return pair
}
