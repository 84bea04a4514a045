import { isUint8Array } from 'node:util/types'
import { oneLine } from '../../core/cause.js'

/** Largest document that is read, in bytes, after any content encoding is undone. */
const MAX_BYTES = 256 * 1024
/** A shorter part of a query is no secret, and stands in words that have nothing to do with it. */
const SHORTEST_SECRET = 4

/** A fetched document. */
export interface FetchedJson {
  readonly url: URL
  readonly body: unknown
}

/** Why there is no document. */
export class FetchError extends Error {
  /** Nobody answered, or with 408, 429 or 500 and above: it says nothing of the document. */
  readonly outOfReach: boolean

  constructor(message: string, outOfReach: boolean, options?: ErrorOptions) {
    super(message, options)
    this.outOfReach = outOfReach
  }
}

/**
 * Fetches one JSON document: no redirects, at most 256 KiB, headers and body within the deadline, also when the given
 * fetch ignores its signal. Rejects with a {@link FetchError} that names the URL without its query, which may be secret, and
 * does not show the query in what it tells of the given fetch's own error either.
 *
 * @param deadline its reason must be an `Error`
 */
export function fetchJson(fetch: typeof globalThis.fetch, url: URL, deadline: AbortSignal): Promise<FetchedJson> {
  return within(deadline, url, async () => {
    const response = await fetch(url, {
      headers: { accept: 'application/json, application/jwk-set+json' },
      redirect: 'manual',
      signal: deadline,
    })
    const good = response.status === 200 && !response.redirected && !deadline.aborted
    if (good) return { url, body: parseJson(await readBody(response.body, deadline)) }
    // An unread body would keep its connection.
    if (response.body) void cancel(response.body)
    if (response.redirected) throw new FetchError('answered with a redirect', false)
    const status = Number(response.status)
    throw new FetchError(`answered ${status}`, status >= 500 || status === 408 || status === 429)
  })
}

async function readBody(body: Response['body'], deadline: AbortSignal): Promise<Uint8Array> {
  if (!body) throw new FetchError('answered without a body', false)
  const reader = body.getReader()
  const stop = () => void cancel(reader)
  // Ends the reading also where the application's fetch ignores its signal.
  deadline.addEventListener('abort', stop, { once: true })
  try {
    const chunks: Uint8Array[] = []
    let length = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return Buffer.concat(chunks)
      if (!isUint8Array(value)) throw new FetchError('answered with something that is not bytes', false)
      length += value.byteLength
      if (length > MAX_BYTES) throw new FetchError(`answered with more than ${MAX_BYTES} bytes`, false)
      chunks.push(value)
    }
  } catch (error) {
    stop()
    throw error
  } finally {
    deadline.removeEventListener('abort', stop)
  }
}

/** Cancels a stream. Errors are dropped: nobody waits for what it would have brought. */
async function cancel(stream: { cancel(): Promise<void> }): Promise<void> {
  try {
    await stream.cancel()
  } catch {}
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new FetchError('answered with something that is not JSON', false)
  }
}

/** Settles by the deadline, whatever the work does; its late outcome is dropped. */
function within<T>(deadline: AbortSignal, url: URL, work: () => Promise<T>): Promise<T> {
  const named = `${url.origin}${url.pathname}`
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new FetchError(`${named}: ${deadline.reason.message}`, true))
    if (deadline.aborted) return onAbort()
    deadline.addEventListener('abort', onAbort, { once: true })
    work()
      .then(resolve, (error: unknown) => {
        if (error instanceof FetchError) return reject(new FetchError(`${named} ${error.message}`, error.outOfReach))
        // Not the error itself: those of HTTP clients carry the whole request (axios: `config.url`).
        const { message, ...cause } = describe(error)
        reject(new FetchError(`${named} ${oneLine(withoutPartsOf(url, message))}`, true, { cause }))
      })
      .finally(() => deadline.removeEventListener('abort', onAbort))
  })
}

/** What may be told of an error that the given fetch or its stream has thrown. It may be anything. */
function describe(error: unknown): { message: string; name?: string; code?: string } {
  if (!(error instanceof Error)) return { message: 'failed without an Error' }
  try {
    // The global fetch hides the reason in `cause`; errors of the system have a code.
    const hidden = error instanceof TypeError && error.cause instanceof Error ? error.cause : undefined
    const { code } = (hidden ?? error) as NodeJS.ErrnoException
    return {
      message: hidden === undefined ? `${error.message}` : `is out of reach: ${code ?? hidden.message}`,
      name: `${error.name}`,
      ...(code !== undefined && { code: `${code}` }),
    }
  } catch {
    return { message: 'failed with an Error that cannot be read' }
  }
}

/** A message without the query and the password of a URL, in the spellings that it may show them in. */
function withoutPartsOf({ search, username, password }: URL, message: string): string {
  const values = search
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1))
  return [search, search.slice(1), ...values, `${username}:${password}`, password]
    .flatMap((part) => [part, encodeURIComponent(part), decode(part), decode(part.replaceAll('+', ' '))])
    .filter((part) => part.length >= SHORTEST_SECRET)
    .sort((one, other) => other.length - one.length)
    .reduce((shown, secret) => shown.replaceAll(secret, '...'), message)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
