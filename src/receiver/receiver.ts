import { answerWithin, settledBy } from '../core/deadline.js'
import { UnavailableError } from '../core/errors.js'
import { publishRevocation, type RevocationEvent, type RevocationRefusal } from '../core/telemetry.js'
import { type Answer, answerTo } from '../http/answers.js'
import { mediaTypeOf } from '../http/media-type.js'
import { own } from '../token/json-object.js'
import { parseSignedToken, type UnverifiedToken, verifySignedToken } from '../token/signed-token.js'
import { errorAnswer } from './answers.js'
import { isAuthorized } from './authorization.js'
import type { SignedClaims } from './claims.js'
import type { ReceivedRequest, Receiver, RevocationReceiverOptions } from './contract.js'
import type { Asked, Kind, Taken } from './delivery.js'
import { globalRevocation } from './global-revocation.js'
import { logoutToken } from './logout-token.js'
import { createLossNotices, warnUnselectable } from './notices.js'
import { resolveReceiverOptions, type Sender } from './options.js'
import { warnRefused } from './refusal-warnings.js'
import { securityEvent } from './security-event.js'

export type { ReceivedRequest, Receiver, RevocationReceiverOptions, RevocationSender } from './contract.js'

const KINDS: ReadonlyMap<string, Kind> = new Map(
  [logoutToken, securityEvent, globalRevocation].map((kind) => [kind.contentType, kind]),
)

/** Longest that an event is remembered, whatever its `exp` says. */
const LONGEST_KEPT_MS = 365 * 86_400_000

/** What is known of a request so far, and how it ended. */
type Course = Omit<RevocationEvent, 'durationMs' | 'kind' | 'issuer'> & {
  readonly kind: Kind | undefined
  readonly sender: Sender | undefined
  /** Whether its sender is known to have signed it, where it could not be taken. */
  readonly isSigned?: boolean
}

/**
 * Creates a receiver. Nothing is fetched or written before the first request.
 *
 * @throws {TypeError} for a wrong option, naming it and the cure
 */
