import { LRUCache } from 'lru-cache'
import type { IssuerResolver, ResolvedEntry } from '../config/issuer-resolver.js'
import { UnavailableError } from '../core/errors.js'
import { NO_NOTICES, type OutageNotices } from '../core/outage-notices.js'
import { createIssuer, type Issuer, type IssuerSettings } from '../token/issuer/issuer.js'
import { isLoopback } from '../token/issuer/local-address.js'
import { ageOf, type Moment, momentOf } from '../token/issuer/moment.js'
import { createIssuerQuestions, NoRoomError } from './issuer-questions.js'
import { createKeptIssuers } from './kept-issuers.js'
import type { ResolverNotices } from './resolver-notices.js'

const REFUSAL_MS = 30_000
const MAX_REFUSALS = 5000
const LONGEST_ISS = 512

/** Issuers that the application tells of at run time. */
export interface ResolvedIssuers {
  /** The issuer, while what the application said of it stands. */
  get(iss: string): Issuer | undefined
  /** The issuer, also where the application has to be asked again before it may serve. */
  known(iss: string): Issuer | undefined
  /**
   * Asks the application, unless its last word still stands. One question about an issuer is under way at a time.
   *
   * @returns `undefined` for an issuer that is not accepted
   * @throws {UnavailableError} (or rejects with it) when that cannot be known now
   */
  resolve(iss: string): Issuer | undefined | Promise<Issuer | undefined>
  /** Whether the application has said otherwise of the issuer since. Then what it decides must be asked for anew. */
  isOver(issuer: Issuer): boolean
  /** A token of the issuer was verified. */
  noteUse(issuer: Issuer): void
  close(): void
}

/** An issuer that is kept, and what it was made of. */
interface Kept {
  readonly entry: ResolvedEntry
  readonly issuer: Issuer
  readonly notices: OutageNotices
  /** When the question began whose answer stands. */
  confirmedAt: Moment
  /** The application has refused it, or told of another in its place. */
  isOver: boolean
}

/**
 * @param notice tells when the application does not answer
 * @param createNotices the notices of one issuer, which end with it
 */
