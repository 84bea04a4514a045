import { execFile } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { promiseHooks } from 'node:v8'
import {
  type AnyAuthError,
  type Auth,
  createVerifier,
  isAuthError,
  type KeyStore,
  MissingCredentialsError,
  memoryKeyStore,
  type RefusalReason,
  type Verifier,
} from 'vantage-auth'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  type Call,
  exchange,
  FRAMEWORKS,
  type Running,
  requestText,
  type Service,
  type WireAnswer,
  type WireRequest,
} from '../support/frameworks.js'
import {
  closeAll,
  forbidden,
  invalid,
  keys,
  malformed,
  missing,
  OUR_HEADERS,
  options,
  ROWS,
  SERVICES,
  start,
  token,
} from '../support/requests.js'

const rejections: unknown[] = []
const record = (reason: unknown) => void rejections.push(reason)

beforeAll(() => {
  process.on('unhandledRejection', record)
})

afterEach(async () => {
  // Node reports a rejection once the microtasks are done.
  await new Promise(setImmediate)
  expect(rejections.splice(0)).toEqual([])
})

afterAll(async () => {
  process.off('unhandledRejection', record)
  await closeAll()
})

function missingCredentials(): never {
  throw new MissingCredentialsError('vantage')
}

/** What is ours of an answer: for a 500 of the framework, that it has no header of ours. */
function ours({ status, headers, body }: WireAnswer, of: WireAnswer): WireAnswer {
  const names = [...OUR_HEADERS, 'access-control-allow-origin'].filter((name) =>
    status === 500 ? name === 'www-authenticate' || name === 'retry-after' : headers[name] !== undefined,
  )
  return {
    status,
    headers: Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]]))),
    body: of.status === 500 ? '' : body,
  }
}

describe('one table of requests on every framework', () => {
  const running = new Map<string, Running>()

  beforeAll(async () => {
    const names = Object.keys(SERVICES) as (keyof typeof SERVICES)[]
    for (const framework of FRAMEWORKS) {
      for (const name of names) running.set(`${framework.name} ${name}`, await start(framework, name))
    }
  })

  test.each(ROWS)('answers $name', async ({ service, request, answer, retryAfter = [] }) => {
    const answers = FRAMEWORKS.map(async ({ name }) => {
      const { port } = running.get(`${name} ${service}`) as Running
      const given = ours(await exchange(port, request), answer)
      if (!retryAfter.includes(given.headers['retry-after'] ?? '')) return [name, given]
      return [name, { ...given, headers: { ...given.headers, 'retry-after': answer.headers['retry-after'] } }]
    })
    expect(Object.fromEntries(await Promise.all(answers))).toEqual(
      Object.fromEntries(FRAMEWORKS.map(({ name }) => [name, answer])),
    )
  })
})

