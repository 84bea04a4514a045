import type { Reason } from '../core/errors.js'
import type { Algorithm } from './algorithms.js'
import { MAX_TOKEN_BYTES } from './encoding.js'
import type { Issuer } from './issuer/issuer.js'
import { type JsonObject, own } from './json-object.js'
import { kid, parseJws, type Step, takeAndTell } from './jws.js'
import { verifySignature } from './signature.js'

/**
 * A signed token that is no access token, parsed. Nothing in it is verified: without its signature anybody could have
 * written it.
 */
export interface UnverifiedToken {
  /** The token as it came. */
  readonly text: string
  readonly alg: Algorithm
  readonly kid: string | undefined
  readonly claims: JsonObject
}

/** Why a token is refused before its claims are looked at. */
export type TokenFault = Extract<Reason, 'malformed' | 'type' | 'algorithm' | 'key' | 'signature'>

/**
 * Parses a signed token of another kind than access tokens, by the same steps. It does not verify the signature and looks
 * at no claim.
 *
 * @param isType whether the header's `typ` is one of the kind; `undefined` where it has none
 * @returns the reason of the refusal where a step fails
 */
export function parseSignedToken(text: string, isType: (typ: unknown) => boolean): UnverifiedToken | TokenFault {
  // Longer ones would be cut while they are decoded.
  if (text.length > MAX_TOKEN_BYTES) return 'malformed'
  const typ: Step<JsonObject, true> = {
    name: 'typ',
    reason: 'type',
    read: (header) => (isType(own(header, 'typ')) ? true : null),
    expected: () => '',
    found: () => '',
  }
  const jws = parseJws(text, typ, takeAndTell(undefined))
  // The steps have no other reasons.
  if (typeof jws === 'string') return jws as TokenFault
  const keyId = kid.read(jws.header)
  return keyId === null ? 'key' : { text, alg: jws.alg, kid: keyId, claims: jws.claims }
}

/**
 * Verifies the signature of a token with the keys of its issuer, which are fetched where that has to be.
 *
 * @returns the reason of the refusal, or `undefined` where one of the issuer's keys has made the signature
 * @throws {UnavailableError} (rejects) when that cannot be known now
 */
export async function verifySignedToken(
  { alg, kid, text }: UnverifiedToken,
  issuer: Pick<Issuer, 'policy' | 'keysFor'>,
): Promise<TokenFault | undefined> {
  if (!issuer.policy.algorithms.includes(alg)) return 'algorithm'
  // A newer set may withdraw the key, or write it otherwise, while the signature is verified.
  for (let attempt = 1; attempt <= 2; attempt++) {
    const candidates = await issuer.keysFor(alg, kid)
    if (candidates.length === 0) return 'key'
    let made = false
    for (const key of candidates) {
      if (!(await verifySignature(alg, key.keyObject, text))) continue
      if (key.isCurrent()) return undefined
      made = true
      break
    }
    if (!made) return 'signature'
  }
  return 'key'
}
