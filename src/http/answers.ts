import type { Auth } from '../core/auth.js'
import type { AnyAuthError } from '../core/errors.js'

/** Everything that is written to the client. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The documented answer to a refusal. */
export function answerTo(error: AnyAuthError): Answer {
  return jsonAnswer(error.status, error, error.headers)
}

/** The documented answer of `/v1/auth/test`. */
export function authTestAnswer({ subject, scopes, expiresAt }: Auth): Answer {
  // Whole seconds, as the page of the Vantage API shows them.
  const expires_at = expiresAt === null ? null : `${expiresAt.toISOString().slice(0, 19)}Z`
  return jsonAnswer(200, { authenticated: true, user_id: subject, scopes, expires_at }, { 'Cache-Control': 'no-store' })
}

function jsonAnswer(status: number, value: unknown, headers: Readonly<Record<string, string>>): Answer {
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
