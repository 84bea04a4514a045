import { UnavailableError } from '../../core/errors.js'
import { ofProcess } from '../../core/of-process.js'
import { NO_NOTICES, type OutageNotices } from '../../core/outage-notices.js'
import { type KeySet, keyUsesOf, parseKeySet, type VerificationKey } from '../key-set.js'
import type { IssuerPolicy } from '../policy.js'
import { createBackOff } from './back-off.js'
import { createDiscovery } from './discovery.js'
import { isInProcess } from './in-process-fetch.js'
import { createKeySetFetcher } from './key-set-fetcher.js'
import { createLoadedKeySet, type Freshness } from './loaded-key-set.js'
import { momentOf } from './moment.js'
import { type Arrival, createUnknownKidGate } from './unknown-kids.js'

/** One configured issuer with its own key set. */
export interface Issuer {
  readonly policy: IssuerPolicy
  /** Goes up with each key set that was loaded. */
  readonly generation: number
  /**
   * The keys that may have signed a token with this header; none when the issuer has no such key. Fetches the key set
   * where it has to, and is a promise only then.
   *
   * @throws {UnavailableError} (or rejects with it) when that cannot be known now
   */
  keysFor(alg: string, kid: string | undefined): readonly VerificationKey[] | Promise<readonly VerificationKey[]>
  /**
   * Whether what this key verified may be served from a cache, and as what.
   *
   * @param now milliseconds since the epoch
   */
  freshness(key: VerificationKey, now: number): Freshness
  /**
   * The freshness, for whoever serves from a cache with it. Refreshes the key set in the background, if it is time and an
   * attempt is permitted: a service that is busy with the same tokens would otherwise find its set too old all at once.
   */
  freshnessAndRefresh(key: VerificationKey, now: number): Freshness
  /** Resolves once a key set is loaded; rejects with what went wrong. */
  ready(): Promise<void>
  close(): void
}

/** How an issuer's keys are fetched and kept. */
export interface IssuerSettings {
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly fetch: typeof globalThis.fetch
  readonly timeoutMs: number
  /** How long the last good key set serves after it was fetched, while the issuer is out of reach. */
  readonly keySetMaxStaleMs: number
  /** Most requests that wait for an unknown `kid` at a time. Default: 1000. */
  readonly maxUnknownKids?: number
  /** Where several issuers end together: ends all of them. */
  readonly closing?: AbortController
}

/**
 * Creates an issuer. Nothing is fetched before the first question for a key, or `ready()`.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8414#section-3 RFC 8414 §3}
 */
