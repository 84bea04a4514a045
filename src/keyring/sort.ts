import { ArgumentError } from '../core/argument-error.js'
import { formatChoice } from '../core/choice.js'
import type { KeyOrder, KeyPlace, ListedKey } from '../store/contract.js'
import { LAST_INSTANT, nameForOrder } from '../store/key-order.js'
import type { KeySort } from './contract.js'

const PROPERTIES = { created: 'createdAt', expires: 'expiresAt', lastUsed: 'lastUsedAt', name: 'name' } as const

const DEFAULT: KeyOrder = { by: 'createdAt', descending: true }

export const SORTS = Object.keys(PROPERTIES).flatMap((name) => [name, `-${name}`]) as readonly KeySort[]

/** @throws {ArgumentError} for what is no sort */
export function parseSort(given: unknown): KeyOrder {
  if (!(SORTS as readonly unknown[]).includes(given)) throw new ArgumentError('sort', `must be ${formatChoice(SORTS)}`)
  const [, minus, name] = /^(-?)(\w+)$/.exec(given as KeySort) ?? []
  return { by: PROPERTIES[name as keyof typeof PROPERTIES], descending: minus === '-' }
}

/** Names of stored keys may be longer than those that are given: such a cursor is still shorter. */
const MAX_CURSOR = 4096

/** Where a page ended, in an order. */
export function formatCursor(end: ListedKey, { by, descending }: KeyOrder = DEFAULT): string {
  const value = by === 'name' ? nameForOrder(end.name) : end[by]
  return encode([by, descending, end.id, end.createdAt, value])
}

/** @throws {ArgumentError} for a cursor of another order, or of nobody's making */
export function parseCursor(cursor: unknown, { by, descending }: KeyOrder = DEFAULT): KeyPlace {
  if (typeof cursor === 'string' && cursor.length <= MAX_CURSOR) {
    try {
      const [, , id, createdAt, value] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
      // Written anew, it must be the same: then it has these five values, and is of this order.
      const isSame = encode([by, descending, id, createdAt, value]) === cursor
      if (isSame && isStorable(id) && isInstant(createdAt) && isValue(value, by)) return { id, createdAt, [by]: value }
    } catch {
      // Refused below, like every other one.
    }
  }
  throw new ArgumentError('cursor', 'must be one that list() returned, with the same sort')
}

function encode(values: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url')
}

function isInstant(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LAST_INSTANT
}

/** PostgreSQL rejects a statement with this character. */
function isStorable(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0')
}

function isValue(value: unknown, by: KeyOrder['by']): boolean {
  if (value === null) return by !== 'createdAt'
  return by === 'name' ? isStorable(value) : isInstant(value)
}
