/** Where a store keeps its tables, when nothing else is asked for. */
export const DEFAULT_SCHEMA = 'public'

const MAX_BYTES = 63

/** Whether a schema of PostgreSQL can have this name. Names that begin with `pg_` are the server's own. */
export function isSchemaName(name: unknown): name is string {
  return (
    typeof name === 'string' &&
    name !== '' &&
    Buffer.byteLength(name) <= MAX_BYTES &&
    !name.includes('\0') &&
    !name.startsWith('pg_') &&
    // It stands in the bodies of our functions, which this would end.
    !name.includes(BODY_QUOTE)
  )
}

/** Begins and ends the body of a function. */
export const BODY_QUOTE = '$body$'

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Writes the schema, quoted, for each `{schema}` of a statement. */
export function inSchema(text: string, schema: string): string {
  return text.replaceAll('{schema}', () => quoteName(schema))
}

/**
 * Takes the parameter `schema` off a connection string: it is ours, and the package `pg` does not know it.
 *
 * @throws {TypeError} when it is given twice, is malformed, or is written in another way, which would mean `public`
 */
export function takeSchema(url: string): { readonly connectionString: string; readonly schema: string | undefined } {
  const [address = '', ...rest] = url.split('?')
  const parameters = rest.join('?').split('&')
  if (parameters.some(isNearMiss)) {
    throw new TypeError(
      'The connection string of a Postgres key store has a parameter that looks like schema and is not: write it schema=name',
    )
  }
  const [given, ...others] = parameters.filter(isSchema)
  if (given === undefined) return { connectionString: url, schema: undefined }
  if (others.length > 0) throw new TypeError('The connection string of a Postgres key store names two schemas')
  const query = parameters.filter((parameter) => !isSchema(parameter)).join('&')
  return { connectionString: query === '' ? address : `${address}?${query}`, schema: decode(given) }
}

function isSchema(parameter: string): boolean {
  return parameter.startsWith('schema=')
}

/** Another spelling, or what other drivers call it. */
function isNearMiss(parameter: string): boolean {
  if (isSchema(parameter)) return false
  const [written = ''] = parameter.split('=')
  const name = decodeName(written)
    .replaceAll(/[^a-z]/gi, '')
    .toLowerCase()
  return ['schema', 'currentschema', 'searchpath'].includes(name)
}

/** A name that is not percent-encoded stands as it is. */
function decodeName(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

function decode(parameter: string): string {
  try {
    return decodeURIComponent(parameter.slice('schema='.length).replaceAll('+', ' '))
  } catch {
    throw new TypeError('The schema in the connection string of a Postgres key store is not percent-encoded')
  }
}
