import type { IncomingMessage } from 'node:http'

/** The part of Node's request that holds the headers. Serverless shims and mocks may have no `rawHeaders`. */
export type Message = Partial<Pick<IncomingMessage, 'rawHeaders' | 'headers'>>

/**
 * The Authorization header of a request: its value, or a list where the request has several lines.
 *
 * Node keeps the first of several Authorization lines in `headers` and drops the others. `rawHeaders` has them all, so
 * that a request with two is noticed.
 */
export function readAuthorizationLines({ rawHeaders = [], headers }: Message): string | readonly string[] | undefined {
  let first: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length !== 13 || name.toLowerCase() !== 'authorization') continue
    // Two lines are enough to refuse the request.
    if (first !== undefined) return [first, rawHeaders[i + 1] as string]
    first = rawHeaders[i + 1] as string
  }
  return first ?? headers?.authorization
}
