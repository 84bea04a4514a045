import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { isAuthError } from '../src/core/errors.js'
import type { Answer } from '../src/http/answers.js'
import { type Ending, follow, handOverLateErrors, type PortableMiddleware } from '../src/http/middleware.js'
import { answerToThrown, HANDLER_HEADERS } from '../src/http/thrown.js'

/** What is used of a request and a reply, so that servers of all kinds (HTTP/2, a logger of one's own) fit. */
type AnyRequest = { readonly raw: Pick<IncomingMessage, 'rawHeaders' | 'headers'> }
type AnyReply = {
  readonly raw: { readonly statusCode: number; destroy?(error?: Error): unknown }
  code(status: number): unknown
  headers(headers: Record<string, string>): unknown
  removeHeader(name: string): unknown
  send(body: unknown): unknown
}

/** An `onRequest` hook, which also serves as `preHandler`. */
export type Hook = (request: AnyRequest, reply: AnyReply, done: (error?: Error) => void) => void

/** The handler of a route. */
export type Handler = (request: AnyRequest, reply: AnyReply) => void

/** A handler for `setErrorHandler()`. */
export type ErrorHandler = (error: unknown, request: AnyRequest, reply: AnyReply) => void

/** A middleware as a hook. */
export function toHook(middleware: PortableMiddleware<FastifyRequest>): Hook {
  return (request, reply, done) => {
    const ending = middleware(request as FastifyRequest)
    if (ending === 'pass') done()
    else finish(ending, reply, done)
  }
}

function finish(ending: Ending | Promise<Ending>, reply: AnyReply, done: (error?: Error) => void): void {
  const fail = (error: object) => done(error as Error)
  const refuse = (error: object) => {
    const status = isAuthError(error) ? error.status : 500
    // Where the reply has none, @fastify/auth sets 401: error handlers that send a body alone answer with it, and so do other
    // alternatives that refuse afterwards.
    if (status !== 401 || reply.raw.statusCode !== 200) reply.code(status)
    fail(error)
  }
  const actions = { next: () => done(), answer: (answer: Answer) => write(reply, answer), fail: refuse }
  // Not returned: Fastify would call the next hook once more when the promise resolves.
  handOverLateErrors(follow(ending, actions), fail, reply.raw)
}

/** A middleware as the handler of a route. A handler has nothing behind it: its errors go to the reply. */
export function toHandler(middleware: PortableMiddleware<FastifyRequest>): Handler {
  const hook = toHook(middleware)
  return (request, reply) => hook(request, reply, (error) => reply.send(error))
}

/** Answers AuthErrors; what it sends on as an error goes to the error handler of the outer scope. */
export const answerErrors: ErrorHandler = (error, request, reply) => {
  const answer = answerToThrown(error, request)
  if (answer === undefined) return void reply.send(error)
  for (const name of HANDLER_HEADERS) reply.removeHeader(name)
  write(reply, answer)
}

function write(reply: AnyReply, { status, headers, body }: Answer): void {
  reply.code(status)
  reply.headers({ ...headers })
  reply.send(body)
}
