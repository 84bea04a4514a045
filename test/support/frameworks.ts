import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, connect } from 'node:net'
import Router from '@koa/router'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import type { Auth } from 'vantage-auth'
import * as onExpress from '../../adapters/express.js'
import * as onFastify from '../../adapters/fastify.js'
import * as onKoa from '../../adapters/koa.js'
import type { MountOptions } from '../../src/http/mount.js'

/** What a handler sees of a request, whatever the framework. */
export interface Call {
  /** What the framework's handlers receive: `req`, `ctx`, `request`. */
  readonly request: object
  /** Node's own response. */
  readonly response: ServerResponse
  readonly method: string
  readonly path: string
  /** The view of the Auth: `req.auth`, `ctx.state.auth`, `request.auth`. */
  auth: unknown
  setHeader(name: string, value: string): void
}

export type Step = (call: Call) => unknown

// biome-ignore lint/suspicious/noExplicitAny: one set of options is mounted on every framework
export type Options = MountOptions<any>

type Scopes = Parameters<typeof onExpress.requireScope>

export interface Route {
  readonly method?: 'get' | 'post'
  readonly path: string
  readonly all?: Scopes
  readonly any?: Scopes
  readonly kind?: Auth['kind']
  readonly signIn?: { readonly acr?: string | readonly string[]; readonly maxAgeSeconds?: number }
  /** Of `authorize('rule', …)`. */
  readonly rule?: (auth: Auth, request: object) => boolean | Promise<boolean>
  /** What it returns is the body; the adapter's `authTest()` when there is none. */
  readonly answer?: Step
}

/** A service that each framework can be. */
export interface Service {
  /** Middleware in front of the mount. */
  readonly before?: readonly Step[]
  /** One mount for each. */
  readonly mounts?: readonly Options[]
  /** Middleware behind the mount. */
  readonly after?: readonly Step[]
  readonly routes: readonly Route[]
  /** Whether the adapter's `authErrors()` is in its place. */
  readonly authErrors?: boolean
  /** The application's own error handling: what it returns is the answer. */
  readonly onFailure?: (error: unknown) => { status: number; body: string }
}

export interface Running {
  readonly port: number
  /** What the framework's error handling was given. */
  readonly failures: readonly unknown[]
  close(): Promise<void>
}

export interface Framework {
  readonly name: string
  readonly adapter: {
    findAuth: typeof onExpress.findAuth
    getAuth: typeof onExpress.getAuth
  }
  start(service: Service): Promise<Running>
}

const require = createRequire(import.meta.url)

export const FRAMEWORKS: readonly Framework[] = [
  { name: 'Express 4', adapter: onExpress, start: startExpress(require('express4') as typeof express) },
  { name: 'Express 5', adapter: onExpress, start: startExpress(express) },
  { name: 'Koa 2', adapter: onKoa, start: startKoa(require('koa2') as typeof Koa) },
  { name: 'Koa 3', adapter: onKoa, start: startKoa(Koa) },
  { name: 'Fastify 4', adapter: onFastify, start: startFastify(require('fastify4') as typeof fastify) },
  { name: 'Fastify 5', adapter: onFastify, start: startFastify(fastify) },
]

function startExpress(create: typeof express): Framework['start'] {
  return async ({ before = [], mounts = [], after = [], routes, authErrors = false, onFailure }) => {
    const app = create()
    const failures: unknown[] = []
    const callOf = (req: express.Request, res: express.Response): Call => ({
      request: req,
      response: res,
      method: req.method,
      path: req.path,
      get auth() {
        return req.auth
      },
      set auth(auth) {
        ;(req as { auth?: unknown }).auth = auth
      },
      setHeader: (name, value) => void res.setHeader(name, value),
    })
    const middleware =
      (step: Step): express.RequestHandler =>
      (req, res, next) =>
        proceed(step(callOf(req, res)), () => next(), next)

    for (const step of before) app.use(middleware(step))
    for (const options of mounts) app.use(onExpress.vantageAuth(options))
    for (const step of after) app.use(middleware(step))
    for (const { method = 'get', path, all, any, kind, signIn, rule, answer } of routes) {
      const guards = [
        ...(all ? [onExpress.requireScope(...all)] : []),
        ...(any ? [onExpress.requireAnyScope(...any)] : []),
        ...(kind ? [onExpress.requireKind(kind)] : []),
        ...(signIn ? [onExpress.requireAuthentication(signIn)] : []),
        ...(rule ? [onExpress.authorize('rule', rule)] : []),
      ]
      const handler: express.RequestHandler = answer
        ? (req, res, next) =>
            proceed(
              answer(callOf(req, res)),
              (body) =>
                res
                  .type('text')
                  .set('Content-Length', String(String(body).length))
                  .end(body),
              next,
            )
        : onExpress.authTest()
      app[method](path, ...guards, handler)
    }
    if (authErrors) app.use(onExpress.authErrors())
    const failed: express.ErrorRequestHandler = (error, _req, res, next) => {
      failures.push(error)
      if (onFailure === undefined) return next(error)
      const { status, body } = onFailure(error)
      res.status(status).set((error as { headers?: Record<string, string> }).headers ?? {})
      res.end(body)
    }
    app.use(failed)
    return { ...(await listen(app)), failures }
  }
}

