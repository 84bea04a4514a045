import { ArgumentError } from './argument-error.js'

/**
 * A span of time: `'15s'`, `'30m'`, `'24h'`, `'90d'`, or a number of whole seconds: `90` is 90 seconds, not days. (The command
 * line takes no number without its unit.)
 */
export type Duration = string | number

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const DURATION = /^(\d{1,12})([smhd])$/
const MAX_MS = 36_500 * UNIT_MS.d

/**
 * Reads a duration, in milliseconds. At most 36500 days, so that every instant computed from it can be written as a date.
 *
 * @param name what the message calls the value
 * @param minimumSeconds 0 where "at once" is a meaningful answer
 * @throws {TypeError} for anything else
 */
export function parseDuration(value: unknown, name: string, minimumSeconds = 1): number {
  const ms = durationMs(value)
  if (ms === undefined) {
    throw new ArgumentError(name, `must be a duration like '15s', '30m', '24h' or '90d', or a number of whole seconds`)
  }
  if (ms < minimumSeconds * 1000 || ms > MAX_MS) {
    throw new ArgumentError(name, `must be between ${minimumSeconds === 0 ? 'zero' : `${minimumSeconds}s`} and 36500d`)
  }
  return ms
}

/** Whether less than `spanMs` has passed. False when the clock was set back, since the age is then unknown. */
export function isWithin(sinceMs: number, nowMs: number, spanMs: number): boolean {
  return nowMs >= sinceMs && nowMs - sinceMs < spanMs
}

const START_MS = Date.now()

/**
 * An instant counted from the start of the process. Rounded down, V8 keeps it in the entry of a cache; an instant that
 * counts from 1970 is an object of its own.
 */
export function sinceStart(ms: number): number {
  return ms - START_MS
}

function durationMs(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value * 1000 : undefined
  const match = typeof value === 'string' ? DURATION.exec(value) : null
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : undefined
}

/** The duration that {@link parseDuration} reads as so many milliseconds, in the largest unit that tells it whole. */
export function formatDuration(ms: number): string {
  const unit = (['d', 'h', 'm'] as const).find((one) => ms % UNIT_MS[one] === 0) ?? 's'
  return `${ms / UNIT_MS[unit]}${unit}`
}

/** A span of time for people, in its largest unit: `42 s`, `5 min`, `3 h`, `90 days`. */
export function formatSpan(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}
