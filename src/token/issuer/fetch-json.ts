import { isUint8Array } from 'node:util/types'

/** Largest document that is read, in bytes, after any content encoding is undone. */
const MAX_BYTES = 256 * 1024

/** A fetched document; `body` is undefined when the status was one of the tolerated ones. */
export interface FetchedJson {
  readonly url: URL
  readonly body: unknown
}

/**
 * Fetches one JSON document: no redirects, at most 256 KiB, headers and body within the deadline, also when the given
 * fetch ignores its signal. Rejects with an `Error` that names the URL without its query, which may be secret.
 *
 * @param deadline its reason must be an `Error`
 * @param absent statuses that mean that there is no such document
 */
export function fetchJson(
  fetch: typeof globalThis.fetch,
  url: URL,
  deadline: AbortSignal,
  absent: readonly number[] = [],
): Promise<FetchedJson> {
  const named = `${url.origin}${url.pathname}`
  return within(deadline, named, async () => {
    const response = await fetch(url, {
      headers: { accept: 'application/json, application/jwk-set+json' },
      redirect: 'manual',
      signal: deadline,
    })
    const good = response.status === 200 && !response.redirected && !deadline.aborted
    if (good) return { url, body: parseJson(await readBody(response.body, deadline)) }
    // An unread body would keep its connection.
    if (response.body) void cancel(response.body)
    if (absent.includes(response.status)) return { url, body: undefined }
    throw new Error(`answered ${response.redirected ? 'with a redirect' : Number(response.status)}`)
  })
}

async function readBody(body: Response['body'], deadline: AbortSignal): Promise<Uint8Array> {
  if (!body) throw new Error('answered without a body')
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
      if (!isUint8Array(value)) throw new Error('answered with something that is not bytes')
      length += value.byteLength
      if (length > MAX_BYTES) throw new Error(`answered with more than ${MAX_BYTES} bytes`)
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
    throw new Error('answered with something that is not JSON')
  }
}

/** Settles by the deadline, whatever the work does; its late outcome is dropped. */
function within<T>(deadline: AbortSignal, name: string, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new Error(`${name}: ${deadline.reason.message}`))
    if (deadline.aborted) return onAbort()
    deadline.addEventListener('abort', onAbort, { once: true })
    work()
      .then(resolve, (error: unknown) => reject(new Error(`${name} ${describe(error)}`, { cause: error })))
      .finally(() => deadline.removeEventListener('abort', onAbort))
  })
}

/** The global fetch hides the reason in `cause`. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'failed without an Error'
  const { cause } = error
  if (!(error instanceof TypeError) || !(cause instanceof Error)) return error.message
  // Errors of the system have a code.
  return `is out of reach: ${(cause as NodeJS.ErrnoException).code ?? cause.message}`
}
