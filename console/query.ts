import { ArgumentError } from '../src/core/argument-error.js'

/** How the text of a query becomes a value. */
type Reader = (text: string, name: string) => unknown

const text: Reader = (given) => given

const whole: Reader = (given, name) => {
  if (!/^(?:0|[1-9]\d{0,8})$/.test(given)) throw new ArgumentError(name, 'must be a whole number, in digits alone')
  return Number(given)
}

const either: Reader = (given, name) => {
  if (given !== 'true' && given !== 'false') throw new ArgumentError(name, 'must be true or false')
  return given === 'true'
}

/** Names that a route takes in its query, and how each is read. */
export type QueryNames = Readonly<Record<string, Reader>>

export const NO_QUERY: QueryNames = {}
export const DAYS_QUERY: QueryNames = { days: whole }
export const AUDIT_QUERY: QueryNames = { id: text, cursor: text, limit: whole }
/** Those of `keyring.list()`. */
export const LIST_QUERY: QueryNames = {
  subject: text,
  tenant: text,
  state: text,
  unusedFor: text,
  expiringWithin: text,
  olderThan: text,
  supersededInUse: either,
  search: text,
  sort: text,
  usage: whole,
  cursor: text,
  limit: whole,
}

/**
 * Reads a query, as HTML forms write it.
 *
 * @throws {ArgumentError} for a name that the route does not take, one that comes twice, and a value that cannot be read
 */
export function parseQuery(query: string, names: QueryNames): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name, value] = decodePair(pair)
    const read = Object.hasOwn(names, name) ? names[name] : undefined
    if (read === undefined) {
      const known = Object.keys(names).join(', ')
      throw new ArgumentError('The query', known === '' ? 'must be empty' : `must have no other names than ${known}`)
    }
    if (Object.hasOwn(values, name)) throw new ArgumentError(name, 'must be given once')
    values[name] = read(value, name)
  }
  return values
}

/** `URLSearchParams` would put something else where the encoding is wrong. */
function decodePair(pair: string): [name: string, value: string] {
  const equals = pair.indexOf('=')
  const parts = equals === -1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
  try {
    const [name = '', value = ''] = parts.map((part) => decodeURIComponent(part.replaceAll('+', ' ')))
    return [name, value]
  } catch {
    throw new ArgumentError('The query', 'must be percent-encoded UTF-8')
  }
}
