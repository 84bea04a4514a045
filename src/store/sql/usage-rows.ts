import type { DayUsage, KeyUses, ListedKey } from '../contract.js'
import type { SqlRow } from './dialect.js'
import { fromRow, KEYS, toCount, toMilliseconds } from './tables.js'

/** A row with the columns of a key, with `last_used_at`, and with `usage` where it was asked for. */
export function toListedKey(row: SqlRow): ListedKey {
  return {
    ...fromRow(KEYS, row),
    lastUsedAt: toMilliseconds(row.last_used_at),
    ...(row.usage !== undefined && { usage: toUsage(row.usage) }),
  }
}

/** A row with `day` and `count`. */
export function toDayUsage(row: SqlRow): DayUsage {
  return { day: String(row.day), count: toCount(row.count) }
}

/** A row with `id` and `count`. */
export function toKeyUses(row: SqlRow): KeyUses {
  return { id: String(row.id), count: toCount(row.count) }
}

/** `2026-11-24 3,2026-11-25 1`, in any order. What hand-written SQL has put there besides is passed over. */
function toUsage(written: unknown): DayUsage[] {
  const entries = typeof written === 'string' ? written.split(',') : []
  return entries
    .map((entry) => /^(\d{4}-\d\d-\d\d) (\d+)$/.exec(entry))
    .flatMap((match) => (match ? [{ day: match[1] as string, count: toCount(match[2]) }] : []))
    .sort((a, b) => (a.day < b.day ? -1 : 1))
}
