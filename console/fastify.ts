import { Readable } from 'node:stream'
import type { KeyConsole } from './contract.js'
import type { Judge } from './judge.js'
import { type Place, splitTarget } from './mount-path.js'
import { fromNode, toNodeStream } from './node.js'

export function toFastify(judge: Judge): ReturnType<KeyConsole['fastify']> {
  return async (app) => {
    // Both hold for this scope alone. Bodies of every kind are left unread, so that the console judges them in its order.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

    const depth = app.prefix.split('/').filter((segment) => segment !== '').length
    for (const url of ['/', '/*']) {
      app.all(url, async (request, reply) => {
        const stream = request.body instanceof Readable ? request.body : request.raw
        const { status, headers, body } = await judge(
          fromNode({
            req: request.raw,
            res: reply.raw,
            place: placeBelowSegments(request.url, depth),
            original: request,
            parsedBody: () => (request.body === stream ? (request.raw as { body?: unknown }).body : request.body),
            stream,
          }),
        )
        reply.code(status).headers({ ...headers })
        if (!(body instanceof ReadableStream)) return reply.send(typeof body === 'string' ? body : Buffer.from(body))
        if (request.method !== 'HEAD') return reply.send(toNodeStream(body))
        await body.cancel()
        return reply.send('')
      })
    }
  }
}

/** By the number of its segments: those of a prefix may be parameters. */
function placeBelowSegments(target: string, depth: number): Place {
  const { path, query } = splitTarget(target)
  const segments = path.split('/').slice(1)
  const below = segments.slice(depth)
  const mount = segments.slice(0, depth).map((segment) => `/${segment}`)
  return { mount: mount.join(''), path: below.map((segment) => `/${segment}`).join(''), query }
}
