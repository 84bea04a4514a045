import type { ServerResponse } from 'node:http'
import type { Answer } from '../src/http/answers.js'

/** Writes past `res.json`, which would add an ETag and could answer 304. */
export function write(res: ServerResponse, { status, headers, body }: Answer): void {
  if (res.headersSent) return
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.end(body)
}
