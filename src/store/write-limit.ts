import { KeyStoreError } from '../core/errors.js'
import type { WriteLimit } from './contract.js'

/**
 * @param cause what has held the write up, if that is known
 * @throws {KeyStoreError} when it is too late to write
 */
export function checkInTime({ before }: WriteLimit = {}, cause?: unknown): void {
  if (before === undefined || performance.now() < before) return
  throw new KeyStoreError('The time for this change was over before it was written, and nothing was changed', { cause })
}

/** Whole milliseconds, rounded up: one at least while there is time. */
export function millisecondsLeft({ before = Number.POSITIVE_INFINITY }: WriteLimit = {}): number {
  return Math.max(1, Math.ceil(before - performance.now()))
}
