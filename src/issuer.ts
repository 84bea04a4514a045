import { UnavailableError } from './errors.js'
import { fetchJson } from './fetch-json.js'
import { type KeySet, parseKeySet, type VerificationKey } from './key-set.js'
import { type Configuration, type IssuerPolicy, isLoopback } from './options.js'
import { publishKeySet } from './telemetry.js'

export type { VerificationKey } from './key-set.js'

/** One configured issuer with its own key set. */
export interface Issuer {
  readonly policy: IssuerPolicy
  /** Goes up with each key set that was loaded. */
  readonly generation: number
  /**
   * The keys that may have signed a token with this header; none when the issuer has no such key. A promise only when
   * the key set has to be fetched first.
   *
   * @throws {UnavailableError} (or rejects with it) when that cannot be known now
   */
  keysFor(alg: string, kid: string | undefined): readonly VerificationKey[] | Promise<readonly VerificationKey[]>
  /** Whether what this key verified may be served from a cache; starts the refresh in the background when it is time. */
  serves(key: VerificationKey): 'fresh' | 'stale' | false
  /** Resolves once a key set is loaded; rejects with what went wrong. */
  ready(): Promise<void>
  close(): void
}

/** Freshness of a key set. */
const FRESH_MS = 600_000
/** From this share of its freshness on, a request starts the refresh in the background. */
const REFRESH_AT = 0.8
const METADATA_FRESH_MS = 3_600_000
/** Smallest distance of two fetches that unknown `kid`s cause: the issuer is not ours to flood. */
const UNKNOWN_KID_GAP_MS = 5000
const MAX_WAITING = 1000
const BACK_OFF_MS = { min: 1000, max: 30_000 }

