import type { KeyConsole } from './contract.js'
import type { Judge } from './judge.js'
import { placeBehindMount } from './mount-path.js'
import { fromNode, toNodeStream } from './node.js'

export function toKoa(judge: Judge): ReturnType<KeyConsole['koa']> {
  return async (ctx) => {
    const request = fromNode({
      req: ctx.req,
      res: ctx.res,
      place: placeBehindMount(ctx.originalUrl, ctx.path),
      original: ctx,
      parsedBody: () => (ctx.request as { body?: unknown }).body,
    })
    const { status, headers, body } = await judge(request)
    ctx.status = status
    ctx.set(headers)
    if (typeof body === 'string') ctx.body = body
    else if (!(body instanceof ReadableStream)) ctx.body = Buffer.from(body)
    else if (ctx.method !== 'HEAD') ctx.body = toNodeStream(body)
    else await body.cancel()
  }
}
