import type { IssuerOptions } from '../config/issuer-options.js'
import { checkGrants, readArguments, refuseAudience } from './arguments.js'

/** See {@link googleServiceAccount}. */
export interface GoogleServiceAccountArguments {
  /** What the caller asks an identity token for: the URL of this service. Never an OAuth client id. */
  audience: string | readonly string[]
  /** What each service account may do, by `sub` or `email`. */
  grants: NonNullable<IssuerOptions['grants']>
}

/**
 * Identity tokens of Google Cloud's service accounts, for callers that are workloads.
 *
 * They are ID tokens, and say nothing of scopes: `grants` does. Those of people, who sign in at a website, are refused: they
 * are for an OAuth client, and have a `nonce` or an `at_hash`.
 *
 * @throws {TypeError} for an argument that is missing, wrong or unknown
 * @see docs/providers/google-service-account.md
 */
export function googleServiceAccount(args: GoogleServiceAccountArguments): IssuerOptions {
  const given = readArguments(args, 'googleServiceAccount', ['audience', 'grants'])
  return {
    preset: 'googleServiceAccount',
    issuer: 'https://accounts.google.com',
    audience: refuseAudience(
      given.audience,
      (audience) => audience.endsWith('.apps.googleusercontent.com'),
      'must not be an OAuth client id: ID tokens of people who sign in there have the same audience; let the callers ask for a token for the URL of this service',
    ),
    profile: 'lenient',
    clientIdClaim: 'azp',
    scopeClaims: [],
    scopes: 'first',
    grants: checkGrants(given.grants),
  }
}
