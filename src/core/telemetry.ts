import { channel } from 'node:diagnostics_channel'
import { debuglog } from 'node:util'
import type { Auth } from './auth.js'
import { type AnyAuthError, isAuthError, type Reason } from './errors.js'

/**
 * Published on the channel `vantage-auth:decision` of `node:diagnostics_channel`: once for each request that a verifier
 * decided, and once more when a guard refuses it for want of a scope, or `authErrors()` (on Koa the middleware itself) answers
 * or passes on an AuthError that a handler has thrown.
 *
 * @see {@link https://nodejs.org/api/diagnostics_channel.html diagnostics_channel}: an error that a subscriber throws
 *   does not reach the decision; Node raises it as an uncaught exception
 */
export interface DecisionEvent {
  /** `accepted`, or the code of the error without `ERR_VANTAGE_`, in lower case. */
  outcome:
    | 'accepted'
    | 'credentials_missing'
    | 'request_invalid'
    | 'token_invalid'
    | 'scope_insufficient'
    | 'unavailable'
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
  /** Time until the decision; 0 for a guard's. */
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
  const accepted = (result: T): T => {
    publishDecision({ ...trace, outcome: 'accepted', reason: undefined, durationMs: performance.now() - begunAt })
    return result
  }
  const refused = (error: unknown): never => {
    if (isAuthError(error)) published.add(error)
    publishDecision({ ...trace, ...outcomeOf(error), durationMs: performance.now() - begunAt })
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

const CODE_PREFIX = 'ERR_VANTAGE_'

function outcomeOf(error: unknown): Pick<DecisionEvent, 'outcome' | 'reason'> {
  if (!isAuthError(error)) return { outcome: 'unavailable', reason: undefined }
  return {
    outcome: error.code.slice(CODE_PREFIX.length).toLowerCase() as DecisionEvent['outcome'],
    reason: error.code === 'ERR_VANTAGE_TOKEN_INVALID' ? error.reason : undefined,
  }
}

// An error can pass several places that publish: the verifier, a guard, what handles the errors of handlers.
const published = new WeakSet<object>()

/**
 * A refusal that no verifier has decided: by a guard, or thrown by a handler. Once for each error.
 *
 * @param auth of the credential that the middleware had accepted
 */
export function publishRefusal(error: AnyAuthError, auth: Auth | undefined): void {
  if (!decisionsObserved() || published.has(error)) return
  published.add(error)
  publishDecision({
    ...outcomeOf(error),
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
