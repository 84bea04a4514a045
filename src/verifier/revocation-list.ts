import type { StoreChanges } from '../api-key/store-changes.js'
import { StoreFailure } from '../api-key/store-queue.js'
import { type AccessTokenAuth, subjectsOf } from '../core/auth.js'
import { answerWithin } from '../core/deadline.js'
import { isWithin } from '../core/duration.js'
import { UnavailableError } from '../core/errors.js'
import { type DependencyNotice, NO_NOTICE } from '../core/outage-notices.js'
import type { KeyStore, TokenChange, TokenNames } from '../store/contract.js'
import { tellIssuerUnknown, tellSessionUnknown } from './missed-revocations.js'
import { createRevocationCopy, indexAnswer } from './revocation-copy.js'
import { indexRevocations, type RevocationIndex } from './revocation-index.js'
import { createTokenQuestions } from './token-questions.js'

/** Tells which access tokens a store revokes. */
export interface RevocationList {
  /**
   * Whether a verified token is revoked. Synchronous while the store tells of its changes and all of them were read. Else the
   * store is asked, and not before the request has arrived.
   *
   * @throws {UnavailableError} (or rejects with it) when there is no answer, unless the token is known to be revoked, or the
   *   store itself fails and confirmed the token within `storeMaxStaleMs`
   */
  has(auth: AccessTokenAuth): boolean | Promise<boolean>
  /** Takes note of a change that the store tells of. */
  hear(change: TokenChange): void
  /** Resolves, for good, once the store was read. */
  ready(): Promise<void>
}

interface Limits {
  readonly timeoutMs: number
  /** How long a token is served after it was last confirmed, while the store is out of reach. */
  readonly storeMaxStaleMs: number
  readonly clock: () => number
}

type TokenStore = Required<Pick<KeyStore, 'tokenRevocations'>> & Pick<KeyStore, 'findTokenRevocations' | 'watch'>

const MAX_WAITING = 1000
/** Time between two readings of a store that does not tell of its changes, for the notices alone. */
const LOOK_MS = 60_000
/** How much longer than a request waits the reading of the whole list may take, where requests do not wait for it. */
const READ_LIMIT_FACTOR = 10

