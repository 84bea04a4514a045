import { isText } from '../core/own.js'
import { claimAt } from './claim-reference.js'
import { own } from './json-object.js'
import type { IssuerPolicy } from './policy.js'
import type { UnverifiedAccessToken } from './unverified-token.js'

/** Segments of a path, none of them empty, `.` or `..`; the trust domain was compared before. */
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/
const LONGEST_SPIFFE_ID = 2048

/**
 * Whether it is the SPIFFE ID of a workload.
 *
 * @see {@link https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md#2-spiffe-identity SPIFFE ID §2.2, §2.3}
 */
export function isSpiffeId(text: string): boolean {
  return text.length <= LONGEST_SPIFFE_ID && SPIFFE_ID.test(text)
}

export function textOrNull(claim: unknown): string | null {
  return typeof claim === 'string' ? claim : null
}

/** Whom a token is about. The checks of `sub` and of the policy's `subjectClaim` have held. */
export function subjectOf({ claims, policy: { subjectClaim } }: UnverifiedAccessToken): string {
  return (subjectClaim === undefined ? claims.sub : claimAt(claims, subjectClaim)) as string
}

/** Whether the subjects of an issuer's tokens may have more names than `auth.subject`. */
export function hasOtherNames({ subjectClaim, subjectAliases }: IssuerPolicy): boolean {
  return subjectClaim !== undefined || subjectAliases !== undefined
}

/** The names of the subject by which a revocation finds the token, besides `auth.subject`. */
export function subjectNamesOf({ claims, policy }: UnverifiedAccessToken): readonly string[] {
  const aliases = policy.subjectAliases ?? []
  return [own(claims, 'sub'), ...aliases.map((alias) => claimAt(claims, alias))].filter(isText)
}

/** Where issuers name the client: RFC 9068 §2.2; Auth0, Keycloak and Entra ID; Okta; version 1 of Entra ID. */
const CLIENT_CLAIMS = ['client_id', 'azp', 'cid', 'appid'] as const

/**
 * The client that a token was issued to. The policy's `clientIdClaim` decides alone. Without one, the lenient profile
 * takes the first of the claims that issuers use.
 */
export function clientOf({ claims, policy: { clientIdClaim, profile } }: UnverifiedAccessToken): string | null {
  if (clientIdClaim !== undefined) return textOrNull(claimAt(claims, clientIdClaim))
  if (profile === 'rfc9068') return textOrNull(own(claims, 'client_id'))
  for (const name of CLIENT_CLAIMS) {
    const client = own(claims, name)
    if (isText(client)) return client
  }
  return null
}

export function tenantOf({ claims, policy: { tenantClaim } }: UnverifiedAccessToken): string | null {
  return tenantClaim === undefined ? null : textOrNull(claimAt(claims, tenantClaim))
}

/**
 * The session at the issuer that a token belongs to. Without a `sessionClaim` it is `sid` where that is a text: nobody has
 * asked for the claim, so what is no text is no session.
 */
export function sessionOf({ claims, policy: { sessionClaim } }: UnverifiedAccessToken): string | null {
  const session = sessionClaim === undefined ? own(claims, 'sid') : claimAt(claims, sessionClaim)
  return isText(session) ? session : null
}
