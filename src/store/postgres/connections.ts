import { describeCause } from '../../core/cause.js'
import { answerWithin } from '../../core/deadline.js'
import { KeyStoreError } from '../../core/errors.js'
import type { WriteLimit } from '../contract.js'
import { checkInTime, millisecondsLeft } from '../write-limit.js'
import {
  loadPostgresDriver,
  type PooledClient,
  type PostgresClient,
  type PostgresPool,
  type PostgresResult,
  SQLSTATE,
  sqlState,
} from './driver.js'
import { describeMissingGrant } from './missing-grant.js'
import { inSchema } from './names.js'
import { describePlace, errorCode, isGarbled, type PostgresPlace } from './place.js'

/**
 * Asks one connection. `{schema}` in a statement stands for the schema of the store, quoted.
 *
 * What a statement names must not depend on the `search_path` of the session, which may be an application's own: its first
 * schema, or a temporary table, would be used in our place. So tables are written with `{schema}`, and a statement that runs
 * outside of {@link Connections.read} and {@link Connections.transaction} writes `pg_catalog` before functions, types and
 * operators.
 *
 * A connection that is used for one purpose alone keeps the statement, and the server's plan for it, under `name`, where
 * there is one.
 */
export type Ask = (text: string, values?: readonly unknown[], name?: string) => Promise<PostgresResult>

/** The connections of one store. What they throw is a {@link KeyStoreError} without anything secret. */
export interface Connections extends PostgresPlace {
  /** One statement in one round trip, on any connection of the pool and under whatever `search_path` it has. */
  ask: Ask
  /** Statements that only read, in a transaction of their own. */
  read<T>(read: (ask: Ask) => Promise<T>): Promise<T>
  /** Statements that take effect together or not at all, within the limit. `write` returns false to take them back. */
  transaction<T>(write: (ask: Ask) => Promise<T>, limit?: WriteLimit): Promise<T>
  /** As `transaction`, which may take longer where `write` says so to the server. */
  migration(write: (ask: Ask) => Promise<void>): Promise<void>
  /** A connection of its own beside the pool, not connected yet. */
  createClient(): PostgresClient
  askClient(client: PostgresClient): Ask
  /** Closes the pool, if it was opened here. */
  close(): Promise<void>
}

/** How long a statement may take that is no part of a transaction. */
export const READ_LIMIT_MS = 3000
/** How long it may take to connect, or to get a connection of the pool. */
const CONNECT_LIMIT_MS = 3000
const WRITE_LIMIT_MS = 10_000
/** How long a migration may take, once it has its locks: a trail of changes may have millions of rows. */
export const MIGRATION_LIMIT_MS = 3_600_000
const CLOSE_LIMIT_MS = 1000
const KEEP_ALIVE_AFTER_MS = 10_000
/** How many connections a store keeps that was opened by a connection string. */
export const POOL_SIZE = 2
/** What sessions are called where the connection string does not say. */
export const FALLBACK_NAME = 'vantage-auth'

// They are set for each transaction, since a proxy may refuse them as settings of the connection. The limits: so that a
// process that stops between two statements does not keep its lock for ever. The path: so that no function, operator or
// type of anybody else can stand in for the server's own, whose names are found there alone. pg_temp is named because it
// would come first otherwise.
// To compile a statement takes longer than to run any of ours, and the planner would compile where tables were never analyzed.
const settings = (limitMs: number) => `SET LOCAL search_path = pg_catalog, pg_temp;
  SET LOCAL jit = off;
  SET LOCAL statement_timeout = ${limitMs};
  SET LOCAL idle_in_transaction_session_timeout = ${limitMs}`
const beginWrite = (limitMs: number) => `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ${settings(limitMs)}`
const BEGIN_READ = `BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; ${settings(READ_LIMIT_MS)}`

const AS_TEXT = { getTypeParser: () => (value: unknown) => value }

/**
 * @param needs.administers as {@link PostgresPlace.administers}
 * @throws {TypeError} for a text that is no connection string, and without the package `pg`
 */
