import type { Context, Next } from 'koa'
import type { Auth } from '../src/core/auth.js'
import type { Scope } from '../src/core/scope.js'
import type { Answer } from '../src/http/answers.js'
import * as guards from '../src/http/guards.js'
import { createMount, type MountOptions } from '../src/http/mount.js'
import type { Actions, PortableMiddleware } from '../src/http/verdict.js'
import type { Verifier } from '../src/verifier/verifier.js'

export { findAuth, getAuth } from '../src/http/outcome.js'

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
 * Accepts API keys and access tokens, and answers every other request itself. Sets `ctx.state.auth`.
 *
 * @throws {TypeError} for a wrong option or environment variable
 */
export function vantageAuth(options?: VantageAuthOptions): Middleware & { readonly verifier: Verifier } {
  const mount = createMount<Context>(options, {
    messageOf: (ctx) => ctx.req,
    exposeAuth(ctx, auth) {
      if (auth === undefined) delete ctx.state.auth
      else ctx.state.auth = auth
    },
  })
  return Object.assign(toKoa(mount.middleware), { verifier: mount.verifier })
}

const guard = guards.guardsAs(toKoa)

/** Lets a request pass that grants all of the scopes; answers 403 otherwise. */
export const requireScope: (...scopes: [Scope, ...Scope[]]) => Middleware = guard(guards.requireScope)

/** Lets a request pass that grants one of the scopes at least; answers 403 otherwise. */
export const requireAnyScope: (...scopes: [Scope, ...Scope[]]) => Middleware = guard(guards.requireAnyScope)

/** The handler of `/v1/auth/test`: says whom the credential stands for. */
export const authTest = guard(guards.authTest)

function toKoa(middleware: PortableMiddleware<Context>): Middleware {
  return (ctx, next) => {
    const actions: Actions<Promise<void>> = {
      next: () => next(),
      answer: async (answer) => write(ctx, answer),
      fail: (error) => Promise.reject(error),
    }
    return middleware(ctx, actions)
  }
}

function write(ctx: Context, { status, headers, body }: Answer): void {
  ctx.status = status
  ctx.set(headers)
  ctx.body = body
}
