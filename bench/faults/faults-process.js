/** One contender as a service, in a process of its own: `faults-process.js NAME`. Each has its defaults, as it documents them. */
import { JwtVerifier } from 'aws-jwt-verify'
import express from 'express'
import { expressjwt } from 'express-jwt'
import { auth } from 'express-oauth2-jwt-bearer'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import jwksRsa from 'jwks-rsa'
import Koa from 'koa'
import koaJwt from 'koa-jwt'
import { vantageAuth } from '../../adapters/express.js'
import { serveSubject } from '../../test/support/fault-subject.js'

/** @import { IncomingMessage, RequestListener } from 'node:http' */
/** @import { RequestHandler, Response } from 'express' */
/** @typedef {{ issuer: string, audience: string }} Options */

/** @param {RequestHandler} middleware */
const onExpress = (middleware) => {
  const app = express().use(middleware)
  app.get('/v1/jobs', (_, response) => response.json([]))
  // Express's own error handling: the status that the error carries, or 500. Only the printing is left out.
  app.use(
    (
      /** @type {any} */ error,
      /** @type {any} */ _request,
      /** @type {Response} */ response,
      /** @type {any} */ _next,
    ) => response.status(error.status ?? error.statusCode ?? 500).end(),
  )
  return app
}

/** @param {IncomingMessage} request */
const bearer = (request) => String(request.headers.authorization).slice('Bearer '.length)

/**
 * A middleware around a library without an HTTP answer of its own: 401 for what it refuses, 500 for any other error.
 *
 * @type {(verify: (token: string) => Promise<unknown>, isRefusal: (error: unknown) => boolean) => RequestHandler}
 */
const verifying = (verify, isRefusal) => async (request, response, next) => {
  try {
    await verify(bearer(request))
  } catch (error) {
    if (!isRefusal(error)) throw error
    response.status(401).end()
    return
  }
  next()
}

/** @type {Record<string, (options: Options) => RequestListener>} */
const contenders = {
  'vantage-auth': ({ issuer, audience }) => onExpress(vantageAuth({ issuer, audience, keys: false })),

  'express-oauth2-jwt-bearer': ({ issuer, audience }) => onExpress(auth({ issuerBaseURL: issuer, audience })),

  'express-jwt + jwks-rsa': ({ issuer, audience }) =>
    onExpress(
      expressjwt({
        // What the README of jwks-rsa shows.
        secret: jwksRsa.expressJwtSecret({
          cache: true,
          rateLimit: true,
          jwksRequestsPerMinute: 5,
          jwksUri: `${issuer}/jwks`,
        }),
        audience,
        issuer,
        algorithms: ['RS256'],
      }),
    ),

  'koa-jwt + jwks-rsa': ({ issuer, audience }) => {
    const app = new Koa()
    app.silent = true
    app.use(
      koaJwt({
        secret: jwksRsa.koaJwtSecret({
          cache: true,
          rateLimit: true,
          jwksRequestsPerMinute: 5,
          jwksUri: `${issuer}/jwks`,
        }),
        audience,
        issuer,
        algorithms: ['RS256'],
      }),
    )
    app.use((ctx) => {
      ctx.body = []
    })
    return app.callback()
  },

  'aws-jwt-verify': ({ issuer, audience }) => {
    const verifier = JwtVerifier.create({ issuer, audience, jwksUri: `${issuer}/jwks` })
    // Its README answers every error of verify() with 'Token not valid!'.
    return onExpress(
      verifying(
        (token) => verifier.verify(token),
        () => true,
      ),
    )
  },

  'jose alone': ({ issuer, audience }) => {
    const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
    return onExpress(
      verifying(
        (token) => jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt', algorithms: ['RS256'] }),
        (error) => error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout),
      ),
    )
  },
}

const create = contenders[process.argv[2]]
serveSubject((options) => create(/** @type {Options} */ (options)))
