import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  loadSqliteDriver,
  type SqliteDatabase,
  type SqliteDriver,
  type SqliteRow,
  type SqliteStatement,
  type SqliteValue,
} from '../../src/store/sqlite/driver.js'

/** A folder of its own for one test; the caller removes it. */
export function temporaryFolder(): { readonly path: (name: string) => string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-'))
  return {
    path: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/**
 * Hand-written SQL: a connection that knows nothing of the stores, as an administrator's shell has it.
 *
 * @param driver that of the store: two copies of SQLite in one process drop each other's locks, and damage the file
 */
export function sql(path: string, statements: string, driver = loadSqliteDriver()): void {
  const database = driver.open(pathToFileURL(path).href)
  try {
    database.exec('PRAGMA busy_timeout = 5000')
    database.exec(statements)
  } finally {
    database.close()
  }
}

export function rows(path: string, query: string): SqliteRow[] {
  const database = loadSqliteDriver().open(`${pathToFileURL(path).href}?mode=rw`)
  try {
    return database.prepare(query).all()
  } finally {
    database.close()
  }
}

/** The driver, which tells of each statement that it has run, also where that failed, and over which connection. */
export function observedDriver(tell: (text: string, database: SqliteDatabase) => void): SqliteDriver {
  const driver = loadSqliteDriver()

  function observe(text: string, database: SqliteDatabase): SqliteStatement {
    const statement = database.prepare(text)
    const observed =
      <Result>(operate: (...values: SqliteValue[]) => Result) =>
      (...values: SqliteValue[]) => {
        try {
          return operate(...values)
        } finally {
          tell(text, database)
        }
      }
    return {
      get: observed((...values) => statement.get(...values)),
      all: observed((...values) => statement.all(...values)),
      run: observed((...values) => statement.run(...values)),
    }
  }

  return {
    ...driver,
    open(location) {
      const database = driver.open(location)
      return {
        exec: (text) => database.exec(text),
        prepare: (text) => observe(text, database),
        close: () => database.close(),
      }
    },
  }
}
