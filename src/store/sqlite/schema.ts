import type { WriteLimit } from '../contract.js'
import { migrateCommand } from '../migrate-command.js'
import { checkCurrent, type FoundSchema, isCurrent, type NeededSchema, stepsToRun } from '../sql/schema.js'
import { checkInTime } from '../write-limit.js'
import type { SqliteDatabase } from './driver.js'
import { STEPS } from './migrations.js'
import { TRIGGERS } from './triggers.js'

/** The version that this package reads and writes. */
export const SCHEMA_VERSION = STEPS.length

const TABLES = STEPS.flatMap(({ tables }) => tables)

/** The statement that creates a trigger, letter by letter as SQLite keeps it. */
const creationOf = (trigger: string) => `CREATE TRIGGER ${trigger} ${TRIGGERS[trigger]}`

function needed(path: string): NeededSchema {
  return {
    store: `key store ${JSON.stringify(path)}`,
    version: SCHEMA_VERSION,
    parts: 'tables or triggers',
    migrateCommand: migrateCommand(`sqlite:${path}`),
  }
}

function readSchema(database: SqliteDatabase): FoundSchema {
  const found = database.prepare(`SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'trigger')`).all()
  const namesOf = (type: string) => found.filter((row) => row.type === type).map(({ name }) => String(name))
  const tables = new Set(namesOf('table').filter((table) => TABLES.includes(table)))
  // A trigger goes along with a table that is renamed: one of the right name may watch a table that nobody reads.
  const triggers = new Set(found.map(({ sql }) => sql))
  if (!tables.has('vantage_schema')) return { version: 0, tables, complete: false }
  const version = database.prepare('SELECT version FROM vantage_schema').get()?.version
  return {
    version: typeof version === 'number' ? version : 0,
    tables,
    complete: tables.size === TABLES.length && Object.keys(TRIGGERS).every((name) => triggers.has(creationOf(name))),
  }
}

/** @throws {KeyStoreError} for a schema that this package cannot work with; the message names the cure */
export function checkSchema(database: SqliteDatabase, path: string): void {
  checkCurrent(readSchema(database), needed(path))
}

/**
 * Creates the schema, or brings it up to date, or puts back what is missing. Two processes may do it at once: one waits
 * for the other, and finds nothing left to do. An up-to-date file is not written to.
 */
export function migrateSchema(database: SqliteDatabase, path: string): number {
  if (isCurrent(readSchema(database), needed(path))) return SCHEMA_VERSION
  // So that readers never wait for a writer. It is a property of the file and cannot be set within a transaction.
  database.exec('PRAGMA journal_mode = WAL')
  inTransaction(database, () => {
    const found = readSchema(database)
    if (isCurrent(found, needed(path))) return
    for (const { statements } of stepsToRun(STEPS, found)) for (const sql of statements) runStep(database, sql)
    for (const name of Object.keys(TRIGGERS)) database.exec(`DROP TRIGGER IF EXISTS ${name}; ${creationOf(name)}`)
    // Without the triggers something may have changed unseen, so every key counts as changed.
    database.exec(`
      INSERT INTO vantage_schema (one, version, feed) VALUES (1, ${SCHEMA_VERSION}, lower(hex(randomblob(16))))
        ON CONFLICT (one) DO UPDATE SET version = excluded.version;
      INSERT INTO vantage_changes (id) VALUES (NULL)`)
  })
  return SCHEMA_VERSION
}

/** SQLite cannot add a column "if not exists". */
function runStep(database: SqliteDatabase, sql: string): void {
  try {
    database.exec(sql)
  } catch (error) {
    if (!/duplicate column name/.test(String(error))) throw error
  }
}

/** Runs `write` under the write lock of the file; nothing of it remains when it throws, or when the limit has passed. */
export function inTransaction<T>(database: SqliteDatabase, write: () => T, limit?: WriteLimit): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = write()
    checkInTime(limit)
    database.exec('COMMIT')
    return result
  } catch (error) {
    try {
      database.exec('ROLLBACK')
    } catch {
      // SQLite rolls back by itself on some errors; the first error is the one to report.
    }
    throw error
  }
}
