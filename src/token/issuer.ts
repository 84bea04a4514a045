import { UnavailableError } from '../core/errors.js'
import { publishKeySet } from '../core/telemetry.js'
import { fetchJson } from './fetch-json.js'
import { type KeySet, parseKeySet, type VerificationKey } from './key-set.js'
import { isLoopback } from './loopback.js'
import type { IssuerPolicy } from './policy.js'

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
  /**
   * Whether what this key verified may be served from a cache; starts the refresh in the background when it is time.
   *
   * @param now the clock, if it was read already
   */
  serves(key: VerificationKey, now?: number): 'fresh' | 'stale' | false
  /** Resolves once a key set is loaded; rejects with what went wrong. */
  ready(): Promise<void>
  close(): void
}

/** How an issuer's keys are fetched and kept. */
export interface IssuerSettings {
  readonly clock: () => number
  readonly fetch: typeof globalThis.fetch
  readonly timeoutMs: number
  /** How long the last good key set serves after it was fetched, while the issuer is out of reach. */
  readonly keySetMaxStaleMs: number
}

/** Freshness of a key set. */
const FRESH_MS = 600_000
/** From this share of its freshness on, a request starts the refresh in the background. */
const REFRESH_AT = 0.8
const METADATA_FRESH_MS = 3_600_000
/** Smallest distance of two fetches that unknown `kid`s cause: the issuer is not ours to flood. */
const UNKNOWN_KID_GAP_MS = 5000
const MAX_WAITING = 1000
const BACK_OFF_MS = { shortest: 1000, longest: 30_000 }

