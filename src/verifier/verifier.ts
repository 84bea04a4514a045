import { digestApiKey, fingerprint, idOf, looksLikeApiKey } from '../api-key/format.js'
import type { FoundKey } from '../api-key/key-lookup.js'
import { parsePresentedKey } from '../api-key/presented-key.js'
import { type AcceptedKey, judgeStoredKey } from '../api-key/verdict.js'
import { describePolicy, type EffectivePolicy } from '../config/effective-policy.js'
import type { AwaitedKeyStore, ConfiguredKeyStore } from '../config/key-store.js'
import { type Configuration, resolveOptions, type VerifierOptions } from '../config/options.js'
import { warnNothingAccepted } from '../config/start-notices.js'
import type { Auth } from '../core/auth.js'
import { parseAuthorization } from '../core/credentials.js'
import { allReady } from '../core/deadline.js'
import { isWithin } from '../core/duration.js'
import {
  type AnyAuthError,
  InvalidRequestError,
  InvalidTokenError,
  isAuthError,
  MissingCredentialsError,
  type Reason,
  UnavailableError,
} from '../core/errors.js'
import { decisionsObserved, observeDecision, publishStore, type Trace } from '../core/telemetry.js'
import { checkClaims } from '../token/access-token.js'
import { createIssuer } from '../token/issuer/issuer.js'
import type { VerificationKey } from '../token/key-set.js'
import { type VerifiedAccessToken, verifyAccessToken } from '../token/signature.js'
import { parseAccessToken } from '../token/unverified-token.js'
import { createCaches } from './caches.js'
import { connectStore } from './connected-store.js'
import { createIsRevoked, type IsRevoked } from './is-revoked.js'
import type { Basis } from './refusals.js'

type HeaderLines = string | readonly string[] | undefined

