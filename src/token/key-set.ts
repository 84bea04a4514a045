import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { findAlgorithm } from './algorithms.js'

/** Most keys that one set may hold. */
export const MAX_KEYS = 1000
/** Most keys of one `kid` that are tried on a token. */
const MAX_CANDIDATES = 4

/** What the `use` of a key may say, if it says anything (RFC 7517 §4.2). */
export const SIGNATURE_USES: readonly string[] = ['sig']
/** In the key set of a trust domain keys for workloads' tokens have a use of their own (SPIFFE Trust Domain and Bundle §4.2.2). */
const SVID_USES: readonly string[] = ['sig', 'jwt-svid']

/** What the `use` of an issuer's keys may be. */
export function keyUsesOf({ trustDomain }: { readonly trustDomain: string | undefined }): readonly string[] {
  return trustDomain === undefined ? SIGNATURE_USES : SVID_USES
}

/** One public key of an issuer. */
export interface VerificationKey {
  readonly kid: string | undefined
  readonly keyObject: KeyObject
  /** False once a newer set of the issuer has lacked the key, also if it comes back later. */
  isCurrent(): boolean
}

/** What a set says of one token's header. */
export interface KeyMatch {
  /** Keys to try, four at most. Empty when none fits. */
  readonly keys: readonly VerificationKey[]
  /** Whether a newer set may hold the key: the `kid` is not in this one. */
  readonly unknown: boolean
}

/** An issuer's keys at one time. */
export interface KeySet {
  readonly size: number
  /** By what makes two keys the same: the text of all members that decide what a key is and may do. */
  readonly entries: ReadonlyMap<string, KeyEntry>
  /**
   * Imports the keys for a token's `alg` and `kid` (RFC 7515 §4.1.4), each once. Those that cannot be imported are passed
   * over. Without a `kid` only a single fitting key is taken. If that key has no `kid` either, it is taken for any `kid` of
   * a token: nothing else in the set can be meant, and a newer set is not asked for.
   */
  match(alg: string, kid: string | undefined): KeyMatch
  /** Whether a key can verify one of the algorithms. Imports keys until one is usable: most often the first. */
  canVerify(algorithms: readonly string[]): boolean
}

/** One entry of a set. Most are never asked for, so a key is imported on its first use. */
export interface KeyEntry {
  readonly kid: string | undefined
  /** Whether it has no member `kid` at all. One that is no text names nothing, and is there. */
  readonly isUnnamed: boolean
  /** Whether the key may verify this algorithm: type and curve, and its own `alg`, `use` and `key_ops`. */
  fits(alg: string): boolean
  importKey(): VerificationKey | undefined
  /** Ends what the key verified, for good. */
  withdraw(): void
}

/** The members that decide what a key is and may do. Others are decoration. */
const MEMBERS = ['kty', 'crv', 'n', 'e', 'x', 'y', 'kid', 'alg', 'use', 'key_ops'] as const
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

/** Whether a JWK has a member that only private and symmetric keys have (RFC 7518 §6). */
export function hasPrivateMember(jwk: object): boolean {
  return PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))
}

/**
 * Reads a JSON Web Key Set. Keys that cannot verify an access token are passed over: private and symmetric ones, RSA
 * outside 2048-8192 bits or with an exponent below 3, contradicting `use`, `key_ops` or `alg`. So are entries that cannot
 * be read: one of them never costs the others.
 *
 * @param uses what the `use` of a key may be; one without it is for any use
 * @throws {TypeError} when the value is no key set, or a larger one than {@link MAX_KEYS}
 * @see {@link https://www.rfc-editor.org/rfc/rfc7517#section-5 RFC 7517 §5}
 */
export function parseKeySet(value: unknown, uses: readonly string[] = SIGNATURE_USES): KeySet {
  const list = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined
  if (!Array.isArray(list)) throw new TypeError('the answer is not a JSON Web Key Set')
  if (list.length > MAX_KEYS) throw new TypeError(`the key set holds more than ${MAX_KEYS} keys`)

  const entries = new Map<string, KeyEntry>()
  for (const jwk of list) {
    if (typeof jwk !== 'object' || jwk === null) continue
    const identity = identityOf(jwk)
    if (identity !== undefined && !entries.has(identity)) entries.set(identity, createEntry(jwk, uses))
  }
  return createKeySet(entries)
}

