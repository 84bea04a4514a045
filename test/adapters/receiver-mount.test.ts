/** How a revocation receiver is mounted, and the mistakes in it. */
import { once } from 'node:events'
import Router from '@koa/router'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { createKeyring, createVerifier, memoryKeyStore } from 'vantage-auth'
import * as onExpress from 'vantage-auth/express'
import * as onFastify from 'vantage-auth/fastify'
import * as onKoa from 'vantage-auth/koa'
import { afterEach, expect, test } from 'vitest'
import { MountError } from '../../src/http/mount-error.js'
import { listen } from '../support/frameworks.js'
import { CLIENT, CONTENT_TYPES, createProvider, NOW, PROVIDER } from '../support/providers.js'

const provider = createProvider()
const clock = () => NOW * 1000
const body = new URLSearchParams({ logout_token: provider.logoutToken() }).toString()
const sent: RequestInit = { method: 'POST', body, headers: { 'content-type': CONTENT_TYPES.form } }

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

function createOptions(): onExpress.RevocationReceiverOptions {
  const keyring = createKeyring(memoryKeyStore(), { clock })
  endings.push(() => keyring.close())
  return { keyring, issuers: [{ issuer: PROVIDER, audience: CLIENT, jwks: provider.jwks }], clock }
}

async function serve(app: Parameters<typeof listen>[0]): Promise<string> {
  const { port, close } = await listen(app)
  endings.push(close)
  return `http://127.0.0.1:${port}/events`
}

// biome-ignore lint/suspicious/noExplicitAny: the types refuse these mistakes
type Any = any

test('passed without being called, it says so at the first request and shows nothing of it', async () => {
  const failures: unknown[] = []
  const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    failures.push(error)
    res.status(500).end()
  }
  expect(
    (
      await fetch(
        await serve(
          express()
            .post('/events', onExpress.createRevocationReceiver as Any)
            .use(onError),
        ),
        sent,
      )
    ).status,
  ).toBe(500)
  const koa = new Koa().use(onKoa.createRevocationReceiver as Any)
  koa.on('error', (error) => failures.push(error))
  expect((await fetch(await serve(koa.callback()), sent)).status).toBe(500)
  expect(failures.map(String)).toEqual([
    "TypeError: createRevocationReceiver was passed without being called, or was given what it does not take: write app.post('/events', createRevocationReceiver(options))",
    "TypeError: createRevocationReceiver was passed without being called, or was given what it does not take: write router.post('/events', createRevocationReceiver(options))",
  ])
})

test('on Fastify it is a plugin, and needs a prefix of its own or around it', async () => {
  const cure = "write app.register(createRevocationReceiver(options), { prefix: '/events' })"
  const receiver = onFastify.createRevocationReceiver(createOptions())
  await expect((async () => await fastify().register(receiver))()).rejects.toThrow(
    new TypeError(`createRevocationReceiver() needs a prefix: ${cure}`),
  )
  await expect(receiver({} as Any, {})).rejects.toThrow(
    new TypeError(`what createRevocationReceiver() returns is a plugin on Fastify: ${cure}`),
  )
  const app = fastify()
  endings.push(() => app.close())
  app.register(async (scope) => scope.register(receiver), { prefix: '/events' })
  for (const url of ['/events', '/events/']) {
    const answer = await app.inject({
      method: 'POST',
      url,
      payload: body,
      headers: { 'content-type': CONTENT_TYPES.form },
    })
    expect([answer.statusCode, answer.body]).toEqual([200, ''])
  }
})

