import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import type { Auth } from '../src/auth.js'
import { isAuthError } from '../src/errors.js'
import {
  type Answer,
  answerTo,
  authTestAnswer,
  createMount,
  createScopeCheck,
  type Entered,
  getAuth,
  getEntered,
  type Mount,
  type MountOptions,
  type ScopeCheck,
  setEntered,
} from '../src/mount.js'
import type { Scope } from '../src/scope.js'

export { findAuth, getAuth } from '../src/mount.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `vantageAuth`, for reading only; `getAuth(request)` is never undefined. */
    auth: Auth | undefined
  }
}

/** Options of the plugin; `skip` and `onError` receive `request`. */
export type VantageAuthOptions = MountOptions<FastifyRequest>

/** An `onRequest` hook, which also serves as `preHandler`. */
export type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void

/**
 * Accepts API keys and access tokens, and answers every other request itself. Leaves `request.auth`. It covers the scope
 * that it is registered in, also the routes declared before it and the paths that are not found.
 */
export const vantageAuth: FastifyPluginCallback<VantageAuthOptions> = (app, options, done) => {
  // Fastify puts its own options of register() among ours.
  const { prefix, logLevel, logSerializers, ...own } = options as VantageAuthOptions & Record<string, unknown>
  const mount = createMount<FastifyRequest>(own)

  if (!app.hasRequestDecorator('auth')) app.decorateRequest('auth', undefined)
  app.addHook('onRequest', (request, reply, next) => {
    const admit = (entered: Entered) => {
      setEntered(request, entered)
      request.auth = entered.auth
      next()
    }
    let entered: Entered | Promise<Entered>
    try {
      entered = mount.enter(request, request.raw)
    } catch (error) {
      return refuse(mount, error, request, reply, next)
    }
    if (entered instanceof Promise) entered.then(admit, (error) => refuse(mount, error, request, reply, next))
    else admit(entered)
  })
  app.addHook('onClose', () => mount.close())
  done()
}

// What fastify-plugin would set: the hook belongs to the scope that registers the plugin, not to one of its own.
Object.assign(vantageAuth, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'vantage-auth',
})

/** Lets a request pass that grants all of the scopes; answers 403 otherwise. */
export function requireScope(...scopes: [Scope, ...Scope[]]): Hook {
  return guard(createScopeCheck('requireScope', scopes))
}

/** Lets a request pass that grants one of the scopes at least; answers 403 otherwise. */
export function requireAnyScope(...scopes: [Scope, ...Scope[]]): Hook {
  return guard(createScopeCheck('requireAnyScope', scopes))
}

/** The handler of `/v1/auth/test`: says whom the credential stands for. */
export function authTest(): (request: FastifyRequest, reply: FastifyReply) => void {
  return (request, reply) => {
    try {
      send(reply, authTestAnswer(getAuth(request)))
    } catch (error) {
      refuse(getEntered(request)?.mount, error, request, reply, (failure) => reply.send(failure))
    }
  }
}

function guard(check: ScopeCheck): Hook {
  return (request, reply, done) => {
    let checked: ReturnType<ScopeCheck>
    try {
      checked = check(request)
    } catch (mistake) {
      return done(mistake as Error)
    }
    if (checked.error === undefined) done()
    else refuse(checked.entered.mount, checked.error, request, reply, done)
  }
}

/** Answers, or hands over to Fastify's error handling. */
function refuse(
  mount: Mount<FastifyRequest> | undefined,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  forward: (error: Error) => void,
): void {
  if (mount === undefined || !isAuthError(error)) {
    forward(error as Error)
    return
  }
  const answer = answerTo(error)
  mount.report(error, request)
  if (mount.forwardErrors) forward(error)
  else send(reply, answer)
}

function send(reply: FastifyReply, { status, headers, body }: Answer): void {
  reply.code(status).headers(headers).send(body)
}