function startKoa(Application: typeof Koa): Framework['start'] {
  return async ({ before = [], mounts = [], after = [], routes, authErrors = false, onFailure }) => {
    const app = new Application()
    const router = new Router()
    const failures: unknown[] = []
    app.on('error', (error) => failures.push(error))
    const callOf = (ctx: Koa.Context): Call => ({
      request: ctx,
      response: ctx.res,
      method: ctx.method,
      path: ctx.path,
      get auth() {
        return ctx.state.auth
      },
      set auth(auth) {
        ;(ctx.state as { auth?: unknown }).auth = auth
      },
      setHeader: (name, value) => ctx.set(name, value),
    })
    const middleware =
      (step: Step): Koa.Middleware =>
      (ctx, next) => {
        const done = step(callOf(ctx))
        return done instanceof Promise ? done.then(next) : next()
      }

    if (onFailure !== undefined) {
      app.use(async (ctx, next) => {
        try {
          await next()
        } catch (error) {
          failures.push(error)
          const { status, body } = onFailure(error)
          ctx.status = status
          ctx.set((error as { headers?: Record<string, string> }).headers ?? {})
          ctx.body = body
        }
      })
    }
    if (authErrors) app.use(onKoa.authErrors())
    for (const step of before) app.use(middleware(step))
    for (const options of mounts) app.use(onKoa.vantageAuth(options))
    for (const step of after) app.use(middleware(step))
    for (const { method = 'get', path, all, any, kind, signIn, rule, answer } of routes) {
      if (all) router[method](path, onKoa.requireScope(...all))
      if (any) router[method](path, onKoa.requireAnyScope(...any))
      if (kind) router[method](path, onKoa.requireKind(kind))
      if (signIn) router[method](path, onKoa.requireAuthentication(signIn))
      if (rule) router[method](path, onKoa.authorize('rule', rule))
      router[method](
        path,
        answer
          ? (ctx) => {
              const body = answer(callOf(ctx))
              if (!(body instanceof Promise)) ctx.body = body
              else
                return body.then((later) => {
                  ctx.body = later
                })
            }
          : onKoa.authTest(),
      )
    }
    app.use(router.routes())
    return { ...(await listen(app.callback())), failures }
  }
}

function startFastify(create: typeof fastify): Framework['start'] {
  return async ({ before = [], mounts = [], after = [], routes, authErrors = false, onFailure }) => {
    const app = create({ forceCloseConnections: true })
    const failures: unknown[] = []
    app.addHook('onError', async (_request, _reply, error) => void failures.push(error))
    const callOf = (request: fastify.FastifyRequest, reply: fastify.FastifyReply): Call => ({
      request,
      response: reply.raw,
      method: request.method,
      path: request.url,
      get auth() {
        return request.auth
      },
      set auth(auth) {
        ;(request as { auth?: unknown }).auth = auth
      },
      setHeader: (name, value) => void reply.header(name, value),
    })
    const addStep = (step: Step) =>
      app.addHook('onRequest', (request, reply, done) => proceed(step(callOf(request, reply)), () => done(), done))

    if (onFailure !== undefined) {
      app.setErrorHandler((error, _request, reply) => {
        const { status, body } = onFailure(error)
        reply
          .code(status)
          .headers((error as { headers?: Record<string, string> }).headers ?? {})
          .send(body)
      })
    }
    if (authErrors) app.setErrorHandler(onFastify.authErrors())
    for (const step of before) addStep(step)
    for (const options of mounts) app.register(onFastify.vantageAuth, options)
    app.after(() => {
      for (const step of after) addStep(step)
    })
    for (const { method = 'get', path, all, any, kind, signIn, rule, answer } of routes) {
      const onRequest = [
        ...(all ? [onFastify.requireScope(...all)] : []),
        ...(any ? [onFastify.requireAnyScope(...any)] : []),
        ...(kind ? [onFastify.requireKind(kind)] : []),
        ...(signIn ? [onFastify.requireAuthentication(signIn)] : []),
        ...(rule ? [onFastify.authorize('rule', rule)] : []),
      ]
      app[method](
        path,
        { onRequest },
        answer ? (request, reply) => answer(callOf(request, reply)) : onFastify.authTest(),
      )
    }
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: (app.server.address() as AddressInfo).port, failures, close: () => app.close() }
  }
}

/** Goes on at once where a step was synchronous. */
function proceed(done: unknown, next: (result: unknown) => void, failed: (error: Error) => void): void {
  if (done instanceof Promise) done.then(next, failed)
  else next(done)
}

export async function listen(listener: RequestListener): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** One answer, as it went over the wire. */
export interface WireAnswer {
  readonly status: number
  /** Names in lower case. A header that came twice has both values, joined by a line break. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface WireRequest {
  readonly method?: string
  readonly path?: string
  /** The Authorization header lines. */
  readonly authorization?: string | readonly string[]
  /** Other header lines. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: string
}

/** Sends a request over a socket of its own and reads until the server ends the connection. */
export async function exchange(port: number, request: WireRequest): Promise<WireAnswer> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.write(requestText(request), 'latin1')
  await once(socket, 'close')
  return parseAnswer(Buffer.concat(chunks).toString('latin1'))
}

export function requestText({
  method = 'GET',
  path = '/',
  authorization = [],
  headers = [],
  body = '',
}: WireRequest): string {
  const lines = [authorization].flat().map((value) => ['Authorization', value] as const)
  if (body !== '') lines.push(['Content-Length', String(body.length)] as never)
  const all = [['Host', 'localhost'], ['Connection', 'close'], ...lines, ...headers]
  return `${method} ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

function parseAnswer(text: string): WireAnswer {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) throw new Error(`no answer, but ${JSON.stringify(text)}`)
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    const value = line.slice(line.indexOf(':') + 2)
    headers[name] = headers[name] === undefined ? value : `${headers[name]}\n${value}`
  }
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(end + 4) }
}
