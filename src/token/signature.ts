import { constants, type KeyObject, verify } from 'node:crypto'
import type { VerificationKey } from './key-set.js'

/** How `node:crypto` verifies one algorithm of RFC 7518 §3.1 or RFC 8037 §3.1. */
interface Method {
  readonly digest: string | null
  /** Length of every signature in bytes; RSA's is that of its modulus. */
  readonly length?: number
  readonly padding?: number
  readonly saltLength?: number
  readonly dsaEncoding?: 'ieee-p1363'
}

const rsa = (digest: string): Method => ({ digest, padding: constants.RSA_PKCS1_PADDING })
// RFC 7518 §3.5: the salt has the size of the digest. OpenSSL takes any size when it is not told.
const pss = (digest: string, saltLength: number): Method => ({
  digest,
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength,
})
const edwards: Method = { digest: null, length: 64 }

const METHODS: ReadonlyMap<string, Method> = new Map([
  ['RS256', rsa('sha256')],
  ['RS384', rsa('sha384')],
  ['RS512', rsa('sha512')],
  ['PS256', pss('sha256', 32)],
  ['PS384', pss('sha384', 48)],
  ['PS512', pss('sha512', 64)],
  ['ES256', { digest: 'sha256', length: 64, dsaEncoding: 'ieee-p1363' }],
  ['EdDSA', edwards],
  ['Ed25519', edwards],
])

/** Half a millisecond and more would hold the event loop; `jose` does these on the thread pool. */
const SLOW: ReadonlySet<string> = new Set(['ES384', 'ES512'])

/** The key that made the token's signature, of at most two that may have. */
export function findSigner(
  alg: string,
  [key, ...others]: readonly VerificationKey[],
  token: string,
): VerificationKey | undefined | Promise<VerificationKey | undefined> {
  const keyObject = key?.keyObject()
  if (key === undefined || keyObject === undefined) return undefined
  const verified = verifySignature(alg, keyObject, token)
  if (verified instanceof Promise) return verified.then((made) => (made ? key : findSigner(alg, others, token)))
  return verified ? key : findSigner(alg, others, token)
}

/**
 * Verifies the signature of a compact JWS with one key that fits the algorithm. It does not check that the key fits, nor
 * that the header names the algorithm.
 *
 * The one-shot `crypto.verify` answers at once and is two to four times cheaper than a trip through WebCrypto. Its median
 * latency under open load is lower than that of the thread pool as well, up to nine tenths of what the event loop can do
 * (`npm run bench`), and services often have one core.
 */
export function verifySignature(alg: string, key: KeyObject, token: string): boolean | Promise<boolean> {
  if (SLOW.has(alg)) return verifyWithJose(alg, key, token)
  const method = METHODS.get(alg)
  if (method === undefined) return false
  const { digest, length = modulusBytes(key), ...parameters } = method
  const end = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  // RFC 8017 §8.1.2: OpenSSL takes a PSS signature without its leading zeros, and one token would have two spellings.
  if (signature.length !== length) return false
  try {
    return verify(digest, Buffer.from(token.slice(0, end), 'latin1'), { key, ...parameters }, signature)
  } catch {
    // OpenSSL throws for some signatures that cannot be right, where it returns false for others.
    return false
  }
}

function modulusBytes(key: KeyObject): number {
  return Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8)
}

async function verifyWithJose(alg: string, key: KeyObject, token: string): Promise<boolean> {
  const { compactVerify, errors } = await import('jose')
  try {
    await compactVerify(token, key, { algorithms: [alg] })
    return true
  } catch (error) {
    if (error instanceof errors.JOSEError) return false
    throw error
  }
}
