import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { type Answer, jsonAnswer } from '../http/answers.js'
import { readAuthorizationLines } from '../http/authorization-lines.js'
import { refuseUncalled } from '../http/uncalled.js'
import type { RevocationReceiverOptions } from './contract.js'
import { readDeliveredBody } from './delivered-body.js'
import { createReceiver } from './receiver.js'

/** What a framework on Node's own server knows of a request that a provider sends. */
export interface Delivery {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** What a parser of the application made of the body. */
  parsedBody(): unknown
  /** The body, where it is not the request itself. */
  readonly stream?: Readable
}

/** A receiver without its framework. */
export interface Front {
  /** @throws {MountError} where middleware before it has read the body and kept nothing of it */
  answer(delivery: Delivery): Promise<Answer>
  close(): Promise<void>
}

/**
 * @param given the arguments of `createRevocationReceiver()`
 * @param cure how it is mounted
 * @throws {TypeError} for a wrong option, and where a framework calls it
 */
export function createFront(given: readonly [options: RevocationReceiverOptions], cure: string): Front {
  const [options, ...others] = given
  refuseUncalled('createRevocationReceiver', others, cure)
  const receiver = createReceiver(options)

  async function answer({ req, res, parsedBody, stream = req }: Delivery): Promise<Answer> {
    // Of another method the body does not matter, and Node drops it.
    const body = req.method === 'POST' ? await readDeliveredBody(req, stream, parsedBody) : Buffer.alloc(0)
    // What is left of a body would be taken for the next request.
    if (typeof body === 'string' && !req.complete && req.httpVersionMajor === 1) res.setHeader('Connection', 'close')
    if (body === 'incomplete' || body === 'encoded') return UNREADABLE[body]
    return receiver.handle({
      method: req.method ?? 'GET',
      query: hasTokenInQuery(req.url ?? ''),
      headers: {
        contentType: req.headers['content-type'],
        authorization: readAuthorizationLines(req),
      },
      body,
    })
  }

  return { answer, close: () => receiver.close() }
}

function unreadable(status: number, description: string, headers?: Answer['headers']): Answer {
  const body = { error: 'invalid_request', error_description: description }
  return jsonAnswer(status, body, { 'Cache-Control': 'no-store', ...headers })
}

const UNREADABLE = {
  incomplete: unreadable(408, 'The body did not arrive in time'),
  // RFC 9110 §15.5.16: what would have been taken.
  encoded: unreadable(415, 'The body must not be compressed', { 'Accept-Encoding': 'identity' }),
}

/** Addresses are logged. One may have a query of its own, though, with which a provider was registered. */
function hasTokenInQuery(target: string): boolean {
  const start = target.indexOf('?')
  if (start === -1) return false
  for (const [name, value] of new URLSearchParams(target.slice(start))) {
    // Every JWT begins with `{"` in base64url.
    if (/token|assertion|jwt/i.test(name) || value.startsWith('eyJ')) return true
  }
  return false
}