/** A set of entries that are parsed already. */
export function createKeySet(entries: ReadonlyMap<string, KeyEntry>): KeySet {
  const byKid = new Map<string, KeyEntry[]>()
  let hasUnnamed = false
  for (const entry of entries.values()) {
    if (entry.isUnnamed) hasUnnamed = true
    if (entry.kid !== undefined) byKid.set(entry.kid, [...(byKid.get(entry.kid) ?? []), entry])
  }
  return {
    size: entries.size,
    entries,
    match(alg, kid) {
      const named = kid === undefined ? undefined : byKid.get(kid)
      const keys = importFitting(named ?? [], alg).slice(0, MAX_CANDIDATES)
      if (keys.length > 0) return { keys, unknown: false }
      const only = kid === undefined || hasUnnamed ? onlyFitting(entries.values(), alg) : undefined
      if (only !== undefined && (kid === undefined || only.isUnnamed)) {
        return { keys: importFitting([only], alg), unknown: false }
      }
      return { keys: [], unknown: kid !== undefined && named === undefined }
    },
    canVerify(algorithms) {
      for (const entry of entries.values()) {
        if (algorithms.some((alg) => entry.fits(alg)) && entry.importKey() !== undefined) return true
      }
      return false
    },
  }
}

/** The entry that fits and can be imported, if it is the only one. */
function onlyFitting(entries: Iterable<KeyEntry>, alg: string): KeyEntry | undefined {
  let only: KeyEntry | undefined
  for (const entry of entries) {
    if (!entry.fits(alg) || entry.importKey() === undefined) continue
    if (only !== undefined) return undefined
    only = entry
  }
  return only
}

function importFitting(entries: Iterable<KeyEntry>, alg: string): VerificationKey[] {
  const keys: VerificationKey[] = []
  for (const entry of entries) {
    const key = entry.fits(alg) ? entry.importKey() : undefined
    if (key !== undefined) keys.push(key)
  }
  return keys
}

/**
 * What makes two JWKs the same key. A member that is there and `null` is not one that is absent: it makes a key unusable.
 *
 * @returns `undefined` for one that nests so deep that it cannot be written down. JSON.parse can still read it
 */
function identityOf(jwk: Record<string, unknown>): string | undefined {
  const members = MEMBERS.map((member) => (Object.hasOwn(jwk, member) && jwk[member] !== undefined ? [jwk[member]] : 0))
  try {
    return JSON.stringify([...members, hasPrivateMember(jwk)])
  } catch {
    return undefined
  }
}

function createEntry(jwk: JsonWebKey & Record<string, unknown>, uses: readonly string[]): KeyEntry {
  const usable = isUsable(jwk, uses)
  const kid = typeof jwk.kid === 'string' ? jwk.kid : undefined
  let current = true
  let imported: { readonly key: VerificationKey | undefined } | undefined
  return {
    kid,
    isUnnamed: jwk.kid === undefined,
    fits(alg) {
      const algorithm = findAlgorithm(alg)
      return (
        usable &&
        algorithm !== undefined &&
        jwk.kty === algorithm.kty &&
        (algorithm.crv === undefined || jwk.crv === algorithm.crv) &&
        (jwk.alg === undefined || algorithm.names.some((name) => name === jwk.alg))
      )
    },
    importKey() {
      if (imported === undefined) {
        const keyObject = importPublicKey(jwk)
        imported = { key: keyObject && { kid, keyObject, isCurrent: () => current } }
      }
      return imported.key
    },
    withdraw() {
      current = false
    },
  }
}

function isUsable(jwk: Record<string, unknown>, uses: readonly string[]): boolean {
  if (hasPrivateMember(jwk)) return false
  if (jwk.use !== undefined && !uses.some((use) => use === jwk.use)) return false
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) return false
  return true
}

function importPublicKey(jwk: JsonWebKey): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    if (key.asymmetricKeyType !== 'rsa') return key
    const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
    return modulusLength >= 2048 && modulusLength <= 8192 && publicExponent >= 3n ? key : undefined
  } catch {
    // A key of a kind that this runtime does not know, or a broken one, is passed over like any that does not fit.
    return undefined
  }
}
