import { type Challenge, formatChallenge } from './challenge.js'

/**
 * Which check of a credential failed. For logs and telemetry only: the client is told the same for each of them.
 *
 * The list is closed within a major version.
 */
export type Reason =
  | 'malformed'
  | 'checksum'
  | 'environment'
  | 'unknown'
  | 'algorithm'
  | 'type'
  | 'issuer'
  | 'key'
  | 'signature'
  | 'claims'
  | 'audience'
  | 'expired'
  | 'not_active'
  | 'too_old'
  | 'sender_constrained'
  | 'revoked'

/**
 * Why a request was not let through. For logs and telemetry: what a client may know is in the answer.
 *
 * | reason | status | |
 * |---|---|---|
 * | those of {@link Reason} | 401 | a check of the credential failed |
 * | `kind` | 401 | the route takes the other kind of credential: `requireKind()` |
 * | `authentication` | 401 | the route asks for a different or more recent sign-in: `requireAuthentication()` |
 * | `missing` | 401 | there is no bearer credential |
 * | `repeated` | 400 | there are several Authorization header lines |
 * | `scope` | 403 | the credential lacks a scope |
 * | `rule` | 403 | a rule of the application said no: `authorize()` |
 * | `unavailable` | 503 | it cannot be decided now |
 *
 * The list is closed within a major version.
 */
export type RefusalReason =
  | Reason
  | 'kind'
  | 'authentication'
  | 'missing'
  | 'repeated'
  | 'scope'
  | 'rule'
  | 'unavailable'

/**
 * What may be logged of the credential that an {@link AuthError} is about. Frozen.
 *
 * It is only what the credential claims, and anybody can write that, unless the error's `reason` says that the credential
 * itself was found to be genuine: `expired`, `revoked`, `scope`, `kind`, `authentication`, `rule`.
 */
export interface RefusedCredential {
  /** Whether it was read as an API key, which begins with `vak_`, or as an access token. */
  readonly kind: 'api_key' | 'access_token'
  /** Public id of a well-formed API key. Such a key need not exist. */
  readonly keyId?: string
  /** One of the configured issuers, never text of a token that names another. */
  readonly issuer?: string
}

/** The body of a refusal, as the Vantage API documents it. */
export interface ErrorBody {
  error:
    | 'invalid_token'
    | 'invalid_request'
    | 'insufficient_scope'
    | 'insufficient_user_authentication'
    | 'temporarily_unavailable'
  error_description: string
}

// The registered symbol holds across the ESM and the CommonJS build in one process, where `instanceof` cannot.
const BRAND = Symbol.for('vantage-auth.AuthError')

/**
 * An error without a stack trace: it is an answer to a client, not a defect, and capturing a stack for each refusal would
 * make refusals expensive.
 */
class StacklessError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    const limit = Error.stackTraceLimit
    let isLimited = false
    try {
      // No limit at all, since V8 walks the stack for a limit of 0 as well: half of the price of an error.
      ;(Error as { stackTraceLimit: number | undefined }).stackTraceLimit = undefined
      isLimited = true
    } catch {
      // `Error` is frozen, for example under `node --frozen-intrinsics`. The stack is captured, and thrown away.
    }
    try {
      super(message, options)
    } finally {
      if (isLimited) Error.stackTraceLimit = limit
    }
    this.stack = `${this.name}: ${message}`
  }
}

// Not written into the classes: a class that names itself in its body is called `_InvalidTokenError` in the build.
const MISSING_CODE = 'ERR_VANTAGE_CREDENTIALS_MISSING'
const REQUEST_CODE = 'ERR_VANTAGE_REQUEST_INVALID'
const TOKEN_CODE = 'ERR_VANTAGE_TOKEN_INVALID'
const SCOPE_CODE = 'ERR_VANTAGE_SCOPE_INSUFFICIENT'
const AUTHENTICATION_CODE = 'ERR_VANTAGE_AUTHENTICATION_INSUFFICIENT'
const UNAVAILABLE_CODE = 'ERR_VANTAGE_UNAVAILABLE'
const KEY_STORE_CODE = 'ERR_VANTAGE_KEY_STORE'
const KEY_NOT_FOUND_CODE = 'ERR_VANTAGE_KEY_NOT_FOUND'
const KEY_STATE_CODE = 'ERR_VANTAGE_KEY_STATE'

type KeyStoreCode = typeof KEY_STORE_CODE | 'ERR_VANTAGE_UNCONFIRMED'

/**
 * A request that is not let through. `message` is a fixed sentence that may be shown to anybody; why it was is in `reason`,
 * and what went wrong beneath in `cause`.
 * It carries no stack trace.
 */
