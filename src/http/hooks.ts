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
 * Tells the application's `onError` of a refusal, and undoes what it does to the error.
 *
 * @returns what may be forwarded to the framework: the refusal, or a mistake where `onError` froze it
 */
export function tellOnError<R>(
  onError: ((error: AnyAuthError, request: R) => unknown) | undefined,
  error: AnyAuthError,
  request: R,
): AnyAuthError | MountError {
  if (onError === undefined) return error
  const { status, statusCode, expose, message } = error
  const headers = { ...error.headers }
  try {
    ignoreRejection(onError(error, request))
  } catch {
    // An observer that fails does not change the answer.
  }
  try {
    return Object.assign(error, { status, statusCode, expose, message, headers })
  } catch (cause) {
    // Koa assigns to errors that it answers, and a failure of that would end the process.
    return new MountError('the onError hook of vantageAuth() froze the error', { cause })
  }
}

/** Keeps the promise that a hook returned from ending the process when it rejects. */
function ignoreRejection(returned: unknown): void {
  Promise.resolve(returned).catch(() => {})
}
