import { createHash, timingSafeEqual } from 'node:crypto'

/** Digests have one length: only so can two texts be compared in a time that tells nothing. */
export function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Whether a request's Authorization header is the one that a stream was given. In constant time. */
export function isAuthorized(line: string | undefined, expected: Buffer): boolean {
  return timingSafeEqual(digestOf(line ?? ''), expected)
}
