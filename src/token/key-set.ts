import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

/** Most keys that one set may hold. */
export const MAX_KEYS = 1000

/** One public key of an issuer. */
export interface VerificationKey {
  readonly kid: string | undefined
  /** The imported key; `undefined` when it cannot be imported. Made on first use: a set of 1000 costs nothing to load. */
  keyObject(): KeyObject | undefined
  /** Whether the key may verify this algorithm: type and curve, and its own `alg`, `use` and `key_ops`. */
  fits(alg: string): boolean
  /** False once a newer set of the issuer lacks the key. */
  isCurrent(): boolean
}

/** What a set says of one token's header. */
export interface KeyMatch {
  /** Keys to try, two at most. Empty when none fits. */
  readonly keys: readonly VerificationKey[]
  /** Whether a newer set may hold the key: the `kid` is not in this one. */
  readonly unknown: boolean
}

/** An issuer's keys at one time. */
export interface KeySet {
  readonly size: number
  /** The keys for a token's `alg` and `kid` (RFC 7515 §4.1.4). Without a `kid` only a single fitting key is taken. */
  match(alg: string, kid: string | undefined): KeyMatch
}

interface Entry extends VerificationKey {
  readonly identity: string
  retire(): void
}

const MEMBERS = ['kty', 'crv', 'n', 'e', 'x', 'y', 'kid', 'alg', 'use', 'key_ops'] as const
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']

/** What `kty` and `crv` each algorithm needs (RFC 7518 §3.1, RFC 8037 §3.1). */
const KEY_TYPES: Readonly<Record<string, readonly [kty: string, crv: string | undefined]>> = {
  RS256: ['RSA', undefined],
  RS384: ['RSA', undefined],
  RS512: ['RSA', undefined],
  PS256: ['RSA', undefined],
  PS384: ['RSA', undefined],
  PS512: ['RSA', undefined],
  ES256: ['EC', 'P-256'],
  ES384: ['EC', 'P-384'],
  ES512: ['EC', 'P-521'],
  EdDSA: ['OKP', 'Ed25519'],
  Ed25519: ['OKP', 'Ed25519'],
}

/**
 * Reads a JSON Web Key Set. Keys that cannot verify an access token are passed over: private and symmetric ones, RSA
 * outside 2048-8192 bits or with an exponent below 3, contradicting `use`, `key_ops` or `alg`.
 *
 * @param previous the set that this one takes over from: a key in both stays the same object, others are retired
 * @throws {TypeError} when the value is no key set, or a larger one than {@link MAX_KEYS}
 * @see {@link https://www.rfc-editor.org/rfc/rfc7517#section-5 RFC 7517 §5}
 */
export function parseKeySet(value: unknown, previous?: KeySet): KeySet {
  const list = typeof value === 'object' && value !== null ? (value as { keys?: unknown }).keys : undefined
  if (!Array.isArray(list)) throw new TypeError('the answer is not a JSON Web Key Set')
  if (list.length > MAX_KEYS) throw new TypeError(`the key set holds more than ${MAX_KEYS} keys`)

  const before = entriesOf.get(previous as KeySet) ?? new Map<string, Entry>()
  const entries = new Map<string, Entry>()
  for (const jwk of list) {
    if (typeof jwk !== 'object' || jwk === null) continue
    const identity = JSON.stringify([
      ...MEMBERS.map((member) => (Object.hasOwn(jwk, member) ? jwk[member] : null)),
      PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member)),
    ])
    entries.set(identity, entries.get(identity) ?? before.get(identity) ?? createEntry(jwk, identity))
  }
  for (const [identity, entry] of before) if (!entries.has(identity)) entry.retire()

  const byKid = new Map<string, Entry[]>()
  for (const entry of entries.values()) {
    if (entry.kid !== undefined) byKid.set(entry.kid, [...(byKid.get(entry.kid) ?? []), entry])
  }
  const set: KeySet = {
    size: entries.size,
    match(alg, kid) {
      if (kid === undefined) {
        const fitting = [...entries.values()].filter((entry) => entry.fits(alg))
        return { keys: fitting.length === 1 ? fitting : [], unknown: false }
      }
      const named = byKid.get(kid)
      return { keys: named?.filter((entry) => entry.fits(alg)).slice(0, 2) ?? [], unknown: named === undefined }
    },
  }
  entriesOf.set(set, entries)
  return set
}

const entriesOf = new WeakMap<KeySet, ReadonlyMap<string, Entry>>()

function createEntry(jwk: JsonWebKey & Record<string, unknown>, identity: string): Entry {
  const usable = isUsable(jwk)
  let current = true
  let imported: KeyObject | undefined | null = null
  return {
    identity,
    kid: typeof jwk.kid === 'string' ? jwk.kid : undefined,
    keyObject() {
      if (imported === null) imported = importPublicKey(jwk)
      return imported
    },
    fits(alg) {
      const type = Object.hasOwn(KEY_TYPES, alg) ? KEY_TYPES[alg] : undefined
      return (
        usable &&
        type !== undefined &&
        jwk.kty === type[0] &&
        (type[1] === undefined || jwk.crv === type[1]) &&
        (jwk.alg === undefined || sameAlgorithm(jwk.alg, alg)) &&
        this.keyObject() !== undefined
      )
    },
    isCurrent: () => current,
    retire() {
      current = false
    },
  }
}

/** RFC 9864 §2.2 gives EdDSA with this curve a name of its own. */
function sameAlgorithm(a: unknown, b: string): boolean {
  return a === b || ((a === 'EdDSA' || a === 'Ed25519') && (b === 'EdDSA' || b === 'Ed25519'))
}

function isUsable(jwk: Record<string, unknown>): boolean {
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))) return false
  if (jwk.use !== undefined && jwk.use !== 'sig') return false
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
