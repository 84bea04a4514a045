import { migrateCommand } from '../migrate-command.js'
import type { PostgresClient } from './driver.js'
import { DEFAULT_SCHEMA } from './names.js'

/** Where a store is, as messages tell it. Nothing of it is a password. */
export interface PostgresPlace {
  /** `postgres://role@host:port/database`, with `?schema=` where it is not `public`. */
  readonly url: string
  /** What messages call the store: `Postgres key store at db.example:5432 (database "keys", role "service")`. */
  readonly name: string
  /** Quoted, for messages: `role "service"`. */
  readonly role: string
  /** For messages: `database "keys" at db.example:5432`. */
  readonly database: string
  /** The role as it is; `undefined` when it is not known. */
  readonly user: string | undefined
  /** The schema of the tables, unquoted. */
  readonly schema: string
  /** The command that creates the schema, without a role: few services may. */
  readonly migrateCommand: string
  /** A message of the server or the driver without the password of the connection. */
  withoutPassword(message: string): string
}

const LONGEST_PART = 255

/**
 * @param client a connection that is not connected: it has read the connection string, or a pool's options, and the
 *   variables of `pg`
 * @param connectionString what it read it from, if anything
 */
export function describePlace(client: PostgresClient, schema: string, connectionString?: unknown): PostgresPlace {
  const known: Partial<PostgresClient> =
    typeof connectionString === 'string' && isGarbled(connectionString) ? {} : client
  const text = (value: unknown) =>
    value === undefined || value === null || value === '' ? undefined : String(value).slice(0, LONGEST_PART)
  // What follows a colon in the name of a role is a password whose colon was percent-encoded by mistake.
  const user = text(known.user)?.split(':')[0] || undefined
  const database = text(known.database)
  const host = text(known.host)
  // The folder of a Unix socket is left out.
  const isSocket = host === undefined || host.startsWith('/')
  const address = isSocket ? '' : `${host.includes(':') ? `[${host}]` : encode(host)}:${text(known.port) ?? '5432'}`
  const path = `${address}/${database === undefined ? '' : encode(database)}`
  const query = schema === DEFAULT_SCHEMA ? '' : `?schema=${encode(schema)}`
  const url = `postgres://${user === undefined ? '' : `${encode(user)}@`}${path}${query}`
  const details = [database && `database ${JSON.stringify(database)}`, user && `role ${JSON.stringify(user)}`]
    .filter(Boolean)
    .join(', ')
  const named = (what: string, value: string | undefined) =>
    value === undefined ? `the ${what}` : `${what} ${JSON.stringify(value)}`
  return {
    url,
    name: `Postgres key store${isSocket ? '' : ` at ${address}`}${details === '' ? '' : ` (${details})`}`,
    role: named('role', user),
    database: `${named('database', database)}${isSocket ? '' : ` at ${address}`}`,
    user,
    schema,
    migrateCommand: migrateCommand(`postgres://${path}${query}`),
    withoutPassword: (message) => hide(client.password, message),
  }
}

/**
 * Whether a connection string has an @ where a password that is not percent-encoded puts it: the driver then takes a part of
 * the password for the host, the port or the database.
 */
export function isGarbled(connectionString: string): boolean {
  const [, authority = '', rest = ''] = /^[a-z]+:\/\/([^/?#]*)(.*)$/is.exec(connectionString) ?? []
  const named = authority.includes('@') || !authority.includes(':') ? '[a-z_]+' : 'user|password'
  const withoutValues = rest.replace(new RegExp(`([?&](?:${named})=)[^&#]*`, 'gi'), '$1')
  return withoutValues.includes('@')
}

/** Also the quote, which a shell would take. */
function encode(text: string): string {
  // By way of bytes, which half a surrogate pair does not survive.
  return encodeURIComponent(Buffer.from(text).toString()).replaceAll("'", '%27')
}

/** A shorter password stands in words that have nothing to do with it. */
const SHORTEST_PASSWORD = 3

function hide(password: unknown, message: string): string {
  if (typeof password !== 'string' || password.length < SHORTEST_PASSWORD) return message
  const written = [password, encode(password)]
  return written.reduce((shown, secret) => shown.replaceAll(secret, '…'), message)
}
