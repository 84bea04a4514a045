import { channel } from 'node:diagnostics_channel'
import { debuglog } from 'node:util'
import { type Auth, credentialOf } from './auth.js'
import { describeCause } from './cause.js'
import { type AnyAuthError, isAuthError, type RefusalReason, type RefusedCredential } from './errors.js'
import { ofProcess } from './of-process.js'

const CODE_PREFIX = 'ERR_VANTAGE_'

/** The code of an error without its prefix, in lower case. A code with another prefix does not compile. */
type OutcomeOf<Code extends `${typeof CODE_PREFIX}${string}`> = Code extends `${typeof CODE_PREFIX}${infer Name}`
  ? Lowercase<Name>
  : never

/**
 * Published on the channel `vantage-auth:decision` of `node:diagnostics_channel`: once for each request that a verifier
 * decided, and once more when a guard or `assertScope()` refuses it, or `authErrors()` (on Koa the middleware itself) answers
 * or passes on another AuthError that a handler has thrown.
 *
 * @see {@link https://nodejs.org/api/diagnostics_channel.html diagnostics_channel}: an error that a subscriber throws
 *   does not reach the decision; Node raises it as an uncaught exception
 */
export interface DecisionEvent {
  /** `accepted`, or the code of the error without `ERR_VANTAGE_`, in lower case: `scope_insufficient`, for example. */
  outcome: 'accepted' | OutcomeOf<AnyAuthError['code']>
  /**
   * What decided; `assertScope()` is part of a handler. A request that a guard or a handler refuses has an event of the verifier as well, unless `skip` let it
   * through: count requests by those of the verifier.
   */
  decidedBy: 'verifier' | 'guard' | 'handler'
  /** Why the request was refused, as the error says it; `undefined` where it was accepted. */
  reason: RefusalReason | undefined
  /** The name of the rule, with the reason `rule`: what the application gave to `authorize()`. */
  rule: string | undefined
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
    | 'session_unknown'
    | 'issuer_unknown'
  /** State of the change feed, with `feed`. */
  state?: 'live' | 'polling' | 'down'
  /** Public id of the key, with `change` and `superseded_key_in_use`; `undefined` when all keys are meant. */
  keyId?: string | undefined
  /** Public id of the key that replaces it, with `superseded_key_in_use`. */
  successorId?: string
  /** With `change`, how long it travelled: from the store's clock to this process's. `undefined` where the store cannot say. */
  lagMs?: number | undefined
  /**
   * With `session_unknown`: the issuer of which sessions are revoked, and no subject beside them, while a token was accepted
   * that says no session. With `issuer_unknown`: an issuer whose tokens are revoked, and that the service does not accept. Once
   * for each issuer and process.
   */
  issuer?: string
  /** Number of uses, with `usage_*`. */
  count?: number
  /** What went wrong, as the store said it. */
  error?: unknown
}

/**
 * Why a revocation receiver refused what it was sent. The list is closed within a major version.
 *
 * | reason | |
 * |---|---|
 * | `method` `size` `media_type` | 405, 413, 415: the request is none that is taken |
 * | `request` | a token in the query, twice, or not at all; several Authorization header lines; a body that cannot be read |
 * | `missing` | a Global Token Revocation without a bearer token |
 * | `malformed` `type` `algorithm` `issuer` `key` `signature` `audience` `claims` `expired` `not_active` `too_old` | a check of the token failed, see {@link Reason} |
 * | `authorization` | the Authorization header is not the one of the sender's stream |
 * | `event` | the events are none, or none that the kind of token may have |
 * | `subject` | there is no subject, or it cannot be read |
 * | `subject_issuer` | the sender may not name subjects of that issuer: `subjectIssuers` |
 * | `subject_unknown` | Global Token Revocation by what never selects, such as an e-mail address |
 */
export type RevocationRefusal =
  | 'method'
  | 'size'
  | 'media_type'
  | 'request'
  | 'missing'
  | 'malformed'
  | 'type'
  | 'algorithm'
  | 'issuer'
  | 'authorization'
  | 'key'
  | 'signature'
  | 'audience'
  | 'claims'
  | 'expired'
  | 'not_active'
  | 'too_old'
  | 'event'
  | 'subject'
  | 'subject_issuer'
  | 'subject_unknown'

/** Published on the channel `vantage-auth:revocation` for each request that a revocation receiver has answered. */
export interface RevocationEvent {
  /**
   * `revoked`: written. `repeated`: it was written before. `nothing`: it tells of nothing that revokes tokens, or of a
   * subject that selects none. `refused`: it is not taken. `unavailable`: keys or the key store are out of reach, 503.
   */
  outcome: 'revoked' | 'repeated' | 'nothing' | 'refused' | 'unavailable'
  /**
   * Why it was refused; with `nothing`, whether no `event` of it revokes, or its subject is `unselectable`: then tokens
   * stay that its sender wanted to end. With `revoked` or `repeated` it is `unselectable` where only a part could be: of an
   * account the session, and not the user.
   */
  reason: RevocationRefusal | 'unselectable' | undefined
  /** By the request's Content-Type; `undefined` for another one. */
  kind: 'logout_token' | 'security_event' | 'global_token_revocation' | undefined
  /** One of the configured issuers, never text of a token that names another. Before `signature` it is a claim alone. */
  issuer: string | undefined
  /** Number of revocations that were written. */
  revocations: number
  /** What went wrong, with `unavailable`; never text of a credential. */
  error: unknown
  durationMs: number
}

