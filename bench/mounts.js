/**
 * Who is measured over HTTP. A new contender is one entry: the framework, what it accepts, and how it is mounted there.
 * The framework without anybody is the limit. `mount(app, { issuer, keys, store })`
 */
import { hash } from 'node:crypto'
import bearerAuth from '@fastify/bearer-auth'
import fastifyJwt from '@fastify/jwt'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import * as ours from '../dist/esm/adapters/express.js'
import * as oursFastify from '../dist/esm/adapters/fastify.js'
import * as oursKoa from '../dist/esm/adapters/koa.js'
import {
  expressJwtWithJwksRsa,
  expressOauth2JwtBearer,
  koaJwtWithJwksRsa,
  OURS,
  ourVerifier,
  passportBearer,
} from './contenders.js'
import { AUDIENCE, LIMIT } from './material.js'

export const BARE = 'bare'
/** As many middlewares as ours: what the framework takes for them, whatever they do. */
export const IDLE = 'two middlewares that do nothing'

const RESULT = { jobs: [{ id: 'job-1', state: 'running' }] }

/** Each serves the same small answer at every path, and listens on a free port of loopback. */
const frameworks = {
  async express(mount, material) {
    const app = express().disable('x-powered-by').disable('etag')
    await mount(app, material)
    app.get('/v1/jobs', (_, res) => {
      res.json(RESULT)
    })
    return new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => resolve(server.address().port))
    })
  },
  async koa(mount, material) {
    const app = new Koa()
    await mount(app, material)
    app.use((ctx) => {
      ctx.body = RESULT
    })
    return new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => resolve(server.address().port))
    })
  },
  async fastify(mount, material) {
    const app = fastify()
    await mount(app, material)
    app.get('/v1/jobs', () => RESULT)
    return Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
  },
}

/** Middleware and guard, as a route of an application has them. */
const oursOn = {
  express: (app, material) =>
    app.use(ours.vantageAuth({ verifier: ourVerifier(material) }), ours.requireScope('jobs:read')),
  koa: (app, material) =>
    app.use(oursKoa.vantageAuth({ verifier: ourVerifier(material) })).use(oursKoa.requireScope('jobs:read')),
  fastify: (app, material) => {
    app.register(oursFastify.vantageAuth, { verifier: ourVerifier(material) })
    app.after(() => app.addHook('onRequest', oursFastify.requireScope('jobs:read')))
  },
}

const idleOn = {
  express: (app) => app.use(goOn, goOn),
  koa: (app) => app.use((_, next) => next()).use((_, next) => next()),
  fastify: (app) => app.addHook('onRequest', goOn).addHook('onRequest', goOn),
}
const goOn = (_request, _response, next) => next()

/** The least that can be done for a credential seen before, in the first of two middlewares. */
const leastOn = {
  express: (app) => app.use(afterLookUp(), goOn),
  koa(app) {
    const lookUp = afterLookUp()
    app.use((ctx, next) => lookUp(ctx.req, ctx.res, next)).use((_, next) => next())
  },
  fastify: (app) => app.addHook('onRequest', afterLookUp()).addHook('onRequest', goOn),
}
function afterLookUp() {
  const known = new Map()
  return (request, _response, next) => {
    const digest = hash('sha256', request.headers.authorization.slice('Bearer '.length), 'hex')
    if (!known.has(digest)) known.set(digest, { digest })
    request.auth = known.get(digest)
    return next()
  }
}

export const mounts = [
  ...Object.keys(frameworks).flatMap((framework) => [
    { framework, name: BARE, accepts: 'token', mount() {} },
    { framework, name: IDLE, accepts: 'token', mount: idleOn[framework] },
    { framework, name: LIMIT, accepts: 'token', mount: leastOn[framework] },
    { framework, name: OURS, accepts: 'token', mount: oursOn[framework] },
    { framework, name: OURS, accepts: 'key', mount: oursOn[framework] },
  ]),
  {
    framework: 'express',
    name: 'express-oauth2-jwt-bearer',
    accepts: 'token',
    mount: (app, { issuer }) => app.use(expressOauth2JwtBearer(issuer)),
  },
  {
    framework: 'express',
    name: 'express-jwt with jwks-rsa',
    accepts: 'token',
    mount: (app, { issuer }) => app.use(expressJwtWithJwksRsa(issuer)),
  },
  {
    framework: 'express',
    name: 'passport-http-bearer',
    accepts: 'key',
    mount: (app, { keys }) => app.use(passportBearer(keys)),
  },
  {
    framework: 'koa',
    name: 'koa-jwt with jwks-rsa',
    accepts: 'token',
    mount: (app, { issuer }) => app.use(koaJwtWithJwksRsa(issuer)),
  },
  {
    framework: 'fastify',
    name: '@fastify/jwt',
    accepts: 'token',
    mount: (app, { issuer }) => mountFastifyJwt(app, issuer, {}),
  },
  {
    framework: 'fastify',
    name: '@fastify/jwt, cache',
    accepts: 'token',
    mount: (app, { issuer }) => mountFastifyJwt(app, issuer, { cache: 10_000 }),
  },
  {
    framework: 'fastify',
    name: '@fastify/bearer-auth, 1 000 keys',
    accepts: 'key',
    mount: (app, { keys }) => {
      app.register(bearerAuth, { keys: new Set(keys.map(String)) })
    },
  },
]

function mountFastifyJwt(app, { issuer, pem }, options) {
  app.register(fastifyJwt, {
    secret: { public: pem },
    verify: { algorithms: ['RS256'], allowedIss: issuer, allowedAud: AUDIENCE, checkTyp: 'at+jwt', ...options },
  })
  app.addHook('onRequest', (request) => request.jwtVerify())
}

/** @returns the port that it listens on */
export function serve({ framework, mount }, material) {
  return frameworks[framework](mount, material)
}
