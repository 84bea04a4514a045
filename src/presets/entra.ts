import { checkStrings } from '../config/checks.js'
import type { IssuerOptions } from '../config/issuer-options.js'
import { ArgumentError } from '../core/argument-error.js'
import { checkAudience, readArguments } from './arguments.js'

/** See {@link entra}. */
export interface EntraArguments {
  /** Ids of the directories whose tokens are accepted, as in `tid`: GUIDs in lower case. Each is an issuer of its own. */
  tenants: readonly string[]
  /** In version 2 the application (client) id of this API; in version 1 that, or its Application ID URI. */
  audience: string | readonly string[]
  /** Version of the access tokens, which the API's own manifest sets (`requestedAccessTokenVersion`). Default: 2. */
  version?: 2 | 1 | undefined
}

/** What differs between the two versions of access tokens. */
const VERSIONS = {
  1: { issuer: 'https://sts.windows.net/{tenantid}/', clientIdClaim: 'appid' },
  2: { issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0', clientIdClaim: 'azp' },
} as const

/** Words that take the place of a tenant in URLs of the sign-in. No token was ever issued by one of them. */
const NO_TENANTS: readonly string[] = ['common', 'organizations', 'consumers']

/**
 * Access tokens of Microsoft Entra ID, of one tenant or of several.
 *
 * `auth.subject` is `oid`, which is the same for all applications of a tenant; `auth.tenant` is `tid`, which must be the
 * tenant that issued the token. ID tokens are refused also where their audience, a client id, is that of the API: they name
 * no client. Refresh tokens are opaque.
 *
 * @throws {TypeError} for an argument that is missing, wrong or unknown
 * @see docs/providers/entra.md
 */
export function entra(args: EntraArguments): IssuerOptions {
  const given = readArguments(args, 'entra', ['tenants', 'audience', 'version'])
  const tenants = Array.isArray(given.tenants.value) ? checkStrings(given.tenants) : []
  if (tenants.length === 0) {
    throw new ArgumentError(
      given.tenants.name,
      'must be a list of tenant ids, as in the tid claim, with one entry at least',
    )
  }
  if (tenants.some((tenant) => NO_TENANTS.includes(tenant.toLowerCase()))) {
    throw new ArgumentError(
      given.tenants.name,
      'must not be common, organizations or consumers, which issue no tokens; list the id of each tenant, or add tenants at run time with resolveIssuer',
    )
  }
  if (tenants.some((tenant) => tenant.includes('.') || tenant !== tenant.toLowerCase())) {
    throw new ArgumentError(
      given.tenants.name,
      'must be ids in lower case, as in the tid claim, and no domains: those are in no token',
    )
  }
  const { value: version = 2, name } = given.version
  if (version !== 1 && version !== 2) throw new ArgumentError(name, 'must be 2 or 1')
  return {
    preset: 'entra',
    issuer: VERSIONS[version].issuer,
    tenants,
    audience: checkAudience(given.audience),
    profile: 'lenient',
    subjectClaim: 'oid',
    tenantClaim: 'tid',
    clientIdClaim: VERSIONS[version].clientIdClaim,
    requireClient: true,
    scopeClaims: ['scp', 'roles'],
    scopes: 'first',
  }
}
