/** What a framework calls itself, because somebody forgot to: the mistake is named, and the credential shown nowhere. */
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import Router from '@koa/router'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import * as onExpress from 'vantage-auth/express'
import * as onFastify from 'vantage-auth/fastify'
import * as onKoa from 'vantage-auth/koa'
import { afterEach, expect, test } from 'vitest'
import { exchange, listen } from '../support/frameworks.js'

const require = createRequire(import.meta.url)
const CREDENTIAL = 'vak_live_hushhushhush'
const endings: (() => unknown)[] = []

afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

// biome-ignore lint/suspicious/noExplicitAny: the types of the frameworks refuse most of these mistakes
type Any = any
type Ask = (use: (app: Any) => void) => Promise<{ status: number; said: string; written: string }>

/** Sends a request with a credential to an application, and gathers what was written of its failure, and where. */
const askExpress =
  (create: typeof express): Ask =>
  async (use) => {
    const app = create()
    const failures: unknown[] = []
    use(app)
    app.use(((error, _req, _res, next) => {
      failures.push(error)
      next(error)
    }) satisfies express.ErrorRequestHandler)
    const { port, close } = await listen(app)
    endings.push(close)
    return ask(port, failures)
  }

const askKoa =
  (Application: typeof Koa): Ask =>
  async (use) => {
    const app = new Application()
    const failures: unknown[] = []
    app.on('error', (error) => failures.push(error))
    use(app)
    const { port, close } = await listen(app.callback())
    endings.push(close)
    return ask(port, failures)
  }

const askFastify =
  (create: typeof fastify): Ask =>
  async (use) => {
    const failures: unknown[] = []
    const lines: string[] = []
    const app = create({ logger: { level: 'trace', stream: { write: (line) => void lines.push(line) } } })
    app.addHook('onError', async (_request, _reply, error) => void failures.push(error))
    use(app)
    await app.listen({ port: 0, host: '127.0.0.1' })
    endings.push(() => app.close())
    const { status, said, written } = await ask((app.server.address() as AddressInfo).port, failures)
    expect(lines.join('')).toContain('without being called')
    return { status, said, written: `${written}${lines.join('')}` }
  }

async function ask(port: number, failures: readonly unknown[]) {
  const { status, body, headers } = await exchange(port, { authorization: `Bearer ${CREDENTIAL}` })
  expect(failures).toHaveLength(1)
  const [failure] = failures as [Error]
  expect(failure).toBeInstanceOf(TypeError)
  const written = `${body}${inspect(headers)}${inspect(failure, { depth: 5, showHidden: true })}`
  return { status, said: failure.message, written }
}

const koaRoute = (guard: unknown) => (app: Any) => {
  const router = new Router()
  router.get('/', guard as never, () => {})
  app.use(router.routes())
}

const MISTAKES: [framework: string, asks: Record<string, Ask>, mistakes: [name: string, use: (app: Any) => void][]][] =
  [
    [
      'Express',
      { 'Express 4': askExpress(require('express4')), 'Express 5': askExpress(express) },
      [
        ['requireScope', (app) => app.use(onExpress.requireScope)],
        ['requireScope', (app) => app.get('/', onExpress.requireScope, () => {})],
        ['requireAnyScope', (app) => app.use(onExpress.requireAnyScope)],
        ['authTest', (app) => app.use(onExpress.authTest)],
        ['authTest', (app) => app.get('/', onExpress.authTest)],
        ['vantageAuth', (app) => app.use(onExpress.vantageAuth)],
        ['getAuth', (app) => app.use(onExpress.getAuth)],
        ['authErrors', (app) => app.use(onExpress.authErrors)],
      ],
    ],
    [
      'Koa',
      { 'Koa 2': askKoa(require('koa2')), 'Koa 3': askKoa(Koa) },
      [
        ['requireScope', (app) => app.use(onKoa.requireScope)],
        ['requireScope', koaRoute(onKoa.requireScope)],
        ['requireAnyScope', (app) => app.use(onKoa.requireAnyScope)],
        ['authTest', (app) => app.use(onKoa.authTest)],
        ['authTest', koaRoute(onKoa.authTest)],
        ['vantageAuth', (app) => app.use(onKoa.vantageAuth)],
        ['getAuth', (app) => app.use(onKoa.getAuth)],
        ['authErrors', (app) => app.use(onKoa.authErrors)],
      ],
    ],
    [
      'Fastify',
      { 'Fastify 4': askFastify(require('fastify4')), 'Fastify 5': askFastify(fastify) },
      [
        ['requireScope', (app) => app.get('/', { onRequest: onFastify.requireScope }, async () => 'ok')],
        ['requireScope', (app) => app.addHook('preHandler', onFastify.requireScope).get('/', async () => 'ok')],
        ['requireAnyScope', (app) => app.get('/', { onRequest: onFastify.requireAnyScope }, async () => 'ok')],
        ['authTest', (app) => app.get('/', onFastify.authTest)],
        ['authTest', (app) => app.get('/', { preHandler: onFastify.authTest }, async () => 'ok')],
        ['vantageAuth', (app) => app.addHook('onRequest', onFastify.vantageAuth).get('/', async () => 'ok')],
        ['getAuth', (app) => app.get('/', { onRequest: onFastify.getAuth }, async () => 'ok')],
      ],
    ],
  ]

const CASES = MISTAKES.flatMap(([, asks, mistakes]) =>
  Object.entries(asks).flatMap(([version, ask]) => mistakes.map(([name, use]) => ({ version, ask, name, use }))),
)

test.each(CASES)('$version is told of $name without its call, and nobody of the credential: $use', async (mistake) => {
  const { status, said, written } = await mistake.ask(mistake.use)
  expect(status).toBe(500)
  expect(said).toMatch(new RegExp(`^${mistake.name} was passed without being called`))
  expect(written).not.toMatch(/hush|authorization/i)
})

test.each([
  ['Express 4', require('express4') as typeof express],
  ['Express 5', express],
])('%s is told of getAuth() without the request', async (_, create) => {
  const { port, close } = await listen(create().get('/', () => void onExpress.getAuth(undefined as never)))
  endings.push(close)
  expect((await exchange(port, {})).body).toContain('getAuth() was called without the request')
})

test.each([
  ['Fastify 4', require('fastify4') as typeof fastify],
  ['Fastify 5', fastify],
])('%s is told at start of vantageAuth that was called instead of registered', async (_, create) => {
  const app = create()
  endings.push(() => app.close())
  app.register((onFastify.vantageAuth as Any)())
  await expect(app.ready()).rejects.toThrow('vantageAuth was called: on Fastify it is a plugin')
})
