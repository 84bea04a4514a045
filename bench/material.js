/** What is measured with: an issuer with its keys, its tokens, and API keys in a store. */
import { generateKeyPairSync, hash, randomUUID, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { createKeyring, memoryKeyStore } from '../dist/esm/src/index.js'

export const AUDIENCE = 'https://api.vantage.omnivector.solutions'
export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA']

const KEY_PAIRS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
}

/** An issuer on loopback that publishes one key for each algorithm. */
export async function startIssuer({ moreKeys = 0 } = {}) {
  const pairs = Object.fromEntries(ALGORITHMS.map((alg) => [alg, generateKeyPairSync(...KEY_PAIRS[alg])]))
  const publish = (key, alg, kid) => ({ ...key.export({ format: 'jwk' }), alg, kid, use: 'sig' })
  const others = Array.from({ length: moreKeys }, (_, i) =>
    publish(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey, 'ES256', `other-${i}`),
  )
  const jwks = { keys: [...others, ...ALGORITHMS.map((alg) => publish(pairs[alg].publicKey, alg, alg.toLowerCase()))] }
  const server = createServer((_, res) => {
    // A connection that waits for the next fetch would be found closed after a turn that held the event loop.
    res.setHeader('Content-Type', 'application/json').setHeader('Connection', 'close').end(JSON.stringify(jwks))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  const issuer = `http://127.0.0.1:${server.address().port}`
  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    jwks,
    publicKeys: Object.fromEntries(ALGORITHMS.map((alg) => [alg, pairs[alg].publicKey])),
    /** RFC 9068 access tokens, each with its own `jti`. */
    tokens: (alg, count, overrides) =>
      Array.from({ length: count }, () => signToken(alg, pairs[alg].privateKey, claims(issuer, overrides))),
    close: () => server.close(),
  }
}

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

function signToken(alg, key, payload) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${part({ alg, typ: 'at+jwt', kid: alg.toLowerCase() })}.${part(payload)}`
  const signature = sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return Buffer.from(`${input}.${signature.toString('base64url')}`)
}

/** API keys of this package in a store in memory. */
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

/** As they stand in a request. */
export function headersOf(credentials) {
  return credentials.map((credential) => Buffer.from(`Bearer ${credential}`))
}

export const LIMIT = 'crypto.hash + Map.get'

/** The least that can be done for a credential seen before. */
export function lookUpByDigest(credentials) {
  const known = new Map(credentials.map((credential) => [hash('sha256', credential, 'hex'), { credential }]))
  return (credential) => {
    const found = known.get(hash('sha256', credential, 'hex'))
    if (found === undefined) throw new Error('refused')
    return found
  }
}