export abstract class AuthError extends StacklessError {
  abstract readonly code: string
  /** Why, for logs and telemetry. `DecisionEvent.reason` is the same. Never sent to the client. */
  abstract readonly reason: RefusalReason
  /**
   * What is known of the credential. Before the reasons `expired`, `revoked`, `scope`, `kind`, `authentication` and `rule`
   * it is only what the credential claims. `undefined` where there is none to tell of: for the reasons `missing` and `repeated`, for an
   * empty one, and in an error that the application made without it. Not in `toJSON()`.
   */
  readonly credential: RefusedCredential | undefined
  /** HTTP status. Writable, since frameworks assign to it. */
  status: number
  /** The same status under the name that Fastify and Express look for. */
  statusCode: number
  /** Headers that belong to the answer. */
  headers: Record<string, string>
  /** Whether `message` may be sent to the client: always, see above. */
  expose = true
  readonly #error: ErrorBody['error']

  constructor(
    status: number,
    body: ErrorBody,
    headers: Record<string, string>,
    credential?: RefusedCredential,
    cause?: unknown,
  ) {
    super(body.error_description, cause === undefined ? undefined : { cause })
    this.status = status
    this.statusCode = status
    this.headers = headers
    this.credential = credential && Object.freeze(credential)
    this.#error = body.error
  }

  get [BRAND](): true {
    return true
  }

  /** The documented body of the answer. */
  toJSON(): ErrorBody {
    return { error: this.#error, error_description: this.message }
  }
}

const INVALID_TOKEN: ErrorBody = { error: 'invalid_token', error_description: 'The access token provided is invalid' }
const INVALID_REQUEST: ErrorBody = { error: 'invalid_request', error_description: 'The request is malformed' }
const INSUFFICIENT_SCOPE: ErrorBody = {
  error: 'insufficient_scope',
  error_description: 'The request requires higher privileges than provided',
}
const INSUFFICIENT_AUTHENTICATION: ErrorBody = {
  error: 'insufficient_user_authentication',
  error_description: 'The request requires a different or more recent authentication',
}
const UNAVAILABLE: ErrorBody = {
  error: 'temporarily_unavailable',
  error_description: 'The credentials cannot be verified at the moment',
}

function challengeHeaders(
  realm: string,
  body?: ErrorBody,
  { scope, acrValues, maxAgeSeconds }: Pick<Challenge, 'scope' | 'acrValues' | 'maxAgeSeconds'> = {},
): Record<string, string> {
  const challenge = { realm, error: body?.error, description: body?.error_description, scope, acrValues, maxAgeSeconds }
  return headersWith(formatChallenge(challenge))
}

function headersWith(challenge: string): Record<string, string> {
  return { 'Cache-Control': 'no-store', 'WWW-Authenticate': challenge }
}

/** The challenge of {@link InvalidTokenError}, kept for the latest realm: an attack is many refusals of one verifier. */
const invalidToken = { realm: undefined as string | undefined, challenge: '' }

function invalidTokenChallenge(realm: string): string {
  if (realm !== invalidToken.realm) {
    const { error, error_description: description } = INVALID_TOKEN
    invalidToken.challenge = formatChallenge({ realm, error, description })
    invalidToken.realm = realm
  }
  return invalidToken.challenge
}

/**
 * The request carries no bearer credential. The challenge names no error code.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6750#section-3.1 RFC 6750 §3.1}
 */
export class MissingCredentialsError extends AuthError {
  static readonly code = MISSING_CODE
  readonly code = MISSING_CODE
  readonly reason = 'missing'
  static {
    this.prototype.name = 'MissingCredentialsError'
  }

  constructor(realm: string) {
    super(401, INVALID_TOKEN, challengeHeaders(realm))
  }
}

/** The request carries more than one Authorization header line, so that nobody can say which one counts. */
export class InvalidRequestError extends AuthError {
  static readonly code = REQUEST_CODE
  readonly code = REQUEST_CODE
  readonly reason = 'repeated'
  static {
    this.prototype.name = 'InvalidRequestError'
  }

  constructor(realm: string) {
    super(400, INVALID_REQUEST, challengeHeaders(realm, INVALID_REQUEST))
  }
}

/** The credential was looked at and refused. */
export class InvalidTokenError extends AuthError {
  static readonly code = TOKEN_CODE
  readonly code = TOKEN_CODE
  /** The first check that failed, or `kind`, where the route takes the other kind of credential. */
  readonly reason: Reason | 'kind'
  static {
    this.prototype.name = 'InvalidTokenError'
  }

  constructor(realm: string, reason: Reason | 'kind', credential?: RefusedCredential) {
    super(401, INVALID_TOKEN, headersWith(invalidTokenChallenge(realm)), credential)
    this.reason = reason
  }
}

/** The credential is good and does not grant what the route requires, or a rule of the application says no. */
export class InsufficientScopeError extends AuthError {
  static readonly code = SCOPE_CODE
  readonly code = SCOPE_CODE
  /** `scope`, or `rule` where `authorize()` refused. */
  readonly reason: 'scope' | 'rule'
  /** The scopes that the route names, in its order; none for a rule, which no scope satisfies. */
  readonly required: readonly string[]
  /** The name that the route gave to `authorize()`. */
  readonly rule: string | undefined
  static {
    this.prototype.name = 'InsufficientScopeError'
  }

