import { channel } from 'node:diagnostics_channel'
import { debuglog } from 'node:util'
import type { Auth } from './auth.js'
import { type AnyAuthError, isAuthError, type Reason } from './errors.js'

const CODE_PREFIX = 'ERR_VANTAGE_'

/** The code of an error without its prefix, in lower case. A code with another prefix does not compile. */
type OutcomeOf<Code extends `${typeof CODE_PREFIX}${string}`> = Code extends `${typeof CODE_PREFIX}${infer Name}`
  ? Lowercase<Name>
  : never

/**
 * Published on the channel `vantage-auth:decision` of `node:diagnostics_channel`: once for each request that a verifier
 * decided, and once more when a guard refuses it, or `authErrors()` (on Koa the middleware itself) answers or passes on an
 * AuthError that a handler has thrown.
 *
 * @see {@link https://nodejs.org/api/diagnostics_channel.html diagnostics_channel}: an error that a subscriber throws
 *   does not reach the decision; Node raises it as an uncaught exception
 */
export interface DecisionEvent {
  /** `accepted`, or the code of the error without `ERR_VANTAGE_`, in lower case: `scope_insufficient`, for example. */
  outcome: 'accepted' | OutcomeOf<AnyAuthError['code']>
  /**
   * What decided. A request that a guard or a handler refuses has an event of the verifier as well, unless `skip` let it
   * through: count requests by those of the verifier.
   */
  decidedBy: 'verifier' | 'guard' | 'handler'
  /** Why a credential was refused; only with `token_invalid`. */
  reason: Reason | undefined
  /** `undefined` when there was no credential to look at. */
  kind: 'api_key' | 'access_token' | undefined
  /** One of the configured issuers, never text of a token that names another. */
  issuer: string | undefined
  /** Public id of the API key, as the credential says: that of an unknown key as well. */
  keyId: string | undefined
  /** Decided from the cache. */
  cached: boolean
  /** Decided on a key set or a store confirmation that is past its freshness, in an outage. */
  stale: boolean
  /** Time until the decision of a verifier; 0 for others. */
  durationMs: number
}

/** Published on the channel `vantage-auth:key-set` after each attempt to fetch an issuer's keys. */
export interface KeySetEvent {
  issuer: string
  outcome: 'loaded' | 'failed'
  /** Number of keys of the set in use. */
  keys: number
  /** When the set in use was fetched, in milliseconds since the epoch; `undefined` before the first. */
  fetchedAt: number | undefined
  /** What went wrong; never text of a credential. */
  error: unknown
  durationMs: number
}

/**
 * Published on the channel `vantage-auth:store` when a look-up fails, when the change feed changes its state, when a change
 * arrives, and when usage is written or lost. Also at each look-up of a key that was replaced and is still accepted: every
 * few minutes while it is in use.
 */
export interface StoreEvent {
  event:
    | 'look_up_failed'
    | 'feed'
    | 'change'
    | 'usage_flushed'
    | 'usage_failed'
    | 'usage_dropped'
    | 'superseded_key_in_use'
  /** State of the change feed, with `feed`. */
  state?: 'live' | 'polling' | 'down'
  /** Public id of the key, with `change` and `superseded_key_in_use`; `undefined` when all keys are meant. */
  keyId?: string | undefined
  /** Public id of the key that replaces it, with `superseded_key_in_use`. */
  successorId?: string
  /** With `change`, how long it travelled: from the store's clock to this process's. `undefined` where the store cannot say. */
  lagMs?: number | undefined
  /** Number of uses, with `usage_*`. */
  count?: number
  /** What went wrong, as the store said it. */
  error?: unknown
}

const decisions = channel('vantage-auth:decision')
const keySets = channel('vantage-auth:key-set')
const stores = channel('vantage-auth:store')
const debug = debuglog('vantage-auth')

/** Whether anybody listens to decisions. Events are not put together otherwise. */
export function decisionsObserved(): boolean {
  return decisions.hasSubscribers || debug.enabled
}

/** What is known of a decision while it is made. Filled in only when somebody listens. */
export type Trace = Pick<DecisionEvent, 'kind' | 'issuer' | 'keyId' | 'cached' | 'stale'>

/** Makes a decision and publishes how it ended. */
export function observeDecision<T>(decide: (trace: Trace) => T | Promise<T>): T | Promise<T> {
  const trace: Trace = { kind: undefined, issuer: undefined, keyId: undefined, cached: false, stale: false }
  const begunAt = performance.now()
  const publishEnd = (end: End) =>
    publishDecision({ ...trace, ...end, decidedBy: 'verifier', durationMs: performance.now() - begunAt })
  const accepted = (result: T): T => {
    publishEnd({ outcome: 'accepted', reason: undefined })
    return result
  }
  const refused = (error: unknown): never => {
    if (isAuthError(error)) publishedByVerifiers.add(error)
    publishEnd(endOf(error))
    throw error
  }
  let result: T | Promise<T>
  try {
    result = decide(trace)
  } catch (error) {
    return refused(error)
  }
  return result instanceof Promise ? result.then(accepted, refused) : accepted(result)
}

type End = Pick<DecisionEvent, 'outcome' | 'reason'>

function endOf(error: unknown): End {
  if (!isAuthError(error)) return { outcome: 'unavailable', reason: undefined }
  return {
    // What OutcomeOf says in types.
    outcome: error.code.slice(CODE_PREFIX.length).toLowerCase() as OutcomeOf<typeof error.code>,
    reason: error.code === 'ERR_VANTAGE_TOKEN_INVALID' ? error.reason : undefined,
  }
}

// A guard or a handler that asks a verifier itself may pass on its refusal.
const publishedByVerifiers = new WeakSet<object>()

/**
 * Publishes a refusal by a guard or a handler, unless it is one of a verifier, which has published it. The same error may
 * refuse several requests.
 *
 * @param auth of the credential that the middleware had accepted
 */
export function publishRefusal(error: AnyAuthError, auth: Auth | undefined, decidedBy: 'guard' | 'handler'): void {
  if (!decisionsObserved() || publishedByVerifiers.has(error)) return
  publishDecision({
    ...endOf(error),
    decidedBy,
    kind: auth?.kind,
    issuer: auth?.kind === 'access_token' ? auth.issuer : undefined,
    keyId: auth?.kind === 'api_key' ? auth.keyId : undefined,
    cached: false,
    stale: false,
    durationMs: 0,
  })
}

function publishDecision(event: DecisionEvent): void {
  if (event.outcome !== 'accepted' && debug.enabled) debug(debugLine(event))
  if (decisions.hasSubscribers) decisions.publish(event)
}

/** For `NODE_DEBUG=vantage-auth`. Of a credential it shows only the id of a well-formed key. */
function debugLine({ outcome, reason, keyId, issuer }: DecisionEvent): string {
  const code = `${CODE_PREFIX}${outcome.toUpperCase()}`
  return [code, reason, keyId ? `key ${keyId}` : issuer && `issuer ${issuer}`].filter(Boolean).join(' ')
}

/** @param describe called only when somebody subscribed */
export function publishKeySet(describe: () => KeySetEvent): void {
  if (keySets.hasSubscribers) keySets.publish(describe())
}

/** @param describe called only when somebody subscribed */
export function publishStore(describe: () => StoreEvent): void {
  if (stores.hasSubscribers) stores.publish(describe())
}
