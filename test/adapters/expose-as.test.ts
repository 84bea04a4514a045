import { once } from 'node:events'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import type { Auth } from 'vantage-auth'
import { afterEach, describe, expect, test } from 'vitest'
import * as onExpress from '../../adapters/express.js'
import * as onFastify from '../../adapters/fastify.js'
import * as onKoa from '../../adapters/koa.js'
import { exchange, FRAMEWORKS, type Options, type Running, type Service } from '../support/frameworks.js'
import { handled, keys, options, token } from '../support/requests.js'

const authorization = `Bearer ${keys.read}`

describe.each(FRAMEWORKS)('exposeAs on $name', (framework) => {
  const running: Running[] = []
  afterEach(async () => {
    for (const one of running.splice(0)) await one.close()
  })

  /** Where handlers look: `req`, `ctx.state` or `request`. */
  const holderOf = (request: object) =>
    (framework.name.startsWith('Koa') ? (request as { state: object }).state : request) as Record<string, unknown>

  const putTheirs = ({ request }: { request: object }) => {
    holderOf(request).auth = 'theirs'
  }

  async function ask(mounts: Options[], look: (holder: Record<string, unknown>, auth?: Auth) => unknown, over = {}) {
    const service: Service = {
      mounts: mounts.map((mount) => ({ ...options, ...mount })),
      routes: [
        {
          path: '/',
          answer: ({ request }) => String(look(holderOf(request), framework.adapter.findAuth(request))),
        },
      ],
      ...over,
    }
    const one = await framework.start(service)
    running.push(one)
    return exchange(one.port, { path: '/', authorization })
  }

  test.each([
    ['the default', undefined, 'auth'],
    ['a name', 'vantage', 'vantage'],
  ])('is where handlers find the Auth: %s', async (_, exposeAs, name) => {
    const answer = await ask([{ exposeAs }], (holder, auth) => auth !== undefined && holder[name] === auth)
    expect(answer).toMatchObject(handled('true'))
  })

  test.each([['vantage'], [false]] as const)('%j leaves auth to others', async (exposeAs) => {
    const before = [putTheirs]
    const look = (holder: Record<string, unknown>) => holder.auth
    expect(await ask([{ exposeAs }], look, { before })).toMatchObject(handled('theirs'))
  })

  test('of a later mount replaces that of an earlier one', async () => {
    const look = (holder: Record<string, unknown>, auth?: Auth) =>
      [holder.first, holder.second === auth, auth === undefined].join()
    expect(await ask([{ exposeAs: 'first' }, { exposeAs: 'second' }], look)).toMatchObject(handled(',true,false'))
  })

  test('removes what an earlier mount put there, and nothing that somebody else has put in its place', async () => {
    const mounts: Options[] = [{ exposeAs: 'first' }, { exposeAs: 'second', skip: () => true }]
    const look = (holder: Record<string, unknown>, auth?: Auth) => [holder.first, auth === undefined].join()
    expect(await ask(mounts, look)).toMatchObject(handled(',true'))
  })

  test.each(['no setter', 'a setter that throws'])(
    'a property with %s is a failure, after which nobody is authenticated',
    async (kind) => {
      const set = () => {
        throw new Error('theirs alone')
      }
      let asked: object = {}
      const guarded = ({ request }: { request: object }) => {
        asked = request
        const property = { get: () => 'theirs', ...(kind === 'a setter that throws' && { set }) }
        Object.defineProperty(holderOf(request), 'auth', property)
      }
      const onFailure = () => ({ status: 500, body: String(framework.adapter.findAuth(asked)) })
      expect(await ask([{}], () => 'open', { before: [guarded], onFailure })).toMatchObject({ body: 'undefined' })
    },
  )

  test('leaves what others have put there where there is no Auth', async () => {
    const before = [putTheirs]
    const look = (holder: Record<string, unknown>) => holder.auth
    expect(await ask([{ skip: () => true }], look, { before })).toMatchObject(handled('theirs'))
  })
})

const mounts: [string, (options: Options) => unknown][] = [
  ['Express', (options) => onExpress.vantageAuth(options)],
  ['Koa', (options) => onKoa.vantageAuth(options)],
  ['a route of Fastify', (options) => onFastify.authenticate(options)],
  ['Fastify', (options) => fastify().register(onFastify.vantageAuth, options)],
]

