import type { Claim, ClaimReference } from '../token/claim-reference.js'
import type { ClaimValue, Grant } from '../token/grants.js'
import type { IssuerPolicy, KeySource } from '../token/policy.js'
import { keyOfClaim } from './claim-options.js'
import type { Configuration } from './options.js'

/** What a verifier requires of credentials. No secrets: stores as role, host, port and database, or path; URLs without their query. */
export interface EffectivePolicy {
  readonly issuers: readonly EffectiveIssuerPolicy[]
  /** There where the application is asked for issuers that are not in the list. */
  readonly resolveIssuer?: true
  readonly issuerTtlSeconds?: number
  readonly maxIssuers?: number
  /** `false`: every API key is refused. `null`: there is no store yet, and API keys are 503. */
  readonly keys: { readonly store: string; readonly environment: Configuration['environment'] } | false | null
  readonly cache: { readonly maxEntries: number; readonly maxBytes: number; readonly ttlSeconds: number } | false
  readonly keySetMaxStaleSeconds: number
  readonly storeMaxStaleSeconds: number
  /** Whether the application is asked on every request. */
  readonly isRevoked: boolean
  readonly realm: string
  readonly timeoutMs: number
}

type Compiled =
  | 'keySource'
  | 'scopeClaims'
  | 'scopeMap'
  | 'grants'
  | 'subjectClaim'
  | 'subjectAliases'
  | 'tenantClaim'
  | 'clientIdClaim'
  | 'sessionClaim'
  | 'required'

/** What a verifier requires of the tokens of one issuer. Names of claims are as they were given. */
export interface EffectiveIssuerPolicy extends Omit<IssuerPolicy, Compiled> {
  /** `static`, or `jwks_uri` or `discovery` with the URL. */
  readonly keySource: string
  /** There where the issuer is asked by a `fetch` of its own. */
  readonly fetch?: 'own'
  readonly scopeClaims: readonly ClaimReference[]
  readonly scopeMap: Readonly<Record<string, readonly string[]>> | undefined
  readonly grants: readonly EffectiveGrant[] | undefined
  readonly subjectClaim: ClaimReference | undefined
  readonly subjectAliases: readonly ClaimReference[] | undefined
  readonly tenantClaim: ClaimReference | undefined
  readonly clientIdClaim: ClaimReference | undefined
  readonly sessionClaim: ClaimReference | undefined
  readonly required: Readonly<Record<string, readonly ClaimValue[]>> | undefined
}

/** A grant, in the order in which they were listed. */
export interface EffectiveGrant {
  readonly match: Readonly<Record<string, ClaimValue>>
  readonly scopes: readonly string[]
}

function describeIssuer(policy: IssuerPolicy): EffectiveIssuerPolicy {
  const { keySource, scopeMap, grants, required } = policy
  return {
    ...policy,
    keySource: describeKeySource(keySource),
    ...(keySource.kind !== 'static' && keySource.fetch && { fetch: 'own' as const }),
    scopeClaims: policy.scopeClaims.map(referenceOf),
    scopeMap: scopeMap?.names,
    grants: grants?.listed.map(describeGrant),
    subjectClaim: policy.subjectClaim?.reference,
    subjectAliases: policy.subjectAliases?.map(referenceOf),
    tenantClaim: policy.tenantClaim?.reference,
    clientIdClaim: policy.clientIdClaim?.reference,
    sessionClaim: policy.sessionClaim?.reference,
    required: required && Object.fromEntries(required.map(({ claim, values }) => [keyOfClaim(claim), values])),
  }
}

function describeKeySource(source: KeySource): string {
  return source.kind === 'static' ? 'static' : `${source.kind} ${source.url.origin}${source.url.pathname}`
}

function describeGrant({ conditions, scopes }: Grant): EffectiveGrant {
  return { match: Object.fromEntries(conditions.map(({ claim, value }) => [keyOfClaim(claim), value])), scopes }
}

function referenceOf({ reference }: Claim): ClaimReference {
  return reference
}

/** @param label what may be shown of the store in use; without it there is none */
export function describePolicy(config: Configuration, label?: string): EffectivePolicy {
  const { cache, environment, resolver } = config
  return {
    issuers: config.issuers.map(describeIssuer),
    ...(resolver && {
      resolveIssuer: true,
      issuerTtlSeconds: resolver.ttlMs / 1000,
      maxIssuers: resolver.maxIssuers,
    }),
    keys: label === undefined ? (config.keys === false ? false : null) : { store: label, environment },
    cache: cache && { maxEntries: cache.maxEntries, maxBytes: cache.maxBytes, ttlSeconds: cache.ttlMs / 1000 },
    keySetMaxStaleSeconds: config.keySetMaxStaleMs / 1000,
    storeMaxStaleSeconds: config.storeMaxStaleMs / 1000,
    isRevoked: config.isRevoked !== undefined,
    realm: config.realm,
    timeoutMs: config.timeoutMs,
  }
}
