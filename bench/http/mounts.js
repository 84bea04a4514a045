/**
 * Who is measured over HTTP. A new contender is one entry: the framework, what it accepts, and how it is mounted there.
 * The framework without authentication is the limit.
 */
import { hash } from 'node:crypto'
import bearerAuth from '@fastify/bearer-auth'
import fastifyJwt from '@fastify/jwt'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { expressAdapter, fastifyAdapter, koaAdapter } from '../shared/built-package.js'
import {
  expressJwtWithJwksRsa,
  expressOauth2JwtBearer,
  koaJwtWithJwksRsa,
  ourVerifier,
  passportBearer,
} from '../shared/contenders.js'
import { AUDIENCE } from '../shared/credentials.js'
import { BARE, HAND_WRITTEN, IDLE, OURS } from '../shared/names.js'

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { AddressInfo } from 'node:net' */
/** @import { KeyStore } from '../shared/built-package.js' */
/** @import { Accepts } from '../shared/types.d.ts' */

/** @typedef {{ issuer: string, jwksUri: string, pem: string }} IssuerAddress with the public key for RS256 */
/** @typedef {{ issuer: IssuerAddress, store: KeyStore, keys: Buffer[] }} Material */
/** @typedef {'express' | 'koa' | 'fastify'} Framework */
/**
 * @typedef {object} Mount
 * @property {Framework} framework
 * @property {string} name
 * @property {Accepts} accepts
 * @property {(app: any, material: Material) => unknown} mount `app` is that of the framework
 */
/** @typedef {Mount['mount']} MountFunction */

const RESULT = { jobs: [{ id: 'job-1', state: 'running' }] }

/** Each serves the same small answer at every path, and listens on a free port of loopback. */
/** @type {Record<Framework, (mount: MountFunction, material: Material) => Promise<number>>} */
const frameworks = {
  async express(mount, material) {
    const app = express().disable('x-powered-by').disable('etag')
    await mount(app, material)
    app.get('/v1/jobs', (_, res) => {
      res.json(RESULT)
    })
    return new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => resolve(/** @type {AddressInfo} */ (server.address()).port))
    })
  },
  async koa(mount, material) {
    const app = new Koa()
    await mount(app, material)
    app.use((ctx) => {
      ctx.body = RESULT
    })
    return new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => resolve(/** @type {AddressInfo} */ (server.address()).port))
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
/** @type {Record<Framework, MountFunction>} */
const oursOn = {
  express: (app, material) =>
    app.use(expressAdapter.vantageAuth({ verifier: ourVerifier(material) }), expressAdapter.requireScope('jobs:read')),
  koa: (app, material) =>
    app.use(koaAdapter.vantageAuth({ verifier: ourVerifier(material) })).use(koaAdapter.requireScope('jobs:read')),
  fastify: (app, material) => {
    app.register(fastifyAdapter.vantageAuth, { verifier: ourVerifier(material) })
    app.after(() => app.addHook('onRequest', fastifyAdapter.requireScope('jobs:read')))
  },
}

/** @type {Record<Framework, MountFunction>} */
const idleOn = {
  express: (app) => app.use(goOn, goOn),
  koa: (app) => app.use(goOnKoa).use(goOnKoa),
  fastify: (app) => app.addHook('onRequest', goOn).addHook('onRequest', goOn),
}
/** @type {(request: unknown, response: unknown, next: () => void) => void} */
const goOn = (_request, _response, next) => next()
/** @type {(context: unknown, next: () => Promise<void>) => Promise<void>} */
const goOnKoa = (_context, next) => next()

/** @type {Record<Framework, MountFunction>} */
const byHandOn = {
  express: (app) => app.use(byHand()),
  koa(app) {
    const check = byHand()
    app.use((/** @type {Koa.Context} */ ctx, /** @type {Koa.Next} */ next) => check(ctx.req, ctx.res, next))
  },
  fastify: (app) => app.addHook('onRequest', byHand()),
}
/** A token that comes for the first time is taken for verified: it is the later ones that are measured. */
function byHand() {
  /** @type {Map<string, { subject: string, scopes: string[], expiresAt: number }>} */
  const known = new Map()
  /** @type {(request: IncomingMessage & { auth?: unknown }, response: ServerResponse, next: () => unknown) => unknown} */
  return (request, _response, next) => {
    const token = String(request.headers.authorization).slice('Bearer '.length)
    const digest = hash('sha256', token, 'hex')
    let auth = known.get(digest)
    if (auth === undefined) {
      const { sub, scope, exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
      auth = { subject: sub, scopes: scope.split(' '), expiresAt: exp * 1000 }
      known.set(digest, auth)
    }
    if (Date.now() >= auth.expiresAt || !auth.scopes.includes('jobs:read')) throw new Error('refused')
    request.auth = auth
    return next()
  }
}

/** @type {Mount[]} */
export const mounts = [
  .../** @type {Framework[]} */ (Object.keys(frameworks)).flatMap(
    /** @returns {Mount[]} */ (framework) => [
      { framework, name: BARE, accepts: 'token', mount() {} },
      { framework, name: IDLE, accepts: 'token', mount: idleOn[framework] },
      { framework, name: HAND_WRITTEN, accepts: 'token', mount: byHandOn[framework] },
      { framework, name: OURS, accepts: 'token', mount: oursOn[framework] },
      { framework, name: OURS, accepts: 'key', mount: oursOn[framework] },
    ],
  ),
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

/**
 * @param {any} app
 * @param {IssuerAddress} issuer
 * @param {object} options
 */
function mountFastifyJwt(app, { issuer, pem }, options) {
  app.register(fastifyJwt, {
    secret: { public: pem },
    verify: { algorithms: ['RS256'], allowedIss: issuer, allowedAud: AUDIENCE, checkTyp: 'at+jwt', ...options },
  })
  app.addHook('onRequest', (/** @type {any} */ request) => request.jwtVerify())
}

/**
 * Serves on a free port of loopback, and resolves to its number.
 *
 * @param {Mount} mount
 * @param {Material} material
 */
export function serve({ framework, mount }, material) {
  return frameworks[framework](mount, material)
}
