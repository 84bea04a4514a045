/** Largest document that is read, in bytes. */
const MAX_BYTES = 256 * 1024

/** A fetched document; `body` is undefined when the status was one of the tolerated ones. */
export interface FetchedJson {
  readonly url: URL
  readonly body: unknown
}

/**
 * Fetches one JSON document: no redirects, at most 256 KiB, headers and body within the deadline, also when the given
 * fetch ignores its signal.
 *
 * @param absent statuses that mean that there is no such document
 */
export async function fetchJson(
  fetch: typeof globalThis.fetch,
  url: URL,
  deadline: AbortSignal,
  absent: readonly number[] = [],
): Promise<FetchedJson> {
  return await within(deadline, url, async () => {
    const response = await fetch(url, {
      headers: { accept: 'application/json' },
      redirect: 'manual',
      signal: deadline,
    })
    if (absent.includes(response.status)) {
      await response.body?.cancel()
      return { url, body: undefined }
    }
    if (response.status !== 200 || response.redirected) {
      await response.body?.cancel()
      throw new Error(`${url} answered ${response.redirected ? 'with a redirect' : response.status}`)
    }
    return { url, body: parseJson(await readBody(response, url), url) }
  })
}

async function readBody(response: Response, url: URL): Promise<Uint8Array> {
  if (response.body === null) throw new Error(`${url} answered without a body`)
  const chunks: Uint8Array[] = []
  let length = 0
  // Leaving the loop cancels the stream.
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength
    if (length > MAX_BYTES) throw new Error(`${url} answered with more than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parseJson(bytes: Uint8Array, url: URL): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new Error(`${url} answered with something that is not JSON`)
  }
}

/** Settles by the deadline, whatever the work does; its late outcome is dropped. */
function within<T>(deadline: AbortSignal, url: URL, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new Error(`${url}: ${deadline.reason.message}`))
    if (deadline.aborted) return onAbort()
    deadline.addEventListener('abort', onAbort, { once: true })
    work()
      .then(resolve, (error: unknown) => reject(deadline.aborted ? error : describe(error, url)))
      .finally(() => deadline.removeEventListener('abort', onAbort))
  })
}

/** The global fetch hides the reason in `cause`. */
function describe(error: unknown, url: URL): unknown {
  if (!(error instanceof TypeError) || !(error.cause instanceof Error)) return error
  return new Error(`${url} is out of reach: ${(error.cause as NodeJS.ErrnoException).code ?? error.cause.message}`, {
    cause: error,
  })
}
