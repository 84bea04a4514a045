import type { Context, Next } from 'koa'
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

declare module 'koa' {
  interface DefaultState {
    /** Set by `vantageAuth()`, for reading only; `getAuth(ctx)` is never undefined. */
    auth?: Auth
  }
}

/** Options of the middleware; `skip` and `onError` receive `ctx`. */
export type VantageAuthOptions = MountOptions<Context>

/** A Koa middleware, for Koa 2 and 3. */
export type Middleware = (ctx: Context, next: Next) => Promise<void>

/**
 * Accepts API keys and access tokens, and answers every other request itself. Leaves `ctx.state.auth`.
 *
 * @throws {TypeError} for a wrong option or environment variable
 */
export function vantageAuth(options?: VantageAuthOptions): Middleware & { readonly verifier: Verifier } {
  const mount = createMount<Context>(options, (ctx, auth) => {
    if (auth === undefined) delete ctx.state.auth
    else ctx.state.auth = auth
  })
  const middleware: Middleware = (ctx, next) => mount.enter(ctx, ctx.req, exits(ctx, next))
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
  return (ctx, next) => step(ctx, exits(ctx, next))
}

function exits(ctx: Context, next: Next): Exits<Promise<void>> {
  return { pass: () => next(), answer: async (answer) => send(ctx, answer), fail: (error) => Promise.reject(error) }
}

function send(ctx: Context, { status, headers, body }: Answer): void {
  ctx.status = status
  ctx.set(headers)
  ctx.body = body
}
