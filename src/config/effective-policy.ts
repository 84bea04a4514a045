import type { IssuerPolicy } from '../token/policy.js'
import type { Configuration } from './options.js'

/** What a verifier requires of credentials. No secrets: stores as role, host, port and database, or path; URLs without their query. */
export interface EffectivePolicy {
  readonly issuers: readonly EffectiveIssuerPolicy[]
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

/** What a verifier requires of the tokens of one issuer. */
export interface EffectiveIssuerPolicy extends Omit<IssuerPolicy, 'keySource'> {
  /** `static`, or `jwks_uri` or `discovery` with the URL. */
  readonly keySource: string
  /** There where the issuer is asked by a `fetch` of its own. */
  readonly fetch?: 'own'
}

/** @param label what may be shown of the store in use; without it there is none */
export function describePolicy(config: Configuration, label?: string): EffectivePolicy {
  const { cache, environment } = config
  return {
    issuers: config.issuers.map(describeIssuer),
    keys: label === undefined ? (config.keys === false ? false : null) : { store: label, environment },
    cache: cache && { maxEntries: cache.maxEntries, maxBytes: cache.maxBytes, ttlSeconds: cache.ttlMs / 1000 },
    keySetMaxStaleSeconds: config.keySetMaxStaleMs / 1000,
    storeMaxStaleSeconds: config.storeMaxStaleMs / 1000,
    isRevoked: config.isRevoked !== undefined,
    realm: config.realm,
    timeoutMs: config.timeoutMs,
  }
}

function describeIssuer({ keySource, ...policy }: IssuerPolicy): EffectiveIssuerPolicy {
  if (keySource.kind === 'static') return { ...policy, keySource: 'static' }
  const { kind, url, fetch } = keySource
  return { ...policy, keySource: `${kind} ${url.origin}${url.pathname}`, ...(fetch && { fetch: 'own' }) }
}
