import { digestApiKey, fingerprint, idOf, looksLikeApiKey } from '../api-key/format.js'
import type { FoundKey } from '../api-key/key-lookup.js'
import { parsePresentedKey } from '../api-key/presented-key.js'
import { judgeStoredKey } from '../api-key/verdict.js'
import { describePolicy, type EffectivePolicy } from '../config/effective-policy.js'
import type { AwaitedKeyStore, ConfiguredKeyStore } from '../config/key-store.js'
import { type Configuration, resolveOptions, type VerifierOptions } from '../config/options.js'
import { warnNothingAccepted } from '../config/start-notices.js'
import { type ApiKeyAuth, type Auth, credentialOf, endOfKey, noteRealm } from '../core/auth.js'
import { parseAuthorization } from '../core/credentials.js'
import { allReady } from '../core/deadline.js'
import { isWithin, sinceStart } from '../core/duration.js'
import {
  type AnyAuthError,
  addCredential,
  InvalidRequestError,
  InvalidTokenError,
  isAuthError,
  MissingCredentialsError,
  type Reason,
  type RefusedCredential,
  UnavailableError,
} from '../core/errors.js'
import { createOutageNotices, NO_NOTICES } from '../core/outage-notices.js'
import { decisionsObserved, observeDecision, publishStore, type Trace } from '../core/telemetry.js'
import { checkClaims } from '../token/access-token.js'
import { createIssuer, type Issuer } from '../token/issuer/issuer.js'
import type { VerificationKey } from '../token/key-set.js'
import { type VerifiedAccessToken, verifyAccessToken } from '../token/signature.js'
import { type Issuers, parseAccessToken } from '../token/unverified-token.js'
import { createCaches } from './caches.js'
import { connectStore } from './connected-store.js'
import { createIsRevoked, type IsRevoked } from './is-revoked.js'
import { createLoggableCredentials } from './loggable-credentials.js'
import type { Basis } from './refusals.js'
import { createResolvedIssuers, isAskable, type ResolvedIssuers } from './resolved-issuers.js'
import { createResolverNotices } from './resolver-notices.js'
import { noteTime } from './verifier-time.js'

type HeaderLines = string | readonly string[] | undefined

/** Refusals are returned, not thrown, until they leave the verifier: cheaper. */
type Decision = Auth | AnyAuthError

/** What is known of a token that has been decided on before, for the same request. */
interface Earlier {
  /** Whom the application has then named as its issuer. */
  readonly resolvedIssuer?: Issuer
  /** Whether it was decided by an issuer of which the application then said otherwise. */
  readonly isReplaced: boolean
}

/** Decides on the credentials of requests. Made once and shared. */
export interface Verifier {
  /**
   * Who calls, by the request's Authorization header lines. Synchronous when the decision is cached, a promise otherwise.
   *
   * It does not check scopes: see `hasScope`.
   *
   * @throws {AuthError} or rejects with one, and with nothing else: missing credentials (401), repeated header (400),
   *   invalid token (401), unavailable (503)
   */
  authenticate(request: { readonly authorization: HeaderLines }): Auth | Promise<Auth>
  /**
   * Resolves, for good, once the key set of each configured issuer and the store have loaded once. Until then each call tries, and rejects with
   * what is missing. For a readiness probe.
   */
  ready(): Promise<void>
  /**
   * What is checked, per issuer, and the store in use. No secrets: a store is told as its role, host, port and database, or
   * the path of its file.
   */
  describe(): EffectivePolicy
  /**
   * Writes pending usage and closes what the verifier opened, all within `timeoutMs`. Idempotent, and never rejects.
   * Afterwards every bearer credential is answered 503.
   */
  close(): Promise<void>
}

/**
 * Creates a verifier. Nothing is fetched or opened before the first credential, or `ready()`.
 *
 * @throws {TypeError} for a wrong option or environment variable, naming it and the cure
 */