test('on Fastify nothing of it shows outside, and app.close() closes it', async () => {
  const receiver = onFastify.createRevocationReceiver(createOptions())
  const app = fastify()
  app.addContentTypeParser(CONTENT_TYPES.form, { parseAs: 'string' }, (_request, text, done) =>
    done(null, `mine: ${text}`),
  )
  app.register(receiver, { prefix: '/events' })
  app.post('/echo', (request, reply) => reply.send({ body: request.body }))
  const echo = async (type: string, payload: string) =>
    (await app.inject({ method: 'POST', url: '/echo', payload, headers: { 'content-type': type } })).json()
  expect(await echo(CONTENT_TYPES.form, 'a=b')).toEqual({ body: 'mine: a=b' })
  expect(await echo(CONTENT_TYPES.json, '{"a":1}')).toEqual({ body: { a: 1 } })
  expect(
    (await app.inject({ method: 'POST', url: '/echo', payload: 'x', headers: { 'content-type': CONTENT_TYPES.event } }))
      .statusCode,
  ).toBe(415)
  expect((await app.inject('/nothing')).json()).toMatchObject({ statusCode: 404 })
  await app.close()
  await expect(closedAnswer(receiver)).resolves.toBe(503)
})

/** What a receiver answers on another application, after its own was closed. */
async function closedAnswer(receiver: onFastify.RevocationReceiver): Promise<number> {
  const app = fastify()
  endings.push(() => app.close())
  app.register(receiver, { prefix: '/events' })
  const request = {
    method: 'POST',
    url: '/events',
    payload: body,
    headers: { 'content-type': CONTENT_TYPES.form },
  } as const
  return (await app.inject(request)).statusCode
}

test('closed on Express and Koa it answers 503, and says when to come back', async () => {
  const express5 = onExpress.createRevocationReceiver(createOptions())
  const koa3 = onKoa.createRevocationReceiver(createOptions())
  const router = new Router().post('/events', koa3)
  for (const [receiver, url] of [
    [express5, await serve(express().post('/events', express5))],
    [koa3, await serve(new Koa().use(router.routes()).callback())],
  ] as const) {
    expect((await fetch(url, sent)).status).toBe(200)
    await receiver.close()
    await receiver.close()
    const answer = await fetch(url, sent)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)])
  }
})

test('a body that somebody has read and dropped is a mistake that fails: 500, and never 2xx', async () => {
  const failures: unknown[] = []
  const app = express()
  app.use(async (req, _res, next) => {
    req.resume()
    await once(req, 'end')
    next()
  })
  app.post('/events', onExpress.createRevocationReceiver(createOptions()))
  app.use(((error, _req, res, _next) => {
    failures.push(error)
    res.status(error.status).end()
  }) satisfies express.ErrorRequestHandler)
  const koa = new Koa()
  koa.on('error', (error) => failures.push(error))
  koa.use(async (ctx, next) => {
    ctx.req.resume()
    await once(ctx.req, 'end')
    await next()
  })
  koa.use(onKoa.createRevocationReceiver(createOptions()))
  for (const url of [await serve(app), await serve(koa.callback())]) expect((await fetch(url, sent)).status).toBe(500)
  expect(failures).toEqual([expect.any(MountError), expect.any(MountError)])
})

test('what another middleware has answered stays as it is', async () => {
  const answered = await serve(
    express()
      .use((_req, res, next) => {
        res.status(418).end('mine')
        next()
      })
      .post('/events', onExpress.createRevocationReceiver(createOptions())),
  )
  const answer = await fetch(answered, sent)
  expect([answer.status, await answer.text()]).toEqual([418, 'mine'])
})

test('behind vantageAuth() a provider is refused, and before it none is', async () => {
  const verifier = createVerifier({ keys: memoryKeyStore(), issuer: false })
  endings.push(() => verifier.close())
  const app = express()
  app.post('/events', onExpress.createRevocationReceiver(createOptions()))
  app.use(onExpress.vantageAuth({ verifier }))
  app.post('/late', onExpress.createRevocationReceiver(createOptions()))
  const url = await serve(app)
  expect((await fetch(url, sent)).status).toBe(200)
  expect((await fetch(url.replace('/events', '/late'), sent)).status).toBe(401)
})