/** @see {@link https://www.rfc-editor.org/rfc/rfc8414#section-3 RFC 8414 §3} */
export function createIssuer(
  policy: IssuerPolicy,
  {
    clock,
    fetch,
    timeoutMs,
    keySetMaxStaleMs,
  }: Pick<Configuration, 'clock' | 'fetch' | 'timeoutMs' | 'keySetMaxStaleMs'>,
): Issuer {
  const source = policy.keySource
  if (source.kind === 'static') return createStaticIssuer(policy, parseKeySet(source.jwks))

  const freshMs = Math.min(FRESH_MS, keySetMaxStaleMs)
  const closing = new AbortController()
  // A clock that was set back must not turn a short wait into a long one.
  const notBefore = (at: number, now: number, longest: number) => (at - now > longest ? now : at)

  /** The last good set; `fetchNumber` says which fetch brought it. */
  let loaded: { readonly set: KeySet; readonly fetchedAt: number; readonly fetchNumber: number } | undefined
  let jwksUri: { readonly url: URL; readonly fetchedAt: number } | undefined
  let generation = 0
  let fetchesBegun = 0
  let inFlight: Promise<void> | undefined
  let lastError: unknown
  let failures = 0
  /** No fetch before this instant: the back-off after a failure. */
  let nextAttemptAt = 0
  let lastKidFetchAt = Number.NEGATIVE_INFINITY
  let kidFetch: Promise<void> | undefined
  let waiting = 0

  function freshness(now: number): 'fresh' | 'stale' | 'none' {
    if (loaded === undefined) return 'none'
    const age = now - loaded.fetchedAt
    // A clock that was set back says nothing of the age.
    if (age >= 0 && age < freshMs) return 'fresh'
    return age >= 0 && age < keySetMaxStaleMs ? 'stale' : 'none'
  }

  /** Fetches the key set, one fetch at a time. Never rejects: the outcome is in the state. */
  function refresh(): Promise<void> {
    inFlight ??= load().finally(() => {
      inFlight = undefined
    })
    return inFlight
  }

  function attemptAt(now: number): number {
    return notBefore(nextAttemptAt, now, BACK_OFF_MS.max)
  }

  function refreshInBackground(now: number): void {
    if (inFlight === undefined && now >= attemptAt(now)) void refresh()
  }

  async function load(): Promise<void> {
    const fetchNumber = ++fetchesBegun
    const begunAt = clock()
    const { signal: deadline, clear } = deadlineAfter(timeoutMs, closing.signal)
    try {
      const url = source.kind === 'jwks_uri' ? source.url : await locateKeySet(begunAt, deadline)
      const { body } = await fetchJson(fetch, url, deadline)
      const set = parseKeySet(body, loaded?.set)
      loaded = { set, fetchedAt: begunAt, fetchNumber }
      generation++
      failures = 0
      nextAttemptAt = 0
      lastError = undefined
    } catch (error) {
      failures++
      lastError = error
      nextAttemptAt = clock() + backOff(failures)
    } finally {
      clear()
    }
    publishKeySet(() => ({
      issuer: policy.issuer,
      outcome: failures === 0 ? 'loaded' : 'failed',
      keys: loaded?.set.size ?? 0,
      fetchedAt: loaded?.fetchedAt,
      error: lastError,
      durationMs: clock() - begunAt,
    }))
  }

  async function locateKeySet(now: number, deadline: AbortSignal): Promise<URL> {
    const known = jwksUri
    if (known !== undefined && failures === 0 && now - known.fetchedAt < METADATA_FRESH_MS) return known.url
    const url = await discoverKeySet(policy.issuer, fetch, deadline)
    jwksUri = { url, fetchedAt: now }
    return url
  }

  function unavailable(now: number, permittedAt = attemptAt(now)): UnavailableError {
    const cause = closing.signal.aborted ? new Error('the verifier is closed') : lastError
    return new UnavailableError(cause ?? new Error('the key set is not known yet'), permittedAt - now)
  }

  /** Makes sure that a usable set is loaded. */
  function current(now: number): KeySet | Promise<KeySet> {
    const state = freshness(now)
    if (loaded !== undefined && state === 'fresh') {
      if (now - loaded.fetchedAt >= freshMs * REFRESH_AT) refreshInBackground(now)
      return loaded.set
    }
    // During an outage the stale set serves at once; the requests do not queue up behind each attempt.
    if (loaded !== undefined && state === 'stale' && failures > 0) {
      refreshInBackground(now)
      return loaded.set
    }
    if (now < attemptAt(now) && inFlight === undefined) throw unavailable(now)
    return refresh().then(() => {
      const after = clock()
      if (loaded === undefined || freshness(after) === 'none') throw unavailable(after)
      return loaded.set
    })
  }

  /** Waits for a set that holds the `kid`; refuses only when one fetched after the request's arrival lacks it. */
  async function awaitKid(alg: string, kid: string, begunAtArrival: number): Promise<readonly VerificationKey[]> {
    const arrivedAt = clock()
    const permittedAt = (now: number) =>
      Math.max(notBefore(lastKidFetchAt + UNKNOWN_KID_GAP_MS, now, UNKNOWN_KID_GAP_MS), attemptAt(now))
    if (waiting >= MAX_WAITING) throw unavailable(arrivedAt, permittedAt(arrivedAt))
    waiting++
    try {
      // What is under way may bring it; having begun earlier, it cannot say that it does not exist.
      await inFlight
      for (;;) {
        const match = loaded?.set.match(alg, kid)
        if (match !== undefined && !match.unknown) return match.keys
        if (loaded !== undefined && loaded.fetchNumber > begunAtArrival) return []
        const now = clock()
        const next = permittedAt(now)
        if (closing.signal.aborted || next - arrivedAt > timeoutMs) throw unavailable(now, next)
        const failuresBefore = failures
        kidFetch ??= fetchForKid(next - now)
        await kidFetch
        if (failures > failuresBefore) throw unavailable(clock())
      }
    } finally {
      waiting--
    }
  }

  async function fetchForKid(delayMs: number): Promise<void> {
    if (delayMs > 0) await pause(delayMs, closing.signal)
    await inFlight
    kidFetch = undefined
    if (closing.signal.aborted) return
    lastKidFetchAt = clock()
    await refresh()
  }

  return {
    policy,
    get generation() {
      return generation
    },

    keysFor(alg, kid) {
      const begunAtArrival = fetchesBegun
      if (closing.signal.aborted) throw unavailable(clock())
      const match = (set: KeySet) => {
        const { keys, unknown } = set.match(alg, kid)
        return unknown && kid !== undefined ? awaitKid(alg, kid, begunAtArrival) : keys
      }
      const set = current(clock())
      return set instanceof Promise ? set.then(match) : match(set)
    },

    serves(key) {
      const now = clock()
      const state = freshness(now)
      if (loaded === undefined || state === 'none' || !key.isCurrent()) return false
      if (state === 'stale' && failures === 0) return false
      if (state === 'stale' || now - loaded.fetchedAt >= freshMs * REFRESH_AT) refreshInBackground(now)
      return state
    },

    async ready() {
      if (loaded !== undefined) return
      if (closing.signal.aborted) throw new Error(`issuer ${policy.issuer}: the verifier is closed`)
      const now = clock()
      if (now >= attemptAt(now)) await refresh()
      if (loaded === undefined)
        throw new Error(`issuer ${policy.issuer}: ${errorText(lastError)}`, { cause: lastError })
    },

    close() {
      closing.abort(new Error('the verifier is closed'))
    },
  }
}

