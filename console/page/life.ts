/** What can be chosen as the life of a key; `null` is a key without an end. */
export type Life = string | null

const DAYS_IN_YEAR = 365
const DAY_MS = 86_400_000
const CHOICES = ['30d', '90d', '180d', '365d', '730d'] as const
const HOURS = { s: 1 / 3600, m: 1 / 60, h: 1, d: 24 } as const

/**
 * What *Expires* offers, shortest first: the usual lives, the default one among them, and none at the end. Where keys may
 * have no life beyond an end, longer ones are left out: `null` is that end then.
 *
 * @param longestMs from now to that end, in milliseconds
 */
export function lifeChoices(defaultLife: Life, longestMs = Number.POSITIVE_INFINITY): readonly Life[] {
  const lives = new Set<string>(CHOICES)
  if (defaultLife !== null) lives.add(defaultLife)
  const allowed = [...lives].filter((life) => daysOf(life) * DAY_MS <= longestMs)
  return [...allowed.sort((a, b) => daysOf(a) - daysOf(b)), null]
}

/** A duration as the API writes it, such as `365d`, in days. */
export function daysOf(life: string): number {
  const unit = life.slice(-1) as keyof typeof HOURS
  return (Number(life.slice(0, -1)) * (HOURS[unit] ?? Number.NaN)) / 24
}

/** Whether a key lives longer than keys should without being replaced. */
export function isLong(life: Life): boolean {
  return life === null || daysOf(life) > DAYS_IN_YEAR
}
