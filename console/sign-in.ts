import { redirect, refuse } from './answers.js'
import type { ConsoleAnswer, ConsoleRequest } from './exchange.js'

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
  if (!isNavigation(request)) return refusal
  if (signInUrl !== undefined) return redirect(303, withReturnTo(signInUrl, request.mount || '/'))
  const { 'Content-Type': _, ...headers } = refusal.headers
  return { status: 401, headers: { ...headers, 'Content-Type': 'text/html; charset=utf-8' }, body: SIGN_IN_PAGE }
}

/** The documented 401 of the console itself. */
export function unauthenticated(challenge: string | undefined): ConsoleAnswer {
  const headers = challenge === undefined ? {} : { 'WWW-Authenticate': challenge }
  return refuse('unauthenticated', 'Sign in first', headers)
}

function isNavigation(request: ConsoleRequest): boolean {
  if (request.header('sec-fetch-mode') === 'navigate') return true
  return (request.method === 'GET' || request.method === 'HEAD') && acceptsHtml(request.header('accept') ?? '')
}

/** By name: programs send a wildcard. */
function acceptsHtml(accept: string): boolean {
  return accept
    .toLowerCase()
    .split(',')
    .some((range) => /^\s*text\/html\s*(?:;|$)/.test(range) && !/;\s*q=0(?:\.0*)?\s*(?:;|$)/.test(range))
}

function withReturnTo(signInUrl: string, mount: string): string {
  const [url = '', ...fragment] = signInUrl.split('#')
  const separator = !url.includes('?') ? '?' : /[?&]$/.test(url) ? '' : '&'
  return [`${url}${separator}return_to=${encodeURIComponent(mount)}`, ...fragment].join('#')
}

const SIGN_IN_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign in</title></head>
<body><main><h1>Sign in first</h1><p>This page is for people who are signed in.</p></main></body>
</html>
`
