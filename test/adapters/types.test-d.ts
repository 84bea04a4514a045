/**
 * How strict projects mount the adapters: none of it needs a cast. Compiled by `npm run check`; never run.
 */
import Router from '@koa/router'
import express from 'express'
import fastify, { type FastifyBaseLogger, type FastifyTypeProvider } from 'fastify'
import Koa from 'koa'
import { type Auth, isAuthError, type Keyring, type Verifier } from 'vantage-auth'
import * as onExpress from 'vantage-auth/express'
import * as onFastify from 'vantage-auth/fastify'
import * as onKoa from 'vantage-auth/koa'

export function mountExpress(verifier: Verifier | undefined): void {
  const app = express()
  const router = express.Router()
  app.use(onExpress.vantageAuth({ verifier, skip: undefined, onError: undefined }))
  app.use('/v1', onExpress.vantageAuth(), onExpress.requireAnyScope('jobs:read', 'jobs:write'), router)
  app.all('/any', onExpress.requireScope('jobs:read'))
  app.get('/v1/jobs/:id', onExpress.requireScope('jobs:read'), (req, res) => {
    const id: string = req.params.id
    // @ts-expect-error the path has no such parameter
    void req.params.name
    const auth: Auth = onExpress.getAuth(req)
    res.json({ id, auth })
  })
  router.get<{ id: string }, unknown, { body: 1 }, { page: string }>(
    '/clusters/:id',
    onExpress.requireScope('clusters:read'),
    (req, res) => {
      const page: string = req.query.page
      res.json([page, req.auth?.subject, onExpress.findAuth(req)?.tenant])
    },
  )
  app.use(onExpress.authErrors())
  router.use('/inner', onExpress.authErrors(), onExpress.authErrors())
  router.route('/storage').post(onExpress.requireScope('storage:write'), onExpress.authTest())
}

declare const receiverOptions: onExpress.RevocationReceiverOptions

export async function mountReceivers(keyring: Keyring): Promise<void> {
  const options = {
    keyring,
    issuers: [
      { issuer: 'https://acme.okta.com', audience: ['a', 'b'], tokenIssuers: ['https://acme.okta.com/oauth2/default'] },
      { issuer: 'https://idp.example', audience: 'a', jwks: undefined, tokenLife: '1h' },
    ],
  } satisfies onKoa.RevocationReceiverOptions
  const app = express()
  const receiver = onExpress.createRevocationReceiver(options)
  app.post('/events', receiver)
  app.use('/events', receiver)
  const router = new Router()
  router.post('/events', onKoa.createRevocationReceiver(options))
  new Koa().use(onKoa.createRevocationReceiver(receiverOptions)).use(router.routes())
  const server = fastify()
  await server.register(onFastify.createRevocationReceiver(receiverOptions), { prefix: '/events' })
  const closed: Promise<void> = receiver.close()
  await closed
  // @ts-expect-error a receiver listens to somebody
  onExpress.createRevocationReceiver({ keyring })
  // @ts-expect-error each sender has an audience
  onKoa.createRevocationReceiver({ keyring, issuers: [{ issuer: 'https://idp.example' }] })
  // @ts-expect-error there is one object of options
  onFastify.createRevocationReceiver(receiverOptions, {})
  // @ts-expect-error it is a plugin, and no hook
  server.addHook('onRequest', onFastify.createRevocationReceiver(receiverOptions))
}

/** Forgotten arguments and surplus ones do not compile. */
export function mistakes(): void {
  // @ts-expect-error there is one object of options
  onExpress.vantageAuth({}, {})
  // @ts-expect-error it takes nothing
  onKoa.authTest({})
  // @ts-expect-error it takes the request
  onFastify.getAuth()
}

interface State {
  user: string
}
interface Extra {
  db: Map<string, string>
}

