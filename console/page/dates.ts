import { LOCALE, texts } from './texts.js'

const DATE = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium' })
const DATE_TIME = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'short' })
const RELATIVE = new Intl.RelativeTimeFormat(LOCALE, { numeric: 'auto' })

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The day of an instant, in the reader's zone. */
export function formatDate(at: string): string {
  return DATE.format(new Date(at))
}

/** The day and the minute of an instant, in the reader's zone. */
export function formatDateTime(at: string): string {
  return DATE_TIME.format(new Date(at))
}

/** `5 minutes ago` or `in 3 days`; beyond thirty days the date. */
export function formatRelative(at: string, now: number): string {
  const distance = Date.parse(at) - now
  const size = Math.abs(distance)
  if (size < MINUTE) return RELATIVE.format(0, 'second')
  if (size < HOUR) return RELATIVE.format(Math.trunc(distance / MINUTE), 'minute')
  if (size < DAY) return RELATIVE.format(Math.trunc(distance / HOUR), 'hour')
  if (size <= 30 * DAY) return RELATIVE.format(Math.trunc(distance / DAY), 'day')
  return formatDate(at)
}

/** Whether an instant is so near that its hour counts. */
export function isNear(at: string, now: number): boolean {
  return Math.abs(Date.parse(at) - now) < 2 * DAY
}

/** The instant itself, for whoever compares it with a log: `2026-11-25 12:00:00 UTC`. */
export function formatUtc(at: string): string {
  return texts.date.utc(at.slice(0, 19).replace('T', ' '))
}