export function connectionsByUrl(connectionString: string, schema: string, { administers = false } = {}): Connections {
  const { Client, Pool } = loadPostgresDriver()
  if (isGarbled(connectionString)) {
    throw new TypeError(
      'The connection string of a Postgres key store has an @ behind its host: percent-encode the / ? # and @ of user, password and database',
    )
  }
  const options = {
    connectionString,
    fallback_application_name: FALLBACK_NAME,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
  }
  let probe: PostgresClient
  try {
    // This reads the text, and the files that it names. It does not connect.
    probe = new Client(options)
  } catch {
    // Without the error as its cause, which may quote the text.
    throw new TypeError(
      'The connection string of a Postgres key store is malformed, or names a file that cannot be read',
    )
  }
  // Idle ones are kept: a look-up that finds the other one in use would have to wait for a log-in.
  const pool = new Pool({ ...options, max: POOL_SIZE, idleTimeoutMillis: 0, allowExitOnIdle: true })
  // The pool replaces an idle connection that ends. Without a listener the event would end the process.
  pool.on('error', () => {})
  const place = { ...describePlace(probe, schema), administers }
  return createConnections(pool, place, () => new Client(options), true)
}

/** @throws {TypeError} for what is no pool of the package `pg` */
export function connectionsByPool(pool: PostgresPool, schema: string): Connections {
  // The class with which the pool itself makes its connections.
  const Client = pool.Client ?? loadPostgresDriver().Client
  const createClient = () => new Client(pool.options)
  let probe: PostgresClient
  try {
    probe = createClient()
  } catch {
    throw new TypeError('postgresKeyStore() cannot make a connection with the options of this pool')
  }
  const { connectionString } = pool.options as { readonly connectionString?: unknown }
  return createConnections(pool, describePlace(probe, schema, connectionString), createClient, false)
}

function createConnections(
  pool: PostgresPool,
  place: PostgresPlace,
  createClient: () => PostgresClient,
  owned: boolean,
): Connections {
  const askClient =
    (client: PostgresClient): Ask =>
    (text, values, name) =>
      client.query({
        text: inSchema(text, place.schema),
        types: AS_TEXT,
        ...(values && { values: [...values] }),
        ...(name && { name }),
      })

  async function checkOut(): Promise<PooledClient> {
    const pending = new Promise<PooledClient>((resolve, reject) => {
      // A callback and no promise: a server may end the connection in the same packet, and the error event comes before a
      // promise's reaction.
      pool.connect((error, client) => {
        if (client === undefined) return reject(error)
        client.on('error', ignoreError)
        resolve(client)
      })
    })
    try {
      return await answerWithin(CONNECT_LIMIT_MS, 'a connection', pending)
    } catch (error) {
      pending.then(giveBack, () => {})
      throw error
    }
  }

  async function use<T>(limitMs: number, work: (ask: Ask) => Promise<T>): Promise<T> {
    let client: PooledClient | undefined
    let statement = ''
    try {
      client = await checkOut()
      const ask = askClient(client)
      const asking: Ask = (text, values) => {
        statement = text
        return ask(text, values)
      }
      const result = await answerWithin(limitMs, 'the server', work(asking))
      giveBack(client)
      return result
    } catch (error) {
      // The connection is given up, so that its statement, transaction and lock end whatever went wrong.
      client?.release(true)
      throw explain(error, place, statement)
    }
  }

  function transact<T>(limitMs: number, write: (ask: Ask) => Promise<T>, limit?: WriteLimit): Promise<T> {
    return use(limitMs, async (ask) => {
      checkInTime(limit)
      await ask(beginWrite(Math.min(WRITE_LIMIT_MS, millisecondsLeft(limit))))
      const result = await write(ask)
      checkInTime(limit)
      await ask(result === false ? 'ROLLBACK' : 'COMMIT')
      return result
    })
  }

  return {
    ...place,
    createClient,
    askClient,

    ask: (text, values) => use(READ_LIMIT_MS, (ask) => ask(text, values)),

    read: (read) => use(2 * READ_LIMIT_MS, (ask) => readOver(ask, read)),

    transaction: (write, limit) => transact(2 * WRITE_LIMIT_MS, write, limit),

    migration: (write) => transact(2 * MIGRATION_LIMIT_MS, write),

    async close() {
      if (owned) await answerWithin(CLOSE_LIMIT_MS, 'the server', pool.end()).catch(() => {})
    },
  }
}

