import { isAuthError } from '../core/errors.js'
import { publishRefusal } from '../core/telemetry.js'
import { type Answer, answerTo } from './answers.js'
import { tellOnError } from './hooks.js'
import { findOutcome, findRefusal, keepRefusal } from './outcome.js'

/**
 * What to do with an error that a handler has thrown, or that was handed to the framework. An AuthError is published, and
 * told to the `onError` of the mount that ran last, unless that was done before.
 *
 * @returns the documented answer; `undefined` where the framework is to handle it: it is no AuthError, or the mount has
 *   `forwardErrors`
 */
export function answerToThrown(error: unknown, request: object): Answer | undefined {
  if (!isAuthError(error)) return undefined
  const outcome = findOutcome(request)
  const refusal = findRefusal(request, error)
  const mount = refusal === undefined ? outcome?.mount : refusal.mount
  if (refusal === undefined) {
    keepRefusal(request, { error, mount })
    publishRefusal(error, outcome?.auth, 'handler')
    tellOnError(mount?.onError, error, request)
  }
  return mount?.forwardErrors ? undefined : answerTo(error)
}

/** Headers of the answer that the handler had begun to make. They would be wrong on the one that is sent instead. */
export const HANDLER_HEADERS: readonly string[] = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Content-Range',
  'ETag',
  'Last-Modified',
  'Trailer',
  'Transfer-Encoding',
]
