import { fastify } from 'fastify'
import { authTest, getAuth, requireScope, vantageAuth } from '../adapters/fastify.js'
import { LOOPBACK, type Running } from './loopback.js'
import { SAMPLE_ROUTES, type SampleApiOptions } from './sample-api.js'

/** The sample API on Fastify. */
export async function startFastifyApi({ port, ...policy }: SampleApiOptions): Promise<Running> {
  const app = fastify({ forceCloseConnections: true })
  // Fastify refuses bodies of types that it does not know; this API reads none.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, body, done) => {
    body.resume()
    done(null)
  })
  app.register(vantageAuth, { ...policy, environment: 'live' })
  for (const { method, path, scope, status, answer } of SAMPLE_ROUTES) {
    app[method](path, { onRequest: requireScope(scope) }, (request, reply) => {
      reply.code(status).send(answer(getAuth(request)))
    })
  }
  app.get('/v1/auth/test', authTest())
  try {
    const url = await app.listen({ port, host: LOOPBACK })
    return { url, close: async () => app.close() }
  } catch (error) {
    await app.close()
    throw error
  }
}
