import type { RevocationRefusal } from '../core/telemetry.js'
import { isJsonObject, type JsonObject, own } from '../token/json-object.js'
import { EMPTY_ACCEPTED, setErrorAnswer } from './answers.js'
import { COMMON_CHECKS, eventTime, type SignedClaims } from './claims.js'
import { type Asked, askFor, type Kind, typeTest } from './delivery.js'
import { selectTokens } from './subjects.js'

/** How long a repetition is known for one: senders repeat a push that was not answered for hours. */
const KEPT_MS = 86_400_000

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/'

/** What an event ends, and whether it does. */
interface RevokingEvent {
  readonly name: string
  readonly ends: 'session' | 'account'
  /** `undefined`: it cannot be read. By default each does. */
  revokes?(event: JsonObject): boolean | undefined
}

/** The events that revoke. All others, verification and `stream-updated` among them, are taken and revoke nothing. */
const EVENTS: ReadonlyMap<string, RevokingEvent> = new Map<string, RevokingEvent>([
  [`${CAEP}session-revoked`, { name: 'session-revoked', ends: 'session' }],
  [`${CAEP}credential-change`, { name: 'credential-change', ends: 'account', revokes: changesCredential }],
  [`${RISC}account-disabled`, { name: 'account-disabled', ends: 'account' }],
  [`${RISC}account-purged`, { name: 'account-purged', ends: 'account' }],
])

/** CAEP §3.3: a credential that was added takes nothing away from those before. */
function changesCredential(event: JsonObject): boolean | undefined {
  const type = own(event, 'change_type')
  return typeof type === 'string' ? type !== 'create' : undefined
}

/**
 * A security event token that a stream pushes.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8935 RFC 8935}, {@link https://www.rfc-editor.org/rfc/rfc8417 RFC 8417}
 */
export const securityEvent: Kind = {
  name: 'security_event',
  contentType: 'application/secevent+jwt',
  take: (body) => (body.length > 0 ? { token: body.toString('latin1') } : 'request'),
  isType: typeTest('secevent+jwt'),
  asksForAuthorization: true,
  checks: [
    ...COMMON_CHECKS,
    // RFC 8417 §2.2: each event is an object, if an empty one.
    {
      reason: 'event',
      holds: ({ claims }) => {
        const events = own(claims, 'events')
        return isJsonObject(events) && Object.keys(events).length > 0 && Object.values(events).every(isJsonObject)
      },
    },
  ],

  ask(token) {
    const asked: Asked[] = []
    for (const [type, event] of Object.entries(token.claims.events as Record<string, JsonObject>)) {
      const one = askForEvent(token, EVENTS.get(type), event)
      // All or nothing: the sender repeats the whole, or learns that it is wrong.
      if (typeof one === 'string') return one
      if (one !== undefined) asked.push(one)
    }
    return {
      selectors: asked.flatMap(({ selectors }) => selectors),
      reason: asked.map(({ reason }) => reason).join(', '),
      unselectable: asked.some(({ unselectable }) => unselectable),
    }
  },

  keepUntil: ({ nowSeconds }) => nowSeconds * 1000 + KEPT_MS,
  isRepeated: true,
  taken: EMPTY_ACCEPTED,
  refuse: (reason) => setErrorAnswer(reason),
}

/** @returns `undefined` where the event revokes nothing */
function askForEvent(
  token: SignedClaims,
  known: RevokingEvent | undefined,
  event: JsonObject,
): Asked | RevocationRefusal | undefined {
  if (known === undefined) return undefined
  const revokes = known.revokes === undefined ? true : known.revokes(event)
  if (revokes === undefined) return 'event'
  if (!revokes) return undefined
  const issuedBefore = eventTime(token, event)
  if (issuedBefore === undefined) return 'claims'
  return askFor(known.name, select(token, known, event, issuedBefore))
}

/** The Shared Signals Framework names the subject in the token's `sub_id`; its drafts did in each event. */
function select(
  { claims, sender }: SignedClaims,
  { ends }: RevokingEvent,
  event: JsonObject,
  issuedBefore: number,
): ReturnType<typeof selectTokens> {
  const subject = Object.hasOwn(claims, 'sub_id') ? claims.sub_id : own(event, 'subject')
  return selectTokens(subject, sender, issuedBefore, ends)
}
