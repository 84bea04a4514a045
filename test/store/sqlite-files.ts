import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadSqliteDriver, type SqliteRow } from '../../src/store/sqlite/driver.js'

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
