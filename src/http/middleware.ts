import { type AnyAuthError, isAuthError } from '../core/errors.js'
import { type Answer, answerTo } from './answers.js'
import { tellOnError } from './hooks.js'
import { MountError } from './mount-error.js'
import { findOutage, keepRefusal, type MountSettings } from './outcome.js'

/** What a check says of a request: let it pass, give this answer, or refuse it with this error. */
export type Verdict = 'pass' | Answer | AnyAuthError

/** An error for the framework's error handling. Never a text or nothing: Express goes on with those. */
export interface Failure {
  readonly error: object
}

/** What becomes of a request: it goes on, it is answered, or the framework handles an error. */
export type Ending = 'pass' | Answer | Failure

/**
 * A middleware without its framework. It returns a promise only when something in it takes time. For a request that passes
 * it makes nothing: what it says is followed by the adapter, which has the functions of the framework at hand.
 */
export type PortableMiddleware<R extends object> = (request: R) => Ending | Promise<Ending>

/** What a middleware can do with a request, in the way of its framework. */
export interface Actions<T> {
  /** Calls what comes after the middleware. */
  next(): T
  /** Writes an answer to the client. */
  answer(answer: Answer): T
  /** Gives an error to the framework's error handling. */
  fail(error: object): T
}

/** Does what a middleware said: at once, unless it takes time. What the actions throw is passed on: it is no refusal. */
export function follow<T>(ending: Ending | Promise<Ending>, actions: Actions<T>): T | Promise<Awaited<T>> {
  // What `follow` returns may be a promise itself, which `then` awaits; its type does not say so of a T that is open.
  if (ending instanceof Promise) return ending.then((late) => follow(late, actions)) as Promise<Awaited<T>>
  if (ending === 'pass') return actions.next()
  return 'error' in ending ? actions.fail(ending.error) : actions.answer(ending)
}

/**
 * What becomes of a request of which a check has said this. A promise that rejects refuses, as a check does that throws.
 *
 * @param mount says how refusals are answered
 * @param publish tells telemetry of a refusal. Not for the check of a mount: its verifier does that.
 */
export function endingOf(
  verdict: Verdict | Promise<Verdict>,
  mount: MountSettings,
  request: object,
  publish?: (error: AnyAuthError) => void,
): Ending | Promise<Ending> {
  if (verdict instanceof Promise) {
    return verdict.then(
      (late) => endingOf(late, mount, request, publish),
      (error) => refuse(error, mount, request, publish),
    )
  }
  return isAuthError(verdict) ? refuse(verdict, mount, request, publish) : verdict
}

/** What becomes of a request whose check has thrown this. Everything but an AuthError is a failure of the application. */
export function refuse(
  error: unknown,
  mount: MountSettings,
  request: object,
  publish?: (error: AnyAuthError) => void,
): Ending {
  if (!isAuthError(error)) return { error: toObject(error) }
  publish?.(error)
  tellOnError(mount.onError, error, request)
  const answered = findOutage(request) ?? error
  if (!mount.forwardErrors) return answerTo(answered)
  keepRefusal(request, { error: answered, mount })
  return { error: answered }
}

/**
 * For frameworks that do not look at the promise of a middleware: gives them what was thrown after the middleware had
 * returned (by what comes next, or while the answer was written), as if they had caught it themselves. Where they
 * cannot take it either, the connection is closed, so that the client does not wait for ever.
 */
export function handOverLateErrors(
  done: void | Promise<void>,
  fail: (error: object) => void,
  response: { destroy?(error?: Error): unknown },
): void {
  if (!(done instanceof Promise)) return
  done.catch((error) => fail(toObject(error))).catch((error) => response.destroy?.(error))
}

/** Anything can be thrown. Express takes `undefined` and `'route'` for permission to go on. */
function toObject(thrown: unknown): object {
  if (typeof thrown === 'object' && thrown !== null) return thrown
  return new MountError('something that is no error was thrown while a request was authenticated', { cause: thrown })
}
