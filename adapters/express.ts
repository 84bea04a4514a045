import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request } from 'express'
import type { Auth } from '../src/core/auth.js'
import * as guards from '../src/http/guards.js'
import { handOverLateErrors, type PortableMiddleware } from '../src/http/middleware.js'
import { createMount, type MountOptions } from '../src/http/mount.js'
import { answerToThrown, HANDLER_HEADERS } from '../src/http/thrown.js'
import { refuseUncalled } from '../src/http/uncalled.js'
import type { Verifier } from '../src/verifier/verifier.js'
import { finish, write } from './express-answer.js'
import { hasRequestProperty } from './express-request.js'

export { findAuth, getAuth } from '../src/http/outcome.js'
export type { AuthenticationOptions } from '../src/http/require-authentication.js'
export type { RevocationReceiverOptions, RevocationSender } from '../src/receiver/contract.js'
export { createRevocationReceiver, type RevocationReceiver } from './express-receiver.js'

declare global {
  namespace Express {
    interface Request {
      /** Set by `vantageAuth()`, for reading only; `getAuth(req)` is never undefined. */
      auth?: Auth
    }
  }
}

/** Options of the middleware; `skip` and `onError` receive `req`. */
export type VantageAuthOptions = MountOptions<Request>

/**
 * An Express middleware, for Express 4.17 and later and 5. It says nothing of Express's own `Request`, so that a route
 * keeps the types of its parameters.
 */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/**
 * Accepts API keys and access tokens, and answers every other request itself. Sets `req.auth`.
 *
 * @throws {TypeError} for a wrong option or environment variable
 */
export function vantageAuth(...given: [options?: VantageAuthOptions]): Middleware & { readonly verifier: Verifier } {
  const mount = createMount<Request>(given, {
    messageOf: (req) => req,
    holderOf: (req) => req,
    hasProperty: hasRequestProperty,
  })
  return Object.assign(toExpress(mount.middleware), { verifier: mount.verifier })
}

const guard = guards.guardsAs(toExpress)

/** Lets a request pass that grants all of the scopes; answers 403 otherwise. */
export const requireScope: guards.ScopeGuard<Middleware> = guard(guards.requireScope)

/** Lets a request pass that grants one of the scopes at least; answers 403 otherwise. */
export const requireAnyScope: guards.ScopeGuard<Middleware> = guard(guards.requireAnyScope)

/** Lets a request pass that came with this kind of credential; answers 401 otherwise. */
export const requireKind = guard(guards.requireKind)

/** Lets a request pass whose subject signed in as demanded (RFC 9470); answers 401 otherwise. */
export const requireAuthentication = guard(guards.requireAuthentication)

/** Lets a request pass of which `check(auth, req)` says `true`; answers 403 for `false`, and everything else is a 500. */
export const authorize: (name: string, check: guards.RuleCheck<Request>) => Middleware = guard(
  guards.authorize<Request>,
)

/** The handler of `/v1/auth/test`: says whom the credential stands for. */
export const authTest = guard(guards.authTest)

/** An Express error handler. */
export type ErrorHandler = (error: unknown, ...request: Parameters<Middleware>) => void

/**
 * Answers the AuthErrors that handlers throw (`getAuth(req)` where there is no credential, an InsufficientScopeError of the
 * application) as the middleware would, and tells `onError` and telemetry of them. Everything else, and every error under
 * `forwardErrors`, goes on to the next error handler. Mount it behind the routes: `app.use(authErrors())`.
 */
export function authErrors(...nothing: []): ErrorHandler {
  refuseUncalled('authErrors', nothing, 'app.use(authErrors())')
  return (error, req, res, next) => {
    const answer = answerToThrown(error, req)
    if (answer === undefined || res.headersSent) return next(error)
    for (const name of HANDLER_HEADERS) res.removeHeader(name)
    write(res, answer)
  }
}

function toExpress(middleware: PortableMiddleware<Request>): Middleware {
  return (req, res, next) => {
    const ending = middleware(req as Request)
    if (ending === 'pass') handOverLateErrors(next(), next, res)
    else finish(ending, res, next)
  }
}
