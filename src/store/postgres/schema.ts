import { randomUUID } from 'node:crypto'
import { KeyStoreError } from '../../core/errors.js'
import { checkCurrent, type FoundSchema, isCurrent, type NeededSchema, stepsToRun } from '../sql/schema.js'
import type { Ask, Connections } from './connections.js'
import { STEPS } from './migrations.js'
import { CHANGE_LOCK, CHANNEL, FUNCTIONS, LOCK_SPACE, MIGRATION_LOCK, TRIGGERS } from './triggers.js'

/** The version that this package reads and writes. */
export const SCHEMA_VERSION = STEPS.length

const TABLES = STEPS.flatMap(({ tables }) => tables)
const TRIGGER_NAMES = Object.values(TRIGGERS).flatMap(Object.keys)
const FUNCTION_NAMES = Object.keys(FUNCTIONS)

function needed(store: string): NeededSchema {
  return { store, version: SCHEMA_VERSION, parts: 'tables, functions or triggers' }
}

/** A trigger that is switched off counts as missing. */
async function readSchema(ask: Ask): Promise<FoundSchema> {
  const [row] = (
    await ask(
      `SELECT
        array_to_string(ARRAY(SELECT name FROM unnest($1::text[]) AS t (name)
          WHERE to_regclass(name) IS NOT NULL), ' ') AS tables,
        (SELECT count(*) FROM pg_trigger WHERE tgname::text = ANY ($2::text[]) AND tgenabled IN ('O', 'A')
          AND tgrelid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS t (name))) AS triggers,
        (SELECT count(*) FROM unnest($3::text[]) AS f (name) WHERE to_regproc(name) IS NOT NULL) AS functions`,
      [TABLES, TRIGGER_NAMES, FUNCTION_NAMES],
    )
  ).rows
  const tables = new Set((row?.tables ?? '').split(' ').filter((name) => name !== ''))
  if (!tables.has('vantage_schema')) return { version: 0, tables, complete: false }
  const version = (await ask('SELECT version FROM vantage_schema')).rows[0]?.version
  return {
    version: Number(version ?? 0),
    tables,
    complete:
      tables.size === TABLES.length &&
      Number(row?.triggers) === TRIGGER_NAMES.length &&
      Number(row?.functions) === FUNCTION_NAMES.length,
  }
}

/** @throws {KeyStoreError} for a schema that this package cannot work with; the message names the cure */
export async function checkSchema(ask: Ask, name: string): Promise<void> {
  checkCurrent(await readSchema(ask), needed(name))
}

/**
 * Creates the schema, or brings it up to date, or puts back what is missing. Two processes may do it at once: one waits
 * for the other, and finds nothing left to do. An up-to-date database is not written to, so that a role that administers
 * keys need not own the tables.
 */
export async function migrateSchema({ ask, transaction, name }: Connections): Promise<number> {
  if (isCurrent(await readSchema(ask), needed(name))) return SCHEMA_VERSION
  await transaction(async (ask) => {
    await ask(`SELECT pg_advisory_xact_lock(${LOCK_SPACE}, ${MIGRATION_LOCK})`)
    const found = await readSchema(ask)
    if (isCurrent(found, needed(name))) return
    const schema = (await ask('SELECT quote_ident(current_schema()) AS name')).rows[0]?.name
    if (!schema) throw new KeyStoreError(`The ${name} has no schema on its search_path to create tables in`)
    for (const { statements } of stepsToRun(STEPS, found)) for (const sql of statements) await ask(sql)
    await createFunctions(ask, schema)
    await createTriggers(ask)
    await ask(
      `INSERT INTO vantage_schema (version, feed) VALUES (${SCHEMA_VERSION}, $1)
        ON CONFLICT (one) DO UPDATE SET version = excluded.version`,
      [randomUUID()],
    )
    // Without the triggers something may have changed unseen, so every key counts as changed.
    await ask(`SELECT pg_advisory_xact_lock(${LOCK_SPACE}, ${CHANGE_LOCK}), pg_notify('${CHANNEL}', '')`)
    await ask('INSERT INTO vantage_changes (id) VALUES (NULL)')
  })
  return SCHEMA_VERSION
}

async function createFunctions(ask: Ask, schema: string): Promise<void> {
  for (const [name, { signature, returns, body }] of Object.entries(FUNCTIONS)) {
    await ask(`CREATE OR REPLACE FUNCTION ${name}${signature} RETURNS ${returns}
      SECURITY DEFINER SET search_path = pg_catalog, ${schema}, pg_temp AS $body$ ${body} $body$`)
    await ask(`REVOKE ALL ON FUNCTION ${name}${signature} FROM PUBLIC`)
  }
}

async function createTriggers(ask: Ask): Promise<void> {
  for (const [table, triggers] of Object.entries(TRIGGERS)) {
    for (const [name, event] of Object.entries(triggers)) {
      await ask(`DROP TRIGGER IF EXISTS ${name} ON ${table}`)
      await ask(`CREATE TRIGGER ${name} ${event}`)
    }
  }
}
