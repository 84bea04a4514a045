import type { Auth } from '../core/auth.js'
import { type AnyAuthError, MissingCredentialsError, UnavailableError } from '../core/errors.js'
import { ofProcess } from '../core/of-process.js'
import type { VerifierTime } from '../verifier/verifier-time.js'
import { notMounted } from './mount-error.js'
import { refuseUncalled } from './uncalled.js'

/** What a `vantageAuth()` has decided on a request that it let through. Kept on the request for guards and handlers. */
export interface Outcome {
  /** `undefined` where the request was skipped, or came without a credential under `optional`. */
  readonly auth: Auth | undefined
  /** The mount that decided. Guards behind it refuse as it does. */
  readonly mount: MountSettings
}

/** How a mount refuses requests. */
export interface MountSettings {
  readonly realm: string
  /** How long a rule may take to answer. */
  readonly timeoutMs: number
  /** The clock of the mount's verifier, and what it tolerates. */
  readonly time: VerifierTime
  readonly forwardErrors: boolean
  /** Name under which handlers find the Auth; `false` where they find it by `getAuth()` alone. */
  readonly exposeAs: string | false
  /** The mount is one of several that a request may satisfy. */
  readonly isAlternative: boolean
  /** The application's observer. A method, so that it may ask for the request type of its framework. */
  onError?(error: AnyAuthError, request: object): unknown
  /**
   * Asks the verifier once more about a request that was let through, for answers that last: its credential may have ended,
   * or been revoked, in the meantime. The outcome on the request stays as it is.
   *
   * @throws {AuthError} the refusal, as the verifier gives it
   */
  reauthenticate(request: object): Promise<Auth>
}

// A registered symbol is the same in the ESM and the CommonJS build: a guard of one finds the outcome of the other.
const OUTCOME = Symbol.for('vantage-auth.outcome')

type Carrier = { [OUTCOME]?: Outcome }

/** Keeps an outcome on a request, in place of that of an earlier mount. */
export function keepOutcome(request: object, outcome: Outcome): void {
  ;(request as Carrier)[OUTCOME] = outcome
}

/** The outcome that was kept last; `undefined` where no mount let this request through. */
export function findOutcome(request: object): Outcome | undefined {
  return (request as Carrier)[OUTCOME]
}

/** A refusal that was handed to the framework, and the mount that did it. Kept so that it is not reported once more. */
export interface Refusal {
  readonly error: AnyAuthError
  readonly mount: MountSettings | undefined
}

/** The last refusal of each request. Not on the request: a refused alternative leaves nothing there. */
const refusals = ofProcess('refusals', () => new WeakMap<object, Refusal>())

/** Keeps a refusal of a request, in place of an earlier one. */
export function keepRefusal(request: object, refusal: Refusal): void {
  refusals.set(request, refusal)
}

/** The refusal with this error, if it was the last of the request. */
export function findRefusal(request: object, error: AnyAuthError): Refusal | undefined {
  const refusal = refusals.get(request)
  return refusal?.error === error ? refusal : undefined
}

/**
 * The outage that kept an alternative from deciding on a request. It stands for what is refused afterwards: the credential
 * may be good for the one that could not decide, and a refusal would make its client throw it away.
 */
export function findOutage(request: object): UnavailableError | undefined {
  const refusal = refusals.get(request)
  if (!refusal?.mount?.isAlternative) return undefined
  return refusal.error.code === UnavailableError.code ? refusal.error : undefined
}

/**
 * The Auth of a request; `undefined` without one, and without the middleware.
 *
 * @throws {TypeError} when it is called without the request
 */
export function findAuth(request: object, ...nothingElse: never[]): Auth | undefined {
  checkRequest('findAuth', request, nothingElse)
  return findOutcome(request)?.auth
}

/**
 * The Auth of a request.
 *
 * @throws {MissingCredentialsError} when the request was let through without a credential
 * @throws {Error} when the middleware did not run
 * @throws {TypeError} when it is called without the request
 */
export function getAuth(request: object, ...nothingElse: never[]): Auth {
  checkRequest('getAuth', request, nothingElse)
  const outcome = findOutcome(request)
  if (outcome === undefined) throw notMounted('getAuth()')
  if (outcome.auth === undefined) throw new MissingCredentialsError(outcome.mount.realm)
  return outcome.auth
}

/** A framework that was given the function itself calls it with a response or `next` as well. */
function checkRequest(caller: string, request: unknown, others: readonly unknown[]): void {
  refuseUncalled(caller, others, `${caller}(request) in a handler`)
  if (typeof request === 'object' && request !== null) return
  throw new TypeError(
    `${caller}() was called without the request: give it what the handler receives, ${caller}(request)`,
  )
}
