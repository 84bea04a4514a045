import type { Readable } from 'node:stream'
import { isRecord } from '../src/config/checks.js'
import { ArgumentError } from '../src/core/argument-error.js'
import { MAX_BODY_BYTES, type ReceivedBody } from './exchange.js'

/** How long a body may take to arrive. */
const MAX_READ_MS = 10_000
/** What is read of a body that is too large: a client that is still sending would not see an answer. */
const MAX_DROPPED_BYTES = 1_048_576
const MAX_DROP_MS = 1000

/** Whether the client announces more than is read. */
export function isTooLong(contentLength: string | undefined): boolean {
  return contentLength !== undefined && Number(contentLength) > MAX_BODY_BYTES
}

/**
 * Reads a body whose parts come one after the other. It ends at the limit, or in time, whatever the client does.
 */
export async function collectBody(
  parts: AsyncIterator<Uint8Array>,
  announced: string | undefined,
): Promise<ReceivedBody> {
  const kept: Uint8Array[] = []
  let length = 0
  let isLarge = isTooLong(announced)
  const begun = performance.now()
  try {
    for (;;) {
      const endsAt = begun + (isLarge ? MAX_DROP_MS : MAX_READ_MS)
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

/**
 * What the application's own parser left of a body, whatever its kind.
 *
 * @param announced the Content-Length, which counts what the parser has dropped
 */
export function receivedBody(parsed: unknown, announced: string | undefined): ReceivedBody {
  if (isTooLong(announced)) return 'too_large'
  const body = typeof parsed === 'string' ? Buffer.from(parsed) : parsed
  if (body instanceof Uint8Array) return body.byteLength > MAX_BODY_BYTES ? 'too_large' : { bytes: body }
  try {
    return Buffer.byteLength(JSON.stringify(body) ?? '') > MAX_BODY_BYTES ? 'too_large' : { parsed: body }
  } catch {
    // Nested so deeply that it cannot be written, and so no object that anything here takes.
    return { parsed: undefined }
  }
}

/**
 * The members of a body. An empty one has none.
 *
 * @throws {ArgumentError} for anything but a JSON object
 */
export function parseMembers(body: ReceivedBody): Readonly<Record<string, unknown>> {
  const value = typeof body === 'object' && 'bytes' in body ? parseJson(body.bytes) : body
  const members = typeof value === 'object' && 'parsed' in value ? value.parsed : undefined
  if (!isRecord(members)) throw new ArgumentError('The body', 'must be a JSON object in UTF-8')
  return members
}

function parseJson(bytes: Uint8Array): { readonly parsed: unknown } | undefined {
  if (bytes.byteLength === 0) return { parsed: {} }
  try {
    return { parsed: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) }
  } catch {
    return undefined
  }
}

/** @throws {ArgumentError} for a member with another name */
export function checkMembers(members: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  // JSON can have a member `__proto__`, which Object.keys() shows as well.
  if (Object.keys(members).some((name) => !names.includes(name))) {
    throw new ArgumentError('The body', `must have no other members than ${names.join(', ')}`)
  }
}

/** A member of its own; not what every object inherits. */
export function memberOf(members: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined
}
