import type { IssuerOptions } from '../config/issuer-options.js'
import { ArgumentError } from '../core/argument-error.js'
import { readArguments, refuseAudience } from './arguments.js'

/** See {@link auth0}. */
export interface Auth0Arguments {
  /** Domain of the tenant, or its custom domain, without `https://`: `acme.eu.auth0.com`. */
  domain: string
  /** Identifier of this service's API in Auth0. */
  audience: string | readonly string[]
}

/**
 * Access tokens of an Auth0 tenant for an API, in Auth0's own profile and in that of RFC 9068.
 *
 * ID tokens are refused: they name no client. Refresh tokens are opaque.
 *
 * @throws {TypeError} for an argument that is missing, wrong or unknown
 * @see docs/providers/auth0.md
 */
export function auth0(args: Auth0Arguments): IssuerOptions {
  const given = readArguments(args, 'auth0', ['domain', 'audience'])
  const { value: domain, name } = given.domain
  if (typeof domain !== 'string' || !/^(?=.{4,253}$)[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(domain)) {
    throw new ArgumentError(
      name,
      'must be the domain of the tenant in lower case, without https://, path and slash: acme.eu.auth0.com',
    )
  }
  const issuer = `https://${domain}/`
  const audience = refuseAudience(
    given.audience,
    (resource) => resource.startsWith(issuer),
    "must not be an API of Auth0's own, such as /userinfo: tokens for any API name it; give the identifier of this service's API",
  )
  return {
    preset: 'auth0',
    issuer,
    audience,
    profile: 'lenient',
    requireClient: true,
    scopeClaims: ['scope', 'permissions'],
    scopes: 'first',
  }
}
