import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request } from 'express'
import type { Auth } from '../src/core/auth.js'
import type { Scope } from '../src/core/scope.js'
import {
  type Answer,
  createGuard,
  createMount,
  type Exits,
  type MountOptions,
  type Step,
  testAuth,
} from '../src/http/mount.js'
import type { Verifier } from '../src/verifier/verifier.js'

export { findAuth, getAuth } from '../src/http/mount.js'

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
 * Accepts API keys and access tokens, and answers every other request itself. Leaves `req.auth`.
 *
 * @throws {TypeError} for a wrong option or environment variable
 */
export function vantageAuth(options?: VantageAuthOptions): Middleware & { readonly verifier: Verifier } {
  const mount = createMount<Request>(options, (req, auth) => {
    if (auth === undefined) delete req.auth
    else req.auth = auth
  })
  const middleware: Middleware = (req, res, next) => {
    mount.enter(req as Request, req, exits(res, next))
  }
  return Object.assign(middleware, { verifier: mount.verifier })
}

/** Lets a request pass that grants all of the scopes; answers 403 otherwise. */
export function requireScope(...scopes: [Scope, ...Scope[]]): Middleware {
  return middlewareOf(createGuard('requireScope', scopes))
}

/** Lets a request pass that grants one of the scopes at least; answers 403 otherwise. */
export function requireAnyScope(...scopes: [Scope, ...Scope[]]): Middleware {
  return middlewareOf(createGuard('requireAnyScope', scopes))
}

/** The handler of `/v1/auth/test`: says whom the credential stands for. */
export function authTest(): Middleware {
  return middlewareOf(testAuth)
}

function middlewareOf(step: Step): Middleware {
  return (req, res, next) => step(req, exits(res, next))
}

function exits(res: ServerResponse, next: (error?: unknown) => void): Exits<void> {
  return { pass: () => next(), answer: (answer) => send(res, answer), fail: next }
}

/** Writes past `res.json`, which would add an ETag and could answer 304. */
function send(res: ServerResponse, { status, headers, body }: Answer): void {
  if (res.headersSent) return
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.end(body)
}