describe.each(FRAMEWORKS)('$name', (framework) => {
  const { findAuth, getAuth } = framework.adapter
  const started: Running[] = []

  async function serve(service: Service): Promise<Running> {
    const running = await framework.start(service)
    started.push(running)
    return running
  }

  afterEach(async () => {
    await Promise.all(started.splice(0).map((running) => running.close()))
  })

  const openRoute = { path: '/open', answer: () => 'open' }

  test('hands refusals to the error handling of the application', async () => {
    const { port, failures } = await serve({
      mounts: [{ ...options, forwardErrors: true }],
      routes: [{ path: '/', all: ['jobs:write'], answer: () => 'open' }, { path: '/v1/auth/test' }],
      onFailure: (error) => ({ status: (error as AnyAuthError).status, body: JSON.stringify(error) }),
    })
    const requests: [WireRequest, WireAnswer][] = [
      [{}, missing()],
      [{ authorization: 'Bearer x' }, invalid()],
      [{ authorization: `Bearer ${keys.revoked}` }, invalid()],
      [{ authorization: ['Bearer x', 'Bearer x'] }, malformed],
      [{ authorization: `Bearer ${keys.read}` }, forbidden('jobs:write')],
      [{ path: '/v1/auth/test' }, missing()],
      [{ path: '/nowhere' }, missing()],
    ]
    for (const [request, expected] of requests) {
      const given = await exchange(port, request)
      expect([given.status, given.body]).toEqual([expected.status, expected.body])
      expect(given.headers['www-authenticate']).toBe(expected.headers['www-authenticate'])
      expect(given.headers['cache-control']).toBe('no-store')
      expect(given.headers.etag).toBeUndefined()
    }
    expect(failures).toHaveLength(requests.length)
    for (const failure of failures) {
      expect(isAuthError(failure)).toBe(true)
      expect(failure).toMatchObject({ expose: true, headers: { 'Cache-Control': 'no-store' } })
      expect((failure as AnyAuthError).statusCode).toBe((failure as AnyAuthError).status)
    }
  })

  test('hands refusals to the error handling of the framework, which says nothing but the fixed sentence', async () => {
    const { port } = await serve({ mounts: [{ ...options, forwardErrors: true }], routes: [openRoute] })
    for (const authorization of ['Bearer hush', `Bearer ${keys.revoked}`]) {
      const given = await exchange(port, { path: '/open', authorization })
      expect(given.status).toBe(401)
      expect(given.headers['www-authenticate']).toBe(invalid().headers['www-authenticate'])
      expect(given.body).toContain('The access token provided is invalid')
      expect(given.body).not.toMatch(/hush|revoked|malformed|\bat \w+ \(/)
    }
  })

  test('forwards an outage with its Retry-After and without a challenge', async () => {
    const { port } = await serve({
      mounts: [
        { ...options, keys: { ...keys.store, find: () => Promise.reject(new Error('hush')) }, forwardErrors: true },
      ],
      routes: [openRoute],
    })
    const given = await exchange(port, { path: '/open', authorization: `Bearer ${keys.read}` })
    expect([given.status, given.headers['retry-after'], given.headers['www-authenticate']]).toEqual([
      503,
      '1',
      undefined,
    ])
    expect(given.body).not.toContain('hush')
  })

  test.each(['forwardedMeddled', 'forwardedMeddledLater', 'forwardedFrozen'] as const)(
    'lets no observer change what is forwarded: %s',
    async (name) => {
      const { port } = await serve({
        ...(SERVICES as Record<string, Omit<Service, 'routes'>>)[name],
        routes: [openRoute],
      })
      for (const authorization of ['Bearer x', `Bearer ${keys.revoked}`]) {
        const given = await exchange(port, { path: '/open', authorization })
        expect(given.body).toBe('[401,401,true,"The access token provided is invalid"]')
        expect(given.headers['www-authenticate']).toBe(invalid().headers['www-authenticate'])
        expect(given.headers['x-own']).toBeUndefined()
      }
    },
  )

  test('tells onError of each refusal, with the request that handlers receive', async () => {
    const seen: [string, RefusalReason, boolean][] = []
    const calls: object[] = []
    const { port } = await serve({
      mounts: [
        {
          ...options,
          onError: (error, request: object) => seen.push([error.code, error.reason, request === calls.at(-1)]),
        },
      ],
      before: [(call) => calls.push(call.request)],
      routes: [{ path: '/', all: ['jobs:write'], answer: () => 'open' }],
    })
    for (const authorization of [
      [],
      'Bearer x',
      `Bearer ${keys.revoked}`,
      `Bearer ${keys.read}`,
      `Bearer ${keys.write}`,
    ]) {
      await exchange(port, { authorization })
    }
    expect(seen).toEqual([
      ['ERR_VANTAGE_CREDENTIALS_MISSING', 'missing', true],
      ['ERR_VANTAGE_TOKEN_INVALID', 'malformed', true],
      ['ERR_VANTAGE_TOKEN_INVALID', 'revoked', true],
      ['ERR_VANTAGE_SCOPE_INSUFFICIENT', 'scope', true],
    ])
  })

  test('gives skip the request that handlers receive', async () => {
    const calls: object[] = []
    const skipped: object[] = []
    const { port } = await serve({
      mounts: [{ ...options, skip: (request: object) => skipped.push(request) > 1 }],
      before: [(call) => calls.push(call.request)],
      routes: [openRoute],
    })
    expect((await exchange(port, { path: '/open' })).status).toBe(401)
    expect((await exchange(port, { path: '/open' })).status).toBe(200)
    expect(skipped.length).toBe(2)
    expect(skipped.every((request, i) => request === calls[i])).toBe(true)
  })

  test('names the mistake of a guard without the middleware, and lives on', async () => {
    const { port, failures } = await serve({
      routes: [{ path: '/all', all: ['jobs:read'], answer: () => 'open' }, { path: '/test' }, openRoute],
    })
    const all = await exchange(port, { path: '/all', authorization: `Bearer ${keys.read}` })
    const test = await exchange(port, { path: '/test' })
    expect([all.status, test.status]).toEqual([500, 500])
    // Koa logs what it may not show.
    expect(failures).toMatchObject([
      { message: expect.stringMatching(/^requireScope\('jobs:read'\) ran without vantageAuth/), expose: false },
      {
        message: expect.stringMatching(/^authTest\(\) ran without vantageAuth\(\): mount the middleware/),
        expose: false,
      },
    ])
    expect((await exchange(port, { path: '/open' })).body).toBe('open')
  })

  test('keeps what a hook threw as the cause, out of the answer', async () => {
    const hush = new Error('hush')
    const { port, failures } = await serve({
      mounts: [
        {
          ...options,
          skip: () => {
            throw hush
          },
        },
      ],
      routes: [openRoute],
    })
    const given = await exchange(port, { path: '/open' })
    expect(given.status).toBe(500)
    expect(given.body).not.toContain('hush')
    expect(failures).toMatchObject([{ message: 'the skip hook of vantageAuth() threw', cause: hush }])
  })

  test('lets no handler change an Auth, and the next request sees none of the attempt', async () => {
    const attempts: ((auth: Auth) => void)[] = [
      (auth) => Object.assign(auth, { subject: 'root' }),
      (auth) => (auth.scopes as string[]).push('jobs:write'),
      (auth) => Object.assign(auth, { scopes: ['jobs:write'] }),
      (auth) => Object.assign(auth, { expiresAt: null }),
      (auth) => Object.assign(auth.kind === 'access_token' ? auth.claims : auth, { sub: 'root', name: 'root' }),
    ]
    const outcomes: unknown[] = []
    const { port } = await serve({
      mounts: [options],
      routes: [
        {
          path: '/try',
          answer: ({ request }) => {
            const auth = getAuth(request)
            for (const attempt of attempts) {
              try {
                attempt(auth)
                outcomes.push('changed')
              } catch (error) {
                outcomes.push(error instanceof TypeError ? 'refused' : error)
              }
            }
            // A Date cannot be frozen: each reading is a new one.
            auth.expiresAt?.setTime(0)
            return JSON.stringify(auth)
          },
        },
        { path: '/write', all: ['jobs:write'], answer: () => 'open' },
      ],
    })
    for (const credential of [keys.read, token]) {
      const request = { path: '/try', authorization: `Bearer ${credential}` }
      const [first, second] = [await exchange(port, request), await exchange(port, request)]
      expect(first.body).toContain('jobs:read')
      expect(first.body).not.toMatch(/root|jobs:write|1970/)
      expect(second.body).toBe(first.body)
      expect((await exchange(port, { ...request, path: '/write' })).status).toBe(403)
    }
    expect(new Set(outcomes)).toEqual(new Set(['refused']))
  })

  test('takes no error of a handler for one of authentication, whether the decision was known or not', async () => {
    const observed: unknown[] = []
    const thrown = new Error('out of paper')
    const { port, failures } = await serve({
      mounts: [{ ...options, onError: (error) => observed.push(error) }],
      routes: [
        {
          path: '/throw',
          all: ['jobs:read'],
          answer: () => {
            throw thrown
          },
        },
        { path: '/reject', any: ['jobs:read'], answer: () => Promise.reject(thrown) },
        { path: '/later', answer: () => new Promise((_, reject) => setImmediate(reject, thrown)) },
      ],
    })
    for (const path of ['/throw', '/reject', '/later', '/throw', '/reject', '/later']) {
      for (const credential of [keys.read, token]) {
        const given = await exchange(port, { path, authorization: `Bearer ${credential}` })
        expect([given.status, given.headers['www-authenticate']]).toEqual([500, undefined])
      }
    }
    expect(failures).toHaveLength(12)
    expect(failures.every((failure) => failure === thrown)).toBe(true)
    expect(observed).toEqual([])
  })

  test('is 500, and no hanging request, where the view cannot be written', async () => {
    const { port } = await serve({
      before: [
        ({ request }) => {
          const holder = (request as { state?: object }).state ?? request
          Object.defineProperty(holder, 'auth', { value: 'taken', writable: false, configurable: false })
        },
      ],
      mounts: [options],
      routes: [openRoute],
    })
    for (const credential of [keys.read, keys.read, token]) {
      const given = await exchange(port, { path: '/open', authorization: `Bearer ${credential}` })
      expect([given.status, given.headers['www-authenticate']]).toEqual([500, undefined])
    }
  })

  test.each([[undefined], [null], ['route'], ['router']])(
    'is 500, and no access, where the view throws %j',
    async (value) => {
      const { port } = await serve({
        before: [
          ({ request }) => {
            const set = () => {
              throw value
            }
            Object.defineProperty((request as { state?: object }).state ?? request, 'auth', { set })
          },
        ],
        mounts: [options],
        routes: [openRoute],
      })
      for (const credential of [keys.read, keys.read, token]) {
        expect((await exchange(port, { path: '/open', authorization: `Bearer ${credential}` })).status).toBe(500)
      }
    },
  )

  test('refuses at start a verifier whose realm no header can carry', async () => {
    for (const realm of [undefined, 'a"b', 'a\\b', 'a\nb', 'straße']) {
      const verifier = { ...createVerifier(options), describe: () => ({ realm }) as ReturnType<Verifier['describe']> }
      const failure = await serve({ mounts: [{ verifier }], routes: [openRoute] }).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(TypeError)
      expect((failure as Error).message).toMatch(/^verifier must describe\(\) a realm of printable ASCII/)
    }
  })

  test.each([
    ['at once', () => missingCredentials()],
    ['later', async () => missingCredentials()],
  ])('gives the framework what fails while an answer is written %s, and the request ends', async (_, authenticate) => {
    // Another middleware may have replaced a function of the response by one that fails.
    const outOfPaper = new Error('out of paper')
    const failOnce = ({ response }: Call) => {
      const { writeHead } = response
      response.writeHead = () => {
        response.writeHead = writeHead
        throw outOfPaper
      }
    }
    const { port, failures } = await serve({
      before: [failOnce],
      mounts: [{ verifier: { ...createVerifier(options), authenticate } }],
      routes: [openRoute],
    })
    const { status } = await exchange(port, { path: '/open' })
    // Express and Fastify keep the status of the answer that could not be written.
    expect(status).toBe(framework.name.startsWith('Koa') ? 500 : 401)
    expect(failures).toEqual([outOfPaper])
  })

  test('answers after a client has gone during the decision, and goes on with the next', async () => {
    const asked = new EventEmitter()
    const gates: (() => void)[] = []
    const store: KeyStore = {
      ...memoryKeyStore(),
      find: async (id) => {
        await new Promise<void>((open) => {
          gates.push(open)
          asked.emit('asked')
        })
        return keys.store.find(id)
      },
    }
    let admitted = 0
    const { port } = await serve({
      mounts: [{ ...options, keys: store }],
      routes: [{ path: '/open', answer: () => String(++admitted) }],
    })
    for (const credential of [keys.read, keys.revoked]) {
      const socket = connect(port, '127.0.0.1')
      socket.write(requestText({ path: '/open', authorization: `Bearer ${credential}` }))
      await once(asked, 'asked')
      socket.destroy()
      await once(socket, 'close')
      gates.shift()?.()
    }
    const last = exchange(port, { path: '/open', authorization: `Bearer ${keys.write}` })
    await once(asked, 'asked')
    gates.shift()?.()
    const given = await last
    expect(given.status).toBe(200)
  })

  test('keeps a connection whose refused request had a body', async () => {
    const { port } = await serve({ mounts: [options], routes: [openRoute] })
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    const body = 'x'.repeat(50_000)
    socket.write(`POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    while (!text.endsWith(missing().body)) await once(socket, 'data')
    socket.write(requestText({ path: '/open', authorization: `Bearer ${token}` }))
    await once(socket, 'close')
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 401', 'HTTP/1.1 200'])
  })

  test('reaches what comes next without a promise or a tick when the decision is known', async () => {
    const verifier = createVerifier(options)
    const seen: [promises: number, ticks: number][] = []
    let promises = 0
    let ticks = 0
    const watched: Verifier = {
      ...verifier,
      authenticate(request) {
        const auth = verifier.authenticate(request)
        queueMicrotask(() => ticks++)
        process.nextTick(() => ticks++)
        promises = 0
        ticks = 0
        return auth
      },
    }
    const { port } = await serve({
      mounts: [{ verifier: watched }],
      after: [() => void seen.push([promises, ticks])],
      routes: [openRoute],
    })
    await exchange(port, { path: '/open', authorization: `Bearer ${token}` })
    // What the first decision took is not known here: the signature may have waited for the thread pool.
    expect(seen.splice(0)).toHaveLength(1)
    const stop = promiseHooks.onInit(() => promises++)
    try {
      for (let i = 0; i < 3; i++) await exchange(port, { path: '/open', authorization: `Bearer ${token}` })
    } finally {
      stop()
    }
    expect(seen).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ])
  })

  test('sees an Auth of the mount alone', async () => {
    const { port } = await serve({
      mounts: [{ ...options, optional: true }],
      routes: [
        {
          path: '/open',
          answer: ({ request, auth }) => {
            let thrown: unknown
            try {
              getAuth(request)
            } catch (error) {
              thrown = error
            }
            return JSON.stringify([findAuth(request) ?? null, auth ?? null, thrown])
          },
        },
      ],
    })
    expect((await exchange(port, { path: '/open' })).body).toBe(`[null,null,${missing().body}]`)
  })
})

describe('a verifier that is shared', () => {
  test('decides once for all mounts and frameworks', async () => {
    let lookUps = 0
    const store: KeyStore = {
      ...keys.store,
      find: (id) => {
        lookUps++
        return keys.store.find(id)
      },
    }
    const verifier = createVerifier({ ...options, keys: store })
    const request = { path: '/open', authorization: `Bearer ${keys.read}` }
    const running = []
    for (const framework of FRAMEWORKS) {
      running.push(
        await framework.start({
          mounts: [{ verifier }, { verifier, optional: true }],
          routes: [{ path: '/open', answer: (call) => framework.adapter.getAuth(call.request).subject }],
        }),
      )
    }
    for (const { port } of running) expect((await exchange(port, request)).body).toBe('svc_read')
    expect(lookUps).toBe(1)

    // Fastify closes in onClose what it opened, which this is not.
    await Promise.all(running.map((server) => server.close()))
    expect(verifier.authenticate({ authorization: request.authorization })).toMatchObject({ subject: 'svc_read' })
    await verifier.close()
  })
})

test('leaves no rejection unhandled over the whole table', async () => {
  const script = fileURLToPath(new URL('../support/strict-rejections.ts', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--unhandled-rejections=strict', '--import', 'tsx', script],
    { env: { ...process.env, NODE_ENV: 'test', VANTAGE_OUTAGE_NOTICES: 'false' } },
  )
  expect({ stdout, stderr }).toEqual({ stdout: `${ROWS.length * FRAMEWORKS.length}\n`, stderr: '' })
}, 60_000)
