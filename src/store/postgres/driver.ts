import { createRequire } from 'node:module'
import { DriverMissingError } from '../driver-missing.js'

/**
 * Column values as the text that the server wrote. No type parser of `pg` is used, since an application may have replaced
 * them.
 */
export type PostgresRow = Record<string, string | null>

export interface PostgresResult {
  readonly rows: PostgresRow[]
  readonly rowCount: number | null
}

/** The part of a connection of the package `pg` that is used here. */
export interface PostgresClient {
  connect(): Promise<unknown>
  query(statement: { text: string; values?: unknown[]; types?: unknown; name?: string }): Promise<PostgresResult>
  on(event: string, listener: (value: never) => void): unknown
  removeListener(event: string, listener: (value: never) => void): unknown
  end(): Promise<void>
  unref?(): void
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly database?: string
  /** What the pool or the connection string says; a function where the application fetches it. */
  readonly password?: unknown
  /** The socket below, to end a connection whose other end does not answer. */
  readonly connection?: { readonly stream?: { destroy?(): void; setKeepAlive?(on: boolean, afterMs: number): void } }
}

export interface PooledClient extends PostgresClient {
  /** @param destroy whether the connection is given up rather than used again */
  release(destroy?: boolean): void
}

export interface PostgresPool {
  connect(callback: (error: unknown, client?: PooledClient) => void): void
  end(): Promise<void>
  on(event: string, listener: (value: never) => void): unknown
  readonly options: object
  readonly Client?: PostgresClientClass
}

type PostgresClientClass = new (options: object) => PostgresClient

export interface PostgresDriver {
  readonly Client: PostgresClientClass
  readonly Pool: new (options: object) => PostgresPool
}

/**
 * The optional peer `pg`.
 *
 * @throws {TypeError} when it is not installed
 */
export function loadPostgresDriver(): PostgresDriver {
  try {
    return createRequire(import.meta.url)('pg') as PostgresDriver
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    throw new DriverMissingError('A Postgres key store needs the package pg: npm install pg')
  }
}

/** The SQLSTATE of an error that the server raised; `undefined` for any other error. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as object) ? code : undefined
}

/** The codes of the server that mean something to us. */
export const SQLSTATE = {
  uniqueViolation: '23505',
  untranslatable: '22P05',
  readOnly: '25006',
  wrongPassword: '28P01',
  notAuthorized: '28000',
  lockTimeout: '55P03',
  limitExceeded: '54000',
  noDatabase: '3D000',
  tooManyConnections: '53300',
  noPermission: '42501',
  deadlock: '40P01',
  duplicateTable: '42P07',
  duplicateSchema: '42P06',
  duplicateName: '42710',
  noTable: '42P01',
  noFunction: '42883',
  noColumn: '42703',
  canceled: '57014',
  adminShutdown: '57P01',
  crashShutdown: '57P02',
  startingUp: '57P03',
} as const
