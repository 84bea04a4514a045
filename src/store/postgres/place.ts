import { isIP } from 'node:net'
import { describeCause } from '../../core/cause.js'
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
  /** Whether the role should have the grants of an administrator. Where it is not known, messages name the fewest that do. */
  readonly administers: boolean
  /** The command that creates the schema, without a role: few services may. */
  readonly migrateCommand: string
  /** What the server or the driver says, without the password of the connection. */
  describeError(error: unknown): string
}

const LONGEST_PART = 255

// What is not of these forms may be a connection string, or a part of one with its password, in the wrong place. It is left
// out. Roles of clouds are e-mail addresses.
const ROLE = /^[\p{L}\p{M}\p{N}_.$@' +-]+$/u
const DATABASE = /^[\p{L}\p{M}\p{N}_.$' +-]+$/u
const HOST = /^[\p{L}\p{M}\p{N}_.-]+$/u

/**
 * @param client a connection that is not connected: it has read the connection string, or a pool's options, and the
 *   variables of `pg`
 * @param connectionString what it read it from, if anything
 */
export function describePlace(client: PostgresClient, schema: string, connectionString?: unknown): PostgresPlace {
  const garbled = typeof connectionString === 'string' && isGarbled(connectionString)
  const known: Partial<PostgresClient> = garbled ? {} : client
  const text = (value: unknown) =>
    value === undefined || value === null || value === '' ? undefined : String(value).slice(0, LONGEST_PART)
  const only = (allowed: RegExp, value: string | undefined) =>
    value !== undefined && allowed.test(value) ? value : undefined
  const given = { user: text(known.user), database: text(known.database), host: text(known.host) }
  // What follows a colon in the name of a role is a password whose colon was percent-encoded by mistake.
  const user = only(ROLE, given.user?.split(':')[0])
  // The driver takes the role for the database where none is named.
  const database = given.database === given.user ? only(DATABASE, user) : only(DATABASE, given.database)
  const bare = given.host?.replace(/^\[(.*)\]$/s, '$1')
  // The folder of a Unix socket is left out.
  const isSocket = bare === undefined || bare.startsWith('/')
  const host = isSocket || isIP(bare) !== 0 ? bare : only(HOST, bare)
  const isWithheld =
    garbled || user !== given.user || host !== bare || (database !== given.database && user !== given.database)
  const address =
    isSocket || host === undefined
      ? ''
      : `${host.includes(':') ? `[${host}]` : encode(host)}:${text(known.port) ?? '5432'}`
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
    name: `Postgres key store${address === '' ? '' : ` at ${address}`}${details === '' ? '' : ` (${details})`}`,
    role: named('role', user),
    database: `${named('database', database)}${address === '' ? '' : ` at ${address}`}`,
    user,
    schema,
    administers: false,
    migrateCommand: migrateCommand(`postgres://${path}${query}`),
    describeError: (error) => (isWithheld ? withholdMessage(error) : hide(client.password, describeCause(error))),
  }
}

/** Parameters of a connection string whose values may have an @. Others may be a part of a password. */
const PARAMETERS = 'user|password|host|schema|options|application_name|fallback_application_name|ssl[a-z]+'

/**
 * Whether a connection string has an @ where a password that is not percent-encoded puts it: the driver then takes a part of
 * the password for the host, the port or the database.
 */
export function isGarbled(connectionString: string): boolean {
  const [, authority = '', rest = ''] = /^[a-z]+:\/\/([^/?#]*)(.*)$/is.exec(connectionString) ?? []
  const named = authority.includes('@') || !authority.includes(':') ? PARAMETERS : 'user|password'
  const withoutValues = rest.replace(new RegExp(`([?&](?:${named})=)[^&#]*`, 'gi'), '$1')
  return withoutValues.includes('@')
}

/** Also the quote, which a shell would take. */
function encode(text: string): string {
  // By way of bytes, which half a surrogate pair does not survive.
  return encodeURIComponent(Buffer.from(text).toString()).replaceAll("'", '%27')
}

/** Servers and drivers quote role, host and database, and cut them, so that a search for what is secret may miss it. */
function withholdMessage(error: unknown): string {
  const code = errorCode(error) ?? 'an error'
  return `${code} (its message is not shown: host, database or role look like a connection string, or hold a part of one)`
}

/** The code of a server, Node or a driver. Of anything else nobody knows what it holds. */
export function errorCode(error: unknown): string | undefined {
  try {
    const { code } = (error ?? {}) as { code?: unknown }
    return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : undefined
  } catch {
    return undefined
  }
}

/** A shorter password stands in words that have nothing to do with it. */
const SHORTEST_PASSWORD = 3

function hide(password: unknown, message: string): string {
  if (typeof password !== 'string' || password.length < SHORTEST_PASSWORD) return message
  const written = [password, encode(password)]
  return written.reduce((shown, secret) => shown.replaceAll(secret, '…'), message)
}
