import { isText } from '../core/own.js'
import type { RevocationRefusal } from '../core/telemetry.js'
import type { TokenSelector } from '../keyring/token-selector.js'
import { timeOf } from '../token/claim-values.js'
import { isJsonObject, type JsonObject, own } from '../token/json-object.js'
import { EMPTY_OK, errorAnswer } from './answers.js'
import { COMMON_CHECKS, eventTime, LOGOUT_LIFE_SECONDS } from './claims.js'
import { askFor, type Kind, typeTest } from './delivery.js'
import { checked, selectEach } from './subjects.js'

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

const isLogoutType = typeTest('logout+jwt')
const isGenericType = typeTest('jwt')

/**
 * A logout token: a form post, by which an OpenID provider says that a session, or all of a user, has ended.
 *
 * @see {@link https://openid.net/specs/openid-connect-backchannel-1_0.html OpenID Connect Back-Channel Logout 1.0}
 */
export const logoutToken: Kind = {
  name: 'logout_token',
  contentType: 'application/x-www-form-urlencoded',

  take(body, authorization) {
    // A bearer credential beside the form would be a second token, and nobody could say which one counts.
    if (authorization !== undefined && /^bearer(?: |$)/i.test(authorization)) return 'request'
    const tokens = new URLSearchParams(body.toString('latin1')).getAll('logout_token')
    const [token] = tokens
    return tokens.length === 1 && token ? { token } : 'request'
  },

  // Providers from before the final text write JWT or nothing. The event, which a check below requires, tells it then.
  isType: (typ) => typ === undefined || isLogoutType(typ) || isGenericType(typ),
  asksForAuthorization: false,

  checks: [
    ...COMMON_CHECKS,
    {
      reason: 'too_old',
      holds: ({ claims, sender, nowSeconds }) =>
        Object.hasOwn(claims, 'exp') ||
        nowSeconds <= timeOf(claims, 'iat') + LOGOUT_LIFE_SECONDS + sender.clockToleranceSeconds,
    },
    { reason: 'event', holds: ({ claims }) => logoutEventOf(claims) !== undefined },
    {
      reason: 'subject',
      holds: ({ claims }) =>
        ['sub', 'sid'].every((name) => !Object.hasOwn(claims, name) || isText(claims[name])) &&
        (Object.hasOwn(claims, 'sub') || Object.hasOwn(claims, 'sid')),
    },
  ],

  ask(token) {
    const { claims, sender } = token
    const issuedBefore = eventTime(token, logoutEventOf(claims) ?? {})
    if (issuedBefore === undefined) return 'claims'
    const [subject, sessionId] = [own(claims, 'sub'), own(claims, 'sid')]
    const selectors: TokenSelector[] = []
    if (isText(sessionId)) selectors.push(...selectEach(sender, sender, { sessionId, issuedBefore }))
    if (isText(subject)) {
      const ofSubject = { subject, issuedBefore }
      // Tokens of the user's other sessions go on; of those that tell none, nobody can say whose they are.
      const names = isText(sessionId) ? { ...ofSubject, withoutSession: true as const } : ofSubject
      selectors.push(...selectEach(sender, sender, names))
    }
    return askFor('back-channel logout', checked(selectors))
  },

  keepUntil({ claims, sender }) {
    const end = Object.hasOwn(claims, 'exp') ? timeOf(claims, 'exp') : timeOf(claims, 'iat') + LOGOUT_LIFE_SECONDS
    return (end + sender.clockToleranceSeconds) * 1000
  },

  isRepeated: false,
  taken: EMPTY_OK,
  refuse: (reason: RevocationRefusal) => errorAnswer(400, 'invalid_request', reason),
}

function logoutEventOf(claims: JsonObject): JsonObject | undefined {
  const events = own(claims, 'events')
  const event = isJsonObject(events) ? own(events, LOGOUT_EVENT) : undefined
  return isJsonObject(event) ? event : undefined
}
