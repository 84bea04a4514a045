import { containsApiKey, KEY_PREFIXES, looksLikeApiKey } from '../api-key/format.js'
import { ArgumentError } from '../core/argument-error.js'
import { formatChoice } from '../core/choice.js'
import { type Duration, parseDuration } from '../core/duration.js'
import { ENVIRONMENTS, type Environment, isEnvironment } from '../core/environments.js'
import { formatGiven, mayBeRepeated } from '../core/given.js'
import type { WriteLimit } from '../store/contract.js'
import { LAST_INSTANT } from '../store/key-order.js'

/** Of a key, and of tokens to be revoked, where nothing else is said. */
export const DEFAULT_LIFE = '365d'

/** Refuses unknown options: a misspelt one would silently leave the default in force. */
export function checkNames(caller: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${caller} takes its options as an object with ${names.join(', ')}`)
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    const shown = mayBeRepeated(unknown) ? unknown : formatGiven(unknown)
    throw new TypeError(`${shown} is no option of ${caller}; it takes ${names.join(', ')}`)
  }
}

// With line breaks or terminal control sequences, a name could forge lines of a log or a table.
const UNFIT_TEXT = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u

export function checkText(value: unknown, name: string): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= 256 && !UNFIT_TEXT.test(value)) {
    return refuseApiKey(value, name)
  }
  throw new ArgumentError(name, 'must be a text of 1 to 256 characters, without control characters')
}

/** What is stored here is shown in lists, and no entry of the audit trail can be deleted. */
export function refuseApiKey(text: string, name: string): string {
  if (!containsApiKey(text)) return text
  throw new ArgumentError(name, 'must not hold an API key: it would be stored and shown in clear')
}

export function checkOptionalText(value: unknown, name: string): string | null {
  return value === undefined || value === null ? null : checkText(value, name)
}

/** The message never shows what was given: it may be the key. */
export function checkId(id: unknown): void {
  if (typeof id === 'string' && looksLikeApiKey(id)) {
    throw new ArgumentError(
      'id',
      `must be the 12 characters after ${formatChoice(KEY_PREFIXES)}, not the key or its hint`,
    )
  }
  if (typeof id !== 'string' || !/^[\x21-\x7e]{1,64}$/.test(id)) {
    throw new ArgumentError('id', 'must be the id of a key, as list() shows it')
  }
}

export function checkWhole(value: unknown, name: string, max: number): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max) return value as number
  throw new ArgumentError(name, `must be a whole number from 1 to ${max}`)
}

/** @returns milliseconds since the epoch */
export function checkOptionalDate(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined
  const ms = value instanceof Date ? value.getTime() : Number.NaN
  if (ms >= 0 && ms <= LAST_INSTANT) return ms
  throw new ArgumentError(name, 'must be a Date, of the years 1970 to 9999')
}

export function checkEnvironment(value: unknown): Environment {
  if (isEnvironment(value)) return value
  throw new ArgumentError('environment', `must be ${formatChoice(ENVIRONMENTS.map((name) => `'${name}'`))}`)
}

export function parseLife(value: unknown, fallback: Duration): number | null {
  return value === null ? null : parseDuration(value ?? fallback, 'expiresIn')
}

export function parseAuditCursor(cursor: unknown): number {
  if (typeof cursor === 'string' && /^[1-9]\d{0,14}$/.test(cursor)) return Number(cursor)
  throw new ArgumentError('cursor', 'must be one that audit() returned')
}

const LONGEST_TIMEOUT_MS = 3_600_000

/** The time begins with the call. */
export function readTimeout(timeoutMs: unknown): WriteLimit | undefined {
  if (timeoutMs === undefined) return undefined
  return { before: performance.now() + checkWhole(timeoutMs, 'timeoutMs', LONGEST_TIMEOUT_MS) }
}
