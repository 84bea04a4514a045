import { answerWithin } from '../../core/deadline.js'
import { KeyStoreError } from '../../core/errors.js'
import {
  loadPostgresDriver,
  type PooledClient,
  type PostgresClient,
  type PostgresPool,
  type PostgresResult,
  SQLSTATE,
  sqlState,
} from './driver.js'

/** Asks one connection. */
export type Ask = (text: string, values?: readonly unknown[]) => Promise<PostgresResult>

/** The connections of one store. What they throw is a {@link KeyStoreError} without anything secret. */
export interface Connections {
  /** Where the server is, for messages: `Postgres key store at db.example:5432`. */
  readonly name: string
  /** One statement, on any connection of the pool. */
  ask: Ask
  /** Statements that take effect together or not at all. `write` returns false to take them back. */
  transaction<T>(write: (ask: Ask) => Promise<T>): Promise<T>
  /** A connection of its own beside the pool, not connected yet. */
  createClient(): PostgresClient
  /** Closes the pool, if it was opened here. */
  close(): Promise<void>
}

/** For a connection, for a place among those of the pool, and for a read. */
export const READ_LIMIT_MS = 3000
const CONNECT_LIMIT_MS = 3000
const WRITE_LIMIT_MS = 10_000
const CLOSE_LIMIT_MS = 1000
const KEEP_ALIVE_AFTER_MS = 10_000
/** Connections of the pool that a connection string opens. */
export const POOL_SIZE = 2

// Settings of the transaction, since a proxy may refuse them as settings of the connection. A process that stops between
// two statements would keep the lock from all the others.
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
  SET LOCAL statement_timeout = ${WRITE_LIMIT_MS};
  SET LOCAL idle_in_transaction_session_timeout = ${WRITE_LIMIT_MS}`

const AS_TEXT = { getTypeParser: () => (value: unknown) => value }

export function askClient(client: PostgresClient): Ask {
  return (text, values) => client.query({ text, types: AS_TEXT, ...(values && { values: [...values] }) })
}

/** @throws {TypeError} for a text that is no connection string, and without the package `pg` */
export function connectionsByUrl(connectionString: string): Connections {
  const { Client, Pool } = loadPostgresDriver()
  const options = {
    connectionString,
    fallback_application_name: 'vantage-auth',
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
  }
  let probe: PostgresClient
  try {
    // Reads the text and the files that it names; connects to nothing.
    probe = new Client(options)
  } catch {
    // Not as the cause: it may quote the text.
    throw new TypeError(
      'The connection string of a Postgres key store is malformed, or names a file that cannot be read',
    )
  }
  const pool = new Pool({ ...options, max: POOL_SIZE, allowExitOnIdle: true })
  // An idle connection that ends is replaced when it is needed; without a listener it would end the process.
  pool.on('error', () => {})
  return createConnections(pool, probe, () => new Client(options), true)
}

/** @throws {TypeError} for what is no pool of the package `pg` */
export function connectionsByPool(pool: PostgresPool): Connections {
  // As the pool itself makes its connections.
  const Client = pool.Client ?? loadPostgresDriver().Client
  const createClient = () => new Client(pool.options)
  let probe: PostgresClient
  try {
    probe = createClient()
  } catch {
    throw new TypeError('postgresKeyStore() cannot make a connection with the options of this pool')
  }
  return createConnections(pool, probe, createClient, false)
}

function createConnections(
  pool: PostgresPool,
  { host, port }: PostgresClient,
  createClient: () => PostgresClient,
  owned: boolean,
): Connections {
  // A socket's folder is nobody's business.
  const name = host && !host.startsWith('/') ? `Postgres key store at ${host}:${port}` : 'Postgres key store'

  async function checkOut(): Promise<PooledClient> {
    const pending = new Promise<PooledClient>((resolve, reject) => {
      // By callback: a server that ends the connection in the same breath has said so before a promise is heard.
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
    try {
      client = await checkOut()
      const result = await answerWithin(limitMs, 'the server', work(askClient(client)))
      giveBack(client)
      return result
    } catch (error) {
      // Whatever went wrong, its statement, transaction or lock ends with it.
      client?.release(true)
      throw explain(error, name)
    }
  }

  return {
    name,
    createClient,

    ask: (text, values) => use(READ_LIMIT_MS, (ask) => ask(text, values)),

    transaction: (write) =>
      use(2 * WRITE_LIMIT_MS, async (ask) => {
        await ask(BEGIN)
        const result = await write(ask)
        await ask(result === false ? 'ROLLBACK' : 'COMMIT')
        return result
      }),

    async close() {
      if (owned) await answerWithin(CLOSE_LIMIT_MS, 'the server', pool.end()).catch(() => {})
    },
  }
}

/** A connection that breaks says so twice: to the statement, and as an event that would end the process. */
function ignoreError(): void {}

function giveBack(client: PooledClient): void {
  client.removeListener('error', ignoreError)
  client.release()
}

/** Ends a connection, also where nobody answers at its other end. */
export async function endClient(client: PostgresClient): Promise<void> {
  await answerWithin(CLOSE_LIMIT_MS, 'the server', client.end()).catch(() => {})
  client.connection?.stream?.destroy?.()
}

export async function connectClient(client: PostgresClient): Promise<void> {
  await answerWithin(CONNECT_LIMIT_MS, 'the server', client.connect())
  client.unref?.()
  client.connection?.stream?.setKeepAlive?.(true, KEEP_ALIVE_AFTER_MS)
}

/** What went wrong, in words that name the cure, without the values of the statement and without the connection's options. */
export function explain(error: unknown, name: string): KeyStoreError {
  if (error instanceof KeyStoreError) return error
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  const cause = Object.assign(new Error(typeof message === 'string' ? message : ''), { code })
  return new KeyStoreError(`The ${name} ${describeFault(error)}`, { cause })
}

function describeFault(error: unknown): string {
  const state = sqlState(error)
  switch (state) {
    case undefined:
      return 'is out of reach'
    case SQLSTATE.adminShutdown:
    case SQLSTATE.crashShutdown:
    case SQLSTATE.startingUp:
      return 'is out of reach: the server is stopping or starting'
    case SQLSTATE.wrongPassword:
    case SQLSTATE.notAuthorized:
      return 'refuses the login'
    case SQLSTATE.noDatabase:
      return 'is out of reach: there is no such database'
    case SQLSTATE.tooManyConnections:
      return 'has no connection left'
    case SQLSTATE.noTable:
    case SQLSTATE.noFunction:
    case SQLSTATE.noColumn:
      return 'has no key schema, or only a part of one; run: vantage-auth keys migrate'
    case SQLSTATE.noPermission:
      return 'does not permit this to the role; the README lists the grants that it needs'
    case SQLSTATE.readOnly:
      return 'cannot be written: the server is a read replica, or read-only'
    case SQLSTATE.canceled:
    case SQLSTATE.lockTimeout:
      return 'is locked by another transaction'
    default:
      return `failed with SQLSTATE ${state}`
  }
}
