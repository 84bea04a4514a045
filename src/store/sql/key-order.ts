import type { KeyOrder, KeyPlace } from '../contract.js'
import { LAST_INSTANT, NAME_LENGTH, placeOf } from '../key-order.js'
import type { Parameters } from './dialect.js'

/** The last use of a key of vantage_keys: that of its last day, which is one step in the primary key; the greatest is many. */
export function lastUse({ table }: Parameters, read = (expression: string) => expression): string {
  return `(SELECT ${read('u.last_used_at')} FROM ${table('vantage_usage')} u WHERE u.id = vantage_keys.id ORDER BY u.day DESC LIMIT 1)`
}

/** What keys are sorted by: never NULL, which each database sorts in its own way. */
export function orderValue(by: KeyOrder['by'], parameters: Parameters): string {
  const { instant, dialect } = parameters
  const expressions: { readonly [B in KeyOrder['by']]: () => string } = {
    createdAt: () => 'vantage_keys.created_at',
    expiresAt: () => `coalesce(vantage_keys.expires_at, ${instant(LAST_INSTANT)})`,
    lastUsedAt: () => `coalesce(${lastUse(parameters)}, ${instant(0)})`,
    name: () => `lower(${dialect.plainText(`substr(coalesce(vantage_keys.name, ''), 1, ${NAME_LENGTH})`)})`,
  }
  return expressions[by]()
}

/** The condition that a key comes after a place. */
export function comesAfter(place: KeyPlace, { by, descending }: KeyOrder, parameters: Parameters): string {
  const value = placeOf(place, by)
  // Parameters of SQLite have no number: they are written in the order of the text.
  const own = orderValue(by, parameters)
  const given = typeof value === 'string' ? parameters.value(value) : parameters.instant(value)
  return `(${own}, vantage_keys.id) ${descending ? '<' : '>'} (${given}, ${parameters.value(place.id)})`
}