  constructor(realm: string, required: readonly string[], credential?: RefusedCredential, rule?: string) {
    // RFC 6750 §3: `scope` has one scope at least. Without it a client does not ask for another token.
    const scope = required.length > 0 ? required : undefined
    super(403, INSUFFICIENT_SCOPE, challengeHeaders(realm, INSUFFICIENT_SCOPE, { scope }), credential)
    this.reason = rule === undefined ? 'scope' : 'rule'
    // A copy: what an observer does to its list changes no other.
    this.required = Object.freeze([...required])
    this.rule = rule
  }
}

/**
 * The credential is good, and the route asks for a sign-in of another kind, or for one that is not as long ago:
 * `requireAuthentication()`. The client has its user sign in again, as the challenge says, and comes with the new token.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9470#section-3 RFC 9470 §3}
 */
export class InsufficientAuthenticationError extends AuthError {
  static readonly code = AUTHENTICATION_CODE
  readonly code = AUTHENTICATION_CODE
  readonly reason = 'authentication'
  /** The authentication contexts of which the route requires one, in its order; none where any will do. */
  readonly acrValues: readonly string[]
  /** How many seconds ago the subject may have signed in, at most; `undefined` where any time will do. */
  readonly maxAgeSeconds: number | undefined
  static {
    this.prototype.name = 'InsufficientAuthenticationError'
  }

  /**
   * @param required one of the two at least; a value of `acrValues` is printable ASCII without space, `"` and `\`
   * @param cause what the credential lacks, without its text
   */
  constructor(
    realm: string,
    required: { readonly acrValues?: readonly string[] | undefined; readonly maxAgeSeconds?: number | undefined },
    credential?: RefusedCredential,
    cause?: unknown,
  ) {
    const { acrValues = [], maxAgeSeconds } = required
    const wanted = { acrValues: acrValues.length > 0 ? acrValues : undefined, maxAgeSeconds }
    super(
      401,
      INSUFFICIENT_AUTHENTICATION,
      challengeHeaders(realm, INSUFFICIENT_AUTHENTICATION, wanted),
      credential,
      cause,
    )
    this.acrValues = Object.freeze([...acrValues])
    this.maxAgeSeconds = maxAgeSeconds
  }
}

/** It cannot be decided now whether the credential is good: a key set or the key store is out of reach. */
export class UnavailableError extends AuthError {
  static readonly code = UNAVAILABLE_CODE
  readonly code = UNAVAILABLE_CODE
  readonly reason = 'unavailable'
  static {
    this.prototype.name = 'UnavailableError'
  }

  /** @param retryAfterMs time until the next attempt is permitted; answered in whole seconds from 1 to 30 */
  constructor(cause: unknown, retryAfterMs = 0, credential?: RefusedCredential) {
    const seconds = retryAfterMs > 0 ? Math.min(30, Math.ceil(retryAfterMs / 1000)) : 1
    super(503, UNAVAILABLE, { 'Cache-Control': 'no-store', 'Retry-After': String(seconds) }, credential, cause)
  }
}

/**
 * Adds what is known of the credential to an error that was made where that was not known.
 *
 * @internal
 */
export function addCredential(error: AuthError, credential: RefusedCredential | undefined): void {
  if (error.credential === undefined) Object.assign(error, { credential })
}

/** Every error that a decision can end in; a `switch` on `code` is exhaustive. */
export type AnyAuthError =
  | MissingCredentialsError
  | InvalidRequestError
  | InvalidTokenError
  | InsufficientScopeError
  | InsufficientAuthenticationError
  | UnavailableError

/** Whether a value is an {@link AuthError}, also one of the other module format's build in the same process. */
export function isAuthError(value: unknown): value is AnyAuthError {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true
}

/** A key store cannot be used as it is: absent, of another version, not a database. The message names the cure. */
export class KeyStoreError extends Error {
  static readonly code: KeyStoreCode = KEY_STORE_CODE
  /** `ERR_VANTAGE_UNCONFIRMED` is that of an `UnconfirmedError`. */
  readonly code: KeyStoreCode = KEY_STORE_CODE
  static {
    this.prototype.name = 'KeyStoreError'
  }
}

/** No key of this id is in the store. */
export class KeyNotFoundError extends Error {
  static readonly code = KEY_NOT_FOUND_CODE
  readonly code = KEY_NOT_FOUND_CODE
  static {
    this.prototype.name = 'KeyNotFoundError'
  }
}

/** The key is not in a state that permits the operation, for example the rotation of a revoked key. */
export class KeyStateError extends Error {
  static readonly code = KEY_STATE_CODE
  readonly code = KEY_STATE_CODE
  static {
    this.prototype.name = 'KeyStateError'
  }
}
