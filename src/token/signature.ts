import { type KeyObject, verify } from 'node:crypto'
import { findAlgorithm } from './algorithms.js'
import type { VerificationKey } from './key-set.js'
import type { UnverifiedAccessToken } from './unverified-token.js'

/** An access token whose issuer has signed it. Its claims are not checked yet. */
export interface VerifiedAccessToken extends UnverifiedAccessToken {
  /** The key that made its signature. */
  readonly signer: VerificationKey
}

/**
 * Verifies the signature of a token with the few keys that may have made it, one after the other.
 *
 * @param candidates what the token's issuer answers for its `alg` and `kid`
 * @returns `undefined` when none of them has made it
 */
export function verifyAccessToken(
  token: UnverifiedAccessToken,
  candidates: readonly VerificationKey[],
  tried = 0,
): VerifiedAccessToken | undefined | Promise<VerifiedAccessToken | undefined> {
  const key = candidates[tried]
  if (key === undefined) return undefined
  const next = (made: boolean) => (made ? signedBy(key, token) : verifyAccessToken(token, candidates, tried + 1))
  const made = verifySignature(token.alg, key.keyObject, token.text)
  return made instanceof Promise ? made.then(next) : next(made)
}

/** Each member by name: a spread takes several times as long. */
function signedBy(
  signer: VerificationKey,
  { text, issuer, policy, header, alg, kid, claims }: UnverifiedAccessToken,
): VerifiedAccessToken {
  return { text, issuer, policy, header, alg, kid, claims, signer }
}

/**
 * Verifies the signature of a compact JWS with one key that fits the algorithm. It does not check that the key fits, nor
 * that the header names the algorithm.
 *
 * The one-shot `crypto.verify` answers at once and is cheaper than a trip through WebCrypto and the thread pool, and
 * services often have one core (docs/performance.md).
 */
export function verifySignature(alg: string, key: KeyObject, token: string): boolean | Promise<boolean> {
  const algorithm = findAlgorithm(alg)
  if (algorithm === undefined) return false
  if (algorithm.verifiedBy === 'jose') return verifyWithJose(alg, key, token)
  const { digest, signatureLength = modulusBytes(key), padding, saltLength, dsaEncoding } = algorithm
  const end = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  // RFC 8017 §8.1.2: OpenSSL takes a PSS signature without its leading zeros, and anybody could write the token in two ways.
  if (signature.length !== signatureLength) return false
  try {
    const input = Buffer.from(token.slice(0, end), 'latin1')
    return verify(digest, input, { key, padding, saltLength, dsaEncoding }, signature)
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
