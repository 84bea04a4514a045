import { createRequire } from 'node:module'
import fastifyAuth from '@fastify/auth'
import fastify5 from 'fastify'
import { type AnyAuthError, createVerifier } from 'vantage-auth'
import { afterEach, describe, expect, test } from 'vitest'
import plugin, {
  authErrors,
  authenticate,
  findAuth,
  getAuth,
  requireScope,
  type VantageAuthOptions,
  vantageAuth,
} from '../../adapters/fastify.js'
import { invalid, keys, missing, options, token } from '../support/requests.js'

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
  describe.skipIf(name === 'Fastify 4')('with @fastify/auth', () => {
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
