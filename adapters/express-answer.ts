import type { ServerResponse } from 'node:http'
import type { Answer } from '../src/http/answers.js'
import { type Ending, follow, handOverLateErrors } from '../src/http/middleware.js'

/** Writes past `res.json`, which would add an ETag and could answer 304. */
export function write(res: ServerResponse, { status, headers, body }: Answer): void {
  if (res.headersSent) return
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.end(body)
}

/** Does with a request what its middleware has decided. */
export function finish(ending: Ending | Promise<Ending>, res: ServerResponse, next: (error?: unknown) => void): void {
  const actions = { next: () => next(), answer: (answer: Answer) => write(res, answer), fail: next }
  // Express 4 ignores what a middleware returns.
  handOverLateErrors(follow(ending, actions), next, res)
}
