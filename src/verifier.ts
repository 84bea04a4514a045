import { timingSafeEqual } from 'node:crypto'
import { authOf, claimChecks, createReading, endOf, firstFailure, headerChecks } from './access-token.js'
import { digestApiKey, looksLikeApiKey, type ParsedApiKey, parseApiKey, sha256 } from './api-key.js'
import { type Auth, createApiKeyAuth } from './auth.js'
import { createCredentialCache, type KeyEntry, noCache } from './cache.js'
import { parseAuthorization } from './credentials.js'
import {
  InvalidRequestError,
  InvalidTokenError,
  MissingCredentialsError,
  type Reason,
  UnavailableError,
} from './errors.js'
import { createIssuer, type Issuer, type VerificationKey } from './issuer.js'
import { createKeyLookup, type FoundKey } from './key-lookup.js'
import type { StoredKey } from './keyring.js'
import { type Configuration, type IssuerPolicy, resolveOptions, type VerifierOptions } from './options.js'
import { verifySignature } from './signature.js'
import { decisionsObserved, observeDecision, type Trace } from './telemetry.js'
import { createUsageCounter } from './usage.js'

/** Decides on the credentials of requests. Made once and shared. */
export interface Verifier {
  /**
   * Who calls, by the request's Authorization header lines. Synchronous when the decision is cached, a promise otherwise.
   *
   * It does not check scopes: see `hasScope`.
   *
   * @throws {AuthError} or rejects with one: missing credentials (401), repeated header (400), invalid token (401),
   *   unavailable (503)
   */
  authenticate(request: { readonly authorization: string | readonly string[] | undefined }): Auth | Promise<Auth>
  /**
   * Resolves, for good, once each key set and the store have loaded once. Until then each call tries, and rejects with
   * what is missing. For a readiness probe.
   */
  ready(): Promise<void>
  /** What is checked, per issuer. No secrets: stores as scheme and host. */
  describe(): EffectivePolicy
  /**
   * Writes pending usage, for at most `timeoutMs`, and closes what the verifier opened. Idempotent. Afterwards every
   * bearer credential is answered 503.
   */
  close(): Promise<void>
}

/** What a verifier requires of credentials. */
export interface EffectivePolicy {
  readonly issuers: readonly (Omit<IssuerPolicy, 'keySource'> & { readonly keySource: string })[]
  /** `false`: every API key is refused. `null`: API keys are off for want of a store. */
  readonly keys: { readonly store: string; readonly environment: Configuration['environment'] } | false | null
  readonly cache: Configuration['cache']
  readonly keySetMaxStaleSeconds: number
  readonly storeMaxStaleSeconds: number
  readonly isRevoked: boolean
  readonly realm: string
  readonly timeoutMs: number
}

/**
 * Creates a verifier. Nothing is fetched or opened before the first credential, or `ready()`.
 *
 * @throws {TypeError} for a wrong option or environment variable, naming it and the cure
 */
