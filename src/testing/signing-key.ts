import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import type { JWK } from 'jose'

/** What a test issuer can sign with. */
export type TestAlgorithm = 'ES256' | 'RS256' | 'EdDSA'

/** A key of a test issuer. It is made for it, and is in no file. */
export interface SigningKey {
  readonly kid: string
  /** Its public half, as a key set publishes it. */
  readonly jwk: JWK
  sign(input: string): Buffer
}

/** One row for each algorithm: how its keys are made, and what `crypto.sign` needs. */
const ALGORITHMS = {
  ES256: { generate: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }), digest: 'sha256' },
  RS256: { generate: () => generateKeyPairSync('rsa', { modulusLength: 2048 }), digest: 'sha256' },
  EdDSA: { generate: () => generateKeyPairSync('ed25519'), digest: null },
} as const

export const TEST_ALGORITHMS = Object.keys(ALGORITHMS) as TestAlgorithm[]

export function createSigningKey(algorithm: TestAlgorithm): SigningKey {
  const { generate, digest } = ALGORITHMS[algorithm]
  const { publicKey, privateKey } = generate()
  const kid = randomUUID()
  return {
    kid,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' } as JWK,
    sign: (input) => sign(digest, Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
}
