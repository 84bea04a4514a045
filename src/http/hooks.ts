import type { AnyAuthError } from '../core/errors.js'
import { MountError } from './mount-error.js'

/**
 * Asks the application's `skip` whether a request needs no authentication.
 *
 * @throws {MountError} where it throws, or answers with anything but a boolean: a mistake in it never gives access
 */
export function askSkip<R>(skip: (request: R) => boolean, request: R): boolean {
  let answer: unknown
  try {
    answer = skip(request)
  } catch (cause) {
    throw new MountError('the skip hook of vantageAuth() threw', { cause })
  }
  if (typeof answer === 'boolean') return answer
  ignoreRejection(answer)
  throw new MountError('the skip hook of vantageAuth() must return true or false, synchronously')
}

/**
 * Tells the application's `onError` of a refusal. It is given a copy: what it does with that, now or later, changes neither
 * the answer nor the error that is handed to the framework.
 */
export function tellOnError<R>(
  onError: ((error: AnyAuthError, request: R) => unknown) | undefined,
  error: AnyAuthError,
  request: R,
): void {
  if (onError === undefined) return
  try {
    ignoreRejection(onError(copyOf(error), request))
  } catch {
    // An observer that fails does not change the answer.
  }
}

/** An error of the same class with the same properties. It shares nothing with the original that the answer is made of. */
function copyOf(error: AnyAuthError): AnyAuthError {
  const body = error.toJSON()
  const own = (value: unknown, enumerable = false) => ({ value, enumerable, writable: true, configurable: true })
  // Made by Error itself, so that loggers and test runners know it for one.
  const copy = Object.setPrototypeOf(new Error(), Object.getPrototypeOf(error))
  return Object.defineProperties(copy, {
    ...Object.getOwnPropertyDescriptors(error),
    // V8 computes it where it is read, from the error that it belongs to.
    stack: own(error.stack),
    headers: own({ ...error.headers }, true),
    // The class's own function reads a private field, which a copy cannot have.
    toJSON: own(() => ({ ...body })),
  })
}

/** Keeps the promise that a hook returned from ending the process when it rejects. */
function ignoreRejection(returned: unknown): void {
  Promise.resolve(returned).catch(() => {})
}
