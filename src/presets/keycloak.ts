import type { IssuerOptions } from '../config/issuer-options.js'
import { ArgumentError } from '../core/argument-error.js'
import { checkIssuerUrl, readArguments, refuseAudience } from './arguments.js'

/** See {@link keycloak}. */
export interface KeycloakArguments {
  /** URL of the realm, without a slash at its end: `https://sso.example.com/realms/main`. */
  issuer: string
  /** What an audience mapper writes into `aud` for this service. Never `account`, and better no id of a client. */
  audience: string | readonly string[]
  /**
   * Which roles are scopes besides those of `scope`: `'realm'`, those of the realm; any other text, those of the client with
   * this id. Default: none.
   */
  roles?: 'realm' | (string & {}) | undefined
}

/** Clients that every realm has. Their names come into `aud` by the roles of the user, whichever client asked. */
const BUILT_IN_CLIENTS: readonly string[] = ['account', 'broker', 'realm-management']

/**
 * Access tokens of a realm of Keycloak.
 *
 * Of its other tokens (ID, refresh, offline, logout) it accepts none: they say in the payload's `typ` what they are.
 *
 * @throws {TypeError} for an argument that is missing, wrong or unknown; for the audience `account`, which Keycloak puts
 *   into tokens for any client
 * @see docs/providers/keycloak.md
 */
export function keycloak(args: KeycloakArguments): IssuerOptions {
  const given = readArguments(args, 'keycloak', ['issuer', 'audience', 'roles'])
  const issuer = checkIssuerUrl(given.issuer)
  if (issuer.endsWith('/')) {
    throw new ArgumentError(given.issuer.name, 'must have no slash at its end: the iss claim of Keycloak has none')
  }
  const audience = refuseAudience(
    given.audience,
    (name) => BUILT_IN_CLIENTS.includes(name),
    'must not be account, broker or realm-management: Keycloak writes them into tokens for any client, so that one for another service would be accepted here; add an audience mapper for this service, and give what it writes',
  )
  const roles = given.roles.value
  if (roles !== undefined && (typeof roles !== 'string' || roles === '')) {
    throw new ArgumentError(given.roles.name, `must be 'realm', or the id of the client whose roles are scopes`)
  }
  return {
    preset: 'keycloak',
    issuer,
    audience,
    profile: 'lenient',
    clientIdClaim: 'azp',
    requireClient: true,
    // A token that is bound to a key says DPoP, and is refused by its cnf: as sender_constrained, which says what is wrong.
    required: { typ: ['Bearer', 'DPoP'] },
    scopeClaims: roles === undefined ? ['scope'] : ['scope', rolesOf(roles)],
    scopes: roles === undefined ? 'first' : 'union',
  }
}

/** Ids of clients may have dots, so that they are a step of their own. */
function rolesOf(roles: string): readonly string[] {
  return roles === 'realm' ? ['realm_access', 'roles'] : ['resource_access', roles, 'roles']
}
