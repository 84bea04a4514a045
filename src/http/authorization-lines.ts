import type { IncomingMessage } from 'node:http'

/** The part of Node's request that holds the headers. Serverless shims and mocks may have no `rawHeaders`. */
export type Message = Partial<Pick<IncomingMessage, 'rawHeaders' | 'headers'>>

/** Names and values of the headers that Node keeps where `server.maxHeadersCount` is not set. */
const NODE_HEADER_LIMIT = 2 * 2000

/**
 * The Authorization header of a request: its value, or a list where the request has several lines.
 *
 * The value is the one in `headers`, which the application may have set or deleted: its word counts. Of several lines of
 * the client Node keeps the first there. `rawHeaders` has them all, and serves to notice a second one; where the value
 * in `headers` is not what Node made of the lines, the application has replaced it, and the lines no longer matter.
 */
export function readAuthorizationLines({ rawHeaders = [], headers }: Message): string | readonly string[] | undefined {
  const value = headers?.authorization
  if (value === undefined) return undefined
  let first: string | undefined
  let joined = ''
  for (let i = 0; i < rawHeaders.length; i += 2) {
    // Names and values take turns: no index of the loop is past the end.
    const name = rawHeaders[i] as string
    if (name.length !== 13 || name.toLowerCase() !== 'authorization') continue
    const line = rawHeaders[i + 1] as string
    // A server with `joinDuplicateHeaders` has all lines in one value.
    joined = first === undefined ? line : `${joined}, ${line}`
    first ??= line
  }
  if (first === undefined || (value !== first && value !== joined)) return value
  // Node keeps no header behind the limit: there may be another line, and a proxy may have taken that one.
  return joined !== first || rawHeaders.length >= NODE_HEADER_LIMIT ? [first, joined] : value
}
