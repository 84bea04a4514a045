import { createRequire } from 'node:module'
import express from 'express'
import { type Auth, createVerifier } from 'vantage-auth'
import { authTest, getAuth, requireAnyScope, requireScope, vantageAuth } from 'vantage-auth/express'
import { afterEach, describe, expect, test } from 'vitest'
import { exchange, listen } from '../support/frameworks.js'
import { forbidden, keys, missing, options, token } from '../support/requests.js'

const VERSIONS = [
  { name: 'Express 4', create: createRequire(import.meta.url)('express4') as typeof express },
  { name: 'Express 5', create: express },
]

describe.each(VERSIONS)('$name', ({ create }) => {
  const servers: { close(): Promise<void> }[] = []

  async function serve(app: express.Express): Promise<number> {
    const server = await listen(app)
    servers.push(server)
    return server.port
  }

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()))
  })

  const authorization = `Bearer ${token}`

  test('covers a path, a router and an application below it', async () => {
    const app = create()
    const router = create.Router()
    const inner = create()
    app.get('/public', (_req, res) => void res.end('public'))
    app.use('/v1', vantageAuth(options), router)
    router.get(
      '/jobs/:id',
      requireScope('jobs:read'),
      (req, res) => void res.end(`${req.params.id} ${getAuth(req).subject}`),
    )
    router.use('/inner', requireAnyScope('jobs:read', 'jobs:write'), inner)
    inner.get('/', (req, res) => void res.end(`inner ${req.auth?.subject}`))
    inner.get('/teams', requireScope('teams:read'), (_req, res) => void res.end('teams'))
    const port = await serve(app)

    expect((await exchange(port, { path: '/public' })).body).toBe('public')
    expect((await exchange(port, { path: '/v1/nowhere' })).body).toBe(missing().body)
    expect((await exchange(port, { path: '/v1/jobs/7', authorization })).body).toContain('7 user_123')
    expect((await exchange(port, { path: '/v1/inner', authorization })).body).toContain('inner user_123')
    expect((await exchange(port, { path: '/v1/inner/teams', authorization })).body).toBe(forbidden('teams:read').body)
  })

  test('can stand in a single route', async () => {
    const app = create()
    app.get('/v1/auth/test', vantageAuth(options), authTest())
    app.get('/', (_req, res) => void res.end('public'))
    const port = await serve(app)
    expect((await exchange(port, { path: '/v1/auth/test' })).status).toBe(401)
    expect((await exchange(port, { path: '/v1/auth/test', authorization })).status).toBe(200)
    expect((await exchange(port, {})).body).toBe('public')
  })

  test('says nothing when something else has answered during the decision', async () => {
    const app = create()
    const failures: unknown[] = []
    let answer = () => {}
    app.use((_req, res, next) => {
      answer = () => res.status(408).end('too late')
      next()
    })
    const store = {
      ...keys.store,
      find: async (id: string) => {
        answer()
        return keys.store.find(id)
      },
    }
    app.use(vantageAuth({ ...options, keys: store }))
    app.use(((error, _req, _res, _next) => void failures.push(error)) satisfies express.ErrorRequestHandler)
    const port = await serve(app)
    expect((await exchange(port, { authorization: `Bearer ${keys.revoked}` })).body).toBe('too late')
    expect(failures).toEqual([])
  })

  test.each([
    ['was known at once', (auth: Auth) => auth],
    ['took time', async (auth: Auth) => auth],
  ])('gives the application what comes next throws, where the decision %s', async (_, take) => {
    const outOfPaper = new Error('out of paper')
    const shared = createVerifier(options)
    const auth = await shared.authenticate({ authorization })
    const mount = vantageAuth({ verifier: { ...shared, authenticate: () => take(auth) } })
    const app = create()
    // As applications wrap a middleware to do something of their own behind it.
    app.use((req, res, next) =>
      mount(req, res, (error) => {
        if (error !== undefined) return next(error)
        throw outOfPaper
      }),
    )
    app.use(((error, _req, res, _next) => {
      res.status(500).end(error === outOfPaper ? 'caught' : 'another')
    }) satisfies express.ErrorRequestHandler)
    expect((await exchange(await serve(app), {})).body).toBe('caught')
  })

  test('carries its verifier', async () => {
    const { verifier } = vantageAuth(options)
    await verifier.ready()
    expect(verifier.describe().realm).toBe('vantage')
    await verifier.close()
  })
})
