import type { IssuerOptions } from '../config/issuer-options.js'
import { ArgumentError } from '../core/argument-error.js'
import { checkAudience, checkIssuerUrl, readArguments } from './arguments.js'

/** See {@link okta}. */
export interface OktaArguments {
  /** Issuer of a custom authorization server: `https://acme.okta.com/oauth2/default`. */
  issuer: string
  /** Audience of that authorization server: `api://default`. */
  audience: string | readonly string[]
}

/**
 * Access tokens of a custom authorization server of Okta. Those of the org authorization server are for Okta's own APIs, and
 * nobody else can verify them.
 *
 * ID tokens are refused also where their audience, a client id, is that of the server: they name no client. Refresh tokens
 * are opaque. A revocation by Okta names a user by `uid`, which is compared as well.
 *
 * @throws {TypeError} for an argument that is missing, wrong or unknown
 * @see docs/providers/okta.md
 */
export function okta(args: OktaArguments): IssuerOptions {
  const given = readArguments(args, 'okta', ['issuer', 'audience'])
  const issuer = checkIssuerUrl(given.issuer)
  if (new URL(issuer).pathname === '/') {
    throw new ArgumentError(
      given.issuer.name,
      'is the org authorization server, whose access tokens only Okta can verify; give the issuer of a custom one: https://acme.okta.com/oauth2/default',
    )
  }
  return {
    preset: 'okta',
    issuer,
    audience: checkAudience(given.audience),
    profile: 'lenient',
    clientIdClaim: 'cid',
    requireClient: true,
    subjectAliases: ['uid'],
    scopeClaims: ['scp'],
    scopes: 'first',
  }
}
