import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyRequest, type onRequestHookHandler } from 'fastify'
import { createVerifier, isAuthError, memoryKeyStore, type Verifier } from 'vantage-auth'
import {
  authErrors,
  authTest,
  type ErrorHandler,
  findAuth,
  getAuth,
  requireScope,
  vantageAuth,
} from 'vantage-auth/fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { exchange, type WireRequest } from '../support/frameworks.js'
import { forbidden, invalid, keys, missing, options, token } from '../support/requests.js'

/** `injected`: Fastify 4 joins two lines of an injected request with a comma, which is one bad credential. */
const VERSIONS = [
  { name: 'Fastify 4', create: createRequire(import.meta.url)('fastify4') as typeof fastify, injected: 401 },
  { name: 'Fastify 5', create: fastify, injected: 400 },
]

describe.each(VERSIONS)('$name', ({ create, injected }) => {
  const apps: FastifyInstance[] = []

  function newApp(): FastifyInstance {
    const app = create({ forceCloseConnections: true })
    apps.push(app)
    return app
  }

  /** Statuses of the paths, each without and with a credential. */
  async function statuses(app: FastifyInstance, ...paths: string[]): Promise<Record<string, string>> {
    const port = await listening(app)
    const result: Record<string, string> = {}
    for (const path of paths) {
      const without = await exchange(port, { path })
      const by = await exchange(port, { path, ...bearer(keys.read) })
      result[path] = `${without.status} ${by.status}`
    }
    return result
  }

  async function listening(app: FastifyInstance): Promise<number> {
    if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  }

  const bearer = (credential: string): WireRequest => ({ authorization: `Bearer ${credential}` })

  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()))
  })

  test('covers the routes that were declared before it, and those of scopes that were made before it', async () => {
    const app = newApp()
    app.get('/before', async () => 'ok')
    app.register(async (scope) => scope.get('/within', async () => 'ok'))
    app.register(vantageAuth, options)
    app.get('/after', async () => 'ok')
    expect(await statuses(app, '/before', '/within', '/after', '/nowhere')).toEqual({
      '/before': '401 200',
      '/within': '401 200',
      '/after': '401 200',
      '/nowhere': '401 404',
    })
  })

  test('covers the same where registration is awaited', async () => {
    const app = newApp()
    app.get('/before', async () => 'ok')
    await app.register(vantageAuth, options)
    app.get('/after', async () => 'ok')
    expect(await statuses(app, '/before', '/after', '/nowhere')).toEqual({
      '/before': '401 200',
      '/after': '401 200',
      '/nowhere': '401 404',
    })
  })

  test('covers its own scope and the unknown paths below its prefix, and nothing else', async () => {
    const app = newApp()
    app.get('/public', async () => 'ok')
    app.register(
      async (scope) => {
        scope.get('/before', async () => 'ok')
        await scope.register(vantageAuth, options)
        scope.get('/after', async () => 'ok')
      },
      { prefix: '/v1' },
    )
    expect(
      await statuses(
        app,
        '/public',
        '/v1/before',
        '/v1/after',
        '/v1/nowhere',
        '/v1/a/b?c',
        '/v1',
        '/v10/x',
        '/nowhere',
      ),
    ).toEqual({
      '/public': '200 200',
      '/v1/before': '401 200',
      '/v1/after': '401 200',
      '/v1/nowhere': '401 404',
      '/v1/a/b?c': '401 404',
      '/v1': '401 404',
      '/v10/x': '404 404',
      '/nowhere': '404 404',
    })
    const answer = await exchange(await listening(app), { path: '/v1/nowhere' })
    expect(answer.body).toBe(missing().body)
    expect(answer.headers['www-authenticate']).toBe(missing().headers['www-authenticate'])
  })

  test('covers unknown paths below a prefix of several segments and parameters', async () => {
    const app = newApp()
    app.register(
      async (outer) => {
        outer.register(async (inner) => void inner.register(vantageAuth, options), { prefix: '/t/:tenant' })
      },
      { prefix: '/v1' },
    )
    expect(await statuses(app, '/v1/t/acme/x', '/v1/t/acme', '/v1/t', '/v1/x/acme/x')).toEqual({
      '/v1/t/acme/x': '401 404',
      '/v1/t/acme': '401 404',
      '/v1/t': '404 404',
      '/v1/x/acme/x': '404 404',
    })
  })

  test('does not cover unknown paths of others where its scope has no prefix of its own', async () => {
    const app = newApp()
    app.register(async (scope) => {
      await scope.register(vantageAuth, options)
      scope.get('/private', async () => 'ok')
    })
    expect(await statuses(app, '/private', '/nowhere')).toEqual({ '/private': '401 200', '/nowhere': '404 404' })
  })

  test.each(['before', 'after'] as const)('keeps a not-found handler that its scope sets %s it', async (when) => {
    const app = newApp()
    app.register(
      async (scope) => {
        const set = () =>
          scope.setNotFoundHandler((request, reply) => reply.code(404).send(`own ${getAuth(request).subject}`))
        if (when === 'before') set()
        await scope.register(vantageAuth, options)
        if (when === 'after') set()
        scope.get('/jobs', async () => 'ok')
      },
      { prefix: '/v1' },
    )
    expect(await statuses(app, '/v1/jobs', '/v1/nowhere')).toEqual({ '/v1/jobs': '401 200', '/v1/nowhere': '401 404' })
    const { body } = await exchange(await listening(app), { path: '/v1/nowhere', ...bearer(keys.read) })
    expect(body).toBe('own svc_read')
  })

  test.each(['before', 'after'] as const)('keeps a not-found handler that the application sets %s it', async (when) => {
    const app = newApp()
    const set = () =>
      app.setNotFoundHandler((request, reply) => reply.code(404).send(`own ${findAuth(request)?.subject}`))
    if (when === 'before') set()
    await app.register(async (scope) => void (await scope.register(vantageAuth, options)), { prefix: '/v1' })
    if (when === 'after') set()
    expect(await statuses(app, '/v1/nowhere', '/nowhere')).toEqual({ '/v1/nowhere': '401 404', '/nowhere': '404 404' })
    const { body } = await exchange(await listening(app), { path: '/v1/nowhere', ...bearer(keys.read) })
    expect(body).toBe('own svc_read')
    expect((await exchange(await listening(app), { path: '/nowhere', ...bearer(keys.read) })).body).toBe(
      'own undefined',
    )
  })

  test('leaves a wildcard route of its scope alone', async () => {
    const app = newApp()
    app.register(
      async (scope) => {
        await scope.register(vantageAuth, options)
        scope.all('/*', async (request) => `all ${getAuth(request).subject}`)
      },
      { prefix: '/v1' },
    )
    expect(await statuses(app, '/v1/x', '/v1/x/y')).toEqual({ '/v1/x': '401 200', '/v1/x/y': '401 200' })
  })

  test('asks once for an unknown path, also where its scope has a not-found handler', async () => {
    let asked = 0
    const verifier = createVerifier(options)
    const counting: Verifier = {
      ...verifier,
      authenticate(request) {
        asked++
        return verifier.authenticate(request)
      },
    }
    const app = newApp()
    app.register(
      async (scope) => {
        scope.setNotFoundHandler((_request, reply) => reply.code(404).send('own'))
        await scope.register(vantageAuth, { verifier: counting })
      },
      { prefix: '/v1' },
    )
    await exchange(await listening(app), { path: '/v1/nowhere', ...bearer(token) })
    expect(asked).toBe(1)
  })

  test('holds a policy of its own in each of two sibling scopes', async () => {
    const app = newApp()
    for (const [prefix, policy] of [
      ['/keys', { ...options, issuer: false as const, jwks: undefined, realm: 'keys' }],
      ['/open', { ...options, optional: true, realm: 'open' }],
    ] as const) {
      const { jwks, ...rest } = policy
      app.register(
        async (scope) => {
          await scope.register(vantageAuth, jwks === undefined ? rest : { ...rest, jwks })
          scope.get('/', async (request) => findAuth(request)?.subject ?? 'nobody')
          scope.get('/jobs', { onRequest: requireScope('teams:read') }, async () => 'ok')
        },
        { prefix },
      )
    }
    const port = await listening(app)
    const ask = async (request: WireRequest) => {
      const { status, headers, body } = await exchange(port, request)
      return [status, headers['www-authenticate'] ?? body]
    }
    expect(await ask({ path: '/keys/' })).toEqual([401, missing('keys').headers['www-authenticate']])
    expect(await ask({ path: '/keys/', ...bearer(token) })).toEqual([401, invalid('keys').headers['www-authenticate']])
    expect(await ask({ path: '/keys/', ...bearer(keys.read) })).toEqual([200, 'svc_read'])
    expect(await ask({ path: '/open/' })).toEqual([200, 'nobody'])
    expect(await ask({ path: '/open/', ...bearer(token) })).toEqual([200, 'user_123'])
    expect(await ask({ path: '/open/jobs' })).toEqual([401, missing('open').headers['www-authenticate']])
    expect(await ask({ path: '/open/jobs', ...bearer(token) })).toEqual([
      403,
      forbidden('teams:read', 'open').headers['www-authenticate'],
    ])
  })

  test('lets a mount of an inner scope replace that of the outer one, which goes first', async () => {
    const app = newApp()
    app.register(vantageAuth, { ...options, realm: 'outer' })
    app.get('/', { onRequest: requireScope('teams:read') }, async () => 'ok')
    app.register(
      async (scope) => {
        scope.register(vantageAuth, { ...options, optional: true, realm: 'inner' })
        scope.get('/', { onRequest: requireScope('teams:read') }, async () => 'ok')
      },
      { prefix: '/inner' },
    )
    const port = await listening(app)
    const challenge = async (request: WireRequest) => (await exchange(port, request)).headers['www-authenticate']
    expect(await challenge({ path: '/inner/' })).toBe(missing('outer').headers['www-authenticate'])
    expect(await challenge({ path: '/inner/', ...bearer(token) })).toBe(
      forbidden('teams:read', 'inner').headers['www-authenticate'],
    )
    expect(await challenge({ path: '/', ...bearer(token) })).toBe(
      forbidden('teams:read', 'outer').headers['www-authenticate'],
    )
  })

  test('takes a guard as onRequest, as preHandler and as the hook of a scope', async () => {
    const app = newApp()
    app.register(vantageAuth, options)
    app.get('/on-request', { onRequest: requireScope('jobs:read') }, async () => 'ok')
    app.get('/pre-handler', { preHandler: requireScope('jobs:read') }, async () => 'ok')
    app.get(
      '/pre-handler/other',
      { preHandler: [requireScope('jobs:read'), requireScope('teams:read')] },
      async () => 'ok',
    )
    app.register(async (scope) => {
      scope.addHook('preHandler', requireScope('teams:read'))
      scope.get('/scope', async () => 'ok')
    })
    app.get('/v1/auth/test', authTest())
    expect(await statuses(app, '/on-request', '/pre-handler', '/pre-handler/other', '/scope', '/v1/auth/test')).toEqual(
      {
        '/on-request': '401 200',
        '/pre-handler': '401 200',
        '/pre-handler/other': '401 403',
        '/scope': '401 403',
        '/v1/auth/test': '401 200',
      },
    )
  })

  test('takes one guard for two scopes: what one credential passed lets no other one pass', async () => {
    const app = newApp()
    const guard = requireScope('clusters:read')
    for (const realm of ['one', 'two']) {
      app.register(
        async (scope) => {
          scope.register(vantageAuth, { ...options, realm })
          scope.get('/', { onRequest: guard }, async () => 'ok')
        },
        { prefix: `/${realm}` },
      )
    }
    const port = await listening(app)
    const challenge = (realm: string) => forbidden('clusters:read', realm).headers['www-authenticate']
    for (const realm of ['one', 'two', 'one']) {
      const passed = await exchange(port, { path: `/${realm}/`, ...bearer(keys.read) })
      expect(passed.status).toBe(200)
      const refused = await exchange(port, { path: `/${realm}/`, ...bearer(keys.write) })
      expect([refused.status, refused.headers['www-authenticate']]).toEqual([403, challenge(realm)])
      expect((await exchange(port, { path: `/${realm}/` })).status).toBe(401)
    }
  })

  test('runs no handler where a hook between mount and guard throws or takes the reply', async () => {
    const app = newApp()
    const handled: string[] = []
    app.register(vantageAuth, options)
    const between = (hook: onRequestHookHandler) => ({ onRequest: [hook, requireScope('jobs:read')] })
    const handler = async (request: FastifyRequest) => handled.push(request.url)
    app.get(
      '/throws',
      between(() => {
        throw new Error('between')
      }),
      handler,
    )
    app.get(
      '/fails',
      between((_request, _reply, done) => done(new Error('between'))),
      handler,
    )
    app.get(
      '/hijacks',
      between((_request, reply, done) => {
        reply.hijack()
        reply.raw.writeHead(202).end()
        done()
      }),
      handler,
    )
    expect(await statuses(app, '/throws', '/fails', '/hijacks')).toEqual({
      '/throws': '401 500',
      '/fails': '401 500',
      '/hijacks': '401 202',
    })
    expect(handled).toEqual([])
  })

  test('writes its answers past serializers of the application', async () => {
    const app = newApp()
    app.setReplySerializer(() => 'serialized')
    app.register(vantageAuth, options)
    app.get('/', { schema: { response: { '4xx': { type: 'object', properties: {} } } } }, async () => ({}))
    app.get('/v1/auth/test', authTest())
    const port = await listening(app)
    expect((await exchange(port, {})).body).toBe(missing().body)
    expect((await exchange(port, { path: '/v1/auth/test', ...bearer(keys.endless) })).body).toContain(
      '"authenticated":true',
    )
  })

  test('authErrors() leaves other errors to the outer scope, and can be called by a handler of the application', async () => {
    const app = newApp()
    app.setErrorHandler((_error, _request, reply) => reply.code(418).send('own'))
    app.register(vantageAuth, { ...options, optional: true })
    const handlers = [
      ['/scope', authErrors()],
      [
        '/called',
        (error, request, reply) => (isAuthError(error) ? authErrors()(error, request, reply) : reply.send(error)),
      ],
    ] satisfies [string, ErrorHandler][]
    for (const [prefix, handler] of handlers) {
      app.register(
        async (scope) => {
          scope.setErrorHandler(handler)
          scope.get('/me', async (request) => getAuth(request).subject)
          scope.get('/other', async () => {
            throw new Error('out of paper')
          })
        },
        { prefix },
      )
    }
    const port = await listening(app)
    for (const [prefix] of handlers) {
      expect((await exchange(port, { path: `${prefix}/me` })).body).toBe(missing().body)
      expect((await exchange(port, { path: `${prefix}/other` })).body).toBe('own')
    }
  })

  test('closes what it opened with the application, and what is shared not', async () => {
    const shared = createVerifier(options)
    const closed: string[] = []
    const own = { ...memoryKeyStore() }
    const app = newApp()
    app.register(vantageAuth, { verifier: { ...shared, close: async () => void closed.push('shared') } })
    app.register(vantageAuth, { ...options, keys: { ...own, watch: () => feed(() => closed.push('own')) } })
    app.get('/', async () => 'ok')
    await exchange(await listening(app), bearer(keys.read))
    await app.close()
    expect(closed).toEqual(['own'])
  })

  test('refuses two Authorization headers of an injected request', async () => {
    const app = newApp()
    app.register(vantageAuth, options)
    app.get('/', async () => 'ok')
    const { statusCode } = await app.inject({
      url: '/',
      headers: { authorization: [`Bearer ${token}`, `Bearer ${token}`] as never },
    })
    expect(statusCode).toBe(injected)
    expect((await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })).statusCode).toBe(200)
  })

  test.each([
    ['optional', { optional: 'yes' as never }],
    ['skip', { skip: true as never }],
    ['audiance', { audiance: 'x' } as never],
    ['prefix', { prefix: '/v1' } as never],
    ['optional is inherited', Object.create({ optional: true })],
  ])('rejects at start an option that is wrong: %s', async (name, wrong) => {
    const app = newApp()
    app.register(vantageAuth, wrong)
    const failure = await app.ready().then(undefined, (error: unknown) => error)
    expect(failure).toBeInstanceOf(TypeError)
    expect((failure as TypeError).message).toMatch(new RegExp(`\\b${name}\\b`))
  })

  test('takes the options that register() itself reads', async () => {
    const app = newApp()
    app.register(vantageAuth, { ...options, logLevel: 'warn' } as never)
    await app.ready()
  })

  function feed(close: () => void) {
    return { state: 'live' as const, epoch: 0, close: async () => close() }
  }
})
