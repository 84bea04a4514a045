import { setMaxListeners } from 'node:events'
import { LRUCache } from 'lru-cache'
import type { IssuerResolver, ResolvedEntry } from '../config/issuer-resolver.js'
import { UnavailableError } from '../core/errors.js'
import { type DependencyNotice, NO_NOTICES, type OutageNotices } from '../core/outage-notices.js'
import { createIssuer, type Issuer, type IssuerSettings } from '../token/issuer/issuer.js'
import { isLoopback } from '../token/issuer/local-address.js'
import { ageOf, type Moment, momentOf } from '../token/issuer/moment.js'
import { deadlineAfter } from '../token/issuer/timers.js'

const MAX_QUESTIONS = 100
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
  close(): void
}

/** An issuer that is kept, and what it was made of. */
interface Kept {
  readonly entry: ResolvedEntry
  readonly issuer: Issuer
  /** When the question began whose answer stands. */
  confirmedAt: Moment
  readonly end: () => void
}

/**
 * @param notice tells when the application does not answer
 * @param createNotices the notices of one issuer, which end with it
 */
export function createResolvedIssuers(
  resolver: IssuerResolver,
  settings: IssuerSettings,
  notice: DependencyNotice,
  createNotices: () => OutageNotices = () => NO_NOTICES,
): ResolvedIssuers {
  const { clock, timeoutMs } = settings
  const closing = new AbortController()
  // Each question listens to it; Node warns of more than ten.
  setMaxListeners(MAX_QUESTIONS, closing.signal)
  const kept = new LRUCache<string, Kept>({ max: resolver.maxIssuers, dispose: ({ end }) => end() })
  const refusals = new LRUCache<string, Moment>({ max: MAX_REFUSALS })
  const questions = new Map<string, Promise<Issuer | undefined>>()

  function stands({ confirmedAt }: Kept): boolean {
    return ageOf(confirmedAt, clock()) < resolver.ttlMs
  }

  function failed(error: unknown): UnavailableError {
    if (!closing.signal.aborted) notice.failed(error)
    return new UnavailableError(error)
  }

  /** @throws {UnavailableError} for an answer that is none */
  function conclude(iss: string, answer: unknown, askedAt: Moment): Issuer | undefined {
    if (closing.signal.aborted) throw new UnavailableError(closing.signal.reason)
    if (answer === undefined) {
      notice.answered()
      kept.delete(iss)
      refusals.set(iss, askedAt)
      return undefined
    }
    let entry: ResolvedEntry
    try {
      entry = resolver.read(answer, iss)
    } catch (error) {
      throw failed(error)
    }
    notice.answered()
    refusals.delete(iss)
    return keep(iss, entry, askedAt)
  }

  /** An issuer that is told of as before keeps its keys, and what they verified stays cached. */
  function keep(iss: string, entry: ResolvedEntry, askedAt: Moment): Issuer {
    const before = kept.get(iss)
    if (before?.entry.isSameAs(entry)) {
      before.confirmedAt = askedAt
      return before.issuer
    }
    const notices = createNotices()
    const inner = createIssuer(entry.policy, settings, notices)
    let ended = false
    const one: Kept = {
      entry,
      confirmedAt: askedAt,
      // A hit of the token cache counts as a use: it moves the issuer to those that were used last.
      issuer: limitIssuer(
        inner,
        () => !ended && kept.get(iss) === one && stands(one),
        () => ended,
      ),
      end() {
        ended = true
        notices.close()
        inner.close()
      },
    }
    kept.set(iss, one)
    return one.issuer
  }

  async function waitFor(iss: string, answer: PromiseLike<unknown>, askedAt: Moment): Promise<Issuer | undefined> {
    const { signal, clear } = deadlineAfter(timeoutMs, closing.signal)
    let answered: unknown
    try {
      answered = await new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        answer.then(resolve, reject)
      })
    } catch (error) {
      throw failed(error)
    } finally {
      clear()
      questions.delete(iss)
    }
    return conclude(iss, answered, askedAt)
  }

  return {
    get(iss) {
      const found = kept.get(iss)
      return found !== undefined && stands(found) ? found.issuer : undefined
    },

    known: (iss) => kept.peek(iss)?.issuer,

    resolve(iss) {
      if (closing.signal.aborted) throw new UnavailableError(closing.signal.reason)
      const refusedAt = refusals.get(iss)
      if (refusedAt !== undefined && ageOf(refusedAt, clock()) < REFUSAL_MS) return undefined
      const underWay = questions.get(iss)
      if (underWay !== undefined) return underWay
      // The service is busy with others' tokens: that is no outage of the application.
      if (questions.size >= MAX_QUESTIONS) throw new UnavailableError(new Error('resolveIssuer: too many questions'))
      const askedAt = momentOf(clock())
      let answer: unknown
      let isPending: boolean
      try {
        answer = resolver.ask(iss)
        isPending = isThenable(answer)
      } catch (error) {
        throw failed(error)
      }
      if (!isPending) return conclude(iss, answer, askedAt)
      const question = waitFor(iss, answer as PromiseLike<unknown>, askedAt)
      questions.set(iss, question)
      return question
    },

    close() {
      closing.abort(new Error('the verifier is closed'))
      kept.clear()
    },
  }
}

/**
 * Whether the application may be asked of an issuer: an https URL (http on loopback) in the spelling that URL parsers give
 * it, but for the letter case of its host. Other spellings could look to the application like an issuer that it knows.
 */
export function isAskable(iss: string): boolean {
  if (iss.length > LONGEST_ISS) return false
  const [, scheme, host = '', path = '/'] = /^(https?:)\/\/([^/\\@?#\s]+)(\/[^\\?#\s]*)?$/.exec(iss) ?? []
  if (scheme === undefined || !URL.canParse(iss)) return false
  const url = new URL(iss)
  if (url.protocol !== scheme || url.host !== host.toLowerCase() || url.pathname !== path) return false
  return scheme === 'https:' || isLoopback(url)
}

/** An issuer that verifies nothing, and of whose cached tokens none serves, where it may not. */
function limitIssuer(issuer: Issuer, mayServe: () => boolean, hasEnded: () => boolean): Issuer {
  const { policy, refreshIfDue, ready, close } = issuer
  const unlessEnded = <T>(value: T): T => {
    if (hasEnded()) throw new UnavailableError(new Error(`issuer ${policy.issuer} was dropped meanwhile`))
    return value
  }
  return {
    policy,
    // Its end lifts what was refused because of it.
    get generation() {
      return issuer.generation + (hasEnded() ? 1 : 0)
    },
    keysFor(alg, kid) {
      const keys = unlessEnded(issuer).keysFor(alg, kid)
      return keys instanceof Promise ? keys.then(unlessEnded) : keys
    },
    freshness: (key, now) => (mayServe() ? issuer.freshness(key, now) : undefined),
    refreshIfDue,
    ready,
    close,
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
