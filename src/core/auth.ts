import type { JWTPayload } from 'jose'
import { type Actor, actorOf } from './actor.js'
import type { RefusedCredential } from './errors.js'
import { ofProcess } from './of-process.js'
import { own } from './own.js'
import { acrOf, authTimeOf } from './sign-in.js'

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
  /**
   * The session at the issuer that the token belongs to: the `sid` claim, or the one that `sessionClaim` names. `null` where
   * there is none, and for a `sid` that is no text: then the end of the session does not end the token.
   */
  readonly sessionId: string | null
  /**
   * Who acts for the subject: the `act` claim. `null` where the subject acts for itself.
   *
   * @see {@link https://www.rfc-editor.org/rfc/rfc8693#section-4.1 RFC 8693 §4.1}
   */
  readonly actor: Actor | null
  /** How the subject signed in: the `acr` claim. `null` where there is none, or one that is no text. */
  readonly acr: string | null
  /**
   * When the subject signed in: the `auth_time` claim, a new Date each time. `null` where there is none, or one that is no
   * time. It may lie in the future: `requireAuthentication()` refuses that.
   */
  readonly authTime: Date | null
  /** All verified claims, in their wire spelling. */
  readonly claims: Readonly<JWTPayload>
}

export function createApiKeyAuth(
  values: Omit<ApiKeyAuth, 'kind' | 'expiresAt'>,
  expiresAtMs: number | null,
): ApiKeyAuth {
  const { subject, scopes, tenant, keyId, name } = values
  // Most keys have no end: theirs are without the getter, and without the room that a property takes beside a literal.
  if (expiresAtMs === null) {
    return Object.freeze({ kind: 'api_key', subject, scopes, tenant, keyId, name, expiresAt: null })
  }
  const auth = { kind: 'api_key', subject, scopes, tenant, keyId, name }
  Object.defineProperty(auth, EXPIRES_AT_MS, { value: expiresAtMs })
  return Object.freeze(Object.defineProperty(auth, 'expiresAt', expiresAtOfKey)) as ApiKeyAuth
}

type FromClaims = 'expiresAt' | 'actor' | 'acr' | 'authTime'

/** @param values claims that have been checked, frozen; what else they say of the token is read from them */
export function createAccessTokenAuth(values: Omit<AccessTokenAuth, 'kind' | FromClaims>): AccessTokenAuth {
  const { subject, scopes, tenant, issuer, clientId, tokenId, sessionId, claims } = values
  const kind = 'access_token'
  const actor = actorOf(own(claims, 'act'))
  const acr = acrOf(claims)
  // A getter costs more than all the rest, and most tokens do not say when somebody signed in. Two literals, since a member
  // that becomes a getter makes a slow dictionary of its object.
  const saysSignIn = authTimeOf(claims) !== null
  const auth = saysSignIn
    ? { kind, subject, scopes, tenant, issuer, clientId, tokenId, sessionId, actor, acr, claims }
    : { kind, subject, scopes, tenant, issuer, clientId, tokenId, sessionId, actor, acr, authTime: null, claims }
  if (saysSignIn) defineGetter.call(auth, 'authTime', getters.authTime)
  defineGetter.call(auth, 'expiresAt', getters.expiresAt)
  return Object.freeze(auth) as unknown as AccessTokenAuth
}

/** Where the getter of a key's `expiresAt` finds it. */
const EXPIRES_AT_MS = Symbol('expiresAtMs')

interface HasEnd {
  readonly [EXPIRES_AT_MS]: number
}

/** First instant, in milliseconds since the epoch, at which a key is no longer accepted; infinite without an end. */
export function endOfKey(auth: ApiKeyAuth): number {
  return (auth as Partial<HasEnd>)[EXPIRES_AT_MS] ?? Number.POSITIVE_INFINITY
}

// Getters, since a frozen Date can still be changed by setTime. Each kind has one getter that all of its values share: with
// a closure for each value, V8 would give each Auth a hidden class of its own, which takes memory and slows down every read.
const expiresAtOfKey = {
  enumerable: true,
  get(this: HasEnd): Date {
    return new Date(this[EXPIRES_AT_MS])
  },
}

type HasClaims = Pick<AccessTokenAuth, 'claims'>

/** Of tokens. One of each for the process: the Auths of a second build would be slow dictionaries with getters of its own. */
const getters = ofProcess('getters', () => ({
  expiresAt(this: HasClaims): Date {
    return new Date((this.claims.exp as number) * 1000)
  },
  authTime(this: HasClaims): Date | null {
    return authTimeOf(this.claims)
  },
}))

/** Makes a getter that is enumerable, as `Object.defineProperty` does in three times the time. */
const defineGetter = (Object.prototype as unknown as { __defineGetter__(name: string, get: () => unknown): void })
  .__defineGetter__

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

/** The names of the subjects of tokens that have several. Not in the Auth, as the realms are not. */
const subjects = ofProcess('subjects', () => new WeakMap<AccessTokenAuth, readonly string[]>())

/**
 * Notes every name under which the subject of a token can be revoked, where that is more than `auth.subject`: the `sub`
 * claim where `subjectClaim` names another, and the claims of `subjectAliases`.
 */
export function noteSubjects(auth: AccessTokenAuth, names: readonly string[]): void {
  const all = new Set([auth.subject, ...names])
  if (all.size > 1) subjects.set(auth, Object.freeze([...all]))
}

/** Every name under which the subject of a token can be revoked; `auth.subject` comes first. */
export function subjectsOf(auth: AccessTokenAuth): readonly string[] {
  return subjects.get(auth) ?? [auth.subject]
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
