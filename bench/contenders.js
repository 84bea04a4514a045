/**
 * Who is measured. A new contender is one entry: what it accepts, and a function that makes its decision, or mounts it.
 * Each is set up as its own documentation does it, with everything it can check switched on, and its cache if it has one.
 *
 * - `accepts`: `token`, or `key` where it has a key format or a store of its own
 * - `takes`: `header`, the whole Authorization line; or `credential`, where finding it in there is left to the caller
 * - `caches`: whether a credential that it has seen before is cheaper than a new one
 * - `decide(material)`: returns or resolves to a function of one string, which throws or rejects for a bad one
 */
import { verify } from 'node:crypto'
import { apiKey } from '@better-auth/api-key'
import { JwtVerifier } from 'aws-jwt-verify'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { expressjwt } from 'express-jwt'
import { auth as auth0 } from 'express-oauth2-jwt-bearer'
import { createVerifier as createFastVerifier } from 'fast-jwt'
import { createLocalJWKSet, jwtVerify } from 'jose'
import jwksRsa from 'jwks-rsa'
import koaJwt from 'koa-jwt'
import * as oauth from 'oauth4webapi'
import passport from 'passport'
import { Strategy as BearerStrategy } from 'passport-http-bearer'
import prefixed from 'prefixed-api-key'
import { createVerifier } from '../dist/esm/src/index.js'
import { ALGORITHMS, AUDIENCE, LIMIT, lookUpByDigest } from './material.js'

/** What the parts of the work cost that nobody can leave out. */
export const limits = [
  {
    name: LIMIT,
    accepts: 'token',
    takes: 'credential',
    caches: true,
    decide: ({ tokens }) => lookUpByDigest(tokens),
  },
  {
    name: LIMIT,
    accepts: 'key',
    takes: 'credential',
    caches: true,
    decide: ({ keys }) => lookUpByDigest(keys),
  },
  {
    name: 'crypto.verify',
    accepts: 'token',
    takes: 'credential',
    caches: false,
    decide: ({ issuer, alg }) => {
      const digest = alg === 'EdDSA' ? null : 'sha256'
      const key = { key: issuer.publicKeys[alg], dsaEncoding: 'ieee-p1363' }
      return (token) => {
        const dot = token.lastIndexOf('.')
        const signature = Buffer.from(token.slice(dot + 1), 'base64url')
        if (!verify(digest, Buffer.from(token.slice(0, dot), 'latin1'), key, signature)) throw new Error('refused')
      }
    },
  },
]

export const OURS = 'vantage-auth'

export const contenders = [
  {
    name: OURS,
    accepts: 'token',
    takes: 'header',
    caches: true,
    decide: (material) => decideWith(ourVerifier(material)),
  },
  {
    name: OURS,
    accepts: 'key',
    takes: 'header',
    caches: true,
    decide: (material) => decideWith(ourVerifier(material)),
  },
  {
    name: 'fast-jwt, cache',
    accepts: 'token',
    takes: 'credential',
    caches: true,
    decide: (material) => fastJwt(material, { cache: 10_000 }),
  },
  {
    name: 'fast-jwt',
    accepts: 'token',
    takes: 'credential',
    caches: false,
    decide: (material) => fastJwt(material, {}),
  },
  {
    name: 'aws-jwt-verify',
    accepts: 'token',
    takes: 'credential',
    caches: false,
    decide: ({ issuer }) => {
      const verifier = JwtVerifier.create({ issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience: AUDIENCE })
      verifier.cacheJwks(issuer.jwks)
      return (token) => verifier.verifySync(token)
    },
  },
  {
    name: 'jose',
    accepts: 'token',
    takes: 'credential',
    caches: false,
    decide: ({ issuer }) => {
      const jwks = createLocalJWKSet(issuer.jwks)
      const options = {
        issuer: issuer.issuer,
        audience: AUDIENCE,
        typ: 'at+jwt',
        algorithms: ALGORITHMS,
        requiredClaims: ['sub', 'client_id', 'iat', 'jti', 'exp'],
      }
      return (token) => jwtVerify(token, jwks, options)
    },
  },
  {
    name: 'oauth4webapi',
    accepts: 'token',
    takes: 'header',
    caches: false,
    decide: ({ issuer }) => {
      const server = { issuer: issuer.issuer, jwks_uri: issuer.jwksUri }
      const options = { [oauth.allowInsecureRequests]: true }
      return (authorization) => {
        const request = new Request('http://localhost/', { headers: { authorization } })
        return oauth.validateJwtAccessToken(server, request, AUDIENCE, options)
      }
    },
  },
  {
    name: 'express-oauth2-jwt-bearer',
    accepts: 'token',
    takes: 'header',
    caches: false,
    decide: ({ issuer, alg }) => runExpress(expressOauth2JwtBearer(issuer, alg)),
  },
  {
    name: 'express-jwt with jwks-rsa',
    accepts: 'token',
    takes: 'header',
    caches: false,
    // jsonwebtoken knows no EdDSA.
    algorithms: ['RS256', 'ES256'],
    decide: ({ issuer }) => runExpress(expressJwtWithJwksRsa(issuer)),
  },
  {
    name: 'koa-jwt with jwks-rsa',
    accepts: 'token',
    takes: 'header',
    caches: false,
    algorithms: ['RS256', 'ES256'],
    decide: ({ issuer }) => runKoa(koaJwtWithJwksRsa(issuer)),
  },
  {
    name: 'prefixed-api-key',
    accepts: 'key',
    takes: 'credential',
    caches: true,
    ownKeys: async (count) => {
      const made = []
      for (let i = 0; i < count; i++) made.push(await prefixed.generateAPIKey({ keyPrefix: 'vak' }))
      const store = new Map(made.map(({ shortToken, longTokenHash }) => [shortToken, longTokenHash]))
      return { store, keys: made.map(({ token }) => Buffer.from(token)) }
    },
    decide:
      ({ own }) =>
      (key) => {
        const expected = own.store.get(prefixed.extractShortToken(key))
        if (expected === undefined || !prefixed.checkAPIKey(key, expected)) throw new Error('refused')
        return expected
      },
  },
  {
    name: 'better-auth, keys in memory',
    accepts: 'key',
    takes: 'credential',
    caches: true,
    ownKeys: async (count) => {
      const auth = betterAuth({
        secret: 'a secret of the benchmark, thirty-two characters',
        baseURL: 'http://localhost',
        telemetry: { enabled: false },
        logger: { disabled: true },
        database: memoryAdapter({ user: [], session: [], account: [], verification: [], apikey: [] }),
        plugins: [apiKey({ rateLimit: { enabled: false } })],
      })
      const { internalAdapter } = await auth.$context
      const { id: userId } = await internalAdapter.createUser({ email: 'a@b.example', name: 'a', emailVerified: true })
      const keys = []
      // Its memory adapter looks through a list: a thousand keys would show that, and not the plugin.
      for (let i = 0; i < Math.min(count, 10); i++) {
        keys.push(Buffer.from((await auth.api.createApiKey({ body: { userId } })).key))
      }
      return { auth, keys }
    },
    decide:
      ({ own }) =>
      async (key) => {
        const { valid } = await own.auth.api.verifyApiKey({ body: { key } })
        if (!valid) throw new Error('refused')
      },
  },
  {
    name: 'passport-http-bearer',
    accepts: 'key',
    takes: 'header',
    caches: true,
    decide: ({ keys }) => runExpress(passportBearer(keys)),
  },
]

