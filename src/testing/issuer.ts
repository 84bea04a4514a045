import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import type { JSONWebKeySet, JWTPayload } from 'jose'

/** See {@link createTestIssuer}. */
export interface TestIssuerOptions {
  /** Default: `https://issuer.test`. */
  issuer?: string
  /** Default: the default audience of a verifier. */
  audience?: string | readonly string[]
  /** What `iat` and `exp` are counted from, in milliseconds since the epoch. Default: `Date.now`. */
  clock?: () => number
}

/** An issuer inside a test: it signs real tokens, and nothing is fetched. */
export interface TestIssuer {
  readonly issuer: string
  /** Its public key, as the option `jwks` takes it. */
  readonly jwks: JSONWebKeySet
  /** Options for `vantageAuth()` and `createVerifier()` that accept its tokens: `{ issuer, audience, jwks }`. */
  readonly options: {
    readonly issuer: string
    readonly audience: string | readonly string[]
    readonly jwks: JSONWebKeySet
  }
  /**
   * Signs an access token (RFC 9068, ES256): subject `user_123`, client `client_123`, no scope, good for five minutes.
   *
   * @param claims in place of those; `undefined` leaves a claim out
   * @param header members in place of `{ alg, kid, typ }`, for what must be refused
   */
  mint(claims?: JWTPayload & { scope?: string }, header?: Readonly<Record<string, unknown>>): string
}

/**
 * Creates an issuer with a new key, for unit tests of routes. It belongs into tests alone: whoever holds it can be
 * anybody.
 *
 * ```ts
 * const issuer = createTestIssuer()
 * app.use(vantageAuth({ ...issuer.options, keys: false }))
 * const authorization = `Bearer ${issuer.mint({ scope: 'jobs:read' })}`
 * ```
 */
export function createTestIssuer({
  issuer = 'https://issuer.test',
  audience = 'https://api.vantage.omnivector.solutions',
  clock = Date.now,
}: TestIssuerOptions = {}): TestIssuer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const kid = randomUUID()
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] } as JSONWebKeySet

  return {
    issuer,
    jwks,
    options: { issuer, audience, jwks },

    mint(claims = {}, header = {}) {
      const now = Math.floor(clock() / 1000)
      const standard = {
        iss: issuer,
        aud: audience,
        sub: 'user_123',
        client_id: 'client_123',
        iat: now,
        exp: now + 300,
        jti: randomUUID(),
      }
      const input = `${encode({ alg: 'ES256', kid, typ: 'at+jwt', ...header })}.${encode({ ...standard, ...claims })}`
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
      return `${input}.${signature.toString('base64url')}`
    },
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