/** {@link Connections.read}, over a connection that is given. After a failure the connection has to be given up. */
export async function readOver<T>(ask: Ask, read: (ask: Ask) => Promise<T>): Promise<T> {
  await ask(BEGIN_READ)
  const result = await read(ask)
  await ask('COMMIT')
  return result
}

/** A broken connection rejects the statement, and also emits an event that would end the process without a listener. */
function ignoreError(): void {}

function giveBack(client: PooledClient): void {
  client.removeListener('error', ignoreError)
  client.release()
}

/** Ends a connection, also when its other end does not answer. */
export async function endClient(client: PostgresClient): Promise<void> {
  await answerWithin(CLOSE_LIMIT_MS, 'the server', client.end()).catch(() => {})
  client.connection?.stream?.destroy?.()
}

export async function connectClient(client: PostgresClient): Promise<void> {
  await answerWithin(CONNECT_LIMIT_MS, 'the server', client.connect())
  client.unref?.()
  client.connection?.stream?.setKeepAlive?.(true, KEEP_ALIVE_AFTER_MS)
}

/**
 * Says what went wrong, and the cure, without values of the statement and options of the connection.
 *
 * @param statement that was under way
 */
function explain(error: unknown, place: PostgresPlace, statement: string): KeyStoreError {
  if (error instanceof KeyStoreError) return error
  // Whoever logs a 503 logs its causes as well.
  const cause = Object.assign(new Error(place.describeError(error)), { code: errorCode(error) })
  return new KeyStoreError(`The ${place.name} ${describeFault(error, place, statement)}`, { cause })
}

/** What `pg` says when the server asks for a password and there is none. */
const NO_PASSWORD = /client password must be a (?:non-empty )?string/

function describeFault(error: unknown, place: PostgresPlace, statement: string): string {
  const state = sqlState(error)
  // Only where it can have no values of a statement in it.
  const said = () => place.describeError(error)
  switch (state) {
    case undefined:
      return NO_PASSWORD.test(describeCause(error))
        ? `asks for a password for ${place.role}, and there is none: put it into PGPASSWORD, PGPASSFILE or the connection string`
        : `is out of reach: ${said()}`
    case SQLSTATE.adminShutdown:
    case SQLSTATE.crashShutdown:
    case SQLSTATE.startingUp:
      return 'is out of reach: the server is stopping or starting'
    case SQLSTATE.wrongPassword:
    case SQLSTATE.notAuthorized:
    case SQLSTATE.noDatabase:
      return `refuses the login: ${place.role} cannot log in to ${place.database}: ${said()}`
    case SQLSTATE.tooManyConnections:
      return `has no connection left: ${said()}`
    case SQLSTATE.noTable:
    case SQLSTATE.noFunction:
    case SQLSTATE.noColumn:
      return `has no key schema, or only a part of one; run: ${place.migrateCommand}`
    case SQLSTATE.noPermission:
      return describeMissingGrant(String((error as Error).message), statement, place)
    case SQLSTATE.readOnly:
      return 'cannot be written: the server is a read replica, or read-only'
    case SQLSTATE.lockTimeout:
      return 'is locked by another transaction'
    case SQLSTATE.canceled:
      // Reading waits for no lock but that of a migration.
      return /^\s*SELECT/.test(statement) && !statement.includes('vantage_revoke_tokens_once')
        ? 'has not answered in time: the server is busy, or there is much to read'
        : 'is locked by another transaction, or the server is busy'
    default:
      return `failed with SQLSTATE ${state}`
  }
}
