import type { RevocationRefusal } from '../core/telemetry.js'
import type { Answer } from '../http/answers.js'

const NO_STORE = { 'Cache-Control': 'no-store' }

/** OpenID Connect Back-Channel Logout 1.0 §2.8. */
export const EMPTY_OK = emptyAnswer(200)
/** RFC 8935 §2.2. */
export const EMPTY_ACCEPTED = emptyAnswer(202)
/** Global Token Revocation: revoked. RFC 9110 §8.6: an answer 204 has no Content-Length. */
export const EMPTY_DONE: Answer = Object.freeze({ status: 204, headers: Object.freeze(NO_STORE), body: '' })

function emptyAnswer(status: number): Answer {
  return Object.freeze({ status, headers: Object.freeze({ 'Content-Length': '0', ...NO_STORE }), body: '' })
}

/** What the sender is told. Fixed sentences: nothing of what it sent is in them. */
const DESCRIPTIONS: Readonly<Record<RevocationRefusal, string>> = {
  method: 'Only POST is taken here',
  size: 'The body is longer than 16384 bytes',
  media_type: 'The Content-Type is none that is taken here',
  request: 'The request is malformed',
  missing: 'There is no bearer token',
  malformed: 'The token is malformed',
  type: 'The token is of another kind',
  algorithm: 'The token is signed with an algorithm that is not accepted',
  issuer: 'The issuer is not one of those that are listened to',
  authorization: 'The Authorization header is not the one of this issuer',
  key: 'The issuer has no such key',
  signature: 'The signature is wrong',
  audience: 'The token is for another audience',
  claims: 'A claim is missing, or is not what it should be',
  expired: 'The token has expired',
  not_active: 'The token is of the future',
  too_old: 'The token is too old',
  event: 'The events of the token cannot be read, or are not those of its kind',
  subject: 'The subject is missing or cannot be read',
  subject_issuer: 'The issuer may not name subjects of that issuer',
  subject_unknown: 'There is no such subject',
}

/** An error as OAuth 2.0 writes it (RFC 6749 §5.2). */
export function errorAnswer(
  status: number,
  error: string,
  reason: RevocationRefusal,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const body = JSON.stringify({ error, error_description: DESCRIPTIONS[reason] })
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      ...NO_STORE,
      ...headers,
    },
    body,
  }
}

/** The codes of RFC 8935 §2.4. */
const SET_ERRORS: Readonly<Partial<Record<RevocationRefusal, string>>> = {
  algorithm: 'invalid_key',
  key: 'invalid_key',
  signature: 'invalid_key',
  issuer: 'invalid_issuer',
  audience: 'invalid_audience',
  authorization: 'authentication_failed',
  subject_issuer: 'access_denied',
}

/** RFC 8935 §2.3. */
export function setErrorAnswer(reason: RevocationRefusal): Answer {
  const body = JSON.stringify({ err: SET_ERRORS[reason] ?? 'invalid_request', description: DESCRIPTIONS[reason] })
  return {
    status: 400,
    headers: {
      'Content-Type': 'application/json',
      'Content-Language': 'en',
      'Content-Length': String(Buffer.byteLength(body)),
      ...NO_STORE,
    },
    body,
  }
}
