import type { JSONWebKeySet } from 'jose'
import type { ScopeSeparator } from '../core/scope.js'
import type { Claim } from './claim-reference.js'
import type { ClaimValue, Grants } from './grants.js'
import type { ScopeMap } from './scope-map.js'

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

/** Which of the claims that may hold scopes count: the first that is present, or all. */
export type ScopeRule = 'first' | 'union'

/** A claim that every token of an issuer has to have, with one of the values. */
export interface RequiredClaim {
  readonly claim: Claim
  readonly values: readonly ClaimValue[]
}

/** The checked policy for one issuer. What is `undefined` is not configured, and nothing is looked at for it. */
export interface IssuerPolicy {
  /** The `iss` claim; for a trust domain `spiffe://` and its name, which its tokens have in `sub` alone. */
  readonly issuer: string
  /** Of an issuer that is one of several tenants: which. Its tokens say the same in the `tenantClaim`, if there is one. */
  readonly tenant: string | undefined
  /** Name of the SPIFFE trust domain, where the tokens are those of workloads (JWT-SVID). */
  readonly trustDomain: string | undefined
  /** Name of the preset that the options came from, for people. */
  readonly preset: string | undefined
  readonly audience: readonly string[]
  /** The clients whose tokens may do without an `aud`. */
  readonly clients: readonly string[] | undefined
  readonly keySource: KeySource
  readonly algorithms: readonly string[]
  readonly profile: Profile
  readonly scopeClaims: readonly Claim[]
  /** `undefined` is `first`. */
  readonly scopes: ScopeRule | undefined
  readonly scopeSeparator: ScopeSeparator
  readonly scopeMap: ScopeMap | undefined
  readonly grants: Grants | undefined
  readonly subjectClaim: Claim | undefined
  readonly subjectAliases: readonly Claim[] | undefined
  readonly tenantClaim: Claim | undefined
  readonly clientIdClaim: Claim | undefined
  /** Whether a token that names no client is refused under the lenient profile, too. */
  readonly requireClient: boolean | undefined
  /** `undefined` is `sid`, where that is a text. */
  readonly sessionClaim: Claim | undefined
  readonly required: readonly RequiredClaim[] | undefined
  readonly clockToleranceSeconds: number
  readonly maxTokenAgeSeconds: number | undefined
}
