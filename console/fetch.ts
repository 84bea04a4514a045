import { isRecord } from '../src/config/checks.js'
import { collectBody } from '../src/http/body.js'
import { notFound, secured } from './answers.js'
import type { KeyConsole } from './contract.js'
import type { ConsoleAnswer } from './exchange.js'
import type { Judge } from './judge.js'
import { placeBelow } from './mount-path.js'
import { checkMount } from './options.js'
import { formatOrigin } from './same-origin.js'

/** @param defaultMount the option */
export function toFetch(judge: Judge, defaultMount: string): KeyConsole['fetch'] {
  return async (request, given = {}) => {
    if (!isRecord(given)) throw new TypeError('fetch() of a console takes its context as an object')
    const { mount: givenMount, ...context } = given
    const mount = givenMount === undefined ? defaultMount : checkMount(givenMount)
    const url = new URL(request.url)
    const place = placeBelow(mount, url.pathname + url.search)
    if (place === undefined) return toResponse(request, secured(notFound()))
    const header = (name: string) => request.headers.get(name) ?? undefined
    const answer = await judge({
      ...place,
      method: request.method,
      ownOrigin: formatOrigin(url.protocol === 'https:' ? 'https' : 'http', url.host),
      header,
      // Of a Request nobody can say what the application has changed.
      sentAuthorization: header('authorization') !== undefined,
      original: request,
      context,
      async readBody() {
        if (request.bodyUsed) throw new Error('the body of a request was read before the console was asked')
        if (request.body === null) return { bytes: new Uint8Array() }
        const reader = request.body.getReader()
        const body = await collectBody({ next: () => reader.read() as never }, header('content-length'))
        if (typeof body === 'string') reader.cancel().catch(() => {})
        return body
      },
    })
    return toResponse(request, answer)
  }
}

function toResponse(request: Request, { status, headers, body }: ConsoleAnswer): Response {
  if (request.method !== 'HEAD')
    return new Response(body as ConstructorParameters<typeof Response>[0], { status, headers })
  if (body instanceof ReadableStream) void body.cancel()
  return new Response(null, { status, headers })
}