export function createVerifier(options: VerifierOptions = {}): Verifier {
  const config = resolveOptions(options)
  const { clock, realm, timeoutMs } = config
  const issuers = new Map(config.issuers.map((policy) => [policy.issuer, createIssuer(policy, config)]))
  const policies = new Map(config.issuers.map((policy) => [policy.issuer, policy]))
  const cache = config.cache === false ? noCache : createCredentialCache(config.cache)
  const ttlMs = config.cache === false ? 0 : config.cache.ttlMs
  const store = config.keys ? config.keys.store : undefined
  const usage = store && createUsageCounter(store)
  const keys = store && createKeyLookup(store, timeoutMs, cache.forget)
  let closing: Promise<void> | undefined
  let isReady = false

  /** The whole decision: one credential, of one of two kinds, known from before or not. */
  function decide(
    authorization: string | readonly string[] | undefined,
    trace: Trace | undefined,
  ): Auth | Promise<Auth> {
    const credential = parseAuthorization(authorization)
    if (credential.kind === 'none') throw new MissingCredentialsError(realm)
    if (credential.kind === 'repeated') throw new InvalidRequestError(realm)
    if (closing !== undefined) throw new UnavailableError(new Error('the verifier is closed'))
    if (credential.kind === 'malformed') throw refused('malformed')
    return looksLikeApiKey(credential.token)
      ? decideApiKey(credential.token, trace)
      : decideAccessToken(credential.token, trace)
  }

  function decideAccessToken(token: string, trace: Trace | undefined): Auth | Promise<Auth> {
    if (trace) trace.kind = 'access_token'
    const digest = sha256(token)
    const now = clock()
    const entry = cache.get(digest)
    if (entry?.kind === 'access_token' && now < entry.endsAt) {
      const served = entry.issuer.serves(entry.key)
      if (served) {
        if (trace) Object.assign(trace, { issuer: entry.auth.issuer, cached: true, stale: served === 'stale' })
        return admit(entry.auth)
      }
    }
    const refusal = cache.refusal(digest, now)
    if (refusal !== undefined) {
      if (trace) Object.assign(trace, { issuer: refusal.issuer?.policy.issuer, cached: true })
      throw refused(refusal.reason)
    }

    const reading = createReading(token, now / 1000, policies)
    const reason = firstFailure(headerChecks, reading)
    const issuer = reading.policy && issuers.get(reading.policy.issuer)
    if (trace) trace.issuer = issuer?.policy.issuer
    if (reason !== undefined || issuer === undefined) throw refuseAndRemember(digest, reason ?? 'issuer', issuer)
    const { alg, kid } = reading.header as { alg: string; kid?: string }
    const signingKeys = issuer.keysFor(alg, kid)
    const verify = (candidates: readonly VerificationKey[]) => {
      if (candidates.length === 0) throw refused('key')
      const signer = findSigner(alg, candidates, token)
      return signer instanceof Promise ? signer.then(accept) : accept(signer)
    }
    const accept = (signer: VerificationKey | undefined) => {
      reading.now = clock() / 1000
      const failure = signer === undefined ? 'signature' : firstFailure(claimChecks, reading)
      if (signer === undefined || failure !== undefined) throw refuseAndRemember(digest, failure ?? 'signature', issuer)
      if (trace) trace.stale = issuer.serves(signer) === 'stale'
      const auth = authOf(reading)
      const endsAt = Math.min(clock() + ttlMs, endOf(reading) * 1000)
      cache.set(digest, { kind: 'access_token', auth, issuer, key: signer, endsAt }, token.length)
      return admit(auth)
    }
    return signingKeys instanceof Promise ? signingKeys.then(verify) : verify(signingKeys)
  }

  function decideApiKey(key: string, trace: Trace | undefined): Auth | Promise<Auth> {
    if (trace) trace.kind = 'api_key'
    const digest = sha256(key)
    // Before the cache is asked: a change that it hears of now drops what is cached.
    const cacheable = keys?.poll() ?? false
    const now = clock()
    const entry = cacheable ? cache.get(digest) : undefined
    const known = entry?.kind === 'api_key' && now < entry.expiresAt ? entry : undefined
    if (known !== undefined && now < known.freshUntil && keys?.covers(known)) {
      if (trace) Object.assign(trace, { keyId: known.auth.keyId, cached: true })
      return admit(known.auth)
    }

    const parsed = parseApiKey(key)
    if (typeof parsed === 'string') throw refused(parsed)
    if (trace) trace.keyId = parsed.id
    if (parsed.environment !== config.environment) throw refused('environment')
    if (config.keys === false) throw refused('unknown')
    if (keys === undefined) throw new UnavailableError(new Error('no key store is configured'))
    const refusal = cacheable ? cache.refusal(digest, now) : undefined
    if (refusal !== undefined) {
      if (trace) trace.cached = true
      throw refused(refusal.reason)
    }
    return keys.find(parsed.id).then(
      (found) => {
        if (!found.isCurrent()) return decideApiKey(key, trace)
        const reason = refusalOf(found.key, parsed, key, clock())
        if (reason !== undefined) throw cacheable ? refuseAndRemember(digest, reason) : refused(reason)
        const fresh = keyEntry(found as FoundKey & { key: StoredKey })
        if (cacheable) cache.set(digest, fresh, key.length)
        return admit(fresh.auth)
      },
      (error: unknown) => {
        // The store is out of reach. What it confirmed a short time ago may serve, if the application says so.
        if (known === undefined || clock() >= Math.min(known.confirmedAt + config.storeMaxStaleMs, known.expiresAt))
          throw error
        if (cache.get(digest) !== known) throw error
        if (trace) Object.assign(trace, { cached: true, stale: true })
        return admit(known.auth)
      },
    )
  }

  function keyEntry({ key, epoch }: FoundKey & { key: StoredKey }): KeyEntry {
    const { subject, tenant, name, expiresAt } = key
    const scopes = Object.freeze([...key.scopes])
    const confirmedAt = clock()
    return {
      kind: 'api_key',
      auth: createApiKeyAuth({ subject, scopes, tenant, keyId: key.id, name }, expiresAt),
      expiresAt: expiresAt ?? Number.POSITIVE_INFINITY,
      confirmedAt,
      freshUntil: confirmedAt + ttlMs,
      epoch,
    }
  }

  /** The last word on every request, cached or not: the application's, and the count of uses. */
  function admit(auth: Auth): Auth | Promise<Auth> {
    if (config.isRevoked === undefined) return accepted(auth)
    let answer: unknown
    try {
      answer = config.isRevoked(auth)
    } catch (error) {
      throw new UnavailableError(error)
    }
    const conclude = (revoked: unknown): Auth => {
      if (revoked === false) return accepted(auth)
      if (revoked === true) throw refused('revoked')
      throw new UnavailableError(new TypeError('isRevoked must answer true or false'))
    }
    return typeof answer === 'boolean' ? conclude(answer) : settled(answer, 'isRevoked', timeoutMs).then(conclude)
  }

  function accepted(auth: Auth): Auth {
    if (auth.kind === 'api_key') usage?.count(auth.keyId, clock())
    return auth
  }

  function refused(reason: Reason): InvalidTokenError {
    return new InvalidTokenError(realm, reason)
  }

  function refuseAndRemember(digest: string, reason: Reason, issuer?: Issuer): InvalidTokenError {
    cache.refuse(digest, reason, clock(), issuer)
    return refused(reason)
  }

  return {
    authenticate({ authorization }) {
      return decisionsObserved()
        ? observeDecision((trace) => decide(authorization, trace))
        : decide(authorization, undefined)
    },

    async ready() {
      if (closing !== undefined) throw new Error('the verifier is closed')
      if (isReady) return
      const loads = [...issuers.values()].map((issuer) => issuer.ready())
      if (keys !== undefined) loads.push(keys.ready())
      const missing = (await Promise.allSettled(loads)).filter((load) => load.status === 'rejected')
      if (missing.length > 0) {
        const causes = missing.map(({ reason }) => reason as Error)
        throw new AggregateError(causes, `not ready: ${causes.map(({ message }) => message).join('; ')}`)
      }
      isReady = true
    },

    describe: () => describe(config),

    close() {
      closing ??= (async () => {
        for (const issuer of issuers.values()) issuer.close()
        await usage?.close(timeoutMs)
        await keys?.close()
        if (config.keys !== false && config.keys?.owned) await config.keys.store.close()
      })()
      return closing
    },
  }
}

