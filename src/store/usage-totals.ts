import type { DayUsage, KeyUses, StoredTotalUsage } from './contract.js'

/** Adds up uses, key by key. */
export interface UsageTotals {
  /** @param days without days of no uses */
  add(id: string, days: readonly DayUsage[]): void
  /** @param limit how many keys are told */
  result(limit: number): StoredTotalUsage
}

export function createUsageTotals(): UsageTotals {
  const counts = new Map<string, number>()
  const used: KeyUses[] = []
  return {
    add(id, days) {
      for (const { day, count } of days) counts.set(day, (counts.get(day) ?? 0) + count)
      if (days.length > 0) used.push({ id, count: sumOf(days) })
    },
    result: (limit) => ({
      days: [...counts].map(([day, count]) => ({ day, count })).sort(byDay),
      keys: used.sort((a, b) => b.count - a.count || (a.id < b.id ? -1 : 1)).slice(0, limit),
    }),
  }
}

export function sumOf(days: readonly DayUsage[]): number {
  return days.reduce((sum, { count }) => sum + count, 0)
}

export function byDay(a: DayUsage, b: DayUsage): number {
  return a.day < b.day ? -1 : 1
}
