import type { Context, Next } from 'koa'
import type { Auth } from '../src/auth.js'
import { isAuthError } from '../src/errors.js'
import {
  type Answer,
  answerTo,
  authTestAnswer,
  createMount,
  createScopeCheck,
  getAuth,
  getEntered,
  type Mount,
  type MountOptions,
  type ScopeCheck,
} from '../src/mount.js'
import type { Scope } from '../src/scope.js'
import type { Verifier } from '../src/verifier.js'

export { findAuth, getAuth } from '../src/mount.js'

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
  const middleware: Middleware = (ctx, next) => {
    let entering: undefined | Promise<undefined>
    try {
      entering = mount.enter(ctx, ctx.req)
    } catch (error) {
      return refuse(mount, error, ctx)
    }
    // Outside the try: what is thrown further on is no authentication error.
    if (entering === undefined) return next()
    return entering.then(
      () => next(),
      (error) => refuse(mount, error, ctx),
    )
  }
  return Object.assign(middleware, { verifier: mount.verifier })
}

/** Lets a request pass that grants all of the scopes; answers 403 otherwise. */
export function requireScope(...scopes: [Scope, ...Scope[]]): Middleware {
  return guard(createScopeCheck('requireScope', scopes))
}

/** Lets a request pass that grants one of the scopes at least; answers 403 otherwise. */
export function requireAnyScope(...scopes: [Scope, ...Scope[]]): Middleware {
  return guard(createScopeCheck('requireAnyScope', scopes))
}

/** The handler of `/v1/auth/test`: says whom the credential stands for. */
export function authTest(): Middleware {
  return async (ctx) => {
    try {
      send(ctx, authTestAnswer(getAuth(ctx)))
    } catch (error) {
      await refuse(getEntered(ctx)?.mount, error, ctx)
    }
  }
}

function guard(check: ScopeCheck): Middleware {
  return (ctx, next) => {
    let checked: ReturnType<ScopeCheck>
    try {
      checked = check(ctx)
    } catch (mistake) {
      return Promise.reject(mistake)
    }
    return checked.error === undefined ? next() : refuse(checked.entered.mount, checked.error, ctx)
  }
}

/** Answers, or hands over to Koa's error handling. */
async function refuse(mount: Mount<Context> | undefined, error: unknown, ctx: Context): Promise<void> {
  if (mount === undefined || !isAuthError(error)) throw error
  const answer = answerTo(error)
  const reported = mount.report(error, ctx)
  if (mount.forwardErrors) throw reported
  send(ctx, answer)
}

function send(ctx: Context, { status, headers, body }: Answer): void {
  ctx.status = status
  ctx.set(headers)
  ctx.body = body
}