/** Why a stored key does not let its bearer in, if so. */
function refusalOf(
  key: StoredKey | undefined,
  parsed: ParsedApiKey,
  presented: string,
  now: number,
): Reason | undefined {
  if (key === undefined || !sameDigest(key.digest, digestApiKey(presented))) return 'unknown'
  if (key.environment !== parsed.environment) return 'environment'
  if (key.revokedAt !== null) return 'revoked'
  return key.expiresAt !== null && now >= key.expiresAt ? 'expired' : undefined
}

function sameDigest(stored: string, presented: string): boolean {
  return stored.length === presented.length && timingSafeEqual(Buffer.from(stored), Buffer.from(presented))
}

/** The key that made the token's signature, of at most two that may have. */
function findSigner(
  alg: string,
  [key, ...others]: readonly VerificationKey[],
  token: string,
): VerificationKey | undefined | Promise<VerificationKey | undefined> {
  const keyObject = key?.keyObject()
  if (key === undefined || keyObject === undefined) return undefined
  const verified = verifySignature(alg, keyObject, token)
  if (verified instanceof Promise) return verified.then((made) => (made ? key : findSigner(alg, others, token)))
  return verified ? key : findSigner(alg, others, token)
}

/** What a hook answers; silence is an outage. */
async function settled(answer: unknown, hook: string, timeoutMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${hook} did not answer within ${timeoutMs} ms`)), timeoutMs)
    timer.unref()
  })
  try {
    return await Promise.race([answer, silence])
  } catch (error) {
    throw new UnavailableError(error)
  } finally {
    clearTimeout(timer)
  }
}

function describe(config: Configuration): EffectivePolicy {
  return {
    issuers: config.issuers.map(({ keySource, ...policy }) => ({
      ...policy,
      keySource:
        keySource.kind === 'static' ? 'static' : `${keySource.kind} ${keySource.url.origin}${keySource.url.pathname}`,
    })),
    keys: config.keys ? { store: config.keys.label, environment: config.environment } : (config.keys ?? null),
    cache: config.cache,
    keySetMaxStaleSeconds: config.keySetMaxStaleMs / 1000,
    storeMaxStaleSeconds: config.storeMaxStaleMs / 1000,
    isRevoked: config.isRevoked !== undefined,
    realm: config.realm,
    timeoutMs: config.timeoutMs,
  }
}
