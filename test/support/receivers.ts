/** Revocation receivers on all frameworks, behind the body parsers that applications have. */
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { parse } from 'node:querystring'
import Router from '@koa/router'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import type { RevocationReceiverOptions } from '../../adapters/express.js'
import * as onExpress from '../../adapters/express.js'
import * as onFastify from '../../adapters/fastify.js'
import * as onKoa from '../../adapters/koa.js'
import { listen } from './frameworks.js'

export const PATH = '/events'

/** What runs before the receiver. */
export type Before = 'nothing' | 'parsers' | 'raw' | 'text'

export interface ReceiverHost {
  readonly name: string
  readonly before: Before
  start(options: RevocationReceiverOptions): Promise<RunningReceiver>
}

export interface RunningReceiver {
  readonly port: number
  /** What the framework's error handling was given. */
  readonly failures: readonly unknown[]
  /** Closes the server, and the receiver. */
  close(): Promise<void>
}

const require = createRequire(import.meta.url)
const express4 = require('express4') as typeof express
const koa2 = require('koa2') as typeof Koa
const fastify4 = require('fastify4') as typeof fastify

export const HOSTS: readonly ReceiverHost[] = [
  ...(['nothing', 'parsers', 'raw', 'text'] as const).flatMap((before) => [
    { name: `Express 4 behind ${before}`, before, start: startExpress(express4, before) },
    { name: `Express 5 behind ${before}`, before, start: startExpress(express, before) },
  ]),
  ...(['nothing', 'parsers', 'text'] as const).flatMap((before) => [
    { name: `Koa 2 behind ${before}`, before, start: startKoa(koa2, before) },
    { name: `Koa 3 behind ${before}`, before, start: startKoa(Koa, before) },
  ]),
  ...(['nothing', 'parsers'] as const).flatMap((before) => [
    { name: `Fastify 4 behind ${before}`, before, start: startFastify(fastify4, before) },
    { name: `Fastify 5 behind ${before}`, before, start: startFastify(fastify, before) },
  ]),
]

type Start = ReceiverHost['start']

function startExpress(framework: typeof express, before: Before): Start {
  const parsers: Readonly<Record<Before, readonly express.RequestHandler[]>> = {
    nothing: [],
    parsers: [framework.json(), framework.urlencoded({ extended: true })],
    raw: [framework.raw({ type: () => true })],
    text: [framework.text({ type: () => true })],
  }
  return async (options) => {
    const app = framework()
    const failures: unknown[] = []
    const receiver = onExpress.createRevocationReceiver(options)
    for (const parser of parsers[before]) app.use(parser)
    app.use(PATH, receiver)
    app.use(((error, _req, _res, next) => {
      failures.push(error)
      next(error)
    }) satisfies express.ErrorRequestHandler)
    app.set('env', 'test')
    const { port, close } = await listen(app)
    return { port, failures, close: () => close().then(receiver.close) }
  }
}

/** Reads a body as koa-bodyparser does: those of its types, which it leaves as an object, and no others. */
const parseKoa =
  (before: Before): Koa.Middleware =>
  async (ctx, next) => {
    const isForm = Boolean(ctx.is('application/x-www-form-urlencoded'))
    const request = ctx.request as { body?: unknown }
    request.body = {}
    if (before === 'text' || isForm || ctx.is('application/json')) {
      const chunks: Buffer[] = []
      for await (const chunk of ctx.req) chunks.push(chunk as Buffer)
      const text = Buffer.concat(chunks).toString()
      if (before === 'text') request.body = text
      else request.body = isForm ? parse(text) : JSON.parse(text)
    }
    await next()
  }

function startKoa(Application: typeof Koa, before: Before): Start {
  return async (options) => {
    const app = new Application()
    const failures: unknown[] = []
    app.on('error', (error) => failures.push(error))
    const receiver = onKoa.createRevocationReceiver(options)
    const router = new Router()
    router.all(PATH, receiver)
    if (before !== 'nothing') app.use(parseKoa(before))
    app.use(router.routes())
    // @koa/router knows fewer methods than Node.
    app.use((ctx, next) => (ctx.path === PATH ? receiver(ctx, next) : next()))
    const { port, close } = await listen(app.callback())
    return { port, failures, close: () => close().then(receiver.close) }
  }
}

function startFastify(framework: typeof fastify, before: Before): Start {
  return async (options) => {
    const app = framework({ forceCloseConnections: true })
    const failures: unknown[] = []
    app.addHook('onError', async (_request, _reply, error) => {
      // Of a Content-Type that is none Fastify tells before the receiver's own scope answers.
      if (error.code !== 'FST_ERR_CTP_INVALID_MEDIA_TYPE') failures.push(error)
    })
    if (before === 'parsers') {
      app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
        done(null, parse(String(body))),
      )
      app.addContentTypeParser(
        ['application/secevent+jwt', 'text/plain'],
        { parseAs: 'buffer' },
        (_request, _body, done) => done(new Error('parsers of the application are not asked')),
      )
    }
    app.register(onFastify.createRevocationReceiver(options), { prefix: PATH })
    // What the application reads itself stays as it was.
    app.post('/echo', (request, reply) => reply.send({ body: request.body }))
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: (app.server.address() as AddressInfo).port, failures, close: () => app.close() }
  }
}