/** A verifier as an application makes it, over keys that are fetched. */
export function ourVerifier({ issuer, store }) {
  return createVerifier({
    issuer: [{ issuer: issuer.issuer, jwksUri: issuer.jwksUri }],
    audience: AUDIENCE,
    keys: store ?? false,
  })
}

function decideWith(verifier) {
  return (authorization) => verifier.authenticate({ authorization })
}

function fastJwt({ issuer, alg }, options) {
  return createFastVerifier({
    // It takes one key, or a function that is asked with each token and makes the verifier asynchronous: the faster one.
    key: issuer.publicKeys[alg].export({ type: 'spki', format: 'pem' }),
    algorithms: [alg],
    allowedIss: issuer.issuer,
    allowedAud: AUDIENCE,
    checkTyp: 'at+jwt',
    requiredClaims: ['sub', 'client_id', 'iat', 'jti', 'exp'],
    ...options,
  })
}

export function expressOauth2JwtBearer({ issuer, jwksUri }, alg = 'RS256') {
  return auth0({ issuer, jwksUri, audience: AUDIENCE, tokenSigningAlg: alg, strict: true })
}

function jwksRsaOptions({ jwksUri }) {
  return { jwksUri, cache: true, cacheMaxEntries: 5, rateLimit: false }
}

export function expressJwtWithJwksRsa(issuer) {
  return expressjwt({
    secret: jwksRsa.expressJwtSecret(jwksRsaOptions(issuer)),
    issuer: issuer.issuer,
    audience: AUDIENCE,
    algorithms: ['RS256', 'ES256'],
  })
}

export function koaJwtWithJwksRsa(issuer) {
  return koaJwt({
    secret: jwksRsa.koaJwtSecret(jwksRsaOptions(issuer)),
    issuer: issuer.issuer,
    audience: AUDIENCE,
    algorithms: ['RS256', 'ES256'],
  })
}

export function passportBearer(keys) {
  const find = lookUpByDigest(keys)
  const strategies = new passport.Passport()
  strategies.use(
    new BearerStrategy((key, done) => {
      let user
      try {
        user = find(key)
      } catch {
        user = false
      }
      done(null, user)
    }),
  )
  return strategies.authenticate('bearer', { session: false })
}

/** The decision of an Express middleware, without Express. */
function runExpress(middleware) {
  return (authorization) =>
    new Promise((resolve, reject) => {
      const headers = { host: 'localhost', authorization }
      const get = (name) => headers[name.toLowerCase()]
      const req = { method: 'GET', protocol: 'http', url: '/', headers, get, query: {}, is: () => false }
      const res = { setHeader() {}, end: () => reject(new Error('refused')) }
      const done = middleware(req, res, (error) => (error ? reject(error) : resolve(req.auth ?? req.user)))
      if (done instanceof Promise) done.catch(reject)
    })
}

/** The decision of a Koa middleware, without Koa. */
function runKoa(middleware) {
  return async (authorization) => {
    const refuse = () => {
      throw new Error('refused')
    }
    const ctx = { method: 'GET', header: { authorization }, state: {}, cookies: { get() {} }, throw: refuse }
    await middleware(ctx, async () => {})
    return ctx.state.user
  }
}
