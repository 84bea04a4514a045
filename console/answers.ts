import type { ConsoleAnswer } from './exchange.js'

/** The errors of the API, and the status of each. */
const STATUS = {
  unauthenticated: 401,
  forbidden: 403,
  method_not_allowed: 405,
  unsupported_media_type: 415,
  too_large: 413,
  not_found: 404,
  invalid_request: 400,
  invalid_state: 409,
  temporarily_unavailable: 503,
  server_error: 500,
} as const

export type ErrorName = keyof typeof STATUS

/** @param description a fixed sentence, or one that names a member and its cure; never text of the request */
export function refuse(
  error: ErrorName,
  description: string,
  headers: Readonly<Record<string, string>> = {},
): ConsoleAnswer {
  return json(STATUS[error], { error, error_description: description }, headers)
}

/** One answer for what does not exist and for what is another's: nobody can tell them apart. */
export function notFound(): ConsoleAnswer {
  return refuse('not_found', 'There is nothing here that you may see')
}

export function unavailable(): ConsoleAnswer {
  return refuse('temporarily_unavailable', 'The key store cannot be reached at the moment', { 'Retry-After': '1' })
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): ConsoleAnswer {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(value),
  }
}

export function redirect(status: 303 | 308, location: string): ConsoleAnswer {
  return { status, headers: { Location: location }, body: '' }
}

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

/** Adds what every answer has. Only an answer that says itself how long it may be kept is kept at all. */
export function secured({ status, headers, body }: ConsoleAnswer): ConsoleAnswer {
  const length = body instanceof ReadableStream ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  return { status, headers: { 'Cache-Control': 'no-store', ...headers, ...length, ...SECURITY_HEADERS }, body }
}
