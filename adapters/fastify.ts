import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Auth } from '../src/core/auth.js'
import type { Scope } from '../src/core/scope.js'
import {
  type Answer,
  createGuard,
  createMount,
  type Exits,
  getEntered,
  type MountOptions,
  type Step,
  testAuth,
} from '../src/http/mount.js'

export { findAuth, getAuth } from '../src/http/mount.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `vantageAuth`, for reading only; `getAuth(request)` is never undefined. */
    auth: Auth | undefined
  }
}

/** Options of the plugin; `skip` and `onError` receive `request`. */
export type VantageAuthOptions = MountOptions<FastifyRequest>

/** What is used of a request and a reply, so that servers of all kinds (HTTP/2, a logger of one's own) fit. */
type AnyRequest = Pick<FastifyRequest, 'url' | 'is404'> & {
  readonly raw: Pick<IncomingMessage, 'rawHeaders' | 'headers'>
}
type AnyReply = {
  code(status: number): unknown
  headers(headers: Record<string, string>): unknown
  send(body: unknown): unknown
}

/** An `onRequest` hook, which also serves as `preHandler`. */
export type Hook = (request: AnyRequest, reply: AnyReply, done: (error?: Error) => void) => void

/**
 * Accepts API keys and access tokens, and answers every other request itself. Leaves `request.auth`. It covers the scope
 * that it is registered in, also the routes declared before it and the paths that are not found.
 *
 * A wrong option or environment variable is a TypeError, with which `register()` or `ready()` rejects.
 */
// Asynchronous, since avvio lets what a synchronous plugin throws end the process instead of rejecting register().
export const vantageAuth: FastifyPluginAsync<VantageAuthOptions> = async (app, options) => {
  // Fastify puts its own options of register() among ours.
  const { prefix, logLevel, logSerializers, ...own } = options as VantageAuthOptions & Record<string, unknown>
  if (prefix !== undefined) {
    throw new TypeError('prefix has no effect on vantageAuth; register it in a scope that has the prefix')
  }
  const mount = createMount<FastifyRequest>(own, (request, auth) => {
    request.auth = auth
  })
  const enter: Hook = (request, reply, next) => {
    mount.enter(request as FastifyRequest, request.raw, exits(reply, next))
  }

  if (!app.hasRequestDecorator('auth')) app.decorateRequest('auth', undefined)
  app.addHook('onRequest', enter)
  const root = rootOf(app)
  if (root !== undefined) {
    const isUnder = createPathCheck(app.prefix)
    root.addHook('onRequest', (request, reply, next) => {
      const missed = request.is404 && isUnder(request.url) && getEntered(request)?.mount !== mount
      return missed ? enter(request, reply, next) : next()
    })
  }
  app.addHook('onClose', () => mount.close())
}

// What fastify-plugin would set: the hook belongs to the scope that registers the plugin, not to one of its own.
Object.assign(vantageAuth, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'vantage-auth',
})

/**
 * The outermost scope, where a scope has a prefix of its own: a path below the prefix that no route has ends in the
 * not-found handler of an outer scope, which runs the hooks of the outer scope alone.
 */
function rootOf(app: FastifyInstance): FastifyInstance | undefined {
  // Fastify makes an encapsulated scope with Object.create(outer).
  const outer: FastifyInstance = Object.getPrototypeOf(app)
  if (outer.prefix === undefined || outer.prefix === app.prefix) return undefined
  let root = outer
  for (let next = root; next.prefix !== undefined; next = Object.getPrototypeOf(next)) root = next
  return root
}

/** Whether a URL's path is a prefix or below it; a segment of the prefix with a parameter matches any. */
function createPathCheck(prefix: string): (url: string) => boolean {
  const segments = prefix.split('/').filter((segment) => segment !== '')
  return (url) => {
    const path = url.split(/[?#]/, 1)[0]?.split('/').slice(1) ?? []
    return segments.every((segment, i) => path[i] !== undefined && (/[:*(]/.test(segment) || segment === path[i]))
  }
}

/** Lets a request pass that grants all of the scopes; answers 403 otherwise. */
export function requireScope(...scopes: [Scope, ...Scope[]]): Hook {
  return hookOf(createGuard('requireScope', scopes))
}

/** Lets a request pass that grants one of the scopes at least; answers 403 otherwise. */
export function requireAnyScope(...scopes: [Scope, ...Scope[]]): Hook {
  return hookOf(createGuard('requireAnyScope', scopes))
}

/** The handler of `/v1/auth/test`: says whom the credential stands for. */
export function authTest(): (request: AnyRequest, reply: AnyReply) => void {
  return (request, reply) =>
    testAuth(
      request,
      exits(reply, (error) => reply.send(error)),
    )
}

function hookOf(step: Step): Hook {
  return (request, reply, next) => step(request, exits(reply, next))
}

function exits(reply: AnyReply, next: (error?: Error) => void): Exits<void> {
  return { pass: () => next(), answer: (answer) => send(reply, answer), fail: (error) => next(error as Error) }
}

function send(reply: AnyReply, { status, headers, body }: Answer): void {
  reply.code(status)
  reply.headers({ ...headers })
  reply.send(body)
}