export function createResolvedIssuers(
  resolver: IssuerResolver,
  settings: IssuerSettings,
  notice: ResolverNotices,
  createNotices: () => OutageNotices = () => NO_NOTICES,
): ResolvedIssuers {
  const { clock, timeoutMs } = settings
  const closing = new AbortController()
  // They end together: what one that has to go still has under way comes to its end.
  const shared = { ...settings, closing }
  const questions = createIssuerQuestions(resolver.ask, timeoutMs, closing.signal)
  const kept = createKeptIssuers<Kept>(resolver.maxIssuers, ({ notices }) => notices.close())
  const byIssuer = new WeakMap<Issuer, Kept>()
  const refusals = new LRUCache<string, Moment>({ max: MAX_REFUSALS })
  const underWay = new Map<string, Promise<Issuer | undefined>>()

  function stands({ confirmedAt }: Kept): boolean {
    return ageOf(confirmedAt, clock()) < resolver.ttlMs
  }

  function isRefused(iss: string): boolean {
    const refusedAt = refusals.get(iss)
    return refusedAt !== undefined && ageOf(refusedAt, clock()) < REFUSAL_MS
  }

  function isOver(one: Kept): boolean {
    return one.isOver || isRefused(one.issuer.policy.issuer)
  }

  /** For good. One that only had to make room is not ended: what is verified by it meanwhile holds. */
  function end(iss: string): void {
    const one = kept.get(iss)
    if (one === undefined) return
    one.isOver = true
    kept.delete(iss)
  }

  function failed(iss: string, error: unknown): UnavailableError {
    const isOfApplication = !closing.signal.aborted && !(error instanceof NoRoomError)
    return new UnavailableError(isOfApplication ? notice.failed(iss, error) : error)
  }

  /** @throws {UnavailableError} for an answer that is none */
  function conclude(iss: string, answer: unknown, askedAt: Moment): Issuer | undefined {
    if (closing.signal.aborted) throw new UnavailableError(closing.signal.reason)
    if (answer === undefined) {
      notice.answered(iss)
      end(iss)
      refusals.set(iss, askedAt)
      return undefined
    }
    let entry: ResolvedEntry
    try {
      entry = resolver.read(answer, iss)
    } catch (error) {
      throw failed(iss, error)
    }
    notice.answered(iss)
    refusals.delete(iss)
    return keep(iss, entry, askedAt)
  }

  /** An issuer that is told of as before keeps its keys, and what they verified stays cached. */
  function keep(iss: string, entry: ResolvedEntry, askedAt: Moment): Issuer {
    const before = kept.get(iss)
    if (before?.entry.renew(entry)) {
      before.confirmedAt = askedAt
      return before.issuer
    }
    const isProven = kept.isProven(iss)
    end(iss)
    const notices = createNotices()
    const inner = createIssuer(entry.policy, shared, notices)
    const issuer: Issuer = {
      policy: inner.policy,
      // Its end lifts what was refused because of it.
      get generation() {
        return inner.generation + (one.isOver ? 1 : 0)
      },
      keysFor: inner.keysFor,
      freshness: (key, now) => (useIfItStands() ? inner.freshness(key, now) : undefined),
      freshnessAndRefresh: (key, now) => (useIfItStands() ? inner.freshnessAndRefresh(key, now) : undefined),
      ready: inner.ready,
      close: inner.close,
    }
    /** It is asked for what was verified, and that is a use. */
    function useIfItStands(): boolean {
      const serves = kept.get(iss) === one && stands(one)
      if (serves) kept.noteUse(iss, one)
      return serves
    }
    const one: Kept = { entry, issuer, notices, confirmedAt: askedAt, isOver: false }
    byIssuer.set(issuer, one)
    kept.set(iss, one)
    // Whose tokens were verified before is no stranger.
    if (isProven) kept.noteUse(iss, one)
    return issuer
  }

  async function waitFor(iss: string, answer: Promise<unknown>, askedAt: Moment): Promise<Issuer | undefined> {
    let answered: unknown
    try {
      answered = await answer
    } catch (error) {
      throw failed(iss, error)
    } finally {
      underWay.delete(iss)
    }
    return conclude(iss, answered, askedAt)
  }

  return {
    get(iss) {
      const found = kept.get(iss)
      return found !== undefined && stands(found) ? found.issuer : undefined
    },

    known: (iss) => kept.get(iss)?.issuer,

    resolve(iss) {
      if (closing.signal.aborted) throw new UnavailableError(closing.signal.reason)
      if (isRefused(iss)) return undefined
      const asked = underWay.get(iss)
      if (asked !== undefined) return asked
      const askedAt = momentOf(clock())
      let answer: unknown
      try {
        // Anybody can invent issuers: their questions must not be in the way of those whose tokens were verified.
        answer = questions.ask(iss, kept.isProven(iss))
      } catch (error) {
        throw failed(iss, error)
      }
      if (!(answer instanceof Promise)) return conclude(iss, answer, askedAt)
      const question = waitFor(iss, answer, askedAt)
      underWay.set(iss, question)
      return question
    },

    isOver(issuer) {
      const one = byIssuer.get(issuer)
      return one !== undefined && isOver(one)
    },

    noteUse(issuer) {
      const one = byIssuer.get(issuer)
      if (one === undefined || isOver(one) || !stands(one)) return
      const iss = issuer.policy.issuer
      kept.noteUse(iss, one)
      // It may have had to make room meanwhile.
      if (kept.get(iss) === one) one.notices.reopen()
    },

    close() {
      closing.abort(new Error('the verifier is closed'))
      notice.close()
      kept.clear()
    },
  }
}

/** An http or https URL of the characters of RFC 3986 alone, without user, query and fragment. */
const PLAIN_URL = /^https?:\/\/[\w\-.~:[\]!$&'()*+,;=%]+(\/[\w\-.~:/[\]@!$&'()*+,;=%]*)?$/i

/** Whether the application may be asked of an issuer: an https URL, http on loopback. */
export function isAskable(iss: string): boolean {
  if (iss.length > LONGEST_ISS || !PLAIN_URL.test(iss) || !URL.canParse(iss)) return false
  const url = new URL(iss)
  return url.protocol === 'https:' || isLoopback(url)
}
