import { constants } from 'node:crypto'

/** Everything that is known here of one signature algorithm. */
export interface SignatureAlgorithm {
  /** Its `alg` values. Two names of one algorithm are interchangeable everywhere. */
  readonly names: readonly string[]
  /** Type of its keys. */
  readonly kty: 'RSA' | 'EC' | 'OKP'
  /** Curve of its keys; RSA has none. */
  readonly crv?: string
  /** Digest as `node:crypto` names it; Ed25519 has its own inside. */
  readonly digest: string | null
  /** Length of every signature in bytes; an RSA signature has the length of its modulus. */
  readonly signatureLength?: number
  readonly padding?: number
  /** In bytes. RFC 7518 §3.5: the size of the digest. OpenSSL accepts any size unless it is told one. */
  readonly saltLength?: number
  readonly dsaEncoding?: 'ieee-p1363'
  /** `node`: at once, in this thread. `jose`: on the thread pool, for curves that would hold the event loop too long. */
  readonly verifiedBy: 'node' | 'jose'
}

const pkcs1 = (digest: string) =>
  ({ kty: 'RSA', digest, padding: constants.RSA_PKCS1_PADDING, verifiedBy: 'node' }) as const
const pss = (digest: string, saltLength: number) =>
  ({ kty: 'RSA', digest, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength, verifiedBy: 'node' }) as const
const ecdsa = (crv: string, digest: string, signatureLength: number, verifiedBy: 'node' | 'jose') =>
  ({ kty: 'EC', crv, digest, signatureLength, dsaEncoding: 'ieee-p1363', verifiedBy }) as const
const ed25519 = { kty: 'OKP', crv: 'Ed25519', digest: null, signatureLength: 64, verifiedBy: 'node' } as const

/** RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2. All asymmetric: a verifier must not be able to sign. */
const TABLE = [
  { names: ['RS256'], ...pkcs1('sha256') },
  { names: ['RS384'], ...pkcs1('sha384') },
  { names: ['RS512'], ...pkcs1('sha512') },
  { names: ['PS256'], ...pss('sha256', 32) },
  { names: ['PS384'], ...pss('sha384', 48) },
  { names: ['PS512'], ...pss('sha512', 64) },
  { names: ['ES256'], ...ecdsa('P-256', 'sha256', 64, 'node') },
  { names: ['ES384'], ...ecdsa('P-384', 'sha384', 96, 'jose') },
  { names: ['ES512'], ...ecdsa('P-521', 'sha512', 132, 'jose') },
  { names: ['EdDSA', 'Ed25519'], ...ed25519 },
] as const satisfies readonly SignatureAlgorithm[]

export type Algorithm = (typeof TABLE)[number]['names'][number]

/** Signature algorithms that can be accepted: all asymmetric. `EdDSA` and `Ed25519` (RFC 9864) are one. */
export const ALGORITHMS: readonly Algorithm[] = Object.freeze(TABLE.flatMap(({ names }) => [...names]))

const byName: ReadonlyMap<unknown, SignatureAlgorithm> = new Map(
  TABLE.flatMap((algorithm) => algorithm.names.map((name) => [name, algorithm] as const)),
)

export function isAlgorithm(name: unknown): name is Algorithm {
  return byName.has(name)
}

/** The entry of an algorithm, by any of its names. */
export function findAlgorithm(name: string): SignatureAlgorithm | undefined {
  return byName.get(name)
}