/** Refusals are returned, not thrown, until they leave the verifier: cheaper. */
type Decision = Auth | AnyAuthError

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
   * Resolves, for good, once each key set and the store have loaded once. Until then each call tries, and rejects with
   * what is missing. For a readiness probe.
   */
  ready(): Promise<void>
  /** What is checked, per issuer, and the store in use. No secrets: stores as scheme and host. */
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
  if (config.issuers.length === 0 && config.keys === false) warnNothingAccepted()
  const { clock, realm, timeoutMs } = config
  const issuers = new Map(config.issuers.map((policy) => [policy.issuer, createIssuer(policy, config)]))
  const caches = config.cache === false ? undefined : createCaches(config.cache)
  const { awaited, configured } = sortKeys(config.keys)
  let connected = configured && connectStore(configured, config, caches)
  const isRevokedWithoutStore = createIsRevoked(undefined, config.isRevoked, timeoutMs)
  let wasReady = false
  let closing: Promise<void> | undefined

  /** Connects a store whose file was absent at start, once it is there. From then on tokens obey its revocations. */
  function connectAwaitedStore(): void {
    if (awaited === undefined || connected !== undefined || closing !== undefined) return
    const found = awaited.look()
    connected = found && connectStore(found, config, caches)
  }

  /** The whole decision: one credential, of one of two kinds, known from before or not. */
  function decide(authorization: HeaderLines, trace: Trace | undefined): Decision | Promise<Decision> {
    const credential = parseAuthorization(authorization)
    if (credential.kind === 'none') return new MissingCredentialsError(realm)
    if (credential.kind === 'repeated') return new InvalidRequestError(realm)
    if (closing !== undefined) return new UnavailableError(new Error('the verifier is closed'))
    if (credential.kind === 'malformed') return refused('malformed')
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
  ): Decision | Promise<Decision> {
    if (trace) trace.kind = 'access_token'
    const digest = fingerprint(text)
    const now = clock()
    const known = caches?.tokens.get(digest, now)
    if (known !== undefined) {
      const freshness = known.issuer.freshness(known.key, now)
      if (freshness !== undefined) {
        known.issuer.refreshIfDue(now)
        if (trace) Object.assign(trace, { issuer: known.auth.issuer, cached: true, stale: freshness === 'stale' })
        return admit(known.auth, now, text, asked)
      }
    }
    const refusal = rememberedRefusal(digest, now, trace)
    if (refusal !== undefined) return refusal

    const token = parseAccessToken(text, issuers)
    if (trace) trace.issuer = token.issuer?.policy.issuer
    if ('reason' in token) return refusedFor(digest, token.reason, token.issuer)
    const { issuer, alg, kid } = token
    const askForKeys = (attempt: number): Decision | Promise<Decision> => {
      const candidates = issuer.keysFor(alg, kid)
      return candidates instanceof Promise
        ? candidates.then((keys) => verify(keys, attempt))
        : verify(candidates, attempt)
    }
    const verify = (candidates: readonly VerificationKey[], attempt: number): Decision | Promise<Decision> => {
      if (candidates.length === 0) return refused('key')
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
      if (signed === undefined) return refusedFor(digest, 'signature', issuer, generation)
      const now = clock()
      const accepted = checkClaims(signed, now / 1000)
      if (typeof accepted === 'string') return refusedFor(digest, accepted, issuer, generation)
      const { signer } = signed
      // A newer set has withdrawn it while the signature was verified, or has the same key with other members (`alg` added).
      if (!signer.isCurrent()) return attempt === 1 ? askForKeys(2) : refused('key')
      if (trace) trace.stale = issuer.freshness(signer, now) === 'stale'
      const { auth, endsAt } = accepted
      const entry = { auth, issuer, key: signer, confirmedAt: now, endsAt: endsAt * 1000 }
      caches?.tokens.set(digest, entry, text.length)
      return admit(auth, now, text, asked)
    }
    return askForKeys(1)
  }

  function decideApiKey(
    key: string,
    trace: Trace | undefined,
    asked: IsRevoked | undefined,
  ): Decision | Promise<Decision> {
    if (trace) trace.kind = 'api_key'
    const digest = fingerprint(key)
    const keys = connected?.keys
    // Before the cache is asked: a change that is heard of now drops what is cached.
    const epoch = keys?.changes.currentEpoch()
    const now = clock()
    const known = epoch === undefined ? undefined : caches?.keys.get(idOf(key), digest, now)
    if (known !== undefined && known.epoch === epoch) {
      if (trace) Object.assign(trace, { keyId: known.auth.keyId, cached: true })
      return admit(known.auth, now, key, asked)
    }

    const refusal = epoch === undefined ? undefined : rememberedRefusal(digest, now, trace)
    if (trace && refusal !== undefined) trace.keyId = idOf(key)
    if (refusal !== undefined) return refusal

    const parsed = parsePresentedKey(key, config.environment)
    if (trace) trace.keyId = parsed.id
    if ('reason' in parsed) return refused(parsed.reason)
    if (config.keys === false) return refused('unknown')
    if (keys === undefined) return new UnavailableError(new Error(awaited?.missing))

    const judge = ({ key: stored, epoch, generation }: FoundKey): AcceptedKey | Reason => {
      const now = clock()
      const verdict = judgeStoredKey(stored, { ...parsed, digest: digestApiKey(key) }, now)
      keys.noteVerdict(digest, typeof verdict !== 'string')
      if (typeof verdict === 'string') {
        // Or an outage could bring back what the store last confirmed.
        caches?.keys.delete(parsed.id, digest)
        caches?.refusals.add(digest, { reason: verdict, basis: keys.changes, generation, refusedAt: now })
        return verdict
      }
      const successorId = stored?.replacedBy
      if (successorId) publishStore(() => ({ event: 'superseded_key_in_use', keyId: parsed.id, successorId }))
      caches?.keys.set({ ...verdict, digest, confirmedAt: now, epoch }, key.length)
      return verdict
    }
    // The store is out of reach. What it confirmed a short time ago may serve, if the application says so.
    const lastConfirmed = (error: UnavailableError): AcceptedKey => {
      const confirmed = caches?.keys.lastConfirmed(parsed.id, digest)
      const now = clock()
      if (confirmed === undefined || now >= confirmed.endsAt) throw error
      if (!isWithin(confirmed.confirmedAt, now, config.storeMaxStaleMs)) throw error
      if (trace) Object.assign(trace, { cached: true, stale: true })
      return confirmed
    }
    return keys
      .find(parsed.id, judge, digest, lastConfirmed)
      .then((verdict) => (typeof verdict === 'string' ? refused(verdict) : admit(verdict.auth, clock(), key, asked)))
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
    if (!(revoked instanceof Promise)) return revoked ? refused('revoked') : accepted(auth, now)
    // The answer took time, in which the credential may have ended, or the key of a signature have been withdrawn.
    return revoked.then((answer) => (answer ? refused('revoked') : decideBearer(credential, undefined, isRevoked)))
  }

  function accepted(auth: Auth, now: number): Decision {
    if (auth.kind === 'api_key') connected?.usage?.count(auth.keyId, now)
    return auth
  }

  function refused(reason: Reason): InvalidTokenError {
    return new InvalidTokenError(realm, reason)
  }

  function refusedFor(digest: string, reason: Reason, basis: Basis | undefined, generation = basis?.generation) {
    caches?.refusals.add(digest, { reason, basis, generation, refusedAt: clock() })
    return refused(reason)
  }

  function rememberedRefusal(digest: string, now: number, trace: Trace | undefined): InvalidTokenError | undefined {
    const refusal = caches?.refusals.get(digest, now)
    if (refusal === undefined) return undefined
    if (trace) Object.assign(trace, { issuer: refusal.basis?.policy?.issuer, cached: true })
    return refused(refusal.reason)
  }

  /** Nothing but an AuthError leaves: what a clock, a store or a defect throws is an outage. */
  function answer(authorization: unknown, trace: Trace | undefined): Auth | Promise<Auth> {
    let decision: Decision | Promise<Decision>
    try {
      // Null as well: what `Headers.get()` answers for no header.
      decision = decide((authorization ?? undefined) as HeaderLines, trace)
    } catch (error) {
      decision = failure(error)
    }
    return decision instanceof Promise ? decision.catch(failure).then(deliver) : deliver(decision)
  }

  async function shutDown(): Promise<void> {
    const deadline = performance.now() + timeoutMs
    for (const issuer of issuers.values()) issuer.close()
    await connected?.close(deadline)
  }

  return {
    authenticate: (request) =>
      decisionsObserved()
        ? observeDecision((trace) => answer(request?.authorization, trace))
        : answer(request?.authorization, undefined),

    async ready() {
      if (closing !== undefined) throw new Error('the verifier is closed')
      // A store that comes later does not take back what was said.
      if (wasReady) return
      connectAwaitedStore()
      const loads = [...issuers.values()].map((issuer) => issuer.ready())
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
}

function sortKeys(keys: Configuration['keys']): { awaited?: AwaitedKeyStore; configured?: ConfiguredKeyStore } {
  if (keys === false) return {}
  return 'look' in keys ? { awaited: keys } : { configured: keys }
}

function failure(error: unknown): AnyAuthError {
  return isAuthError(error) ? error : new UnavailableError(error)
}

function deliver(decision: Decision): Auth {
  if (decision instanceof Error) throw decision
  return decision
}
