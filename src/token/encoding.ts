import { isUtf8 } from 'node:buffer'
import type { JsonObject } from './json-object.js'

/** Longest token of any kind: a credential has 8 KiB at most, the body of a security event 16. */
export const MAX_TOKEN_BYTES = 16_384

/** One buffer for all decoding, which never overlaps: allocating one for each part costs more than filling it. */
const scratch = Buffer.allocUnsafeSlow(MAX_TOKEN_BYTES)

/**
 * Whether a text is base64url as an encoder writes it, with the spare bits of the last character zero. Other spellings of
 * the same bytes would give one token many names, by which anybody could fill the cache (RFC 4648 §3.5). A text that stands
 * for more than {@link MAX_TOKEN_BYTES} bytes is none.
 *
 * A token can still have two: see the second signature of ECDSA in SECURITY.md. Nothing may rely on a token's text being
 * its only one.
 */
export function isCanonicalBase64url(text: string): boolean {
  // The decoder passes over what it does not know, which an encoder does not bring back. Faster than a look at each character.
  const length = scratch.write(text, 'base64url')
  return scratch.toString('base64url', 0, length) === text
}

/**
 * Decodes one part of a token.
 *
 * @param part canonical base64url
 * @returns `null` unless it holds a JSON object in valid UTF-8 without a byte order mark
 */
export function decodeObject(part: string): JsonObject | null {
  const length = scratch.write(part, 'base64url')
  const text = scratch.toString('utf8', 0, length)
  // A decoder writes U+FFFD for bytes that are not UTF-8, but a valid text may hold that character as well.
  if (text.includes('\uFFFD') && !isUtf8(scratch.subarray(0, length))) return null
  try {
    // JSON.parse refuses a byte order mark, which toString keeps.
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
