/** Signature algorithms that can be accepted: all asymmetric. `EdDSA` and `Ed25519` (RFC 9864) are one. */
export const ALGORITHMS = Object.freeze([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const)

export type Algorithm = (typeof ALGORITHMS)[number]
