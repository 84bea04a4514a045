import { ArgumentError } from '../core/argument-error.js'
import { formatChoice } from '../core/choice.js'
import { formatGiven } from '../core/given.js'

/** One value, and the name of the option or variable that it came from. */
export interface Setting {
  readonly value: unknown
  readonly name: string
  readonly fromEnvironment: boolean
}

export function optionSetting(value: unknown, name: string): Setting {
  return { value, name, fromEnvironment: false }
}

/**
 * Reads each option once, so that what was checked is what is used, whatever a getter or a proxy answers later.
 *
 * @param what what the message calls an option
 * @param cureOf says of an unknown one where it belongs
 * @throws {TypeError} for an unknown one, and for one that is inherited: it would be in force or not by accident
 */
export function readOptions<Name extends string>(
  given: unknown,
  names: readonly Name[],
  what: string,
  cureOf?: (unknown: string) => string | undefined,
): { readonly [N in Name]: unknown } {
  if (!isRecord(given))
    throw new TypeError(`${what.replace(/\boption\b/, 'options')} must be an object with ${names.join(', ')}`)
  for (const name of Object.keys(given))
    if (!(names as readonly string[]).includes(name)) reject(name, names, what, cureOf)
  const values = {} as Record<Name, unknown>
  for (const name of names) {
    if (name in given && !Object.hasOwn(given, name)) {
      throw new TypeError(`${what} ${name} is inherited; give it as a property of the object itself`)
    }
    values[name] = given[name]
  }
  return values
}

/** Most unknown options are misspelt ones. */
function reject(
  name: string,
  names: readonly string[],
  what: string,
  cureOf: ((unknown: string) => string | undefined) | undefined,
): never {
  const near = names.find((candidate) => candidate.toLowerCase() === name.toLowerCase())
  const cure = near ? `did you mean ${near}?` : (cureOf?.(name) ?? `there are ${names.join(', ')}`)
  throw new TypeError(`unknown ${what} ${near ? JSON.stringify(name) : formatGiven(name)}; ${cure}`)
}

export interface Range {
  readonly min: number
  readonly max: number
}

export function checkNumber(value: unknown, name: string, { min, max }: Range): number {
  if (typeof value === 'number' && value >= min && value <= max) return value
  throw new ArgumentError(name, `must be a number from ${min} to ${max}`)
}

export function checkInteger(value: unknown, name: string, { min, max }: Range): number {
  const checked = checkNumber(value, name, { min, max })
  if (!Number.isInteger(checked)) throw new ArgumentError(name, `must be a whole number from ${min} to ${max}`)
  return checked
}

export function checkOneOf<T extends string>({ value, name }: Setting, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value)
  if (found === undefined) throw new ArgumentError(name, `must be ${formatChoice(allowed.map((text) => `"${text}"`))}`)
  return found
}

/** A string, or a list of them; in a variable separated by commas or spaces. */
export function checkStrings({ value, name, fromEnvironment }: Setting): readonly string[] {
  const list = typeof value === 'string' ? (fromEnvironment ? splitList(value) : [value]) : value
  const copy = Array.isArray(list) ? [...list] : []
  if (copy.length === 0 || !copy.every((entry) => typeof entry === 'string' && entry !== '')) {
    throw new ArgumentError(name, 'must be a string, or a list of strings with one entry at least, none of them empty')
  }
  return Object.freeze(copy)
}

/** `true` or `false`; in a variable also `1` or `0`. */
export function checkFlag({ value, name, fromEnvironment }: Setting): boolean {
  if (fromEnvironment ? value === 'true' || value === '1' : value === true) return true
  if (fromEnvironment ? value === 'false' || value === '0' : value === false) return false
  throw new ArgumentError(name, fromEnvironment ? 'must be true, 1, false or 0' : 'must be true or false')
}

/** It checks only that it is a function. Whoever calls it has to check what it answers. */
export function checkFunction<T>(value: unknown, name: string): T {
  if (typeof value === 'function') return value as T
  throw new ArgumentError(name, 'must be a function')
}

/** The last instant of a Date. */
const MAX_INSTANT = 8.64e15

/** A clock that answers NaN would make every credential last for ever, since no comparison with NaN is true. */
export function checkClock({ value, name }: Setting): () => number {
  const given = checkFunction<() => unknown>(value, name)
  return () => {
    let now: unknown
    try {
      now = given()
    } catch (cause) {
      throw new Error('the clock option threw', { cause })
    }
    if (typeof now === 'number' && now >= 0 && now <= MAX_INSTANT) return now
    throw new TypeError('the clock option must answer milliseconds since the epoch')
  }
}

export function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter((entry) => entry !== '')
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The names of a table that is written as a literal: it has the ones that its type says, and no others. */
export function namesOf<Table extends object>(table: Table): (keyof Table & string)[] {
  return Object.keys(table) as (keyof Table & string)[]
}
