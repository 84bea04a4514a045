import type { Context, Next } from 'koa'
import type { Answer } from '../src/http/answers.js'
import { type Ending, follow } from '../src/http/middleware.js'

export function write(ctx: Context, { status, headers, body }: Answer): void {
  ctx.status = status
  ctx.set(headers)
  ctx.body = body
  // Koa gives every text a type, and an empty body has none.
  if (headers['Content-Type'] === undefined) ctx.remove('Content-Type')
}

/** Does with a request what its middleware has decided. */
export function finish(ending: Ending | Promise<Ending>, ctx: Context, next: Next): Promise<void> {
  return follow<Promise<void>>(ending, {
    next,
    answer: async (answer) => write(ctx, answer),
    fail: (error) => Promise.reject(error),
  })
}
