import type { KeyUsageJson } from '../../api-types.js'

/** Uses on one day (UTC). */
export type DayCount = KeyUsageJson['days'][number]

const DAY_MS = 86_400_000

/** The last `span` days (UTC), oldest first and today last, with the days that have no uses. */
export function fillDays(days: readonly DayCount[], span: number, now: number): DayCount[] {
  const counts = new Map(days.map(({ day, count }) => [day, count]))
  return Array.from({ length: span }, (_, index) => {
    const day = new Date(now - (span - 1 - index) * DAY_MS).toISOString().slice(0, 10)
    return { day, count: counts.get(day) ?? 0 }
  })
}

/** Where an axis from zero may end: an even number at or above the highest value, so that its middle is whole as well. */
export function axisEnd(highest: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(highest, 1)))
  const end = [1, 2, 4, 6, 8, 10].map((step) => step * power).find((value) => value >= highest) ?? highest
  return Math.max(end, 2)
}

/** Bars of a sparkline as one SVG path: each is a line upwards, `step` wide units apart. A day with uses is never invisible. */
export function sparkPath(values: readonly number[], step: number, height: number): string {
  const highest = Math.max(...values, 1)
  return values
    .map((value, index) => {
      if (value === 0) return ''
      const top = height - Math.max((value / highest) * height, 2)
      return `M${(index + 0.5) * step} ${height}V${Number(top.toFixed(1))}`
    })
    .join('')
}
