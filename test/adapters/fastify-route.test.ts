import { createRequire } from 'node:module'
import fastifyAuth from '@fastify/auth'
import fastify5, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { type AnyAuthError, createVerifier } from 'vantage-auth'
import { afterEach, describe, expect, test } from 'vitest'
import plugin, {
  authErrors,
  authenticate,
  authorize,
  findAuth,
  getAuth,
  requireKind,
  requireScope,
  type VantageAuthOptions,
  vantageAuth,
} from '../../adapters/fastify.js'
import { createTestIssuer } from '../../src/testing/issuer.js'
import { failingStore, invalid, keys, missing, options, token } from '../support/requests.js'

const fastify4 = createRequire(import.meta.url)('fastify4') as typeof fastify5
const noTokens: VantageAuthOptions = { issuer: false, jwks: undefined, audience: undefined }
const noKeys: VantageAuthOptions = { keys: false }
const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` })

describe.each([
  ['Fastify 4', fastify4],
  ['Fastify 5', fastify5],
])('%s', (name, fastify) => {
  const endings: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end()
  })

  function create() {
    const app = fastify()
    endings.push(() => app.close())
    return app
  }

  function hookOf(given: VantageAuthOptions = {}) {
    const hook = authenticate({ ...options, ...given })
    endings.push(() => hook.verifier.close())
    return hook
  }

  test('registers the module itself, as its users import plugins', async () => {
    expect(plugin).toBe(vantageAuth)
    for (const imported of [import('../../adapters/fastify.js'), await import('../../adapters/fastify.js')]) {
      const app = create()
      await app.register(imported as Promise<{ default: typeof vantageAuth }>, options)
      app.get('/', async (request) => getAuth(request).subject)
      expect((await app.inject({ url: '/' })).statusCode).toBe(401)
      expect((await app.inject({ url: '/', headers: bearer(keys.read) })).statusCode).toBe(200)
      expect(app.hasPlugin('vantage-auth')).toBe(true)
    }
  })

  test('authenticates one route and no other', async () => {
    const app = create()
    const hook = hookOf()
    app.get('/jobs', { onRequest: [hook, requireScope('jobs:read')] }, async (request) => getAuth(request).kind)
    app.get('/teams', { onRequest: [hook, requireScope('teams:write')] }, async () => 'open')
    app.get('/open', async (request) => String(findAuth(request)))
    const ask = async (url: string, headers = {}) => {
      const { statusCode, body, headers: answered } = await app.inject({ url, headers })
      return { status: statusCode, body, challenge: answered['www-authenticate'] }
    }
    const answerOf = ({ status, body, headers }: ReturnType<typeof missing>) => ({
      status,
      body,
      challenge: headers['www-authenticate'],
    })
    expect(await ask('/jobs', bearer(keys.read))).toMatchObject({ status: 200, body: 'api_key' })
    expect(await ask('/jobs')).toEqual(answerOf(missing()))
    expect(await ask('/jobs', bearer('x'))).toEqual(answerOf(invalid()))
    expect(await ask('/teams', bearer(keys.read))).toMatchObject({ status: 403 })
    expect(await ask('/open')).toMatchObject({ status: 200, body: 'undefined' })
  })

  test('carries its verifier, and shares one that it is given', async () => {
    const verifier = createVerifier(options)
    endings.push(() => verifier.close())
    expect(authenticate({ verifier }).verifier).toBe(verifier)
    expect(hookOf().verifier.describe().realm).toBe('vantage')
  })

  test('hands refusals to done() under forwardErrors, once', async () => {
    const app = create()
    const heard: AnyAuthError[] = []
    const failures: unknown[] = []
    const hook = hookOf({ forwardErrors: true, onError: (error: AnyAuthError) => heard.push(error) })
    app.setErrorHandler((error, _request, reply) => {
      failures.push(error)
      reply.code(418).send('theirs')
    })
    app.get('/', { onRequest: hook }, async () => 'open')
    expect(await app.inject({ url: '/' })).toMatchObject({ statusCode: 418, body: 'theirs' })
    expect(failures).toMatchObject([{ code: 'ERR_VANTAGE_CREDENTIALS_MISSING', reason: 'missing' }])
    expect(heard).toMatchObject([{ code: 'ERR_VANTAGE_CREDENTIALS_MISSING' }])
  })

  test('is a TypeError where it is passed without being called, and for a wrong option', () => {
    const hook = authenticate as unknown as (...given: unknown[]) => unknown
    expect(() => hook({}, {}, () => {})).toThrow(/^authenticate was passed without being called/)
    expect(() => authenticate({ ...options, optional: 'yes' as never })).toThrow(/^optional must be/)
  })

  // @fastify/auth 5 is for Fastify 5.
  if (name === 'Fastify 4') return

  describe('with @fastify/auth', () => {
    test('a refused alternative leaves no state on the request', async () => {
      const app = create()
      await app.register(fastifyAuth)
      const [keyHook, tokenHook] = [
        hookOf({ ...noTokens, forwardErrors: true }),
        hookOf({ ...noKeys, forwardErrors: true }),
      ]
      const before: unknown[] = []
      const state = (request: object) => [findAuth(request), Reflect.ownKeys(request).length]
      const anybody = (request: object, _reply: unknown, done: (error?: Error) => void) => {
        before.push(state(request))
        done()
      }
      app.addHook('onRequest', async (request) => void before.push(state(request)))
      app.after(() => {
        app.get('/either', { onRequest: app.auth([keyHook, tokenHook]) }, async (request) => getAuth(request).kind)
        app.get('/anybody', { onRequest: app.auth([keyHook, anybody]) }, async (request) => String(findAuth(request)))
        app.get(
          '/both',
          { onRequest: app.auth([keyHook, tokenHook], { run: 'all' }) },
          async (request) => getAuth(request).kind,
        )
        app.get(
          '/guarded',
          { onRequest: [app.auth([keyHook, anybody]), requireScope('jobs:read')] },
          async () => 'open',
        )
      })
      const ask = async (url: string, headers: Record<string, string> = {}) => {
        const { statusCode, body } = await app.inject({ url, headers })
        return [statusCode, body]
      }
      expect(await ask('/either', bearer(keys.read))).toEqual([200, 'api_key'])
      expect(await ask('/either', bearer(token))).toEqual([200, 'access_token'])
      expect((await ask('/either', bearer('x')))[0]).toBe(401)
      before.splice(0)
      expect(await ask('/anybody', bearer('x'))).toEqual([200, 'undefined'])
      expect(before[1]).toEqual(before[0])
      // The first accepted, and the second, which is run all the same, refuses.
      expect(await ask('/both', bearer(keys.read))).toEqual([200, 'api_key'])
      expect(await ask('/guarded', bearer(keys.read))).toEqual([200, 'open'])
      // Nobody authenticated: the guard says that a mount is missing, and gives no access.
      expect((await ask('/guarded'))[0]).toBe(500)
    })

    test('an alternative that fails leaves nobody authenticated', async () => {
      const app = create()
      await app.register(fastifyAuth)
      app.decorateRequest('auth', undefined)
      const [taken, other] = [hookOf({ forwardErrors: true }), hookOf({ forwardErrors: true, exposeAs: 'other' })]
      const frozen = async (request: object) => void Object.defineProperty(request, 'other', { get: () => 'theirs' })
      const anybody = async () => {}
      const who = async (request: FastifyRequest) => String(findAuth(request)?.subject)
      app.get('/taken', { onRequest: app.auth([taken, anybody]) }, who)
      app.get('/frozen', { onRequest: [frozen, app.auth([other, anybody])] }, who)
      for (const url of ['/taken', '/frozen']) {
        const { statusCode, body } = await app.inject({ url, headers: bearer(keys.read) })
        expect([statusCode, body]).toEqual([200, 'undefined'])
      }
    })

    test('a guard that refuses leaves known who was authenticated: the next guard may pass them', async () => {
      const app = create()
      await app.register(fastifyAuth)
      const hook = hookOf({ forwardErrors: true })
      const who = async (request: FastifyRequest) => String(findAuth(request)?.subject)
      const either = [requireScope('teams:write'), requireScope('jobs:read')]
      app.get('/either', { onRequest: app.auth([hook, either], { relation: 'and' }) }, who)
      app.get('/anybody', { onRequest: app.auth([[hook, requireScope('teams:write')], async () => {}]) }, who)
      for (const url of ['/either', '/anybody']) {
        const { statusCode, body } = await app.inject({ url, headers: bearer(keys.read) })
        expect([statusCode, body]).toEqual([200, 'svc_read'])
      }
    })

    describe('in an outage', () => {
      const down = (): VantageAuthOptions => ({
        keys: failingStore(),
        issuer: false,
        jwks: undefined,
        outageNotices: false,
      })
      const dead = createTestIssuer({ issuer: 'https://dead.example' })
      const issuerDown = (): VantageAuthOptions => {
        dead.down()
        return { ...dead.options, jwks: undefined, keys: false, outageNotices: false }
      }
      const elsewhere = async () => {
        throw new Error('not from this host')
      }
      type Alternatives = Parameters<FastifyInstance['auth']>[0]

      async function ask(alternatives: Alternatives, credential: string, prepare?: (app: FastifyInstance) => void) {
        const app = create() as FastifyInstance
        await app.register(fastifyAuth)
        prepare?.(app)
        app.get('/', { onRequest: app.auth(alternatives) }, async (request) => `as ${findAuth(request)?.kind}`)
        return app.inject({ url: '/', headers: bearer(credential) })
      }
      const forwarding = (given: VantageAuthOptions) => hookOf({ ...given, forwardErrors: true })

      test.each([
        ['a store', down, () => keys.read],
        ['an issuer', issuerDown, () => dead.mint()],
      ])(
        'of %s, what could not be decided is 503, whatever the other alternatives say',
        async (_of, given, credential) => {
          // The 401 of the one that could decide would make the client throw its credential away.
          const others: VantageAuthOptions = { keys: false, issuer: false, jwks: undefined, audience: undefined }
          for (const alternatives of [
            [forwarding(given())],
            [elsewhere, forwarding(given())],
            [forwarding(given()), forwarding(others)],
            [forwarding(others), forwarding(given())],
            [[forwarding(given()), requireScope('jobs:read')], forwarding(others), forwarding(others)],
            [forwarding(given()), hookOf(others)],
          ]) {
            const { statusCode, headers } = await ask(alternatives as Alternatives, credential())
            expect([statusCode, headers['www-authenticate']]).toEqual([503, undefined])
            expect(headers['retry-after']).toMatch(/^\d+$/)
          }
          // The error that is handed on is the other's, the status is not.
          expect((await ask([forwarding(given()), elsewhere], credential())).statusCode).toBe(503)
        },
      )

      test('a guard behind another alternative refuses with the outage as well', async () => {
        const alternatives = [forwarding(down()), [forwarding({}), requireKind('access_token')]]
        expect((await ask(alternatives as Alternatives, keys.read)).statusCode).toBe(503)
      })

      test('an alternative that accepts is enough, with the status of its handler', async () => {
        for (const other of [forwarding({}), async () => {}]) {
          expect(await ask([forwarding(down()), other] as Alternatives, keys.read)).toMatchObject({ statusCode: 200 })
        }
      })

      test('each hook tells its own refusal to onError, and nothing is told twice', async () => {
        const heard: unknown[] = []
        const onError = (error: AnyAuthError) => heard.push(error.reason)
        const alternatives = [forwarding({ ...down(), onError }), forwarding({ keys: false, onError })]
        const { statusCode, json } = await ask(alternatives as Alternatives, keys.read, (app) =>
          app.setErrorHandler(authErrors()),
        )
        expect([statusCode, heard]).toEqual([503, ['unavailable', 'unknown']])
        expect(json()).toMatchObject({ code: 'ERR_VANTAGE_UNAVAILABLE' })
      })
    })

    test('a refusal keeps its status where the error handler sends a body alone: @fastify/auth sets 401', async () => {
      const app = create()
      await app.register(fastifyAuth)
      const hook = hookOf({ forwardErrors: true })
      app.setErrorHandler((error, _request, reply) => reply.send({ message: (error as Error).message }))
      const fails = authorize('fails', () => Promise.reject(new Error('out of order')))
      app.get('/scope', { onRequest: app.auth([[hook, requireScope('teams:write')]]) }, async () => 'open')
      app.get('/rule', { onRequest: app.auth([[hook, fails]]) }, async () => 'open')
      // The last one speaks, with its own status.
      app.get(
        '/then',
        {
          onRequest: app.auth([
            [hook, requireScope('teams:write')],
            [keysOff(), fails],
          ]),
        },
        async () => 'open',
      )
      function keysOff() {
        return hookOf({ ...noKeys, forwardErrors: true })
      }
      const statusOf = async (url: string) => (await app.inject({ url, headers: bearer(keys.read) })).statusCode
      expect(await statusOf('/scope')).toBe(403)
      expect(await statusOf('/rule')).toBe(500)
      expect(await statusOf('/then')).toBe(401)
    })

    test('authErrors() leaves to the outer handler what a hook forwarded, and reports it once', async () => {
      const app = create()
      await app.register(fastifyAuth)
      const heard: unknown[] = []
      const hook = hookOf({
        ...noTokens,
        forwardErrors: true,
        onError: (error: AnyAuthError) => heard.push(error.reason),
      })
      app.setErrorHandler(authErrors())
      app.get('/', { onRequest: app.auth([hook]) }, async () => 'open')
      expect((await app.inject({ url: '/' })).statusCode).toBe(401)
      expect(heard).toEqual(['missing'])
    })
  })
})
