import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Auth } from '../src/core/auth.js'
import * as guards from '../src/http/guards.js'
import { createMount, type MountOptions } from '../src/http/mount.js'
import { findOutcome } from '../src/http/outcome.js'
import { refuseUncalled } from '../src/http/uncalled.js'
import type { Verifier } from '../src/verifier/verifier.js'
import { answerErrors, type ErrorHandler, type Hook, toHandler, toHook } from './fastify-hook.js'
import { coverNotFound } from './fastify-not-found.js'
import { decorateRequests, hasRequestProperty, refuseTaken } from './fastify-request.js'

export { findAuth, getAuth } from '../src/http/outcome.js'
export type { AuthenticationOptions } from '../src/http/require-authentication.js'
export type { RevocationReceiverOptions, RevocationSender } from '../src/receiver/contract.js'
export type { ErrorHandler, Hook } from './fastify-hook.js'
export { createRevocationReceiver, type RevocationReceiver } from './fastify-receiver.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `vantageAuth`, for reading only; `getAuth(request)` is never undefined. */
    auth: Auth | undefined
  }
}

/** Options of the plugin; `skip` and `onError` receive `request`. */
export type VantageAuthOptions = MountOptions<FastifyRequest>

/**
 * Accepts API keys and access tokens, and answers every other request itself. Sets `request.auth`. It covers the scope
 * that it is registered in, also the routes declared before it and the paths that are not found.
 *
 * A wrong option or environment variable is a TypeError, with which `register()` or `ready()` rejects.
 */
// Asynchronous, since Fastify lets what a synchronous plugin throws end the process instead of rejecting register().
export const vantageAuth: FastifyPluginAsync<VantageAuthOptions> = async (app, options) => {
  if (typeof app?.addHook !== 'function') {
    const mistake = app === undefined ? 'called' : 'passed without being called'
    throw new TypeError(`vantageAuth was ${mistake}: on Fastify it is a plugin, write app.register(vantageAuth)`)
  }
  if ('prefix' in options && options.prefix !== undefined) {
    throw new TypeError('prefix has no effect on vantageAuth; register it in a scope that has the prefix')
  }
  const mount = createMount<FastifyRequest>([options], {
    messageOf,
    holderOf: (request) => request,
    hasProperty: hasRequestProperty,
    // Of register(), which passes on all that it was given.
    ignoredOptions: ['prefix', 'logLevel', 'logSerializers'],
  })
  const hook = toHook(mount.middleware)
  decorateRequests(app, mount.settings.exposeAs)
  app.addHook('onRequest', hook)
  coverNotFound(app, hook, (request) => findOutcome(request)?.mount === mount.settings)
  app.addHook('onClose', () => mount.close())
}

// What fastify-plugin would set: the hook belongs to the scope that registers the plugin, not to one of its own.
Object.assign(vantageAuth, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'vantage-auth',
  [Symbol.for('plugin-meta')]: { name: 'vantage-auth', fastify: '>=4 <6' },
})

// For app.register(import('vantage-auth/fastify')): Fastify takes the default export of a module.
// biome-ignore lint/style/noDefaultExport: Fastify's way to import plugins
export default vantageAuth

function messageOf({ raw, headers }: FastifyRequest) {
  return { rawHeaders: raw.rawHeaders, headers }
}

/**
 * Authenticates one route, without the plugin: `{ onRequest: [authenticate(options), requireScope('jobs:read')] }`. It
 * answers refusals itself. With `forwardErrors` it calls `done(error)`, so that @fastify/auth can combine it with others;
 * where it refuses, it leaves the request as it was. What is not a 401 it sets as the status of the reply, since
 * @fastify/auth would make a 401 of it, and after one that could not decide (503) it refuses with that one's error.
 *
 * It carries the `verifier`, which nobody else closes: `app.addHook('onClose', () => hook.verifier.close())`, unless it is
 * a shared one.
 *
 * @throws {TypeError} for a wrong option or environment variable
 */
export function authenticate(...given: [options?: VantageAuthOptions]): Hook & { readonly verifier: Verifier } {
  refuseUncalled('authenticate', given.slice(1), '{ onRequest: authenticate() }')
  const { middleware, verifier } = createMount<FastifyRequest>(given, {
    messageOf,
    holderOf(request, name) {
      refuseTaken(request.server, name)
      return request
    },
    hasProperty: hasRequestProperty,
    isAlternative: true,
  })
  return Object.assign(toHook(middleware), { verifier })
}

const guard = guards.guardsAs(toHook)

/** Lets a request pass that grants all of the scopes; answers 403 otherwise. */
export const requireScope: guards.ScopeGuard<Hook> = guard(guards.requireScope)

/** Lets a request pass that grants one of the scopes at least; answers 403 otherwise. */
export const requireAnyScope: guards.ScopeGuard<Hook> = guard(guards.requireAnyScope)

/** Lets a request pass that came with this kind of credential; answers 401 otherwise. */
export const requireKind = guard(guards.requireKind)

/** Lets a request pass whose subject signed in as demanded (RFC 9470); answers 401 otherwise. */
export const requireAuthentication = guard(guards.requireAuthentication)

/** Lets a request pass of which `check(auth, request)` says `true`; answers 403 for `false`, and everything else is a 500. */
export const authorize: (name: string, check: guards.RuleCheck<FastifyRequest>) => Hook = guard(
  guards.authorize<FastifyRequest>,
)

/** The handler of `/v1/auth/test`: says whom the credential stands for. */
export const authTest = guards.guardsAs(toHandler)(guards.authTest)

/**
 * Answers the AuthErrors that handlers throw (`getAuth(request)` where there is no credential, an InsufficientScopeError of
 * the application) as the plugin would, and tells `onError` and telemetry of them. Everything else, and every error under
 * `forwardErrors`, goes on to the error handler of the outer scope. Set it with `app.setErrorHandler(authErrors())`, or call
 * it from an error handler of your own.
 */
export function authErrors(...nothing: []): ErrorHandler {
  refuseUncalled('authErrors', nothing, 'app.setErrorHandler(authErrors())')
  return answerErrors
}
