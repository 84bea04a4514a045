import { redirect, refuse } from './answers.js'
import type { ConsoleAnswer, ConsoleRequest } from './exchange.js'
import { isNavigation } from './navigation.js'

/**
 * The answer to a request of nobody: a person who navigates is sent to sign in, and comes back to the mount afterwards.
 *
 * @param refusal what a program is answered
 */
export function answerToNobody(
  request: ConsoleRequest,
  signInUrl: string | undefined,
  refusal: ConsoleAnswer,
): ConsoleAnswer {
  if (signInUrl === undefined || !isNavigation(request)) return refusal
  return redirect(303, withReturnTo(signInUrl, request.mount || '/'))
}

/** The documented 401 of the console itself. */
export function unauthenticated(challenge: string | undefined): ConsoleAnswer {
  const headers = challenge === undefined ? {} : { 'WWW-Authenticate': challenge }
  return refuse('unauthenticated', 'Sign in first', headers)
}

function withReturnTo(signInUrl: string, mount: string): string {
  const [url = '', ...fragment] = signInUrl.split('#')
  const separator = !url.includes('?') ? '?' : /[?&]$/.test(url) ? '' : '&'
  return [`${url}${separator}return_to=${encodeURIComponent(mount)}`, ...fragment].join('#')
}
