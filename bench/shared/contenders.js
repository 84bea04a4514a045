/**
 * Who is measured. A new contender is one entry: what it accepts, and a function that makes its decision.
 * Each is set up as its own documentation does it, with everything it can check switched on, and its cache if it has one.
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
import { createVerifier } from './built-package.js'
import { ALGORITHMS, AUDIENCE, lookUpByDigest } from './credentials.js'
import { FAST_JWT, FAST_JWT_CACHED, LOOK_UP, OURS, OURS_UNCACHED, VERIFY } from './names.js'

/** @import { Algorithm, Contender, Issuer, Material } from './types.d.ts' */
/** @import { Verifier } from './built-package.js' */
/** @typedef {{ issuer: string, jwksUri: string }} IssuerAddress */

/**
 * What the parts of the work cost that nobody can leave out.
 *
 * @type {Contender[]}
 */
export const limits = [
  {
    name: LOOK_UP,
    accepts: 'token',
    takes: 'credential',
    decide: ({ tokens }) => lookUpByDigest(tokens),
  },
  {
    name: LOOK_UP,
    accepts: 'key',
    takes: 'credential',
    decide: ({ keys }) => lookUpByDigest(keys),
  },
  {
    name: VERIFY,
    accepts: 'token',
    takes: 'credential',
    decide: ({ issuer, alg }) => {
      const digest = alg === 'EdDSA' ? null : 'sha256'
      const key = { key: issuer.publicKeys[alg], dsaEncoding: /** @type {const} */ ('ieee-p1363') }
      /** @param {string} token */
      return (token) => {
        const dot = token.lastIndexOf('.')
        const signature = Buffer.from(token.slice(dot + 1), 'base64url')
        if (!verify(digest, Buffer.from(token.slice(0, dot), 'latin1'), key, signature)) throw new Error('refused')
      }
    },
  },
]

/** @type {Contender[]} */
export const contenders = [
  {
    name: OURS,
    accepts: 'token',
    takes: 'header',
    decide: (material) => decideWith(ourVerifier(material)),
  },
  {
    name: OURS,
    accepts: 'key',
    takes: 'header',
    decide: (material) => decideWith(ourVerifier(material)),
  },
  {
    name: OURS_UNCACHED,
    accepts: 'token',
    takes: 'header',
    decide: (material) => decideWith(ourVerifier(material, { cache: false })),
  },
  {
    name: FAST_JWT_CACHED,
    accepts: 'token',
    takes: 'credential',
    decide: (material) => fastJwt(material, { cache: 10_000 }),
  },
  {
    name: FAST_JWT,
    accepts: 'token',
    takes: 'credential',
    decide: (material) => fastJwt(material, {}),
  },
  {
    name: 'aws-jwt-verify',
    accepts: 'token',
    takes: 'credential',
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
    decide: ({ issuer, alg }) => runExpress(expressOauth2JwtBearer(issuer, alg)),
  },
  {
    name: 'express-jwt with jwks-rsa',
    accepts: 'token',
    takes: 'header',
    // jsonwebtoken knows no EdDSA.
    algorithms: ['RS256', 'ES256'],
    decide: ({ issuer }) => runExpress(expressJwtWithJwksRsa(issuer)),
  },
  {
    name: 'koa-jwt with jwks-rsa',
    accepts: 'token',
    takes: 'header',
    algorithms: ['RS256', 'ES256'],
    decide: ({ issuer }) => runKoa(koaJwtWithJwksRsa(issuer)),
  },
  {
    name: 'prefixed-api-key',
    accepts: 'key',
    takes: 'credential',
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
    decide: ({ keys }) => runExpress(passportBearer(keys)),
  },
]

/**
 * A verifier as an application makes it, with an issuer whose keys are fetched.
 *
 * @param {{ issuer: IssuerAddress, store?: Material['store'] }} material
 * @param {{ cache?: false }} [options]
 */
export function ourVerifier({ issuer, store }, options) {
  return createVerifier({
    issuer: [{ issuer: issuer.issuer, jwksUri: issuer.jwksUri }],
    audience: AUDIENCE,
    keys: store ?? false,
    ...options,
  })
}

/** @param {Verifier} verifier */
function decideWith(verifier) {
  /** @param {string} authorization */
  return (authorization) => verifier.authenticate({ authorization })
}

/**
 * @param {Material} material
 * @param {object} options
 */
function fastJwt({ issuer, alg }, options) {
  return createFastVerifier({
    // One key: the faster of its two forms. The other, a function that finds the key of each token, makes it asynchronous.
    key: issuer.publicKeys[alg].export({ type: 'spki', format: 'pem' }),
    algorithms: [alg],
    allowedIss: issuer.issuer,
    allowedAud: AUDIENCE,
    checkTyp: 'at+jwt',
    requiredClaims: ['sub', 'client_id', 'iat', 'jti', 'exp'],
    ...options,
  })
}

/**
 * @param {IssuerAddress} issuer
 * @param {Algorithm} alg
 */
export function expressOauth2JwtBearer({ issuer, jwksUri }, alg = 'RS256') {
  return auth0({ issuer, jwksUri, audience: AUDIENCE, tokenSigningAlg: alg, strict: true })
}

/** @param {IssuerAddress} issuer */
function jwksRsaOptions({ jwksUri }) {
  return { jwksUri, cache: true, cacheMaxEntries: 5, rateLimit: false }
}

/** @param {IssuerAddress} issuer */
export function expressJwtWithJwksRsa(issuer) {
  return expressjwt({
    secret: jwksRsa.expressJwtSecret(jwksRsaOptions(issuer)),
    issuer: issuer.issuer,
    audience: AUDIENCE,
    algorithms: ['RS256', 'ES256'],
  })
}

/** @param {IssuerAddress} issuer */
export function koaJwtWithJwksRsa(issuer) {
  return koaJwt({
    secret: jwksRsa.koaJwtSecret(jwksRsaOptions(issuer)),
    issuer: issuer.issuer,
    audience: AUDIENCE,
    algorithms: ['RS256', 'ES256'],
  })
}

/** @param {Buffer[]} keys */
export function passportBearer(keys) {
  const find = lookUpByDigest(keys)
  const strategies = new passport.Passport()
  strategies.use(
    new BearerStrategy((/** @type {string} */ key, /** @type {Function} */ done) => {
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

/**
 * The decision of an Express middleware, without Express.
 *
 * @param {Function} middleware
 */
function runExpress(middleware) {
  /** @param {string} authorization */
  return (authorization) =>
    new Promise((resolve, reject) => {
      /** @type {Record<string, string>} */
      const headers = { host: 'localhost', authorization }
      /** @param {string} name */
      const get = (name) => headers[name.toLowerCase()]
      /** @type {Record<string, any>} */
      const req = { method: 'GET', protocol: 'http', url: '/', headers, get, query: {}, is: () => false }
      const res = { setHeader() {}, end: () => reject(new Error('refused')) }
      const done = middleware(req, res, (/** @type {unknown} */ error) =>
        error ? reject(error) : resolve(req.auth ?? req.user),
      )
      if (done instanceof Promise) done.catch(reject)
    })
}

/**
 * The decision of a Koa middleware, without Koa.
 *
 * @param {Function} middleware
 */
function runKoa(middleware) {
  /** @param {string} authorization */
  return async (authorization) => {
    const refuse = () => {
      throw new Error('refused')
    }
    /** @type {Record<string, any>} */
    const ctx = { method: 'GET', header: { authorization }, state: {}, cookies: { get() {} }, throw: refuse }
    await middleware(ctx, async () => {})
    return ctx.state.user
  }
}
