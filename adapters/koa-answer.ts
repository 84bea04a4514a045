import type { Context } from 'koa'
import type { Answer } from '../src/http/answers.js'

export function write(ctx: Context, { status, headers, body }: Answer): void {
  ctx.status = status
  ctx.set(headers)
  ctx.body = body
  // Koa gives every text a type, and an empty body has none.
  if (headers['Content-Type'] === undefined) ctx.remove('Content-Type')
}
