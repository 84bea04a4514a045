import Router from '@koa/router'
import Koa from 'koa'
import { authTest, getAuth, requireScope, vantageAuth } from '../adapters/koa.js'
import { type Running, serve } from './loopback.js'
import { SAMPLE_ROUTES, type SampleApiOptions } from './sample-api.js'

/** The sample API on Koa. */
export function startKoaApi({ port, ...policy }: SampleApiOptions): Promise<Running> {
  const app = new Koa()
  const router = new Router()
  const authenticate = vantageAuth({ ...policy, environment: 'live' })
  app.use(authenticate)
  for (const { method, path, scope, status, answer } of SAMPLE_ROUTES) {
    router[method](path, requireScope(scope), (ctx) => {
      ctx.status = status
      ctx.body = answer(getAuth(ctx))
    })
  }
  router.get('/v1/auth/test', authTest())
  app.use(router.routes())
  return serve(app.callback(), port, authenticate.verifier)
}
