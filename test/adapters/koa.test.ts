import { createRequire } from 'node:module'
import Router from '@koa/router'
import Koa from 'koa'
import { authTest, getAuth, requireScope, vantageAuth } from 'vantage-auth/koa'
import { afterEach, describe, expect, test } from 'vitest'
import { exchange, listen } from '../support/frameworks.js'
import { forbidden, invalid, keys, missing, options, token } from '../support/requests.js'

const VERSIONS = [
  { name: 'Koa 2', Application: createRequire(import.meta.url)('koa2') as typeof Koa },
  { name: 'Koa 3', Application: Koa },
]

describe.each(VERSIONS)('$name', ({ Application }) => {
  const servers: { close(): Promise<void> }[] = []

  async function serve(app: Koa): Promise<number> {
    const server = await listen(app.callback())
    servers.push(server)
    return server.port
  }

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()))
  })

  const authorization = `Bearer ${token}`

  test('covers what comes behind it, by app.use and by a router', async () => {
    const app = new Application()
    const router = new Router()
    app.use((ctx, next) => {
      if (ctx.path !== '/public') return next()
      ctx.body = 'public'
    })
    router.use('/v1', vantageAuth(options))
    router.get('/v1/jobs/:id', requireScope('jobs:read'), (ctx) => {
      ctx.body = `${ctx.params.id} ${getAuth(ctx).subject}`
    })
    router.get('/v1/teams', requireScope('teams:read'), authTest())
    app.use(router.routes())
    const port = await serve(app)
    expect((await exchange(port, { path: '/public' })).body).toBe('public')
    expect((await exchange(port, { path: '/v1/jobs/7' })).body).toBe(missing().body)
    expect((await exchange(port, { path: '/v1/jobs/7', authorization })).body).toBe('7 user_123')
    expect((await exchange(port, { path: '/v1/teams', authorization })).body).toBe(forbidden('teams:read').body)
  })

  test('keeps guards working when another middleware puts a new state in place', async () => {
    const app = new Application()
    app.use(vantageAuth(options))
    app.use((ctx, next) => {
      ctx.state = {}
      return next()
    })
    app.use(requireScope('jobs:read')).use((ctx) => {
      ctx.body = `${ctx.state.auth?.subject} ${getAuth(ctx).subject}`
    })
    expect((await exchange(await serve(app), { authorization })).body).toBe('undefined user_123')
  })

  test('lets Koa assign to a forwarded error, and answer it by itself', async () => {
    const app = new Application()
    const failures: unknown[] = []
    app.on('error', (error) => failures.push(error))
    app.use(vantageAuth({ ...options, forwardErrors: true }))
    const answer = await exchange(await serve(app), { authorization: `Bearer ${keys.revoked}` })
    expect([answer.status, answer.body]).toEqual([401, 'The access token provided is invalid'])
    expect(answer.headers['www-authenticate']).toBe(invalid().headers['www-authenticate'])
    expect(failures).toMatchObject([{ status: 401, statusCode: 401, reason: 'revoked' }])
  })

  test('resolves behind what comes next, so that an outer middleware sees the end of the request', async () => {
    const app = new Application()
    const order: string[] = []
    app.use(async (_ctx, next) => {
      await next()
      order.push('outer')
    })
    app.use(vantageAuth(options)).use(requireScope('jobs:read'))
    app.use(async (ctx) => {
      await new Promise(setImmediate)
      order.push('handler')
      ctx.body = 'ok'
    })
    const port = await serve(app)
    for (const credential of [keys.read, keys.read]) await exchange(port, { authorization: `Bearer ${credential}` })
    expect(order).toEqual(['handler', 'outer', 'handler', 'outer'])
  })

  test('carries its verifier', async () => {
    const { verifier } = vantageAuth(options)
    await verifier.ready()
    expect(verifier.describe().realm).toBe('vantage')
    await verifier.close()
  })
})
