import { isRecord } from '../src/config/checks.js'
import { ArgumentError } from '../src/core/argument-error.js'
import { isTooLong, MAX_BODY_BYTES } from '../src/http/body.js'
import type { ReceivedBody } from './exchange.js'

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
