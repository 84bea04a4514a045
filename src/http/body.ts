import type { Readable } from 'node:stream'

/** The largest body that is read, in bytes. */
export const MAX_BODY_BYTES = 16_384
/** How long a body may take to arrive. */
const MAX_READ_MS = 10_000
/** What is read of a body that is too large: a client that is still sending would not see an answer. */
const MAX_DROPPED_BYTES = 1_048_576
const MAX_DROP_MS = 1000

/** What came of reading a body: its bytes, or why there are none. */
export type ReadBody =
  | { readonly bytes: Uint8Array }
  | 'too_large'
  /** It was cut off, or did not arrive in time. */
  | 'incomplete'

/** Whether the client announces more than is read. */
export function isTooLong(contentLength: string | undefined): boolean {
  return contentLength !== undefined && Number(contentLength) > MAX_BODY_BYTES
}

/**
 * Reads a body whose parts come one after the other. It ends at the limit, or in time, whatever the client does.
 *
 * @param announced the Content-Length: more than is read is dropped from the start
 */
export async function collectBody(
  parts: AsyncIterator<Uint8Array>,
  announced: string | undefined,
  maxReadMs = MAX_READ_MS,
): Promise<ReadBody> {
  const kept: Uint8Array[] = []
  let length = 0
  let isLarge = isTooLong(announced)
  const begun = performance.now()
  try {
    for (;;) {
      const endsAt = begun + (isLarge ? MAX_DROP_MS : maxReadMs)
      const part = await nextBefore(endsAt, parts)
      if (part === 'late') return isLarge ? 'too_large' : 'incomplete'
      if (part.done === true) break
      length += part.value.byteLength
      isLarge ||= length > MAX_BODY_BYTES
      if (length > MAX_DROPPED_BYTES) return 'too_large'
      if (!isLarge) kept.push(part.value)
    }
  } catch {
    return isLarge ? 'too_large' : 'incomplete'
  }
  return isLarge ? 'too_large' : { bytes: Buffer.concat(kept) }
}

async function nextBefore<T>(endsAt: number, parts: AsyncIterator<T>): Promise<IteratorResult<T> | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), Math.max(0, endsAt - performance.now()))
    timer.unref()
  })
  try {
    return await Promise.race([parts.next(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** The parts of a stream of Node. Not its own iterator, which destroys the socket where it is left early. */
export function partsOf(stream: Readable): AsyncIterator<Uint8Array> {
  return stream.iterator({ destroyOnReturn: false })
}
