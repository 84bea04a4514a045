import { formatChallenge } from './challenge.js'

/**
 * Why a credential was refused. For logs and telemetry only: the client is told the same for each of them.
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

/** The body of a refusal, as the Vantage API documents it. */
export interface ErrorBody {
  error: 'invalid_token' | 'invalid_request' | 'insufficient_scope' | 'temporarily_unavailable'
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
    // Not an assignment, which throws where `Error` is frozen, for example under `node --frozen-intrinsics`.
    const isLimited = Reflect.set(Error, 'stackTraceLimit', 0)
    try {
      super(message, options)
    } finally {
      if (isLimited) Error.stackTraceLimit = limit
    }
    if (!isLimited) this.stack = `${this.name}: ${message}`
  }
}

/**
 * A request that is not let through. `message` is a fixed sentence that may be shown to anybody; what happened is in
 * `cause`, and, for a refused credential, in `reason`.
 * It carries no stack trace.
 */
export abstract class AuthError extends StacklessError {
  abstract readonly code: string
  /** HTTP status. Writable, since frameworks assign to it. */
  status: number
  /** The same status under the name that Fastify and Express look for. */
  statusCode: number
  /** Headers that belong to the answer. */
  headers: Record<string, string>
  /** Whether `message` may be sent to the client: always, see above. */
  expose = true
  readonly #error: ErrorBody['error']

  constructor(status: number, body: ErrorBody, headers: Record<string, string>, cause?: unknown) {
    super(body.error_description, cause === undefined ? undefined : { cause })
    this.status = status
    this.statusCode = status
    this.headers = headers
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
const UNAVAILABLE: ErrorBody = {
  error: 'temporarily_unavailable',
  error_description: 'The credentials cannot be verified at the moment',
}

function challengeHeaders(realm: string, body?: ErrorBody, scope?: readonly string[]): Record<string, string> {
  return {
    'Cache-Control': 'no-store',
    'WWW-Authenticate': formatChallenge({
      realm,
      ...(body && { error: body.error, description: body.error_description }),
      ...(scope && { scope }),
    }),
  }
}

/**
 * The request carries no bearer credential. The challenge names no error code.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6750#section-3.1 RFC 6750 §3.1}
 */
export class MissingCredentialsError extends AuthError {
  static readonly code = 'ERR_VANTAGE_CREDENTIALS_MISSING'
  readonly code = MissingCredentialsError.code
  static {
    this.prototype.name = 'MissingCredentialsError'
  }

  constructor(realm: string) {
    super(401, INVALID_TOKEN, challengeHeaders(realm))
  }
}

/** The request carries more than one Authorization header line, so that nobody can say which one counts. */
export class InvalidRequestError extends AuthError {
  static readonly code = 'ERR_VANTAGE_REQUEST_INVALID'
  readonly code = InvalidRequestError.code
  static {
    this.prototype.name = 'InvalidRequestError'
  }

  constructor(realm: string) {
    super(400, INVALID_REQUEST, challengeHeaders(realm, INVALID_REQUEST))
  }
}

/** The credential was looked at and refused. */
export class InvalidTokenError extends AuthError {
  static readonly code = 'ERR_VANTAGE_TOKEN_INVALID'
  readonly code = InvalidTokenError.code
  /** The first check that failed. Never sent to the client. */
  readonly reason: Reason
  static {
    this.prototype.name = 'InvalidTokenError'
  }

  constructor(realm: string, reason: Reason) {
    super(401, INVALID_TOKEN, challengeHeaders(realm, INVALID_TOKEN))
    this.reason = reason
  }
}

/** The credential is good and does not grant what the route requires. */
export class InsufficientScopeError extends AuthError {
  static readonly code = 'ERR_VANTAGE_SCOPE_INSUFFICIENT'
  readonly code = InsufficientScopeError.code
  /** The scopes that the route names, in its order. */
  readonly required: readonly string[]
  static {
    this.prototype.name = 'InsufficientScopeError'
  }

  constructor(realm: string, required: readonly string[]) {
    super(403, INSUFFICIENT_SCOPE, challengeHeaders(realm, INSUFFICIENT_SCOPE, required))
    // A copy: what an observer does to its list changes no other.
    this.required = Object.freeze([...required])
  }
}

/** It cannot be decided now whether the credential is good: a key set or the key store is out of reach. */
export class UnavailableError extends AuthError {
  static readonly code = 'ERR_VANTAGE_UNAVAILABLE'
  readonly code = UnavailableError.code
  static {
    this.prototype.name = 'UnavailableError'
  }

  /** @param retryAfterMs time until the next attempt is permitted; answered in whole seconds from 1 to 30 */
  constructor(cause: unknown, retryAfterMs = 0) {
    const seconds = retryAfterMs > 0 ? Math.min(30, Math.ceil(retryAfterMs / 1000)) : 1
    super(503, UNAVAILABLE, { 'Cache-Control': 'no-store', 'Retry-After': String(seconds) }, cause)
  }
}

/** Every error that a decision can end in; a `switch` on `code` is exhaustive. */
export type AnyAuthError =
  | MissingCredentialsError
  | InvalidRequestError
  | InvalidTokenError
  | InsufficientScopeError
  | UnavailableError

/** Whether a value is an {@link AuthError}, also one of the other module format's build in the same process. */
export function isAuthError(value: unknown): value is AnyAuthError {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true
}

/** A key store cannot be used as it is: absent, of another version, not a database. The message names the cure. */
export class KeyStoreError extends Error {
  static readonly code = 'ERR_VANTAGE_KEY_STORE'
  readonly code = KeyStoreError.code
  static {
    this.prototype.name = 'KeyStoreError'
  }
}

/** No key of this id is in the store. */
export class KeyNotFoundError extends Error {
  static readonly code = 'ERR_VANTAGE_KEY_NOT_FOUND'
  readonly code = KeyNotFoundError.code
  static {
    this.prototype.name = 'KeyNotFoundError'
  }
}

/** The key is not in a state that permits the operation, for example the rotation of a revoked key. */
export class KeyStateError extends Error {
  static readonly code = 'ERR_VANTAGE_KEY_STATE'
  readonly code = KeyStateError.code
  static {
    this.prototype.name = 'KeyStateError'
  }
}
