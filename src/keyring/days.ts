const DAY_MS = 86_400_000

/** The last days (UTC), oldest first, today last: `2026-11-25`. */
export function lastDays(count: number, now: number): string[] {
  return Array.from({ length: count }, (_, i) => dayOf(now - (count - 1 - i) * DAY_MS))
}

/** The first one of the last days. */
export function firstOfDays(count: number, now: number): string {
  return dayOf(now - (count - 1) * DAY_MS)
}

/** The day (UTC) of an instant. */
export function dayOf(instant: number): string {
  return new Date(instant).toISOString().slice(0, 10)
}
