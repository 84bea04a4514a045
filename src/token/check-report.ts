import type { Reason } from '../core/errors.js'

/** How one check of the fixed order went, in words for people. It never holds the token or a part of its encoding. */
export interface CheckReport {
  /** What was looked at, in the words of the specifications. */
  readonly name: string
  readonly passed: boolean
  /** Reason of the refusal, if this is the first check that fails. */
  readonly reason: Reason
  /** What passes. */
  readonly expected: string
  /** What is there. */
  readonly found: string
}

/** Text for people: JSON, short, and without characters that move a terminal's cursor. */
export function show(value: unknown): string {
  if (value === undefined) return 'none'
  const text = jsonOf(value).replace(/[^\x20-\x7E]/g, '?')
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

/** JSON.stringify overflows the stack where JSON.parse could read a value that nests thousands of levels deep. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return 'a deeply nested value'
  }
}
