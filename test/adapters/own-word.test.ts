/** The application may set or delete the Authorization header before the middleware runs: its word counts. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http2'
import { createRequire } from 'node:module'
import { type AddressInfo, connect } from 'node:net'
import fastify from 'fastify'
import Koa from 'koa'
import * as onFastify from 'vantage-auth/fastify'
import * as onKoa from 'vantage-auth/koa'
import { afterEach, describe, expect, test } from 'vitest'
import { exchange, FRAMEWORKS, type Step } from '../support/frameworks.js'
import { keys, options, token } from '../support/requests.js'

const endings: (() => unknown)[] = []

afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

const headersOf = (request: object) => (request as { headers: IncomingHttpHeaders }).headers
const read = `Bearer ${keys.read}`
const other = `Bearer ${token}`

describe.each(FRAMEWORKS)('$name', (framework) => {
  /** Sends these lines past a middleware of the application: who was let through, or the status. */
  async function ask(step: Step, ...lines: string[]): Promise<string | number> {
    const { port, close } = await framework.start({
      before: [step],
      mounts: [options],
      routes: [{ path: '/', answer: ({ request }) => framework.adapter.getAuth(request).subject }],
    })
    endings.push(close)
    const { status, body } = await exchange(port, { authorization: lines })
    return status === 200 ? body : status
  }

  const untouched: Step = () => {}
  const deleted: Step = ({ request }) => {
    delete headersOf(request).authorization
  }
  const set: Step = ({ request }) => {
    headersOf(request).authorization = read
  }

  test('obeys a middleware that deletes the header', async () => {
    expect(await ask(untouched, read)).toBe('svc_read')
    expect(await ask(deleted, read)).toBe(401)
    expect(await ask(deleted, read, other)).toBe(401)
  })

  test('obeys a middleware that sets the header, also over lines of the client', async () => {
    expect(await ask(set)).toBe('svc_read')
    expect(await ask(set, other)).toBe('svc_read')
    expect(await ask(set, other, 'Bearer x')).toBe('svc_read')
  })

  test('refuses two lines of a client that the application has left alone', async () => {
    expect(await ask(untouched, read, other)).toBe(400)
    expect(await ask(untouched, read, read)).toBe(400)
    expect(await ask(untouched, '', read)).toBe(400)
  })

  const onFastifyAlone = framework.name.startsWith('Fastify') ? test : undefined
  onFastifyAlone?.('obeys headers that are set on the request of Fastify alone', async () => {
    const replaced: Step = ({ request }) => {
      ;(request as { headers: IncomingHttpHeaders }).headers = { authorization: read }
    }
    expect(await ask(replaced, other)).toBe('svc_read')
  })
})

/**
 * Sends a GET with these Authorization lines over HTTP/2, written by hand: Node's client refuses to send two. Resolves when
 * the server has begun to answer.
 */
async function sendHttp2(port: number, lines: readonly string[]): Promise<void> {
  const frame = (type: number, flags: number, stream: number, payload = Buffer.alloc(0)) =>
    Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream]), payload])
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])
  const header = (name: string, value: string) => Buffer.concat([Buffer.from([0]), text(name), text(value)])
  const headers = [
    header(':method', 'GET'),
    header(':scheme', 'http'),
    header(':path', '/'),
    header(':authority', 'h'),
    ...lines.map((line) => header('authorization', line)),
  ]
  const socket = connect(port, '127.0.0.1')
  const [SETTINGS, HEADERS, END_OF_STREAM_AND_HEADERS] = [4, 1, 5]
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  socket.write(frame(SETTINGS, 0, 0))
  socket.write(frame(HEADERS, END_OF_STREAM_AND_HEADERS, 1, Buffer.concat(headers)))
  let received = Buffer.alloc(0)
  const answered = () => {
    for (let at = 0; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3)) {
      if (received[at + 3] === HEADERS) return true
    }
    return false
  }
  while (!answered()) received = Buffer.concat([received, (await once(socket, 'data'))[0]])
  socket.destroy()
}

/** `create` makes a server that runs `now` on the headers and then the middleware, and tells each status. */
async function expectHttp2(
  create: (now: (headers: IncomingHttpHeaders) => void, tell: (status: number) => void) => Promise<number>,
): Promise<void> {
  let now = (_headers: IncomingHttpHeaders) => {}
  const statuses: number[] = []
  const port = await create(
    (headers) => now(headers),
    (status) => void statuses.push(status),
  )
  const send = async (step: typeof now, ...lines: string[]) => {
    now = step
    await sendHttp2(port, lines)
    return statuses.pop()
  }
  const deleted = (headers: IncomingHttpHeaders) => {
    delete headers.authorization
  }
  const set = (headers: IncomingHttpHeaders) => {
    headers.authorization = read
  }
  expect(await send(() => {}, read)).toBe(200)
  expect(await send(() => {}, read, `Bearer ${keys.write}`)).toBe(400)
  expect(await send(deleted, read)).toBe(401)
  expect(await send(set)).toBe(200)
  expect(await send(set, 'Bearer x', 'Bearer y')).toBe(200)
}

const FASTIFY: [string, typeof fastify][] = [
  ['Fastify 4', createRequire(import.meta.url)('fastify4')],
  ['Fastify 5', fastify],
]

test.each(FASTIFY)('%s over HTTP/2 obeys the application, and refuses two lines', async (_, create) => {
  await expectHttp2(async (now, tell) => {
    const app = create({ http2: true })
    app.addHook('onRequest', async (request) => now(request.headers))
    app.addHook('onSend', async (_request, reply) => tell(reply.statusCode))
    app.register(onFastify.vantageAuth, options)
    app.get('/', async () => 'ok')
    await app.listen({ port: 0, host: '127.0.0.1' })
    endings.push(() => app.close())
    return (app.server.address() as AddressInfo).port
  })
})

test('Koa over HTTP/2 obeys the application, and refuses two lines', async () => {
  await expectHttp2(async (now, tell) => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      now(ctx.headers as IncomingHttpHeaders)
      await next()
      tell(ctx.status)
    })
    app.use(onKoa.vantageAuth(options)).use((ctx) => {
      ctx.body = 'ok'
    })
    const server = createServer(app.callback() as never).listen(0, '127.0.0.1')
    await once(server, 'listening')
    endings.push(() => server.close())
    return (server.address() as AddressInfo).port
  })
})

test.each(FASTIFY)('%s obeys the application in an injected request', async (_, create) => {
  const app = create()
  endings.push(() => app.close())
  app.addHook('onRequest', async (request) => {
    if (request.url === '/deleted') delete request.headers.authorization
    if (request.url === '/set') request.headers.authorization = read
  })
  app.register(onFastify.vantageAuth, options)
  for (const url of ['/', '/deleted', '/set']) app.get(url, async () => 'ok')
  const ask = async (url: string, headers = {}) => (await app.inject({ url, headers })).statusCode
  expect(await ask('/', { authorization: read })).toBe(200)
  expect(await ask('/deleted', { authorization: read })).toBe(401)
  expect(await ask('/set')).toBe(200)
  expect(await ask('/set', { authorization: 'Bearer x' })).toBe(200)
})
