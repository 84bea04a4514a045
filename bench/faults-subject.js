/** One contender as a service: `node --import tsx bench/faults-subject.js NAME`. Defaults, as each documents itself. */
import { JwtVerifier } from 'aws-jwt-verify'
import express from 'express'
import { expressjwt } from 'express-jwt'
import { auth } from 'express-oauth2-jwt-bearer'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import jwksRsa from 'jwks-rsa'
import Koa from 'koa'
import koaJwt from 'koa-jwt'
import { vantageAuth } from '../adapters/express.ts'
import { serveSubject } from '../test/support/fault-subject.ts'

const onExpress = (middleware) => {
  const app = express().use(middleware)
  app.get('/v1/jobs', (_, response) => response.json([]))
  // Express's own error handling: the status that the error carries, or 500. Only the printing is left out.
  app.use((error, _request, response, _next) => response.status(error.status ?? error.statusCode ?? 500).end())
  return app
}

const bearer = (request) => request.headers.authorization.slice('Bearer '.length)

/** Those without an HTTP answer of their own: their errors are the token's fault, anything else is a 500. */
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

serveSubject(contenders[process.argv[2]])
