import type { Auth } from '../core/auth.js'
import { type AnyAuthError, MissingCredentialsError } from '../core/errors.js'
import { notMounted } from './mount-error.js'

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
  readonly forwardErrors: boolean
  /** The application's observer. A method, so that it may ask for the request type of its framework. */
  onError?(error: AnyAuthError, request: object): unknown
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

/** The Auth of a request; `undefined` without one, and without the middleware. */
export function findAuth(request: object): Auth | undefined {
  return findOutcome(request)?.auth
}

/**
 * The Auth of a request.
 *
 * @throws {MissingCredentialsError} when the request was let through without a credential
 * @throws {Error} when the middleware did not run
 */
export function getAuth(request: object): Auth {
  const outcome = findOutcome(request)
  if (outcome === undefined) throw notMounted('getAuth()')
  if (outcome.auth === undefined) throw new MissingCredentialsError(outcome.mount.realm)
  return outcome.auth
}