export function createIssuer(
  policy: IssuerPolicy,
  settings: IssuerSettings,
  notices: OutageNotices = NO_NOTICES,
): Issuer {
  const source = policy.keySource
  if (source.kind === 'static') return createStaticIssuer(policy, parseKeySet(source.jwks, keyUsesOf(policy)))

  const { clock, timeoutMs } = settings
  const fetch = source.fetch ?? settings.fetch
  const { closing = new AbortController() } = settings
  const backOff = createBackOff()
  const identity = identityOf(policy.issuer, source.url, fetch)
  const loaded = createLoadedKeySet(policy.algorithms, settings.keySetMaxStaleMs, keyUsesOf(policy))
  const discovery = createDiscovery(
    policy.issuer,
    source,
    fetch,
    timeoutMs,
    notices.about(`metadata of issuer ${policy.issuer}`, `metadata ${identity}`),
  )
  const shared = { clock, timeoutMs, closing: closing.signal, loaded, backOff }
  const fetcher = createKeySetFetcher({
    ...shared,
    issuer: policy.issuer,
    fetch,
    discovery,
    notice: notices.about(`issuer ${policy.issuer}`, `keys ${identity}`),
  })
  const unknownKids = createUnknownKidGate({
    ...shared,
    fetcher,
    unavailable,
    hasGap: !isInProcess(fetch),
    maxWaiting: settings.maxUnknownKids,
  })

  function unavailable(permittedAt: (now: number) => number = backOff.permittedAt): UnavailableError {
    const now = clock()
    const cause = closing.signal.aborted
      ? new Error('the verifier is closed')
      : (backOff.lastError ?? new Error(`issuer ${policy.issuer}: too many requests wait for an unknown key`))
    return new UnavailableError(cause, permittedAt(now) - now)
  }

  const isOutage = (now: number) => backOff.isOutage(now, fetcher.inFlight !== undefined)

  function freshness(now: number): Freshness {
    return loaded.freshnessAt(loaded.age(now), now, isOutage)
  }

  function freshnessAndRefresh(now: number): Freshness {
    const age = loaded.age(now)
    const found = loaded.freshnessAt(age, now, isOutage)
    // A set that may not serve is fetched by the requests that wait for it.
    if (found !== undefined && loaded.isRefreshDueAt(age)) refresh(now)
    return found
  }

  function refresh(now: number): void {
    if (closing.signal.aborted || fetcher.inFlight !== undefined || now < backOff.permittedAt(now)) return
    // It rejects only when the application's clock throws, and the next request meets that clock as well.
    fetcher.fetch().catch(() => {})
  }

  /** A set that may serve, fetched first where there is none. */
  function usableSet(): KeySet | Promise<KeySet> {
    const now = clock()
    if (loaded.set !== undefined && freshnessAndRefresh(now) !== undefined) return loaded.set
    if (fetcher.inFlight === undefined && now < backOff.permittedAt(now)) throw unavailable()
    return fetcher.fetch().then((succeeded) => {
      if (loaded.set !== undefined && (succeeded || freshness(clock()) !== undefined)) return loaded.set
      throw unavailable()
    })
  }

  return {
    policy,
    get generation() {
      return loaded.generation
    },

    keysFor(alg, kid) {
      if (closing.signal.aborted) throw unavailable()
      const arrival: Arrival = { at: momentOf(clock()), fetchesBegun: fetcher.fetchesBegun }
      const match = (set: KeySet) => {
        const { keys, unknown } = set.match(alg, kid)
        return unknown && kid !== undefined ? unknownKids.waitFor(alg, kid, arrival) : keys
      }
      const set = usableSet()
      return set instanceof Promise ? set.then(match) : match(set)
    },

    freshness: (key, now) => (key.isCurrent() ? freshness(now) : undefined),
    freshnessAndRefresh: (key, now) => (key.isCurrent() ? freshnessAndRefresh(now) : undefined),

    async ready() {
      if (loaded.set !== undefined) return
      if (closing.signal.aborted) throw new Error(`issuer ${policy.issuer}: the verifier is closed`)
      const now = clock()
      if (now >= backOff.permittedAt(now)) await fetcher.fetch()
      if (loaded.set === undefined) {
        // What a fetch fails with is always an Error: see `fetchJson`, `createDiscovery` and `createLoadedKeySet`.
        const cause = backOff.lastError as Error
        throw new Error(`issuer ${policy.issuer}: ${cause.message}`, { cause })
      }
    },

    close() {
      closing.abort(new Error('the verifier is closed'))
    },
  }
}

const fetches = ofProcess('fetches', () => ({ numbers: new WeakMap<object, number>(), last: 0 }))

/** For verifiers that ask one issuer by one way. By another URL, or another `fetch`, it may fail while this one answers. */
function identityOf(issuer: string, url: URL, fetch: object): string {
  const number = fetches.numbers.get(fetch) ?? ++fetches.last
  fetches.numbers.set(fetch, number)
  return JSON.stringify([issuer, url.href, number])
}

function createStaticIssuer(policy: IssuerPolicy, set: KeySet): Issuer {
  return {
    policy,
    generation: 0,
    keysFor: (alg, kid) => set.match(alg, kid).keys,
    freshness: () => 'fresh',
    freshnessAndRefresh: () => 'fresh',
    ready: async () => {},
    close() {},
  }
}
