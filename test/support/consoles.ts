import { createRequire } from 'node:module'
import { pipeline, Readable } from 'node:stream'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import mount from 'koa-mount'
import { createKeyring, type Keyring, memoryKeyStore } from 'vantage-auth'
import { createKeyConsole, type KeyConsole, type KeyConsoleOptions } from 'vantage-auth/console'
import { listen } from './frameworks.js'

const require = createRequire(import.meta.url)

/** A way to mount a console. */
export interface Front {
  readonly name: string
  /** @param parses whether the application has read and parsed JSON bodies before the console is asked */
  start(keyConsole: KeyConsole, prefix: string, parses?: boolean): Promise<{ port: number; close(): Promise<void> }>
}

export const FRONTS: readonly Front[] = [
  { name: 'Express 4', start: startExpress(require('express4') as typeof express) },
  { name: 'Express 5', start: startExpress(express) },
  { name: 'Koa 2', start: startKoa(require('koa2') as typeof Koa) },
  { name: 'Koa 3', start: startKoa(Koa) },
  { name: 'Fastify 4', start: startFastify(require('fastify4') as typeof fastify) },
  { name: 'Fastify 5', start: startFastify(fastify) },
  { name: 'fetch', start: startFetch },
]

function startExpress(create: typeof express): Front['start'] {
  return (keyConsole, prefix, parses = false) => {
    const app = create()
    if (parses) app.use(create.json())
    app.use(prefix, keyConsole.express())
    app.post('/of-the-application', create.json(), (req, res) => void res.json(req.body))
    return listen(app)
  }
}

function startKoa(Application: typeof Koa): Front['start'] {
  return (keyConsole, prefix, parses = false) => {
    const app = new Application()
    const parse: Koa.Middleware = async (ctx, next) => {
      const parts = await ctx.req.toArray()
      if (parts.length > 0) (ctx.request as { body?: unknown }).body = JSON.parse(Buffer.concat(parts).toString())
      await next()
    }
    if (parses) app.use(parse)
    app.use(mount(prefix, keyConsole.koa()))
    app.use(mount('/of-the-application', parse))
    app.use((ctx) => {
      ctx.body = (ctx.request as { body?: unknown }).body
    })
    return listen(app.callback())
  }
}

function startFastify(create: typeof fastify): Front['start'] {
  return async (keyConsole, prefix, parses = false) => {
    const app = create({ forceCloseConnections: true })
    if (parses) {
      app.addHook('onRequest', async (request) => {
        const parts = await request.raw.toArray()
        if (parts.length > 0) {
          ;(request.raw as { body?: unknown }).body = JSON.parse(Buffer.concat(parts).toString())
        }
      })
    }
    app.register(keyConsole.fastify(), { prefix })
    app.post('/of-the-application', async (request) => request.body)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: (app.server.address() as { port: number }).port, close: () => app.close() }
  }
}

/** A server of the Fetch standard, on Node's own. */
function startFetch(keyConsole: KeyConsole, prefix: string): ReturnType<Front['start']> {
  return listen(async (req, res) => {
    const headers = Object.entries(req.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value) => [name, value] as [string, string]),
    )
    const hasBody = req.method !== 'GET' && req.method !== 'HEAD'
    const request = new Request(`http://${req.headers.host}${req.url}`, {
      method: req.method ?? 'GET',
      headers,
      ...(hasBody && { body: Readable.toWeb(req) as ReadableStream, duplex: 'half' }),
    } as RequestInit)
    const answer = await keyConsole.fetch(request, { mount: prefix })
    res.writeHead(answer.status, [...answer.headers].flat())
    if (answer.body === null) res.end()
    else pipeline(Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]), res, () => {})
  })
}

/** What is sent, as the page sends it unless the test says otherwise. */
export interface Sent {
  readonly method?: string
  /** A text as it is, anything else as JSON. */
  readonly body?: unknown
  /** `undefined` takes one away. */
  readonly headers?: Readonly<Record<string, string | undefined>>
}

export const PAGE_HEADERS = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' }

/** Asks a console without a server in between. */
export async function ask(keyConsole: KeyConsole, path: string, sent: Sent = {}): Promise<Asked> {
  return readAnswer(await keyConsole.fetch(createRequest(`http://console.test${path}`, sent), { mount: '' }))
}

export function createRequest(url: string, { method, body, headers }: Sent): Request {
  const chosen = method ?? (body === undefined ? 'GET' : 'POST')
  const given = { ...(chosen === 'GET' || chosen === 'HEAD' ? {} : PAGE_HEADERS), ...headers }
  return new Request(url, {
    method: chosen,
    redirect: 'manual',
    headers: Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
}

export interface Asked {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asks for
  readonly json: any
}

export async function readAnswer(answer: Response): Promise<Asked> {
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.startsWith('application/json') && text !== ''
  return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : undefined }
}

export const ADA = { actor: 'ada', tenant: 'acme', canWrite: true }

/** A console over a memory store, for `ADA` unless the test says otherwise. */
export function createConsole(options: Partial<KeyConsoleOptions> = {}): KeyConsole & { readonly keyring: Keyring } {
  const { keyring = createKeyring(memoryKeyStore()) } = options
  return Object.assign(createKeyConsole({ authorize: () => ADA, ...options, keyring }), { keyring: keyring as Keyring })
}
