import type { Context } from 'koa'
import type { KeyConsole } from './contract.js'
import type { Judge } from './judge.js'
import { placeBehindMount } from './mount-path.js'
import { fromNode, writeToNode } from './node.js'

export function toKoa(judge: Judge): ReturnType<KeyConsole['koa']> {
  return async (given) => {
    const ctx = given as Context
    const request = fromNode({
      req: ctx.req,
      res: ctx.res,
      place: placeBehindMount(ctx.originalUrl, ctx.path),
      original: ctx,
      parsedBody: () => (ctx.request as { body?: unknown }).body,
    })
    const answer = await judge(request)
    const { status, headers, body } = answer
    ctx.status = status
    if (body instanceof ReadableStream) {
      // Koa 3 would report each client that goes away as an error of the application.
      ctx.respond = false
      return writeToNode(ctx.res, answer)
    }
    ctx.set(headers)
    ctx.body = typeof body === 'string' ? body : Buffer.from(body)
  }
}