function createStaticIssuer(policy: IssuerPolicy, set: KeySet): Issuer {
  return {
    policy,
    generation: 0,
    keysFor: (alg, kid) => set.match(alg, kid).keys,
    serves: () => 'fresh',
    ready: async () => {},
    close() {},
  }
}

/**
 * Asks the issuer's metadata where its key set is: RFC 8414, then OpenID Connect Discovery where that is not found.
 *
 * The metadata may not lead from https to http, nor to this machine, unless the configured issuer is there itself.
 */
async function discoverKeySet(issuer: string, fetch: typeof globalThis.fetch, deadline: AbortSignal): Promise<URL> {
  const { oauth, openid } = metadataUrls(issuer)
  const first = await fetchJson(fetch, oauth, deadline, [404, 410])
  const { url, body } = first.body === undefined ? await fetchJson(fetch, openid, deadline) : first
  const metadata = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  if (metadata.issuer !== issuer) {
    throw new Error(
      `${url} names the issuer ${JSON.stringify(metadata.issuer)?.slice(0, 200)} instead of ${JSON.stringify(issuer)} (RFC 8414 §3.3)`,
    )
  }
  const uri = metadata.jwks_uri
  if (typeof uri !== 'string' || !URL.canParse(uri)) throw new Error(`${url} has no jwks_uri`)
  const configured = new URL(issuer)
  const target = new URL(uri)
  const downgrade = target.protocol !== 'https:' && !(target.protocol === 'http:' && configured.protocol === 'http:')
  if (downgrade) throw new Error(`${url} leads to a jwks_uri that is not https`)
  if (isLoopback(target) && !isLoopback(configured))
    throw new Error(`${url} leads to a jwks_uri on the loopback interface`)
  return target
}

/** RFC 8414 §3.1 puts the well-known part before the issuer's path, OpenID Connect Discovery §4 behind it. */
export function metadataUrls(issuer: string): { readonly oauth: URL; readonly openid: URL } {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return {
    oauth: new URL(`${origin}/.well-known/oauth-authorization-server${path}`),
    openid: new URL(`${origin}${path}/.well-known/openid-configuration`),
  }
}

/** Doubles from 1 s to 30 s, less up to a quarter, so that a fleet does not come back in step. */
function backOff(failures: number): number {
  const step = Math.min(BACK_OFF_MS.max, BACK_OFF_MS.min * 2 ** (failures - 1))
  return Math.max(BACK_OFF_MS.min, step * (1 - Math.random() / 4))
}

/** A signal that aborts after a time or with another signal, whichever comes first. */
function deadlineAfter(ms: number, closing: AbortSignal): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController()
  const close = () => controller.abort(closing.reason)
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${ms} ms`)), ms)
  timer.unref()
  if (closing.aborted) close()
  else closing.addEventListener('abort', close, { once: true })
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer)
      closing.removeEventListener('abort', close)
    },
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Ends early, without an error, when the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    timer.unref()
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