describe.each(mounts)('exposeAs on %s', (_, mount) => {
  test.each([
    [''],
    ['a b'],
    ['1a'],
    ['__proto__'],
    ['constructor'],
    ['toString'],
    [true],
    [7],
    [null],
    [Symbol('x')],
    ['x'.repeat(65)],
  ])('takes no %s', async (exposeAs) => {
    await expect((async () => mount({ ...options, exposeAs: exposeAs as string }))()).rejects.toThrow(/^exposeAs/)
  })
})

const ownOfRequests = ['headers', 'url', 'body', 'query', 'params', 'method', 'socket']
const ownOfExpress = ['get', 'res', 'app', 'rawHeaders', 'on', 'cookies']

test.each([
  ['Express', [...ownOfRequests, ...ownOfExpress]],
  ['a route of Fastify', ownOfRequests],
  ['Fastify', ownOfRequests],
])('exposeAs on %s takes no name that requests have', async (framework, names) => {
  const mount = mounts.find(([name]) => name === framework)?.[1]
  for (const exposeAs of names) {
    const given = (async () => mount?.({ ...options, exposeAs }))()
    await expect(given, exposeAs).rejects.toThrow(`exposeAs: requests have a property '${exposeAs}'`)
  }
})

test("exposeAs on Koa takes names that requests have, since ctx.state is nothing but the application's", async () => {
  for (const exposeAs of ownOfRequests) {
    const mount = onKoa.vantageAuth({ ...options, exposeAs })
    const app = new Koa().use(mount).use((ctx) => {
      ctx.body = String(ctx.state[exposeAs] === onKoa.findAuth(ctx) && Object.keys(ctx.state).join() === exposeAs)
    })
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    expect(await exchange(port, { path: '/?a=b', authorization }), exposeAs).toMatchObject(handled('true'))
    server.close()
  }
})

test('every property that requests of Express have is refused', async () => {
  const app = express()
  const names = new Set<string>()
  app.get('/:id', (req, res) => {
    for (let holder: object = req; holder !== Object.prototype; holder = Object.getPrototypeOf(holder)) {
      for (const name of Object.getOwnPropertyNames(holder)) names.add(name)
    }
    res.end()
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  await exchange((server.address() as { port: number }).port, { path: '/1?a=b' })
  server.close()
  expect(names.size).toBeGreaterThan(60)
  const accepted = [...names].filter((exposeAs) => {
    try {
      onExpress.vantageAuth({ ...options, exposeAs })
      return !exposeAs.startsWith('_')
    } catch {
      return false
    }
  })
  expect(accepted).toEqual([])
})

describe('a request decorator of Fastify', () => {
  const send = (app: fastify.FastifyInstance, url = '/') => app.inject({ url, headers: { authorization } })

  test('that somebody else made is refused when the plugin is registered, and at the request of a route', async () => {
    for (const name of ['auth', 'vantage']) {
      const app = fastify()
      app.decorateRequest(name, undefined)
      const taken = `exposeAs: the request decorator '${name}' is taken; choose another name, or false`
      await expect((async () => app.register(onFastify.vantageAuth, { ...options, exposeAs: name }))()).rejects.toThrow(
        taken,
      )
      const other = fastify()
      other.decorateRequest(name, undefined)
      const hook = onFastify.authenticate({ ...options, exposeAs: name })
      other.get('/', { onRequest: hook }, async () => 'open')
      // Whoever asks: the mistake must not show with good credentials alone.
      for (const asked of [
        send(other),
        other.inject('/'),
        other.inject({ url: '/', headers: { authorization: 'Bearer x' } }),
      ]) {
        expect((await asked).json()).toMatchObject({ statusCode: 500, message: taken })
      }
      await hook.verifier.close()
      await other.close()
    }
  })

  test('of our own is shared by plugins of nested scopes, and left out for false', async () => {
    const app = fastify()
    await app.register(onFastify.vantageAuth, { ...options, exposeAs: 'vantage' })
    app.register(async (scope) => {
      await scope.register(onFastify.vantageAuth, { ...options, exposeAs: 'vantage' })
      scope.get('/inner', async (request) => String('vantage' in request && onFastify.getAuth(request).subject !== ''))
    })
    const bare = fastify()
    await bare.register(onFastify.vantageAuth, { ...options, exposeAs: false })
    bare.get('/', async (request) => String('auth' in request))
    expect([(await send(app, '/inner')).body, (await send(bare)).body]).toEqual(['true', 'false'])
    await app.close()
    await bare.close()
  })

  test('is good for tokens as for keys', async () => {
    const app = fastify()
    await app.register(onFastify.vantageAuth, options)
    app.get('/', async (request) => request.auth?.kind)
    const answer = await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })
    expect(answer.body).toBe('access_token')
    await app.close()
  })
})
