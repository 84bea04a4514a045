import type { JSONWebKeySet } from 'jose'
import type { ScopeSeparator } from '../core/scope.js'

/**
 * How strictly a token follows RFC 9068. `lenient` is for issuers that send typ `JWT` or none and omit `client_id`, `jti`
 * or `iat` (Keycloak and others). It recognises other tokens of the issuer, such as ID tokens, by their claims; everything
 * else is checked alike.
 */
export type Profile = 'rfc9068' | 'lenient'

/** Where an issuer's keys come from. */
export type KeySource =
  | { readonly kind: 'static'; readonly jwks: JSONWebKeySet }
  | {
      /** Whether the URL is that of the key set, or of the issuer, whose metadata leads to it. */
      readonly kind: 'jwks_uri' | 'discovery'
      readonly url: URL
      /** What asks this issuer, and no other; `undefined`: what asks all of them. */
      readonly fetch: typeof globalThis.fetch | undefined
    }

/** The checked policy for one issuer. */
export interface IssuerPolicy {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly keySource: KeySource
  readonly algorithms: readonly string[]
  readonly profile: Profile
  readonly scopeClaims: readonly string[]
  readonly scopeSeparator: ScopeSeparator
  readonly tenantClaim: string | undefined
  readonly clientIdClaim: string | undefined
  readonly clockToleranceSeconds: number
  readonly maxTokenAgeSeconds: number | undefined
}
