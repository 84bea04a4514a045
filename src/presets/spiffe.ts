import type { IssuerOptions } from '../config/issuer-options.js'
import { ArgumentError } from '../core/argument-error.js'
import type { Algorithm } from '../token/algorithms.js'
import { checkAudience, checkGrants, readArguments } from './arguments.js'

/** See {@link spiffe}. */
export interface SpiffeArguments {
  /** Name of the trust domain, as in `spiffe://acme.org/…`. */
  trustDomain: string
  /** What the caller asks a JWT-SVID for: the SPIFFE ID of this service, or its URL. */
  audience: string | readonly string[]
  /** Where the trust domain publishes its bundle, a JSON Web Key Set. */
  jwksUri: string
  /** What each workload may do, by `sub`, its SPIFFE ID. */
  grants: NonNullable<IssuerOptions['grants']>
}

/** All that a JWT-SVID may be signed with (JWT-SVID §2.1). */
const ALGORITHMS: readonly Algorithm[] = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
]

/**
 * JWT-SVIDs of a SPIFFE trust domain, for callers that are workloads. They have no `iss`: the trust domain in `sub` says whose
 * keys verify them. `auth.issuer` is `spiffe://<trust domain>`, `auth.subject` the SPIFFE ID.
 *
 * They say nothing of scopes: `grants` does.
 *
 * @throws {TypeError} for an argument that is missing, wrong or unknown
 * @see {@link https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md JWT-SVID}, and docs/providers/spiffe.md
 */
export function spiffe(args: SpiffeArguments): IssuerOptions {
  const given = readArguments(args, 'spiffe', ['trustDomain', 'audience', 'jwksUri', 'grants'])
  const { value: trustDomain } = given.trustDomain
  if (typeof trustDomain !== 'string' || !/^[a-z0-9._-]{1,255}$/.test(trustDomain)) {
    throw new ArgumentError(
      given.trustDomain.name,
      'must be the name of the trust domain in lower case, without spiffe:// and path: acme.org',
    )
  }
  const { value: jwksUri } = given.jwksUri
  if (typeof jwksUri !== 'string' || jwksUri === '') {
    throw new ArgumentError(given.jwksUri.name, 'must be the URL of the bundle of the trust domain')
  }
  return {
    preset: 'spiffe',
    trustDomain,
    audience: checkAudience(given.audience),
    jwksUri,
    profile: 'lenient',
    algorithms: ALGORITHMS,
    scopeClaims: [],
    scopes: 'first',
    grants: checkGrants(given.grants),
  }
}
