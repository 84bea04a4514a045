import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { collectBody, isTooLong, MAX_BODY_BYTES, partsOf } from '../http/body.js'
import { mediaTypeOf } from '../http/media-type.js'
import { MountError } from '../http/mount-error.js'

/** The body of a delivery: its bytes, or why there are none. */
export type DeliveredBody =
  | Buffer
  | 'too large'
  /** It was cut off, or did not arrive in time. */
  | 'incomplete'
  /** It is compressed. */
  | 'encoded'

/**
 * The body, from the stream or, where somebody has read that, from what a parser of the application made of it. The
 * stream says whether anybody has: a parser that found no body of its kind may have left an empty object.
 *
 * @param parsed asked only where the stream was read
 * @throws {MountError} where nothing is left of the body
 */
export async function readDeliveredBody(
  { headers }: Pick<IncomingMessage, 'headers'>,
  stream: Readable,
  parsed: () => unknown,
): Promise<DeliveredBody> {
  const announced = headers['content-length']
  if (!stream.readableDidRead) {
    const body = await collectBody(partsOf(stream), announced)
    if (body === 'too_large') return 'too large'
    if (body === 'incomplete') return body
    return isEncoded(headers['content-encoding']) ? 'encoded' : Buffer.from(body.bytes)
  }
  // A parser may have dropped what is announced, and what it made of it may be shorter.
  if (isTooLong(announced)) return 'too large'
  const hadBody = headers['transfer-encoding'] !== undefined || Number(announced ?? 0) > 0
  const body = hadBody ? formatParsed(parsed(), headers['content-type']) : Buffer.alloc(0)
  if (body === undefined) {
    throw new MountError(
      'createRevocationReceiver() found a body that other middleware had read, and nothing left of it: mount it before that middleware',
    )
  }
  return body.byteLength > MAX_BODY_BYTES ? 'too large' : body
}

function isEncoded(contentEncoding: string | undefined): boolean {
  return contentEncoding !== undefined && !/^(?:identity)?$/i.test(contentEncoding.trim())
}

/** What a parser has made of a body, as bytes again; `undefined` where that cannot be told. */
function formatParsed(parsed: unknown, contentType: string | undefined): Buffer | undefined {
  if (typeof parsed === 'string') return Buffer.from(parsed)
  if (parsed instanceof Uint8Array) return Buffer.from(parsed)
  switch (mediaTypeOf(contentType)) {
    case 'application/json':
      return parsed === undefined ? undefined : formatJson(parsed)
    case 'application/x-www-form-urlencoded':
      return typeof parsed === 'object' && parsed !== null ? formatForm(parsed) : undefined
    case 'application/secevent+jwt':
      return undefined
    default:
      // Of a type that is refused the body does not matter.
      return Buffer.alloc(0)
  }
}

function formatJson(value: unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(value))
  } catch {
    // Nested so deeply that it cannot be written: no request that a provider sends.
    return Buffer.from('null')
  }
}

/**
 * Parsers make a list of a name that came several times. They also make lists and objects of names in brackets
 * (`logout_token[]`), which get brackets again: they are other names.
 */
function formatForm(fields: object): Buffer {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string') form.append(name, value)
    else if (!Array.isArray(value) || value.length < 2) form.append(`${name}[]`, '')
    else for (const one of value) form.append(name, typeof one === 'string' ? one : '')
  }
  return Buffer.from(form.toString())
}
