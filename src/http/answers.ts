import { type Auth, isAuth } from '../core/auth.js'
import { type AnyAuthError, isAuthError } from '../core/errors.js'

/** Everything that is written to the client, except that an answer to HEAD has no body. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * The documented answer to a refusal, byte for byte as the adapters write it: for servers of another kind.
 *
 * @throws {TypeError} for anything but an AuthError; of another error nobody knows what a client may be told
 */
export function answerTo(error: AnyAuthError): Answer {
  if (!isAuthError(error)) throw new TypeError('answerTo() takes an AuthError: ask isAuthError(error) first')
  return jsonAnswer(error.status, error, error.headers)
}

/**
 * The documented answer of `/v1/auth/test`, byte for byte as the adapters write it.
 *
 * @throws {TypeError} for anything but an Auth
 */
export function authTestAnswer(auth: Auth): Answer {
  if (!isAuth(auth)) throw new TypeError('authTestAnswer() takes an Auth: what a verifier, or getAuth(), returns')
  const { subject, scopes, expiresAt } = auth
  // Whole seconds, as the page of the Vantage API shows them.
  const expires_at = expiresAt === null ? null : `${expiresAt.toISOString().slice(0, 19)}Z`
  return jsonAnswer(200, { authenticated: true, user_id: subject, scopes, expires_at }, { 'Cache-Control': 'no-store' })
}

/** An answer whose body is this value as JSON. */
export function jsonAnswer(status: number, value: unknown, headers: Readonly<Record<string, string>>): Answer {
  const body = JSON.stringify(value)
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      ...headers,
    },
    body,
  }
}