export function createVerifier(options: VerifierOptions = {}): Verifier {
  const config = resolveOptions(options)
  if (config.issuers.length === 0 && config.resolver === undefined && config.keys === false) warnNothingAccepted()
  const { clock, realm, timeoutMs } = config
  const notices = config.outageNotices ? createOutageNotices() : NO_NOTICES
  const configuredIssuers = new Map(
    config.issuers.map((policy) => [policy.issuer, createIssuer(policy, config, notices)]),
  )
  const resolved = createResolved()
  const issuers = withResolved(configuredIssuers, resolved?.get)
  const caches = config.cache === false ? undefined : createCaches(config.cache)
  const { awaited, configured } = sortKeys(config.keys)
  let connected = configured && connectStore(configured, config, caches, notices)
  const awaitedNotice = awaited && notices.about('default key store', awaited)
  const loggable = createLoggableCredentials(withResolved(configuredIssuers, resolved?.known))
  const isRevokedWithoutStore = createIsRevoked(undefined, config.isRevoked, timeoutMs, notices)
  let wasReady = false
  let closing: Promise<void> | undefined

  function createResolved(): ResolvedIssuers | undefined {
    if (config.resolver === undefined) return undefined
    const createNotices = config.outageNotices ? createOutageNotices : () => NO_NOTICES
    return createResolvedIssuers(config.resolver, config, createResolverNotices(createNotices), createNotices)
  }

  /** Connects a store whose file was absent at start, once it is there. From then on tokens obey its revocations. */
  function connectAwaitedStore(): void {
    if (awaited === undefined || connected !== undefined || closing !== undefined) return
    try {
      const found = awaited.look()
      if (found === undefined) return
      connected = connectStore(found, config, caches, notices)
      awaitedNotice?.answered()
    } catch (error) {
      awaitedNotice?.failed(error)
      throw error
    }
  }

  /** The whole decision: one credential, of one of two kinds, known from before or not. */
  function decide(authorization: HeaderLines, trace: Trace | undefined): Decision | Promise<Decision> {
    const credential = parseAuthorization(authorization)
    if (credential.kind === 'none') return new MissingCredentialsError(realm)
    if (credential.kind === 'repeated') return new InvalidRequestError(realm)
    if (closing !== undefined) throw new Error('the verifier is closed')
    if (credential.kind === 'malformed') return refused('malformed', loggable.line(authorization))
    return decideBearer(credential.token, trace, undefined)
  }

  /** @param asked who said already, for this request, that the credential is not revoked */
  function decideBearer(
    text: string,
    trace: Trace | undefined,
    asked: IsRevoked | undefined,
  ): Decision | Promise<Decision> {
    connectAwaitedStore()
    return looksLikeApiKey(text) ? decideApiKey(text, trace, asked) : decideAccessToken(text, trace, asked)
  }

  function decideAccessToken(
    text: string,
    trace: Trace | undefined,
    asked: IsRevoked | undefined,
    earlier?: Earlier,
  ): Decision | Promise<Decision> {
    const digest = fingerprint(text)
    const now = clock()
    const known = caches?.tokens.get(digest, now)
    if (known !== undefined) {
      const freshness = known.issuer.freshnessAndRefresh(known.key, now)
      if (freshness !== undefined) {
        if (trace) Object.assign(trace, { cached: true, stale: freshness === 'stale' })
        return admit(known.auth, now, text, asked)
      }
    }
    return rememberedRefusal(digest, now, trace) ?? decideNewToken(text, digest, trace, asked, earlier)
  }

  // A function of its own: what its inner functions use is allocated when it is entered, and a token that is known needs none.
  function decideNewToken(
    text: string,
    digest: string,
    trace: Trace | undefined,
    asked: IsRevoked | undefined,
    earlier: Earlier | undefined,
  ): Decision | Promise<Decision> {
    const named = earlier?.resolvedIssuer
    const token = parseAccessToken(text, named === undefined ? issuers : onlyIssuer(named))
    const claimed = loggable.token(token.issuer)
    if ('reason' in token && resolved !== undefined && token.foreignIss !== undefined && isAskable(token.foreignIss)) {
      const isReplaced = earlier?.isReplaced ?? false
      const decideBy = (resolvedIssuer: Issuer | undefined) =>
        // A refusal is not remembered by the token: how long it stands is known where the application is asked.
        resolvedIssuer === undefined
          ? refused('issuer', loggable.token(undefined))
          : decideAccessToken(text, trace, asked, { resolvedIssuer, isReplaced })
      const answer = resolved.resolve(token.foreignIss)
      return answer instanceof Promise ? answer.then(decideBy) : decideBy(answer)
    }
    if ('reason' in token) return refuseAndRemember(digest, token.reason, claimed, token.issuer)
    const { issuer, alg, kid } = token
    const askForKeys = (attempt: number): Decision | Promise<Decision> => {
      const candidates = issuer.keysFor(alg, kid)
      return candidates instanceof Promise
        ? candidates.then((keys) => verify(keys, attempt))
        : verify(candidates, attempt)
    }
    const decideAgain = (): Decision | Promise<Decision> => {
      // It takes longer to fetch the keys than an answer of the application stands.
      if (earlier?.isReplaced)
        throw new UnavailableError(new Error('resolveIssuer: the issuer was replaced twice meanwhile'))
      return decideAccessToken(text, trace, asked, { isReplaced: true })
    }
    const verify = (candidates: readonly VerificationKey[], attempt: number): Decision | Promise<Decision> => {
      if (resolved?.isOver(issuer)) return decideAgain()
      if (candidates.length === 0) return refused('key', claimed)
      const { generation } = issuer
      const verified = verifyAccessToken(token, candidates)
      return verified instanceof Promise
        ? verified.then((signed) => conclude(signed, generation, attempt))
        : conclude(verified, generation, attempt)
    }
    const conclude = (
      signed: VerifiedAccessToken | undefined,
      generation: number,
      attempt: number,
    ): Decision | Promise<Decision> => {
      if (resolved?.isOver(issuer)) return decideAgain()
      if (signed === undefined) return refuseAndRemember(digest, 'signature', claimed, issuer, generation)
      const now = clock()
      const accepted = checkClaims(signed, now / 1000)
      if (typeof accepted === 'string') return refuseAndRemember(digest, accepted, claimed, issuer, generation)
      const { signer } = signed
      // A newer set has withdrawn it while the signature was verified, or has the same key with other members (`alg` added).
      if (!signer.isCurrent()) return attempt === 1 ? askForKeys(2) : refused('key', claimed)
      resolved?.noteUse(issuer)
      if (trace) trace.stale = issuer.freshness(signer, now) === 'stale'
      const { auth, endsAt } = accepted
      noteRealm(auth, realm)
      const confirmedAt = Math.floor(sinceStart(now))
      caches?.tokens.set(digest, { auth, issuer, key: signer, confirmedAt, endsAt, bytes: text.length })
      return admit(auth, now, text, asked)
    }
    return askForKeys(1)
  }

  function decideApiKey(
    key: string,
    trace: Trace | undefined,
    asked: IsRevoked | undefined,
  ): Decision | Promise<Decision> {
    const digest = fingerprint(key)
    const keys = connected?.keys
    // Before the cache is asked: a change that is heard of now drops what is cached.
    const epoch = keys?.changes.currentEpoch()
    const now = clock()
    const known = epoch === undefined ? undefined : caches?.keys.get(idOf(key), digest, now)
    if (known !== undefined && known.epoch === epoch) {
      if (trace) trace.cached = true
      return admit(known.auth, now, key, asked)
    }

    const refusal = epoch === undefined ? undefined : rememberedRefusal(digest, now, trace)
    return refusal ?? decideNewKey(key, digest, trace, asked)
  }

  function decideNewKey(
    key: string,
    digest: string,
    trace: Trace | undefined,
    asked: IsRevoked | undefined,
  ): Decision | Promise<Decision> {
    const keys = connected?.keys
    const parsed = parsePresentedKey(key, config.environment)
    const claimed = loggable.key(parsed.id)
    if ('reason' in parsed) return refused(parsed.reason, claimed)
    if (config.keys === false) return refused('unknown', claimed)
    if (keys === undefined) throw new Error(awaited?.missing)

    const judge = ({ key: stored, epoch, generation }: FoundKey): ApiKeyAuth | Reason => {
      const now = clock()
      const verdict = judgeStoredKey(stored, { digest: digestApiKey(key), ...parsed }, now)
      keys.noteVerdict(digest, typeof verdict !== 'string')
      if (typeof verdict === 'string') {
        // Or an outage could bring back what the store last confirmed.
        caches?.keys.delete(parsed.id, digest)
        caches?.refusals.add(digest, {
          reason: verdict,
          credential: claimed,
          basis: keys.changes,
          generation,
          refusedAt: now,
        })
        return verdict
      }
      const successorId = stored?.replacedBy
      if (successorId) publishStore(() => ({ event: 'superseded_key_in_use', keyId: parsed.id, successorId }))
      noteRealm(verdict, realm)
      // Each member by name: V8 of Node 20 gives every object that adds to a spread a hidden class of its own, and all that
      // reads the entry would be half as fast.
      caches?.keys.set({ auth: verdict, digest, confirmedAt: Math.floor(sinceStart(now)), epoch, bytes: key.length })
      return verdict
    }
    // The store is out of reach. What it confirmed a short time ago may serve, if the application says so.
    const lastConfirmed = (error: UnavailableError): ApiKeyAuth => {
      const confirmed = caches?.keys.lastConfirmed(parsed.id, digest)
      const now = clock()
      if (confirmed === undefined || now >= endOfKey(confirmed.auth)) throw error
      if (!isWithin(confirmed.confirmedAt, sinceStart(now), config.storeMaxStaleMs)) throw error
      if (trace) Object.assign(trace, { cached: true, stale: true })
      return confirmed.auth
    }
    return keys
      .find(parsed.id, judge, digest, lastConfirmed)
      .then((verdict) =>
        typeof verdict === 'string' ? refused(verdict, claimed) : admit(verdict, clock(), key, asked),
      )
  }

  /** The last word on every request, cached or not: whether the store or the application has revoked the credential. */
  function admit(
    auth: Auth,
    now: number,
    credential: string,
    asked: IsRevoked | undefined,
  ): Decision | Promise<Decision> {
    const isRevoked = connected?.isRevoked ?? isRevokedWithoutStore
    // Another one is asked where a store was connected in between.
    if (asked === isRevoked) return accepted(auth, now)
    const revoked = isRevoked(auth)
    if (!(revoked instanceof Promise)) return revoked ? refused('revoked', credentialOf(auth)) : accepted(auth, now)
    // The answer took time, in which the credential may have ended, or the key of a signature have been withdrawn.
    return revoked.then((answer) =>
      answer ? refused('revoked', credentialOf(auth)) : decideBearer(credential, undefined, isRevoked),
    )
  }

  function accepted(auth: Auth, now: number): Decision {
    if (auth.kind === 'api_key') connected?.usage?.count(auth.keyId, now)
    return auth
  }

  function refused(reason: Reason, credential: RefusedCredential | undefined): InvalidTokenError {
    return new InvalidTokenError(realm, reason, credential)
  }

  /** Remembers the refusal of a token, so that the next request with it is refused without a look at the token. */
  function refuseAndRemember(
    digest: string,
    reason: Reason,
    credential: RefusedCredential,
    basis: Basis | undefined,
    generation = basis?.generation,
  ): InvalidTokenError {
    caches?.refusals.add(digest, { reason, credential, basis, generation, refusedAt: clock() })
    return refused(reason, credential)
  }

  function rememberedRefusal(digest: string, now: number, trace: Trace | undefined): InvalidTokenError | undefined {
    const refusal = caches?.refusals.get(digest, now)
    if (refusal === undefined) return undefined
    if (trace) trace.cached = true
    return refused(refusal.reason, refusal.credential)
  }

  /** What is thrown deep inside says nothing of the credential, so that is added here. */
  function failure(error: unknown, authorization: unknown): AnyAuthError {
    const refusal = isAuthError(error) ? error : new UnavailableError(error)
    addCredential(refusal, loggable.line(authorization))
    return refusal
  }

  /** Nothing but an AuthError leaves: what a clock, a store or a defect throws is an outage. */
  function answer(authorization: unknown, trace: Trace | undefined): Auth | Promise<Auth> {
    let decision: Decision | Promise<Decision>
    try {
      // Null as well: what `Headers.get()` answers for no header.
      decision = decide((authorization ?? undefined) as HeaderLines, trace)
    } catch (error) {
      decision = failure(error, authorization)
    }
    return decision instanceof Promise
      ? decision.catch((error: unknown) => failure(error, authorization)).then(deliver)
      : deliver(decision)
  }

  async function shutDown(): Promise<void> {
    const deadline = performance.now() + timeoutMs
    // First: what is closed here is no outage.
    notices.close()
    for (const issuer of configuredIssuers.values()) issuer.close()
    resolved?.close()
    await connected?.close(deadline)
  }

  const verifier: Verifier = {
    authenticate: (request) =>
      decisionsObserved()
        ? observeDecision((trace) => answer(request?.authorization, trace))
        : answer(request?.authorization, undefined),

    async ready() {
      if (closing !== undefined) throw new Error('the verifier is closed')
      // A store that comes later does not take back what was said.
      if (wasReady) return
      connectAwaitedStore()
      const loads = [...configuredIssuers.values()].map((issuer) => issuer.ready())
      if (connected !== undefined) loads.push(connected.ready())
      await allReady(loads)
      wasReady = true
    },

    describe: () => describePolicy(config, connected?.label),

    close() {
      closing ??= shutDown()
      return closing
    },
  }
  noteTime(verifier, { now: clock, clockToleranceSeconds: config.clockToleranceSeconds })
  return verifier
}

function sortKeys(keys: Configuration['keys']): { awaited?: AwaitedKeyStore; configured?: ConfiguredKeyStore } {
  if (keys === false) return {}
  return 'look' in keys ? { awaited: keys } : { configured: keys }
}

/** The configured issuers come first: of those the application is never asked. */
function withResolved(configured: ReadonlyMap<string, Issuer>, get: ResolvedIssuers['get'] | undefined): Issuers {
  if (get === undefined) return configured
  return { get: (iss) => configured.get(iss) ?? get(iss), values: () => configured.values(), isOpen: true }
}

/** For a token that is known to name it. */
function onlyIssuer(issuer: Issuer): Issuers {
  return { get: () => issuer, values: () => [issuer], isOpen: true }
}

function deliver(decision: Decision): Auth {
  if (decision instanceof Error) throw decision
  return decision
}