export function createReceiver(options: RevocationReceiverOptions): Receiver {
  const { keyring, senders, notices, outageNotices, realm, timeoutMs, clock } = resolveReceiverOptions(options)
  const losses = createLossNotices(outageNotices)
  const storeNotice = notices.about('key store of the revocation receiver', keyring)
  const underWay = new Set<Promise<Answer>>()
  let closing: Promise<void> | undefined

  async function receive(request: ReceivedRequest): Promise<Course> {
    let kind: Kind | undefined
    let sender: Sender | undefined
    let isSigned = false
    const refused = (reason: RevocationRefusal): Course => {
      if (isSigned && sender !== undefined) warnRefused(sender, reason)
      return { ...NOTHING_WRITTEN, outcome: 'refused', reason, kind, sender }
    }
    try {
      if (closing !== undefined) throw new Error('the receiver is closed')
      if (request.method !== 'POST') return refused('method')
      kind = KINDS.get(mediaTypeOf(request.headers.contentType))
      if (request.body === 'too large') return refused('size')
      if (kind === undefined) return refused(request.query ? 'request' : 'media_type')
      const taken = take(kind, request, request.body)
      if (typeof taken === 'string') return refused(taken)
      const token = parseSignedToken(taken.token, kind.isType)
      if (typeof token === 'string') return refused(token)

      // Nothing but iss is read before the signature: it says whose keys to verify with.
      const iss = own(token.claims, 'iss')
      sender = typeof iss === 'string' ? senders.get(iss) : undefined
      if (sender === undefined) return refused('issuer')
      // Before keys are fetched: who lacks it causes nothing. It tells nobody more than that the issuer is configured.
      if (!isFromStream(kind, sender, request)) return refused('authorization')
      const failure = await verify(token, sender)
      if (failure !== undefined) return refused(failure)

      isSigned = true
      const signed: SignedClaims = { claims: token.claims, sender, nowSeconds: clock() / 1000 }
      const failed = kind.checks.find((check) => !check.holds(signed))
      if (failed !== undefined) return refused(failed.reason)
      const asked = kind.ask(signed, taken.body)
      if (typeof asked === 'string') return refused(asked)
      if (asked.unselectable) warnUnselectable(sender.issuer)
      if (asked.selectors.length === 0) {
        const reason = asked.unselectable ? 'unselectable' : 'event'
        return { ...NOTHING_WRITTEN, outcome: 'nothing', reason, kind, sender }
      }
      const reason = asked.unselectable ? 'unselectable' : undefined
      return { ...NOTHING_WRITTEN, reason, ...(await write(kind, signed, asked)), kind, sender }
    } catch (error) {
      return { ...NOTHING_WRITTEN, outcome: 'unavailable', error, kind, sender, isSigned }
    }
  }

  /** What is signed with a key that is there waits for nothing, however many wait for others. */
  function verify(token: UnverifiedToken, { keys, waiting }: Sender): ReturnType<typeof verifySignedToken> {
    return verifySignedToken(token, {
      policy: keys.policy,
      keysFor: (alg, kid) => waiting.within(() => keys.keysFor(alg, kid)),
    })
  }

  /** The event's id and what it revokes, in one transaction. */
  async function write(
    kind: Kind,
    signed: SignedClaims,
    asked: Asked,
  ): Promise<Pick<Course, 'outcome' | 'revocations'>> {
    const { claims, sender, nowSeconds } = signed
    const keepUntil = Math.min(kind.keepUntil(signed), nowSeconds * 1000 + LONGEST_KEPT_MS)
    // Kinds count their ids apart: one of theirs must not stand for one of another's.
    const event = {
      issuer: sender.issuer,
      id: `${kind.name}:${kind.distinguish?.(asked) ?? ''}${claims.jti}`,
      keepUntil: Math.floor(keepUntil),
    }
    try {
      const { repeated, revocations } = await sender.writing.within(() => {
        const options = { reason: asked.reason, actor: actorOf(sender), tokenLife: sender.tokenLife, timeoutMs }
        const written = keyring.revokeTokensOnce(event, asked.selectors, options)
        return answerWithin(timeoutMs, 'the key store', written)
      })
      storeNotice.answered()
      return { outcome: repeated ? 'repeated' : 'revoked', revocations: revocations.length }
    } catch (error) {
      storeNotice.failed(error)
      throw error
    }
  }

  async function handle(request: ReceivedRequest): Promise<Answer> {
    const begunAt = performance.now()
    const { kind, sender, isSigned = false, ...course } = await receive(request)
    publishRevocation({
      ...course,
      kind: kind?.name,
      issuer: sender?.issuer,
      durationMs: performance.now() - begunAt,
    })
    if (course.outcome === 'unavailable') {
      if (kind?.isRepeated === false && sender !== undefined && closing === undefined) losses.lost(sender, isSigned)
      return answerTo(course.error instanceof UnavailableError ? course.error : new UnavailableError(course.error))
    }
    return course.outcome === 'refused' ? refuse(course.reason as RevocationRefusal, kind, realm) : (kind as Kind).taken
  }

  async function shutDown(): Promise<void> {
    notices.close()
    losses.close()
    await settledBy(performance.now() + timeoutMs, ...underWay)
    for (const { keys } of senders.values()) keys.close()
  }

  return {
    handle(request) {
      const answer = handle(request)
      underWay.add(answer)
      return answer.finally(() => underWay.delete(answer))
    },
    close() {
      closing ??= shutDown()
      return closing
    },
  }
}

const NOTHING_WRITTEN = { reason: undefined, error: undefined, revocations: 0 }

/** The one token of a request. One that is in the query, or there twice, is nobody's to choose from. */
function take(kind: Kind, { query, headers }: ReceivedRequest, body: Buffer): Taken | RevocationRefusal {
  const lines = headers.authorization
  const [line, ...others] = typeof lines === 'string' ? [lines] : (lines ?? [])
  return query || others.length > 0 ? 'request' : kind.take(body, line)
}

function isFromStream(kind: Kind, { authorization }: Sender, { headers }: ReceivedRequest): boolean {
  if (authorization === undefined || !kind.asksForAuthorization) return true
  const [line] = [headers.authorization ?? []].flat()
  return isAuthorized(line, authorization)
}

const LONGEST_ACTOR = 256

function actorOf({ issuer }: Sender): string {
  const actor = `receiver:${issuer}`
  return actor.length <= LONGEST_ACTOR ? actor : 'receiver'
}

function refuse(reason: RevocationRefusal, kind: Kind | undefined, realm: string): Answer {
  if (reason === 'method') return errorAnswer(405, 'invalid_request', reason, { Allow: 'POST' })
  if (reason === 'size') return errorAnswer(413, 'invalid_request', reason)
  if (kind === undefined && reason === 'request') return errorAnswer(400, 'invalid_request', reason)
  if (kind === undefined) {
    return errorAnswer(415, 'invalid_request', 'media_type', { Accept: [...KINDS.keys()].join(', ') })
  }
  return kind.refuse(reason, realm)
}
