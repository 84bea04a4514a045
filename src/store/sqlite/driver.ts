import { createRequire } from 'node:module'
import { DriverMissingError } from '../driver-missing.js'

/** The value of a column, or of a parameter, as both drivers pass it. */
export type SqliteValue = string | number | null

export type SqliteRow = Record<string, SqliteValue>

export interface SqliteStatement {
  get(...parameters: SqliteValue[]): SqliteRow | undefined
  all(...parameters: SqliteValue[]): SqliteRow[]
  run(...parameters: SqliteValue[]): { changes: number | bigint }
}

/** The part of a connection that both drivers have in common. */
export interface SqliteDatabase {
  exec(sql: string): void
  prepare(sql: string): SqliteStatement
  close(): void
}

export interface SqliteDriver {
  readonly name: 'node:sqlite' | 'libsql'
  /** @param location a `file:` URL, so that `mode=rw` can keep SQLite from creating the file */
  open(location: string): SqliteDatabase
}

type DatabaseClass = new (location: string) => SqliteDatabase

let loaded: SqliteDriver | undefined

/**
 * `node:sqlite` where the runtime has it (Node 22.13), else the optional peer `libsql`.
 *
 * @throws {TypeError} when there is neither
 */
export function loadSqliteDriver(): SqliteDriver {
  loaded ??= nodeSqlite() ?? libsql()
  if (loaded === undefined) {
    throw new DriverMissingError(
      'A SQLite key store needs Node 22.13 or later, or the package libsql: npm install libsql',
    )
  }
  return loaded
}

function nodeSqlite(): SqliteDriver | undefined {
  const sqlite = withoutExperimentalWarning(
    () => process.getBuiltinModule?.('node:sqlite') as { DatabaseSync: DatabaseClass } | undefined,
  )
  return sqlite && { name: 'node:sqlite', open: (location) => new sqlite.DatabaseSync(location) }
}

export function libsql(): SqliteDriver | undefined {
  let Database: DatabaseClass
  try {
    Database = createRequire(import.meta.url)('libsql') as DatabaseClass
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
  return { name: 'libsql', open: (location) => closingCompletely(new Database(location)) }
}

/**
 * libsql ends a connection only when the garbage collector has taken all of its statements, which may be never. Closing
 * writes the log into the file, so that the file is whole once its store is closed.
 */
function closingCompletely(database: SqliteDatabase): SqliteDatabase {
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => database.prepare(sql),
    close() {
      try {
        database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      } catch {
        // Another connection is at work, and will do it; or the file is no database.
      }
      database.close()
    },
  }
}

/**
 * Node 22 prints an ExperimentalWarning when `node:sqlite` is first loaded, into the log of an application that never asked
 * for it. This drops that warning alone, and puts the function back before anything else can run.
 */
function withoutExperimentalWarning<T>(load: () => T): T {
  const original = process.emitWarning
  process.emitWarning = ((...warning: Parameters<typeof process.emitWarning>) => {
    if ((warning[1] as unknown) !== 'ExperimentalWarning') Reflect.apply(original, process, warning)
  }) as typeof process.emitWarning
  try {
    return load()
  } finally {
    process.emitWarning = original
  }
}

/** SQLite's result code, without the extension bits; `undefined` for an error that SQLite did not raise. */
export function sqliteResultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  const { errcode, rawCode } = error as { errcode?: unknown; rawCode?: unknown }
  const code = errcode ?? rawCode ?? /^ConnectionFailed\(.*: (\d+)"\)$/s.exec(error.message)?.[1]
  return code === undefined || !Number.isInteger(Number(code)) ? undefined : Number(code) & 0xff
}

/** The result codes of SQLite that mean something to us. */
export const RESULT = {
  error: 1,
  busy: 5,
  locked: 6,
  readonly: 8,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  constraint: 19,
  notADatabase: 26,
} as const

// While SQLite waits for a lock it blocks the thread that serves requests, so it waits only this long at a time.
export const BUSY_TIMEOUT_MS = 10

/** Whether another connection holds the lock that was needed. */
export function isBusy(error: unknown): boolean {
  const result = sqliteResultCode(error)
  return result === RESULT.busy || result === RESULT.locked
}