/** @param accepted the issuers whose tokens the service accepts; `undefined` where there may be others */
export function createRevocationList(
  store: TokenStore,
  changes: Pick<StoreChanges, 'currentEpoch'>,
  { timeoutMs, storeMaxStaleMs, clock }: Limits,
  notice: DependencyNotice = NO_NOTICE,
  accepted?: ReadonlySet<string>,
): RevocationList {
  const find = store.findTokenRevocations?.bind(store)
  const askAbout = find && createTokenQuestions(find, timeoutMs, { ...notice, answered() {} })
  // No request waits for a long list where the store can be asked about one token.
  const limitMs = find ? READ_LIMIT_FACTOR * timeoutMs : timeoutMs
  const noteIssuer = (issuer: string) => {
    if (accepted !== undefined && !accepted.has(issuer)) tellIssuerUnknown(issuer)
  }
  const noteRead = (index: RevocationIndex) => {
    for (const issuer of index.issuers()) noteIssuer(issuer)
    for (const issuer of withoutSession) if (index.endsOnlySessionsOf(issuer)) tellSessionUnknown(issuer)
    withoutSession.clear()
  }
  const copy = createRevocationCopy((now) => store.tokenRevocations(now), changes, limitMs, clock, notice, noteRead)
  /** When the store last said of a token that it is not revoked. */
  let confirmedAt = new WeakMap<AccessTokenAuth, number>()
  /** Number of changes. */
  let heard = 0
  let waiting = 0
  /** Issuers of accepted tokens without a session, until the store is read. */
  const withoutSession = new Set<string>()

  let lookedAt = Number.NEGATIVE_INFINITY

  /** A token was accepted that says no session. */
  function noteSessionless({ issuer }: AccessTokenAuth): void {
    if (copy.endsOnlySessionsOf(issuer)) tellSessionUnknown(issuer)
  }

  /**
   * A store that is asked about one token names no sessions of others, and one that does not watch tells of none. Its list is
   * read for them, seldom. What it says decides nothing.
   */
  function lookForSessions({ issuer }: AccessTokenAuth): void {
    if (withoutSession.size < MAX_WAITING) withoutSession.add(issuer)
    if (performance.now() - lookedAt < LOOK_MS) return
    lookedAt = performance.now()
    const look = async () =>
      indexRevocations(await answerWithin(limitMs, 'the key store', store.tokenRevocations(clock())))
    look().then(noteRead, () => {})
  }

  async function ask(auth: AccessTokenAuth, epoch: number | undefined): Promise<boolean> {
    if (askAbout === undefined) return readFor(auth, epoch)
    if (epoch !== undefined) copy.readInBackground()
    const heardBefore = heard
    const answer = await askAbout(namesOf(auth))
    const found = await indexAnswer(answer, notice)
    found.removeEnded(clock())
    const isComplete = copy.checkComplete(changes.currentEpoch())
    if (!isComplete) copy.learn(answer)
    // What was heard in between may be later than the answer. What was heard before may no longer be revoked.
    return found.lists(auth) || ((isComplete || heard !== heardBefore) && copy.lists(auth))
  }

  /** For a store that cannot be asked about one token. One reading serves all requests that have arrived before it. */
  async function readFor(auth: AccessTokenAuth, epoch: number | undefined): Promise<boolean> {
    if (waiting >= MAX_WAITING) throw new Error('too many requests wait for the key store')
    waiting++
    try {
      // While the store tells of its changes, a reading that began earlier will do: they are added to what it reads.
      if (epoch !== undefined && copy.reading !== undefined) {
        await copy.reading
        if (copy.checkComplete(changes.currentEpoch())) return copy.lists(auth)
      }
      return (await copy.read()).lists(auth)
    } finally {
      waiting--
    }
  }

  async function confirm(auth: AccessTokenAuth, epoch: number | undefined): Promise<boolean> {
    const askedAt = clock()
    const confirmations = confirmedAt
    try {
      const revoked = await ask(auth, epoch)
      if (revoked) confirmations.delete(auth)
      else confirmations.set(auth, askedAt)
      if (!revoked && auth.sessionId === null) {
        noteSessionless(auth)
        if (find !== undefined && store.watch === undefined) lookForSessions(auth)
      }
      return revoked
    } catch (error) {
      if (copy.lists(auth)) return true
      // That too many wait, or that an answer cannot be read, is no outage: the store is up, and may have revoked the token.
      if (!(error instanceof StoreFailure)) throw new UnavailableError(error)
      const last = Math.max(copy.completeAt, confirmedAt.get(auth) ?? Number.NEGATIVE_INFINITY)
      if (isWithin(last, clock(), storeMaxStaleMs)) return false
      throw new UnavailableError(error.cause)
    }
  }

  return {
    has(auth) {
      const epoch = changes.currentEpoch()
      if (!copy.checkComplete(epoch)) return confirm(auth, epoch)
      if (copy.lists(auth)) return true
      if (auth.sessionId === null) noteSessionless(auth)
      return false
    },

    hear(change) {
      heard++
      copy.hear(change)
      if (typeof change.added?.issuer === 'string') noteIssuer(change.added.issuer)
      // Whom it concerns is not known when it does not say so.
      if (change.added === undefined && change.removed === undefined) confirmedAt = new WeakMap()
    },

    async ready() {
      if (copy.wasRead) return
      try {
        await copy.read()
      } catch (error) {
        const cause = error instanceof StoreFailure ? error.cause : error
        throw new Error(`key store: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
      }
    },
  }
}

function namesOf(auth: AccessTokenAuth): TokenNames {
  const { issuer, tokenId, subject, clientId, sessionId } = auth
  return { issuer, tokenId, subject, subjects: subjectsOf(auth), clientId, sessionId }
}

/**
 * Whether what a store answered revokes a verified token.
 *
 * @throws {TypeError} rejects with it for an answer that is not a list of revocations
 */
export async function isRevokedBy(answer: unknown, auth: AccessTokenAuth): Promise<boolean> {
  return (await indexRevocations(answer)).lists(auth)
}