const decisions = channel('vantage-auth:decision')
const keySets = channel('vantage-auth:key-set')
const stores = channel('vantage-auth:store')
const revocations = channel('vantage-auth:revocation')
const debug = debuglog('vantage-auth')
/** Node reads NODE_DEBUG once, when the process starts. Asked here, since the getter costs each request that is decided. */
const debugging = debug.enabled

/** Whether anybody listens to decisions. Events are not put together otherwise. */
export function decisionsObserved(): boolean {
  return decisions.hasSubscribers || debugging
}

/** How a decision is made. Filled in only when somebody listens. */
export type Trace = Pick<DecisionEvent, 'cached' | 'stale'>

/** Makes a decision and publishes how it ended. */
export function observeDecision(decide: (trace: Trace) => Auth | Promise<Auth>): Auth | Promise<Auth> {
  const trace: Trace = { cached: false, stale: false }
  const begunAt = performance.now()
  const publishEnd = (end: End, error?: AnyAuthError) =>
    publishDecision({ decidedBy: 'verifier', durationMs: performance.now() - begunAt, ...end, ...trace }, error)
  const accepted = (auth: Auth): Auth => {
    publishEnd({ outcome: 'accepted', reason: undefined, rule: undefined, ...identityOf(credentialOf(auth)) })
    return auth
  }
  const refused = (error: unknown): never => {
    if (isAuthError(error)) {
      published.add(error)
      publishEnd(endOf(error, error.credential), error)
    }
    throw error
  }
  let result: Auth | Promise<Auth>
  try {
    result = decide(trace)
  } catch (error) {
    return refused(error)
  }
  return result instanceof Promise ? result.then(accepted, refused) : accepted(result)
}

type Identity = Pick<DecisionEvent, 'kind' | 'issuer' | 'keyId'>
type End = Pick<DecisionEvent, 'outcome' | 'reason' | 'rule'> & Identity

// Here and above the spread comes last: V8 of Node 20 gives every object that adds to a spread a hidden class of its own,
// which costs microseconds, and more in whoever reads the events.
function endOf(error: AnyAuthError, credential: RefusedCredential | undefined): End {
  return {
    // What OutcomeOf says in types.
    outcome: error.code.slice(CODE_PREFIX.length).toLowerCase() as OutcomeOf<typeof error.code>,
    reason: error.reason,
    rule: error.code === 'ERR_VANTAGE_SCOPE_INSUFFICIENT' ? error.rule : undefined,
    ...identityOf(credential),
  }
}

function identityOf(credential: RefusedCredential | undefined): Identity {
  return { kind: credential?.kind, issuer: credential?.issuer, keyId: credential?.keyId }
}

/**
 * Refusals that are published already: a guard or a handler may pass on that of a verifier, and authErrors() that of
 * assertScope().
 */
const published = ofProcess('published', () => new WeakSet<object>())

/**
 * Publishes a refusal by a guard or a handler, unless it is one that was published where it was made. The same error may
 * refuse several requests.
 *
 * @param auth of the credential that the middleware had accepted
 */
export function publishRefusal(error: AnyAuthError, auth: Auth | undefined, decidedBy: 'guard' | 'handler'): void {
  if (!decisionsObserved() || published.has(error)) return
  const end = endOf(error, auth === undefined ? error.credential : credentialOf(auth))
  publishDecision({ decidedBy, cached: false, stale: false, durationMs: 0, ...end }, error)
}

/** Publishes a refusal on behalf of the handler that is about to throw it, so that it is not published again later. */
export function publishBeforeThrow(error: AnyAuthError, auth: Auth): void {
  publishRefusal(error, auth, 'handler')
  published.add(error)
}

function publishDecision(event: DecisionEvent, error: AnyAuthError | undefined): void {
  // As an argument: a cause may hold a per cent sign, which means something in a format.
  if (event.outcome !== 'accepted' && debugging) debug('%s', debugLine(event, error))
  if (decisions.hasSubscribers) decisions.publish(event)
}

/** For `NODE_DEBUG=vantage-auth`. Of a credential it shows its kind, or the id of a well-formed key. */
function debugLine(
  { outcome, reason, rule, kind, keyId, issuer }: DecisionEvent,
  error: AnyAuthError | undefined,
): string {
  const code = `${CODE_PREFIX}${outcome.toUpperCase()}`
  // Of the other codes the reason says nothing more.
  const detail = outcome === 'token_invalid' ? reason : rule && `rule ${rule}`
  const credential = keyId ? `key ${keyId}` : issuer ? `issuer ${issuer}` : kind
  const saysWhy = outcome === 'unavailable' || (outcome === 'authentication_insufficient' && error?.cause !== undefined)
  const cause = saysWhy ? `: ${describeCause(error?.cause)}` : ''
  return [code, detail, credential].filter(Boolean).join(' ') + cause
}

/** @param describe called only when somebody subscribed */
export function publishKeySet(describe: () => KeySetEvent): void {
  if (keySets.hasSubscribers) keySets.publish(describe())
}

/** @param describe called only when somebody subscribed */
export function publishStore(describe: () => StoreEvent): void {
  if (stores.hasSubscribers) stores.publish(describe())
}

/** For `NODE_DEBUG=vantage-auth` too: what was revoked or refused, and of whose. */
export function publishRevocation(event: RevocationEvent): void {
  if (debugging) {
    const { outcome, reason, kind, issuer, error } = event
    const cause = outcome === 'unavailable' ? `: ${describeCause(error)}` : ''
    debug('%s', ['receiver', outcome, reason, kind, issuer && `issuer ${issuer}`].filter(Boolean).join(' ') + cause)
  }
  if (revocations.hasSubscribers) revocations.publish(event)
}
