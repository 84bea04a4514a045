import { checkFunction } from '../config/checks.js'
import type { IssuerOptions } from '../config/issuer-options.js'
import { checkAudience, checkGrants, checkIssuerUrl, readArguments } from './arguments.js'

/** See {@link kubernetes}. */
export interface KubernetesArguments {
  /** Issuer of the cluster's service account tokens (`kubectl get --raw /.well-known/openid-configuration`). */
  issuer: string
  /** What the projected volume of the caller asks a token for. Not the audience of the API server. */
  audience: string | readonly string[]
  /** What each service account may do, by `sub`: `system:serviceaccount:<namespace>:<name>`. */
  grants: NonNullable<IssuerOptions['grants']>
  /**
   * For a cluster that serves its keys behind its own CA, and to whom it knows: a fetch that trusts the one and presents a
   * token of the other. It is used for this issuer alone, for its metadata and for the key set, which is on another host.
   */
  fetch?: typeof globalThis.fetch | undefined
}

/**
 * Service account tokens of a Kubernetes cluster, for callers that are pods. `auth.tenant` is the namespace.
 *
 * They say nothing of scopes: `grants` does. Tokens without an end, which clusters before 1.24 keep in secrets, are refused.
 *
 * @throws {TypeError} for an argument that is missing, wrong or unknown
 * @see docs/providers/kubernetes.md
 */
export function kubernetes(args: KubernetesArguments): IssuerOptions {
  const given = readArguments(args, 'kubernetes', ['issuer', 'audience', 'grants', 'fetch'])
  const { value: fetch, name } = given.fetch
  return {
    preset: 'kubernetes',
    issuer: checkIssuerUrl(given.issuer),
    audience: checkAudience(given.audience),
    profile: 'lenient',
    tenantClaim: ['kubernetes.io', 'namespace'],
    scopeClaims: [],
    scopes: 'first',
    grants: checkGrants(given.grants),
    ...(fetch !== undefined && { fetch: checkFunction<typeof globalThis.fetch>(fetch, name) }),
  }
}
