import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { RevocationReceiverOptions } from '../src/receiver/contract.js'
import { createFront, type Front } from '../src/receiver/front.js'

/** What {@link createRevocationReceiver} returns. */
export type RevocationReceiver = FastifyPluginAsync & {
  /** Waits for what is under way, and stops fetching keys. `app.close()` calls it. It does not close the keyring. */
  close(): Promise<void>
}

const CURE = "app.register(createRevocationReceiver(options), { prefix: '/events' })"

/**
 * Takes what providers send to end sessions and accounts, and revokes the access tokens that it names:
 * `app.register(createRevocationReceiver({ keyring, issuers }), { prefix: '/events' })`. All below the prefix is its own. It
 * needs no credential: register it in a scope that `vantageAuth` does not cover.
 *
 * @throws {TypeError} for a wrong option
 */
export function createRevocationReceiver(...given: [options: RevocationReceiverOptions]): RevocationReceiver {
  const front = createFront(given, CURE)
  const plugin: FastifyPluginAsync = async (app) => {
    if (typeof app?.addContentTypeParser !== 'function') {
      throw new TypeError(`what createRevocationReceiver() returns is a plugin on Fastify: write ${CURE}`)
    }
    // Without one it would take all requests of the application.
    if (app.prefix === '') throw new TypeError(`createRevocationReceiver() needs a prefix: write ${CURE}`)
    app.addHook('onClose', () => front.close())
    answerAll(app, front)
  }
  return Object.assign(plugin, { close: front.close })
}

/** Answers everything below the prefix. All of it holds for this scope alone. */
function answerAll(app: FastifyInstance, front: Front): void {
  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { raw: req } = request
    const stream = request.body instanceof Readable ? request.body : req
    // Where a parser in front of Fastify, such as that of a middleware, has left a body.
    const parsedBody = () => (req as { body?: unknown }).body
    const { status, headers, body } = await front.answer({ req, res: reply.raw, parsedBody, stream })
    reply.code(status).headers({ ...headers })
    // Fastify gives a text without a type one, and an empty body has none.
    return body === '' ? reply.send() : reply.send(body)
  }

  // Bodies are left unread, so that the receiver reads each to its limit.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  app.setErrorHandler<{ code?: unknown }>((error, request, reply) => {
    // A Content-Type that is none, of which Fastify 5 does not even ask the parser.
    if (String(error.code).startsWith('FST_ERR_CTP_')) return answer(request, reply)
    throw error
  })
  app.all('/', answer)
  // Also for methods: Fastify knows fewer than Node, and a request with another one finds no route.
  app.setNotFoundHandler(answer)
}
