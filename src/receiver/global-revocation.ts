import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { parseAuthorization } from '../core/credentials.js'
import { InvalidTokenError, MissingCredentialsError, type Reason } from '../core/errors.js'
import type { RevocationRefusal } from '../core/telemetry.js'
import { answerTo } from '../http/answers.js'
import { timeOf } from '../token/claim-values.js'
import { isJsonObject, type JsonObject, own } from '../token/json-object.js'
import { EMPTY_DONE, errorAnswer } from './answers.js'
import { COMMON_CHECKS, eventTime } from './claims.js'
import { askFor, type Kind, typeTest } from './delivery.js'
import { selectTokens } from './subjects.js'

/**
 * A request to revoke all tokens of a user, as Okta's Universal Logout sends it: the subject in a JSON body, and a signed
 * token as bearer credential. The specification is a draft, and may change.
 *
 * @see {@link https://datatracker.ietf.org/doc/draft-parecki-oauth-global-token-revocation/ Global Token Revocation}
 */
export const globalRevocation: Kind = {
  name: 'global_token_revocation',
  contentType: 'application/json',

  take(body, authorization) {
    const credential = parseAuthorization(authorization)
    if (credential.kind === 'bearer') return { token: credential.token, body }
    return credential.kind === 'malformed' ? 'malformed' : 'missing'
  },

  isType: typeTest('global-token-revocation+jwt'),
  asksForAuthorization: false,
  checks: [...COMMON_CHECKS, { reason: 'claims', holds: ({ claims }) => Object.hasOwn(claims, 'exp') }],

  ask(token, body) {
    const request = parseJson(body)
    if (request === undefined) return 'request'
    // Drafts before the fifth, which are still sent, say `subject`.
    const subject = Object.hasOwn(request, 'sub_id') ? request.sub_id : own(request, 'subject')
    const issuedBefore = eventTime(token, {})
    if (issuedBefore === undefined) return 'claims'
    const asked = askFor('global token revocation', selectTokens(subject, token.sender, issuedBefore, 'account'))
    return typeof asked === 'object' && asked.unselectable ? 'subject_unknown' : asked
  },

  // The credential may be good for several requests: with another subject in the body it asks for something else.
  distinguish: ({ selectors }) => `${createHash('sha256').update(JSON.stringify(selectors)).digest('hex')}:`,
  keepUntil: ({ claims, sender }) => (timeOf(claims, 'exp') + sender.clockToleranceSeconds) * 1000,
  isRepeated: true,
  taken: EMPTY_DONE,

  refuse(reason, realm) {
    if (reason === 'missing') return answerTo(new MissingCredentialsError(realm))
    if (reason === 'subject_unknown') return errorAnswer(404, 'subject_not_found', reason)
    if (isOfToken(reason)) return answerTo(new InvalidTokenError(realm, reason))
    return errorAnswer(400, 'invalid_request', reason)
  },
}

const OF_TOKENS: ReadonlySet<RevocationRefusal> = new Set<RevocationRefusal>([
  'malformed',
  'algorithm',
  'issuer',
  'key',
  'signature',
  'audience',
  'claims',
  'expired',
  'not_active',
])

function isOfToken(reason: RevocationRefusal): reason is RevocationRefusal & Reason {
  return OF_TOKENS.has(reason)
}

function parseJson(body: Buffer | undefined): JsonObject | undefined {
  if (body === undefined || !isUtf8(body)) return undefined
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
