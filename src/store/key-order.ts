import type { KeyOrder, KeyPlace } from './contract.js'

/** The last millisecond of the year 9999, as far as a date is written with four digits. */
export const LAST_INSTANT = 253_402_300_799_999

export const NEWEST_FIRST: KeyOrder = { by: 'createdAt', descending: true }

/** How much of a name counts for the order: names of hand-written SQL may be of any length, and a cursor holds this. */
export const NAME_LENGTH = 256

/** What names are compared by. The same in JavaScript, SQLite and PostgreSQL, whatever their locale. */
export function nameForOrder(name: string | null): string {
  return Array.from(name ?? '')
    .slice(0, NAME_LENGTH)
    .join('')
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** The value by which a key is sorted. What is `null` has the value of the earliest, the latest or the first. */
export function placeOf(key: KeyPlace, by: KeyOrder['by']): number | string {
  if (by === 'name') return nameForOrder(key.name ?? null)
  if (by === 'expiresAt') return key.expiresAt ?? LAST_INSTANT
  return (by === 'lastUsedAt' ? key.lastUsedAt : key.createdAt) ?? 0
}

/** Compares two keys, as they follow each other in a list. */
export function compareKeys(a: KeyPlace, b: KeyPlace, { by, descending }: KeyOrder): number {
  const order = compare(placeOf(a, by), placeOf(b, by)) || compare(a.id, b.id)
  return descending ? -order : order
}

function compare<T extends number | string>(a: T, b: T): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a === b ? 0 : a < b ? -1 : 1
}
