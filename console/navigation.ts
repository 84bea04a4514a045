import type { ConsoleAnswer, ConsoleRequest } from './exchange.js'

/** Whether a person opens an address, rather than a program asks. */
export function isNavigation(request: ConsoleRequest): boolean {
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

/** What a person reads in place of JSON, by the status. Nothing of the request is in it. */
const PAGES: Readonly<Record<number, readonly [title: string, text: string]>> = {
  401: ['Sign in first', 'This page is for people who are signed in.'],
  404: ['There is nothing here', 'There is no such page, or none that you may see.'],
  500: ['This page cannot be shown', 'Whoever runs it finds the cause in its log.'],
  503: ['Try again in a moment', 'The key store cannot be reached.'],
}

/** The same refusal, as a small page where a person has opened the address. */
export function forPerson(request: ConsoleRequest, answer: ConsoleAnswer): ConsoleAnswer {
  const page = PAGES[answer.status]
  if (page === undefined || !isNavigation(request)) return answer
  const { 'Content-Type': _, ...headers } = answer.headers
  return {
    status: answer.status,
    headers: { ...headers, 'Content-Type': 'text/html; charset=utf-8' },
    body: html(...page),
  }
}

function html(title: string, text: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title></head>
<body><main><h1>${title}</h1><p>${text}</p></main></body>
</html>
`
}
