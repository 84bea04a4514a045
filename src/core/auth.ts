import type { JWTPayload } from 'jose'
import type { RefusedCredential } from './errors.js'
import { ofProcess } from './of-process.js'

/** Who calls and what they may do. Deeply frozen: it is shared between the requests of one credential. */
export type Auth = ApiKeyAuth | AccessTokenAuth

interface AuthBase {
  /** Whom the credential stands for: the `sub` claim of a token, the subject a key was created for. */
  readonly subject: string
  /** Granted scopes, in the order of the credential, without duplicates; unknown ones are kept. */
  readonly scopes: readonly string[]
  /** When the credential ends: a new Date each time, `null` for a key without an end. */
  readonly expiresAt: Date | null
  /** Tenant of the key, or the token's claim that `tenantClaim` names. Identifies only together with `kind` and issuer. */
  readonly tenant: string | null
}

/** A request that came with an API key. */
export interface ApiKeyAuth extends AuthBase {
  readonly kind: 'api_key'
  /** Public identifier of the key; safe to log. */
  readonly keyId: string
  readonly name: string | null
}

/** A request that came with a JWT access token (RFC 9068). */
export interface AccessTokenAuth extends AuthBase {
  readonly kind: 'access_token'
  /** The `iss` claim. `subject` and `tenant` mean something only together with it. */
  readonly issuer: string
  /**
   * The client: the `client_id` claim, or the one that `clientIdClaim` names. Under the lenient profile the first of
   * `client_id`, `azp`, `cid` and `appid` that is a string, `null` when there is none.
   */
  readonly clientId: string | null
  /** The `jti` claim; `null` only under the lenient profile. */
  readonly tokenId: string | null
  /** All verified claims, in their wire spelling. */
  readonly claims: Readonly<JWTPayload>
}

export function createApiKeyAuth(
  values: Omit<ApiKeyAuth, 'kind' | 'expiresAt'>,
  expiresAtMs: number | null,
): ApiKeyAuth {
  const { subject, scopes, tenant, keyId, name } = values
  const auth = { kind: 'api_key', subject, scopes, tenant, keyId, name }
  Object.defineProperty(auth, EXPIRES_AT_MS, { value: expiresAtMs })
  return Object.freeze(Object.defineProperty(auth, 'expiresAt', expiresAtOfKey)) as ApiKeyAuth
}

/** @param values claims that have been checked, frozen; `expiresAt` is their `exp` */
export function createAccessTokenAuth(values: Omit<AccessTokenAuth, 'kind' | 'expiresAt'>): AccessTokenAuth {
  const { subject, scopes, tenant, issuer, clientId, tokenId, claims } = values
  const auth = { kind: 'access_token', subject, scopes, tenant, issuer, clientId, tokenId, claims }
  return Object.freeze(Object.defineProperty(auth, 'expiresAt', expiresAtOfToken)) as AccessTokenAuth
}

/** Where the getter of a key's `expiresAt` finds it. */
const EXPIRES_AT_MS = Symbol('expiresAtMs')

interface HasEnd {
  readonly [EXPIRES_AT_MS]: number | null
}

// Getters, since a frozen Date can still be changed by setTime. Each kind has one getter that all of its values share: with
// a closure for each value, V8 would give each Auth a hidden class of its own, which takes memory and slows down every read.
const expiresAtOfKey = {
  enumerable: true,
  get(this: HasEnd): Date | null {
    const ms = this[EXPIRES_AT_MS]
    return ms === null ? null : new Date(ms)
  },
}
const expiresAtOfToken = {
  enumerable: true,
  get(this: Pick<AccessTokenAuth, 'claims'>): Date {
    return new Date((this.claims.exp as number) * 1000)
  },
}

/** What errors and events say of a credential that was accepted. */
export function credentialOf(auth: Auth): RefusedCredential {
  return auth.kind === 'api_key'
    ? { kind: 'api_key', keyId: auth.keyId }
    : { kind: 'access_token', issuer: auth.issuer }
}

/** Whether a value has what every Auth has. A verifier may be the application's own. */
export function isAuth(value: unknown): value is Auth {
  const auth = value as Partial<Auth> | null | undefined
  return (
    (auth?.kind === 'api_key' || auth?.kind === 'access_token') &&
    typeof auth.subject === 'string' &&
    Array.isArray(auth.scopes)
  )
}

/** The realm where no option names one. */
export const DEFAULT_REALM = 'vantage'

/** Of the Auths whose verifier has a realm of its own. Not in the Auth, which is frozen and shown to handlers. */
const realms = ofProcess('realms', () => new WeakMap<Auth, string>())

/** Notes the realm of the verifier that accepted a credential. The last one counts: a verifier may ask another. */
export function noteRealm(auth: Auth, realm: string): void {
  if (realmFor(auth) !== realm) realms.set(auth, realm)
}

/** The realm of the verifier that accepted an Auth; the default one for an Auth that came otherwise. */
export function realmFor(auth: Auth): string {
  return realms.get(auth) ?? DEFAULT_REALM
}

/** Freezes parsed JSON at every level. It does not recurse: an 8 KiB token can nest thousands of levels. */
export function deepFreeze<T extends object>(value: T): T {
  const pending: object[] = [value]
  // The loop also reaches what is appended while it runs.
  for (const next of pending) {
    for (const name in next) {
      const inner: unknown = next[name as keyof typeof next]
      if (typeof inner === 'object' && inner !== null) pending.push(inner)
    }
    Object.freeze(next)
  }
  return value
}
