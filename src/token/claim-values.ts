import { formatSpan } from '../core/duration.js'
import { isTime } from '../core/sign-in.js'
import { show } from './check-report.js'
import { type JsonObject, own } from './json-object.js'

// Two kinds of values that claims have, read and shown.

export function audiences(claims: JsonObject): readonly string[] | undefined {
  const aud = own(claims, 'aud')
  if (aud === undefined) return []
  if (typeof aud === 'string') return [aud]
  return Array.isArray(aud) && aud.every((entry) => typeof entry === 'string') ? aud : undefined
}

/** A claim in seconds since the epoch, NaN if it is not a time: every comparison with it fails. */
export function timeOf(claims: JsonObject, name: string): number {
  const value = own(claims, name)
  return isTime(value) ? value : Number.NaN
}

/** Its kind alone: what it says is for another check. */
export function kindOfAudience(value: unknown): string {
  if (typeof value === 'string') return 'a string'
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
    ? `${value.length} strings`
    : show(value)
}

export function kindOfTime(value: unknown): string {
  return isTime(value) ? 'a time' : show(value)
}

export function showInstant(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}

export function showTime(value: unknown, nowSeconds: number): string {
  if (!isTime(value)) return show(value)
  const instant = showInstant(value)
  const distance = formatSpan(Math.abs(value - nowSeconds))
  return value > nowSeconds ? `${instant}, in ${distance}` : `${instant}, ${distance} ago`
}
