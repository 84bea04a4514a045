import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { collectBody, partsOf } from '../src/http/body.js'
import { receivedBody } from './body.js'
import type { ConsoleAnswer, ConsoleRequest, ReceivedBody } from './exchange.js'
import type { Place } from './mount-path.js'
import { formatOrigin } from './same-origin.js'

/** What each of the frameworks on Node's own server knows of a request. */
export interface NodeExchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly place: Place
  /** What handlers of the framework receive. */
  readonly original: unknown
  /** What a parser of the application made of the body; read only when it is needed. */
  parsedBody(): unknown
  /** The body, where it is not the request itself. */
  readonly stream?: Readable
}

export function fromNode({ req, res, place, original, parsedBody, stream = req }: NodeExchange): ConsoleRequest {
  const header = (name: string): string | undefined => {
    const value = req.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  return {
    ...place,
    method: req.method ?? 'GET',
    ownOrigin: formatOrigin(
      (req.socket as { encrypted?: unknown }).encrypted === true ? 'https' : 'http',
      // RFC 9113 §8.3.1: of HTTP/2, which may have a Host beside it.
      header(':authority') ?? header('host'),
    ),
    header,
    // Names and values take turns.
    sentAuthorization: req.rawHeaders.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'authorization'),
    original,
    context: {},
    async readBody() {
      const announced = header('content-length')
      const body = await readNodeBody(stream, parsedBody(), announced)
      // What is left of the body would be taken for the next request.
      if (typeof body === 'string' && !req.complete && req.httpVersionMajor === 1) res.setHeader('Connection', 'close')
      return body
    },
  }
}

/** A parser that found no body of its kind may have left an empty object: the stream says whether anybody has read it. */
async function readNodeBody(stream: Readable, parsed: unknown, announced: string | undefined): Promise<ReceivedBody> {
  if (stream.readableDidRead && parsed !== undefined) return receivedBody(parsed, announced)
  if (stream.readableDidRead && Number(announced ?? 0) > 0) {
    throw new Error('the body of a request was read by somebody who kept nothing of it')
  }
  const body = await collectBody(partsOf(stream), announced)
  const isEmpty = typeof body === 'object' && 'bytes' in body && body.bytes.byteLength === 0
  return isEmpty && parsed !== undefined ? receivedBody(parsed, announced) : body
}

/** Writes past what frameworks add of their own: an ETag, and a 304 in place of an answer. */
export function writeToNode(res: ServerResponse, { status, headers, body }: ConsoleAnswer): void {
  if (body instanceof ReadableStream && (res.headersSent || res.req.method === 'HEAD')) void body.cancel()
  if (res.headersSent) return
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  if (!(body instanceof ReadableStream)) return void res.end(body)
  if (res.req.method === 'HEAD') return void res.end()
  res.flushHeaders()
  // A client that goes away is no error.
  pipeline(toNodeStream(body), res, () => {})
}

export function toNodeStream(body: ReadableStream<Uint8Array>): Readable {
  // The two declarations of the same class, Node's and the global one, do not fit.
  return Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0])
}