export function mountKoa(): void {
  const plain = new Koa()
  plain.use(onKoa.vantageAuth({ skip: (ctx) => ctx.path === '/healthz' }))
  plain.use(onKoa.authErrors())
  plain.use(onKoa.requireScope('jobs:read')).use(onKoa.authTest())
  plain.use((ctx) => {
    const view: Auth | undefined = ctx.state.auth
    ctx.body = [view?.subject, onKoa.getAuth(ctx).subject]
  })

  const app = new Koa<State, Extra>()
  app.use(onKoa.authErrors())
  app.use(onKoa.vantageAuth())
  app.use(onKoa.requireAnyScope('jobs:read', 'jobs:write'))
  app.use((ctx) => {
    ctx.body = [ctx.state.user, ctx.db.size, onKoa.getAuth(ctx).subject, onKoa.findAuth(ctx)?.tenant]
  })

  const router = new Router()
  router.use(onKoa.vantageAuth(), onKoa.requireScope('jobs:read'))
  router.get('/v1/jobs/:id', onKoa.requireScope('jobs:read'), (ctx) => {
    const id: string | undefined = ctx.params.id
    ctx.body = [id, onKoa.getAuth(ctx).subject]
  })
  router.get('/v1/auth/test', onKoa.authTest())
  const own = new Router<State, Extra>()
  own.post('/v1/jobs', onKoa.requireScope('jobs:write'), (ctx) => {
    ctx.body = [ctx.state.user, onKoa.getAuth(ctx).subject]
  })
  app.use(own.routes())
  plain.use(router.routes())
}

interface Provider extends FastifyTypeProvider {
  validator: this['schema'] extends { out: infer T } ? T : unknown
}

export function mountFastify(log: FastifyBaseLogger): void {
  const app = fastify()
  app.register(onFastify.vantageAuth)
  app.setErrorHandler(onFastify.authErrors())
  const answerAuthErrors = onFastify.authErrors()
  app.setErrorHandler((error, request, reply) => {
    if (isAuthError(error)) return answerAuthErrors(error, request, reply)
    return reply.code(500).send('own')
  })
  app.register(onFastify.vantageAuth, { skip: (request) => request.url === '/healthz', onError: undefined })
  app.register(
    async (scope) => {
      await scope.register(onFastify.vantageAuth, { optional: true })
      scope.addHook('onRequest', onFastify.requireScope('jobs:read'))
    },
    { prefix: '/v1' },
  )
  app.get<{ Params: { id: string }; Querystring: { page: number }; Reply: { id: string } }>(
    '/v1/jobs/:id',
    { onRequest: onFastify.requireScope('jobs:read') },
    async (request) => {
      const view: Auth | undefined = request.auth
      const page: number = request.query.page
      return { id: `${request.params.id}${page}${view?.subject}${onFastify.getAuth(request).subject}` }
    },
  )
  app.post(
    '/v1/jobs',
    { preHandler: [onFastify.requireScope('jobs:write'), onFastify.requireAnyScope('jobs:read')] },
    async () => 'ok',
  )
  app.get('/v1/auth/test', onFastify.authTest())
  app.route({ method: 'GET', url: '/v1/auth/test/2', onRequest: [], handler: onFastify.authTest() })

  const secure = fastify({ https: { key: '', cert: '' } })
  secure.register(onFastify.vantageAuth, { optional: true })
  secure.setErrorHandler(onFastify.authErrors())
  secure.get('/', { onRequest: onFastify.requireScope('jobs:read') }, onFastify.authTest())

  const http2 = fastify({ http2: true })
  http2.register(onFastify.vantageAuth, { optional: true })
  http2.setErrorHandler(onFastify.authErrors())
  http2.get('/', { onRequest: onFastify.requireScope('jobs:read') }, async (request) => onFastify.findAuth(request))

  const logging = fastify({ loggerInstance: log as FastifyBaseLogger & { own: 1 } })
  logging.register(onFastify.vantageAuth, { optional: true })
  logging.setErrorHandler(onFastify.authErrors())
  logging.get('/', { onRequest: onFastify.requireScope('jobs:read') }, onFastify.authTest())

  const typed = fastify().withTypeProvider<Provider>()
  typed.register(onFastify.vantageAuth, { optional: true })
  typed.setErrorHandler(onFastify.authErrors())
  typed.get(
    '/:id',
    { schema: { params: { out: { id: 1 } } }, onRequest: onFastify.requireScope('jobs:read') },
    async (request) => [request.params.id.toFixed(), onFastify.getAuth(request).subject],
  )
}
