import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type AnyAuthError, createVerifier, type DecisionEvent, InsufficientScopeError } from 'vantage-auth'
import { afterEach, describe, expect, test } from 'vitest'
import { exchange, FRAMEWORKS, type Options, type Route, type Running, type WireAnswer } from '../support/frameworks.js'
import { forbidden, handled, invalid, keys, missing, options, token } from '../support/requests.js'

describe.each(FRAMEWORKS)('what handlers throw on $name', (framework) => {
  const endings: (() => unknown)[] = []

  afterEach(async () => {
    for (const end of endings.splice(0)) await end()
  })

  function decisions(): DecisionEvent[] {
    const events: DecisionEvent[] = []
    const listen = (event: unknown) => void events.push(event as DecisionEvent)
    subscribe('vantage-auth:decision', listen)
    endings.push(() => unsubscribe('vantage-auth:decision', listen))
    return events
  }

  async function serve(mount: Options | undefined, routes: readonly Route[], authErrors = true): Promise<Running> {
    const running = await framework.start({ ...(mount && { mounts: [mount] }), routes, authErrors })
    endings.push(() => running.close())
    return running
  }

  const authorization = `Bearer ${keys.read}`
  /** What a handler asks about a credential that it was given in another way. */
  const verifier = createVerifier(options)
  const lacking = () => new InsufficientScopeError('own', ['jobs:write', 'jobs:delete'])
  const ROUTES: readonly Route[] = [
    { path: '/me', answer: ({ request }) => framework.adapter.getAuth(request).subject },
    {
      path: '/throws',
      answer: () => {
        throw lacking()
      },
    },
    { path: '/rejects', answer: () => Promise.reject(lacking()) },
    { path: '/later', answer: () => new Promise((_, reject) => setImmediate(reject, lacking())) },
    { path: '/guarded', all: ['jobs:write'], answer: () => 'open' },
    {
      path: '/begun',
      answer: (call) => {
        for (const name of ['ETag', 'Content-Encoding', 'Last-Modified']) call.setHeader(name, 'gzip')
        call.setHeader('Access-Control-Allow-Origin', '*')
        throw lacking()
      },
    },
    { path: '/asks', answer: () => verifier.authenticate({ authorization: 'Bearer x' }) },
    { path: '/other', answer: () => Promise.reject(new Error('out of paper')) },
  ]

  function expectBytes(given: WireAnswer, expected: WireAnswer): void {
    expect(given).toMatchObject({ status: expected.status, body: expected.body, headers: expected.headers })
    expect(given.headers.etag).toBeUndefined()
  }

  test('getAuth without a credential is the documented 401, heard of once', async () => {
    const heard: [AnyAuthError, object][] = []
    const mount = { ...options, optional: true, onError: (...given: [AnyAuthError, object]) => heard.push(given) }
    const { port } = await serve(mount, ROUTES)
    const events = decisions()
    expectBytes(await exchange(port, { path: '/me' }), missing())
    expect(heard).toMatchObject([[{ code: 'ERR_VANTAGE_CREDENTIALS_MISSING' }, {}]])
    // One of the verifier, which found none, and one of the handler, which needed it.
    expect(events).toMatchObject([
      { outcome: 'credentials_missing', decidedBy: 'verifier' },
      { outcome: 'credentials_missing', decidedBy: 'handler' },
    ])
    expect((await exchange(port, { path: '/me', authorization })).body).toBe('svc_read')
    expect(heard).toHaveLength(1)
  })

  test('an InsufficientScopeError is the documented 403, heard of once, whenever it is thrown', async () => {
    const heard: AnyAuthError[] = []
    const { port } = await serve({ ...options, onError: (error) => heard.push(error) }, ROUTES)
    for (const path of ['/throws', '/rejects', '/later']) {
      const events = decisions()
      expectBytes(await exchange(port, { path, authorization }), forbidden('jobs:write jobs:delete', 'own'))
      expect(heard.splice(0)).toMatchObject([{ required: ['jobs:write', 'jobs:delete'] }])
      expect(events).toMatchObject([
        { outcome: 'accepted' },
        { outcome: 'scope_insufficient', decidedBy: 'handler', kind: 'api_key', keyId: keys.read.slice(9, 21) },
      ])
    }
    const events = decisions()
    await exchange(port, { path: '/throws', authorization: `Bearer ${token}` })
    expect(events.at(-1)).toMatchObject({ kind: 'access_token', issuer: options.issuer })
  })

  test('a refusal that a verifier of the application has published is published once, and reaches onError', async () => {
    const heard: AnyAuthError[] = []
    const { port } = await serve({ ...options, onError: (error) => heard.push(error) }, ROUTES)
    const events = decisions()
    expectBytes(await exchange(port, { path: '/asks', authorization }), invalid())
    expect(heard).toMatchObject([{ reason: 'malformed' }])
    expect(events).toMatchObject([{ outcome: 'accepted' }, { outcome: 'token_invalid', reason: 'malformed' }])
  })

  test('the answer has no header of the one that the handler had begun, and keeps the others', async () => {
    const { port } = await serve(options, ROUTES)
    const { status, headers } = await exchange(port, { path: '/begun', authorization })
    expect(status).toBe(403)
    expect(headers['access-control-allow-origin']).toBe('*')
    for (const name of ['etag', 'content-encoding', 'last-modified']) expect(headers[name]).toBeUndefined()
  })

  test('another error stays with the framework', async () => {
    const heard: AnyAuthError[] = []
    const { port, failures } = await serve({ ...options, onError: (error) => heard.push(error) }, ROUTES)
    expect((await exchange(port, { path: '/other', authorization })).status).toBe(500)
    expect(failures).toMatchObject([{ message: 'out of paper' }])
    expect(heard).toEqual([])
  })

  test('under forwardErrors the framework is handed each error, and onError and telemetry hear of it once', async () => {
    const heard: string[] = []
    const mount = { ...options, forwardErrors: true, onError: (error: AnyAuthError) => heard.push(error.code) }
    const { port, failures } = await serve(mount, ROUTES)
    const requests = [
      [{ path: '/throws', authorization }, 403, 'ERR_VANTAGE_SCOPE_INSUFFICIENT', 2],
      [{ path: '/guarded', authorization }, 403, 'ERR_VANTAGE_SCOPE_INSUFFICIENT', 2],
      [{ path: '/throws' }, 401, 'ERR_VANTAGE_CREDENTIALS_MISSING', 1],
    ] as const
    for (const [request, status, code, published] of requests) {
      const events = decisions()
      const given = await exchange(port, request)
      expect(given.status).toBe(status)
      expect(given.body).not.toContain('error_description')
      expect(heard.splice(0)).toEqual([code])
      expect(events).toHaveLength(published)
    }
    expect(failures).toMatchObject(requests.map(([, , code]) => ({ code })))
  })

  test('an AuthError is the documented answer also where no mount ran', async () => {
    const { port } = await serve(undefined, ROUTES)
    expectBytes(await exchange(port, { path: '/throws' }), forbidden('jobs:write jobs:delete', 'own'))
    expect((await exchange(port, { path: '/me' })).status).toBe(500)
  })

  const onKoaAlone = framework.name.startsWith('Koa') ? test : undefined
  onKoaAlone?.('needs no authErrors() behind vantageAuth()', async () => {
    const heard: AnyAuthError[] = []
    const mount = { ...options, optional: true, onError: (error: AnyAuthError) => heard.push(error) }
    const { port, failures } = await serve(mount, ROUTES, false)
    expectBytes(await exchange(port, { path: '/me' }), missing())
    expectBytes(await exchange(port, { path: '/me', authorization }), handled('svc_read'))
    expect(heard).toHaveLength(1)
    expect(failures).toEqual([])
  })
})
