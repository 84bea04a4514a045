import type { Context, Next } from 'koa'
import type { Auth } from '../src/core/auth.js'
import * as guards from '../src/http/guards.js'
import type { PortableMiddleware } from '../src/http/middleware.js'
import { createMount, type MountOptions } from '../src/http/mount.js'
import { answerToThrown, HANDLER_HEADERS } from '../src/http/thrown.js'
import { refuseUncalled } from '../src/http/uncalled.js'
import type { Verifier } from '../src/verifier/verifier.js'
import { finish, write } from './koa-answer.js'

export { findAuth, getAuth } from '../src/http/outcome.js'
export type { AuthenticationOptions } from '../src/http/require-authentication.js'
export type { RevocationReceiverOptions, RevocationSender } from '../src/receiver/contract.js'
export { createRevocationReceiver, type RevocationReceiver } from './koa-receiver.js'

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
 * Accepts API keys and access tokens, and answers every other request itself. Sets `ctx.state.auth`. AuthErrors that are
 * thrown behind it are answered as by {@link authErrors}.
 *
 * @throws {TypeError} for a wrong option or environment variable
 */
export function vantageAuth(...given: [options?: VantageAuthOptions]): Middleware & { readonly verifier: Verifier } {
  const mount = createMount<Context>(given, {
    messageOf: (ctx) => ctx.req,
    holderOf: (ctx) => ctx.state,
    hasProperty: () => false,
  })
  const decide = toKoa(mount.middleware)
  const middleware = ((ctx, next) => decide(ctx, () => catchAuthErrors(ctx, next))) satisfies Middleware
  return Object.assign(middleware, { verifier: mount.verifier })
}

const guard = guards.guardsAs(toKoa)

/** Lets a request pass that grants all of the scopes; answers 403 otherwise. */
export const requireScope: guards.ScopeGuard<Middleware> = guard(guards.requireScope)

/** Lets a request pass that grants one of the scopes at least; answers 403 otherwise. */
export const requireAnyScope: guards.ScopeGuard<Middleware> = guard(guards.requireAnyScope)

/** Lets a request pass that came with this kind of credential; answers 401 otherwise. */
export const requireKind = guard(guards.requireKind)

/** Lets a request pass whose subject signed in as demanded (RFC 9470); answers 401 otherwise. */
export const requireAuthentication = guard(guards.requireAuthentication)

/** Lets a request pass of which `check(auth, ctx)` says `true`; answers 403 for `false`, and everything else is a 500. */
export const authorize: (name: string, check: guards.RuleCheck<Context>) => Middleware = guard(
  guards.authorize<Context>,
)

/** The handler of `/v1/auth/test`: says whom the credential stands for. */
export const authTest = guard(guards.authTest)

/**
 * Answers the AuthErrors that are thrown behind it (by `getAuth(ctx)` where there is no credential, an
 * InsufficientScopeError of the application) as the middleware would, and tells `onError` and telemetry of them. Everything
 * else, and every error under `forwardErrors`, goes on to Koa. `vantageAuth()` does it too: this is for applications that
 * use a verifier without it.
 */
export function authErrors(...nothing: []): Middleware {
  refuseUncalled('authErrors', nothing, 'app.use(authErrors())')
  return catchAuthErrors
}

const catchAuthErrors: Middleware = (ctx, next) =>
  // Not awaited in an async function: that would cost a promise before what comes next.
  Promise.resolve(next()).catch((error: unknown) => {
    const answer = answerToThrown(error, ctx)
    if (answer === undefined || ctx.headerSent) throw error
    for (const name of HANDLER_HEADERS) ctx.remove(name)
    write(ctx, answer)
  })

function toKoa(middleware: PortableMiddleware<Context>): Middleware {
  return (ctx, next) => {
    const ending = middleware(ctx)
    return ending === 'pass' ? next() : finish(ending, ctx, next)
  }
}