/** @see {@link https://www.rfc-editor.org/rfc/rfc8414#section-3 RFC 8414 §3} */
export function createIssuer(policy: IssuerPolicy, settings: IssuerSettings): Issuer {
  const { clock, fetch, timeoutMs, keySetMaxStaleMs } = settings
  const source = policy.keySource
  if (source.kind === 'static') return createStaticIssuer(policy, parseKeySet(source.jwks))

  const freshMs = Math.min(FRESH_MS, keySetMaxStaleMs)
  const closing = new AbortController()

  /** The last good set; `fetchNumber` says which fetch brought it. */
  let loaded: { readonly set: KeySet; readonly fetchedAt: Instant; readonly fetchNumber: number } | undefined
  let located: { readonly url: URL; readonly fetchedAt: Instant } | undefined
  let generation = 0
  let fetchesBegun = 0
  let inFlight: Promise<boolean> | undefined
  let lastError: unknown
  let failures = 0
  /** No fetch before this instant: the back-off after a failure. */
  let nextAttemptAt = Number.NEGATIVE_INFINITY
  let lastKidFetchAt = Number.NEGATIVE_INFINITY
  let kidFetch: Promise<boolean> | undefined
  let waiting = 0

  function instant(): Instant {
    return { wall: clock(), steady: performance.now() }
  }

  /** By the clock that says more: one that was set back makes nothing young again, and the other stops in a suspended process. */
  function ageOf({ wall, steady }: Instant, now = clock()): number {
    return Math.max(now - wall, performance.now() - steady)
  }

  function attemptAt(now: number): number {
    return notLaterThan(nextAttemptAt, now, BACK_OFF_MS.longest)
  }

  function kidFetchAt(now: number): number {
    return Math.max(notLaterThan(lastKidFetchAt + UNKNOWN_KID_GAP_MS, now, UNKNOWN_KID_GAP_MS), attemptAt(now))
  }

  /** Fetches the key set, one fetch at a time. Resolves to whether it succeeded; the rest is in the state. */
  function refresh(): Promise<boolean> {
    inFlight ??= load().finally(() => {
      inFlight = undefined
    })
    return inFlight
  }

  async function load(): Promise<boolean> {
    const fetchNumber = ++fetchesBegun
    const begunAt = instant()
    const { signal: deadline, clear } = deadlineAfter(timeoutMs, closing.signal)
    try {
      const url = source.kind === 'jwks_uri' ? source.url : await locateKeySet(begunAt, deadline)
      const { body } = await fetchJson(fetch, url, deadline)
      loaded = { set: parseKeySet(body, loaded?.set), fetchedAt: begunAt, fetchNumber }
      generation++
      failures = 0
      nextAttemptAt = Number.NEGATIVE_INFINITY
      lastError = undefined
    } catch (error) {
      failures++
      lastError = error
      nextAttemptAt = clock() + backOff(failures)
    } finally {
      clear()
    }
    const succeeded = failures === 0
    publishKeySet(() => ({
      issuer: policy.issuer,
      outcome: succeeded ? 'loaded' : 'failed',
      keys: loaded?.set.size ?? 0,
      fetchedAt: loaded?.fetchedAt.wall,
      error: lastError,
      durationMs: performance.now() - begunAt.steady,
    }))
    return succeeded
  }

  async function locateKeySet(begunAt: Instant, deadline: AbortSignal): Promise<URL> {
    if (located !== undefined && failures === 0 && ageOf(located.fetchedAt) < METADATA_FRESH_MS) return located.url
    located = { url: await discoverKeySet(policy.issuer, fetch, deadline), fetchedAt: begunAt }
    return located.url
  }

  function unavailable(permittedAt: (now: number) => number = attemptAt): UnavailableError {
    const now = clock()
    const cause = closing.signal.aborted
      ? new Error('the verifier is closed')
      : (lastError ?? new Error(`issuer ${policy.issuer}: no fetch for an unknown key is permitted yet`))
    return new UnavailableError(cause, permittedAt(now) - now)
  }

  /** Whether the loaded set may serve without waiting; starts its refresh in the background when it is time. */
  function servable(now = clock()): 'fresh' | 'stale' | false {
    if (loaded === undefined) return false
    const age = ageOf(loaded.fetchedAt, now)
    if (age < freshMs * REFRESH_AT) return 'fresh'
    if (age >= keySetMaxStaleMs) return false
    // In an outage requests do not queue up behind each attempt. A failure of long ago says nothing of now.
    const outage = failures > 0 && now - nextAttemptAt < BACK_OFF_MS.longest
    if (age >= freshMs && !outage) return false
    // Only a clock of the application that throws makes it reject; the next request meets that clock as well.
    if (inFlight === undefined && now >= attemptAt(now)) refresh().catch(() => {})
    return age < freshMs ? 'fresh' : 'stale'
  }

  /** A usable set, fetched first where there is none. */
  function current(): KeySet | Promise<KeySet> {
    if (loaded !== undefined && servable()) return loaded.set
    const now = clock()
    if (inFlight === undefined && now < attemptAt(now)) throw unavailable()
    return refresh().then((succeeded) => {
      if (loaded !== undefined && (succeeded || servable())) return loaded.set
      throw unavailable()
    })
  }

  /** Waits for a set that holds the `kid`; refuses only when one whose fetch began after the request's arrival lacks it. */
  async function awaitKid(
    alg: string,
    kid: string,
    arrival: { readonly at: Instant; readonly fetchesBegun: number },
  ): Promise<readonly VerificationKey[]> {
    if (waiting >= MAX_WAITING) throw unavailable(kidFetchAt)
    waiting++
    try {
      for (;;) {
        // What is under way may bring it; having begun earlier, it cannot say that it does not exist.
        while (inFlight !== undefined) await inFlight
        const match = loaded?.set.match(alg, kid)
        if (match !== undefined && !match.unknown) return match.keys
        if (loaded !== undefined && loaded.fetchNumber > arrival.fetchesBegun) return []
        const now = clock()
        const delayMs = kidFetchAt(now) - now
        if (closing.signal.aborted || delayMs > Math.max(0, timeoutMs - ageOf(arrival.at)))
          throw unavailable(kidFetchAt)
        kidFetch ??= fetchForKid(delayMs)
        if (!(await kidFetch)) throw unavailable(kidFetchAt)
      }
    } finally {
      waiting--
    }
  }

  /** One fetch for all that wait: it begins after the last of them came. */
  async function fetchForKid(delayMs: number): Promise<boolean> {
    const errorBefore = lastError
    // Waits in any case: `kidFetch` is set by then, and those that come in the same turn join.
    await pause(delayMs, closing.signal)
    while (inFlight !== undefined) await inFlight
    kidFetch = undefined
    // Another fetch that failed meanwhile has begun a back-off of its own.
    if (closing.signal.aborted || (failures > 0 && lastError !== errorBefore)) return false
    lastKidFetchAt = clock()
    return await refresh()
  }

  return {
    policy,
    get generation() {
      return generation
    },

    keysFor(alg, kid) {
      if (closing.signal.aborted) throw unavailable()
      const arrival = { at: instant(), fetchesBegun }
      const match = (set: KeySet) => {
        const { keys, unknown } = set.match(alg, kid)
        return unknown && kid !== undefined ? awaitKid(alg, kid, arrival) : keys
      }
      const set = current()
      return set instanceof Promise ? set.then(match) : match(set)
    },

    serves: (key, now) => key.isCurrent() && servable(now),

    async ready() {
      if (loaded !== undefined) return
      if (closing.signal.aborted) throw new Error(`issuer ${policy.issuer}: the verifier is closed`)
      const now = clock()
      if (now >= attemptAt(now)) await refresh()
      if (loaded === undefined) {
        throw new Error(`issuer ${policy.issuer}: ${(lastError as Error).message}`, { cause: lastError })
      }
    },

    close() {
      closing.abort(new Error('the verifier is closed'))
    },
  }
}

/** One moment on two clocks: the configured one, which can be set, and one that only goes forward. */
interface Instant {
  readonly wall: number
  readonly steady: number
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
  if (target.protocol !== 'https:' && !(target.protocol === 'http:' && configured.protocol === 'http:')) {
    throw new Error(`${url} leads to a jwks_uri that is not https`)
  }
  if (isLoopback(target) && !isLoopback(configured)) {
    throw new Error(`${url} leads to a jwks_uri on the loopback interface`)
  }
  // The platform's fetch refuses it too, with a message that shows the password.
  if (target.username !== '' || target.password !== '') throw new Error(`${url} leads to a jwks_uri with a password`)
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

/** Doubles from 1 s to 30 s, with up to a half on top, so that a fleet does not come back in step. */
function backOff(failures: number): number {
  const { shortest, longest } = BACK_OFF_MS
  return Math.min(shortest * 2 ** (failures - 1), longest / 1.5) * (1 + Math.random() / 2)
}

/** An instant to wait for, unless it is further away than it can be: a clock that was set back must not make a short wait long. */
function notLaterThan(at: number, now: number, longestMs: number): number {
  return at - now > longestMs ? now : at
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

/** Ends early, without an error, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return
  await new Promise<void>((resolve) => {
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
