import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { KeyConsole } from './contract.js'
import type { Judge } from './judge.js'
import { type Place, splitTarget } from './mount-path.js'
import { fromNode, toNodeStream } from './node.js'

export function toFastify(judge: Judge): ReturnType<KeyConsole['fastify']> {
  return async (given) => {
    const app = given as FastifyInstance
    const depth = app.prefix.split('/').filter((segment) => segment !== '').length

    async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
      const stream = request.body instanceof Readable ? request.body : request.raw
      const { status, headers, body } = await judge(
        fromNode({
          req: request.raw,
          res: reply.raw,
          place: placeBelowSegments(request.url, depth),
          original: request,
          parsedBody: () => (request.body === stream ? undefined : request.body) ?? (request.raw as Parsed).body,
          stream,
        }),
      )
      reply.code(status).headers({ ...headers })
      if (!(body instanceof ReadableStream)) return reply.send(typeof body === 'string' ? body : Buffer.from(body))
      if (request.method !== 'HEAD') return reply.send(toNodeStream(body))
      await body.cancel()
      return reply.send('')
    }

    // All of it holds for this scope alone. Bodies of every kind are left unread, so that the console judges them in its order.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.setErrorHandler<{ code?: unknown }>((error, request, reply) => {
      // A Content-Type that is none, of which Fastify 5 does not even ask the parser.
      if (String(error.code).startsWith('FST_ERR_CTP_')) return answer(request, reply)
      throw error
    })
    for (const url of ['/', '/*']) app.all(url, answer)
    answerOtherMethods(app, answer)
  }
}

/** Fastify knows fewer methods than Node: a request with another one finds no route. */
function answerOtherMethods(app: FastifyInstance, answer: RouteHandlerMethod): void {
  // Without a prefix it would be the whole application's.
  if (app.prefix === '') return
  try {
    app.setNotFoundHandler(answer)
  } catch {
    // The application has one of its own at this prefix.
  }
}

/** Where a parser in front of Fastify, such as that of a middleware, has left a body. */
type Parsed = { readonly body?: unknown }

/** By the number of its segments: those of a prefix may be parameters. */
function placeBelowSegments(target: string, depth: number): Place {
  const { path, query } = splitTarget(target)
  const segments = path.split('/').slice(1)
  const below = segments.slice(depth)
  const mount = segments.slice(0, depth).map((segment) => `/${segment}`)
  return { mount: mount.join(''), path: below.map((segment) => `/${segment}`).join(''), query }
}
