import { type AnyAuthError, isAuthError } from '../core/errors.js'
import { type Answer, answerTo } from './answers.js'
import { tellOnError } from './hooks.js'
import { MountError } from './mount-error.js'
import { findOutage, keepRefusal, type MountSettings } from './outcome.js'

/** What a check says of a request: let it pass, give this answer, or refuse it with this error. */
export type Verdict = 'pass' | Answer | AnyAuthError

/** The three things that a middleware can do with a request, each in the way of its framework. */
export interface Actions<T> {
  /** Calls what comes after the middleware. */
  next(): T
  /** Writes an answer to the client. */
  answer(answer: Answer): T
  /** Gives an error to the framework's error handling. Never a text or nothing: Express goes on with those. */
  fail(error: object): T
}

/** A middleware without its framework. It returns a promise only when something in it takes time. */
export type PortableMiddleware<R extends object> = <T>(request: R, actions: Actions<T>) => T | Promise<Awaited<T>>

/**
 * Runs a check and does what its verdict says: at once, unless the check returns a promise. A check may also throw its
 * refusal. What `next()` throws is passed on as it is: an error of a handler is no refusal.
 *
 * @param mount says how refusals are answered
 * @param publish tells telemetry of a refusal. Not for the check of a mount: its verifier does that.
 */
export function runCheck<R extends object, T>(
  check: () => Verdict | Promise<Verdict>,
  mount: MountSettings,
  request: R,
  actions: Actions<T>,
  publish?: (error: AnyAuthError) => void,
): T | Promise<Awaited<T>> {
  const act = (verdict: Verdict): T => {
    if (verdict === 'pass') return actions.next()
    return isAuthError(verdict) ? refuse(verdict) : actions.answer(verdict)
  }
  const refuse = (error: unknown): T => {
    if (!isAuthError(error)) return actions.fail(toObject(error))
    publish?.(error)
    tellOnError(mount.onError, error, request)
    const answered = findOutage(request) ?? error
    if (!mount.forwardErrors) return actions.answer(answerTo(answered))
    keepRefusal(request, { error: answered, mount })
    return actions.fail(answered)
  }

  let verdict: Verdict | Promise<Verdict>
  try {
    verdict = check()
  } catch (error) {
    return refuse(error)
  }
  if (!(verdict instanceof Promise)) return act(verdict)
  // What `act` returns may be a promise itself, which `then` awaits; its type does not say so of a T that is open.
  return verdict.then(act, refuse) as Promise<Awaited<T>>
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
