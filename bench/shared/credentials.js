/** What is decided on: an issuer with its keys and tokens, and API keys in a store. */
import { generateKeyPairSync, hash, randomUUID, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { createKeyring, memoryKeyStore } from './built-package.js'

/** @import { KeyObject } from 'node:crypto' */
/** @import { AddressInfo } from 'node:net' */
/** @import { Algorithm } from './types.d.ts' */

export const AUDIENCE = 'https://api.vantage.omnivector.solutions'
/** @type {Algorithm[]} */
export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA']

const createKeyPair = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
}

/** An issuer on loopback that publishes one key for each algorithm. */
export async function startIssuer({ moreKeys = 0 } = {}) {
  const pairs = { RS256: createKeyPair.RS256(), ES256: createKeyPair.ES256(), EdDSA: createKeyPair.EdDSA() }
  /** @type {(key: KeyObject, alg: Algorithm, kid: string) => import('jose').JWK} */
  const publish = (key, alg, kid) => ({ ...key.export({ format: 'jwk' }), alg, kid, use: 'sig' })
  const others = Array.from({ length: moreKeys }, (_, i) =>
    publish(createKeyPair.ES256().publicKey, 'ES256', `other-${i}`),
  )
  const jwks = { keys: [...others, ...ALGORITHMS.map((alg) => publish(pairs[alg].publicKey, alg, alg.toLowerCase()))] }
  const server = createServer((_, res) => {
    // A connection that is kept for the next fetch may have been closed during a turn that held the event loop.
    res.setHeader('Content-Type', 'application/json').setHeader('Connection', 'close').end(JSON.stringify(jwks))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  server.unref()
  const issuer = `http://127.0.0.1:${/** @type {AddressInfo} */ (server.address()).port}`
  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    jwks,
    publicKeys: { RS256: pairs.RS256.publicKey, ES256: pairs.ES256.publicKey, EdDSA: pairs.EdDSA.publicKey },
    /**
     * RFC 9068 access tokens, each with its own `jti`.
     *
     * @param {Algorithm} alg
     * @param {number} count
     * @param {object} [overrides] claims
     */
    tokens: (alg, count, overrides) =>
      Array.from({ length: count }, () => signToken(alg, pairs[alg].privateKey, claims(issuer, overrides))),
    close: () => server.close(),
  }
}

/**
 * @param {string} issuer
 * @param {object} [overrides]
 */
function claims(issuer, overrides) {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    sub: `user-${randomUUID()}`,
    aud: AUDIENCE,
    client_id: 'app-5f1d2a',
    scope: 'jobs:read jobs:write clusters:read storage:read',
    jti: randomUUID(),
    iat: now,
    exp: now + 7200,
    ...overrides,
  }
}

/**
 * @param {Algorithm} alg
 * @param {KeyObject} key
 * @param {object} payload
 */
function signToken(alg, key, payload) {
  /** @param {object} value */
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${part({ alg, typ: 'at+jwt', kid: alg.toLowerCase() })}.${part(payload)}`
  const signature = sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return Buffer.from(`${input}.${signature.toString('base64url')}`)
}

/**
 * API keys of this package in a store in memory.
 *
 * @param {number} count
 */
export async function createKeys(count) {
  const store = memoryKeyStore()
  const keyring = createKeyring(store)
  const keys = []
  for (let i = 0; i < count; i++) {
    const { key } = await keyring.create({ subject: `service-${i}`, scopes: ['jobs:read', 'jobs:write'] })
    keys.push(Buffer.from(key))
  }
  return { store, keys }
}

/**
 * Authorization header lines.
 *
 * @param {Buffer[]} credentials
 */
export function headersOf(credentials) {
  return credentials.map((credential) => Buffer.from(`Bearer ${credential}`))
}

/**
 * The least that can be done for a credential seen before.
 *
 * @param {Buffer[]} credentials
 */
export function lookUpByDigest(credentials) {
  const known = new Map(credentials.map((credential) => [hash('sha256', credential, 'hex'), { credential }]))
  /** @param {string} credential */
  return (credential) => {
    const found = known.get(hash('sha256', credential, 'hex'))
    if (found === undefined) throw new Error('refused')
    return found
  }
}
