import { randomUUID } from 'node:crypto'
import { checkCurrent, type FoundSchema, isCurrent, type NeededSchema, stepsToRun } from '../sql/schema.js'
import { type Ask, type Connections, MIGRATION_LIMIT_MS } from './connections.js'
import { SQLSTATE } from './driver.js'
import { CREATE_SCHEMA_TABLE, creationOf, STEPS, TABLES } from './migrations.js'
import { BODY_QUOTE } from './names.js'
import { type FoundObjects, refuseForeignObjects, warnOfOthers } from './ownership.js'
import { LOCK_CHANGES } from './stored-function.js'
import { CHANNEL, COUNT_ROOMS, FUNCTIONS, SIGNATURES, TRIGGER_NAMES, TRIGGERS } from './triggers.js'

/** The version that this package reads and writes. */
export const SCHEMA_VERSION = STEPS.length

const TRIGGERED_TABLES = Object.entries(TRIGGERS).flatMap(([table, triggers]) => Object.keys(triggers).map(() => table))

/** A table that is altered waits for its readers, and new readers wait behind it: shorter than they have patience. */
const LOCK_LIMIT_MS = 2000
const MIGRATION_ATTEMPTS = 5

/** A store, as far as its schema is concerned. */
type Place = Pick<Connections, 'name' | 'schema' | 'migrateCommand'>

function needed({ name, migrateCommand }: Place): NeededSchema {
  return { store: name, version: SCHEMA_VERSION, parts: 'tables, functions or triggers', migrateCommand }
}

/**
 * A trigger that is switched off, or that does not fire for each session, counts as missing.
 *
 * @param judge is called before a table is read, which nobody can exchange from then on: reading another role's view would
 *   call its functions with the rights of the reader
 */
async function readSchema(ask: Ask, { schema }: Place, judge?: () => Promise<unknown>): Promise<FoundSchema> {
  const [row] = (
    await ask(
      `SELECT
        array_to_string(ARRAY(SELECT relname FROM pg_class WHERE relnamespace = n.oid AND relname = ANY ($2)), ' ') AS tables,
        (SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
            JOIN unnest($3::text[], $4::text[]) AS ours (tab, trig) ON tab = relname AND trig = tgname
          WHERE relnamespace = n.oid AND tgenabled = 'A') AS triggers,
        (SELECT count(*) FROM pg_proc WHERE pronamespace = n.oid
          AND proname || '(' || oidvectortypes(proargtypes) || ')' = ANY ($5)) AS functions
      FROM pg_namespace n WHERE nspname = $1`,
      [schema, TABLES, TRIGGERED_TABLES, TRIGGER_NAMES, SIGNATURES],
    )
  ).rows
  const tables = new Set((row?.tables ?? '').split(' ').filter((name) => name !== ''))
  if (judge && tables.has('vantage_schema')) await ask('LOCK TABLE {schema}.vantage_schema IN ACCESS SHARE MODE')
  await judge?.()
  if (!tables.has('vantage_schema')) return { version: 0, tables, complete: false }
  const version = (await ask('SELECT version FROM {schema}.vantage_schema')).rows[0]?.version
  return {
    version: Number(version ?? 0),
    tables,
    complete:
      tables.size === TABLES.length &&
      Number(row?.triggers) === TRIGGER_NAMES.length &&
      Number(row?.functions) === SIGNATURES.length,
  }
}

/**
 * @param ask within {@link Connections.read}
 * @throws {KeyStoreError} for a schema that this package cannot work with; the message names the cure
 */
export async function checkSchema(ask: Ask, place: Place): Promise<void> {
  checkCurrent(await readSchema(ask, place), needed(place))
}

/**
 * As {@link checkSchema}, for a role that may have more rights than a service: what others have created under our names is
 * refused before it is read.
 *
 * @throws {KeyStoreError} that names what belongs to somebody else, or what is wrong with the schema
 */
export async function checkOwnSchema({ read, ...place }: Place & Pick<Connections, 'read'>): Promise<void> {
  await read(async (ask) => {
    const judge = () => refuseForeignObjects(ask, place, { onlyUsed: true })
    checkCurrent(await readSchema(ask, place, judge), needed(place))
  })
}

/**
 * Creates the schema, or brings it up to date, or puts back what is missing. Two processes may do it at once: one waits
 * for the other, and finds nothing left to do. An up-to-date database is not written to, so that a role that administers
 * keys need not own the tables.
 *
 * @throws {KeyStoreError} when tables or functions of these names are there and belong to somebody else
 */
export async function migrateSchema(connections: Connections, onNotice?: (notice: string) => void): Promise<number> {
  const { read, migration } = connections
  let foreign: readonly string[] = []
  const current = await read(async (ask) => {
    // Also where there is nothing left to do: somebody may have made all of it.
    const found = await readSchema(ask, connections, async () => {
      foreign = (await refuseForeignObjects(ask, connections, { onlyUsed: true })).foreign
    })
    return isCurrent(found, needed(connections))
  })
  if (!current) await retry(() => migration((ask) => migrate(ask, connections)))
  if (onNotice) await read((ask) => warnOfOthers(ask, connections, foreign, onNotice))
  return SCHEMA_VERSION
}

/**
 * Whoever may create objects in the schema can create them at any moment, also while this waits for a lock. So tables are
 * read and written, which may call what others have put upon them, only after all of them were locked, and then judged.
 */
async function migrate(ask: Ask, place: Place): Promise<void> {
  const before = await refuseForeignObjects(ask, place)
  await createNamespace(ask, place)
  // Nobody needs to write this table, so nobody else can take this lock. Of two that create it, one fails and tries again.
  await createUnlessFound(ask, CREATE_SCHEMA_TABLE, before)
  await ask('LOCK TABLE {schema}.vantage_schema IN EXCLUSIVE MODE')
  const found = await refuseForeignObjects(ask, place)
  const schema = await readSchema(ask, place)
  if (isCurrent(schema, needed(place))) return
  await ask(`SET LOCAL lock_timeout = ${LOCK_LIMIT_MS}`)
  const statements = stepsToRun(STEPS, schema).flatMap((step) => step.statements)
  const isTable = (statement: string) => creationOf(statement)?.kind === 'TABLE'
  for (const statement of statements.filter(isTable)) await createUnlessFound(ask, statement, found)
  await ask(LOCK_ALL)
  // From here on it waits for nobody, and what it changes may be much.
  await ask(`SET LOCAL statement_timeout = ${MIGRATION_LIMIT_MS}`)
  const locked = await refuseForeignObjects(ask, place)
  for (const statement of statements.filter((statement) => !isTable(statement))) {
    await createUnlessFound(ask, statement, locked)
  }
  await createFunctions(ask)
  await createTriggers(ask)
  await ask(
    `INSERT INTO {schema}.vantage_schema (version, feed) VALUES (${SCHEMA_VERSION}, $1)
      ON CONFLICT (one) DO UPDATE SET version = excluded.version`,
    [randomUUID()],
  )
  // Without the triggers something may have changed unseen, so every key counts as changed.
  await ask(LOCK_CHANGES)
  await ask(COUNT_TOKENS)
  await ask(`SELECT pg_notify('${CHANNEL}', '')`)
  await ask('INSERT INTO {schema}.vantage_changes (id) VALUES (NULL)')
  // Again, since a function that came meanwhile was replaced, and keeps its owner.
  await refuseForeignObjects(ask, place)
}

// No trigger can be added while it is held. Those with triggers come first, in the order in which a change locks them.
const LOCK_ALL = `LOCK TABLE ${[...new Set([...Object.keys(TRIGGERS), ...TABLES])]
  .map((table) => `{schema}.${table}`)
  .join(', ')} IN SHARE ROW EXCLUSIVE MODE`

/**
 * Runs a statement of a step. What it creates must be created here unless it was found, and so judged: IF NOT EXISTS would
 * take what somebody has created since. A plain CREATE fails then, and the migration begins anew.
 */
async function createUnlessFound(ask: Ask, statement: string, { relations }: FoundObjects): Promise<void> {
  const creation = creationOf(statement)
  if (creation === undefined) await ask(statement)
  else if (!relations.has(creation.name)) await ask(statement.replace('IF NOT EXISTS ', ''))
}

const COUNT_TOKENS = `INSERT INTO {schema}.vantage_token_counts (tokens, sessions, subjects_and_clients, events)
  SELECT ${COUNT_ROOMS}, (SELECT count(*) FROM {schema}.vantage_token_events) FROM {schema}.vantage_token_revocations
  ON CONFLICT (one) DO UPDATE SET tokens = excluded.tokens, sessions = excluded.sessions,
    subjects_and_clients = excluded.subjects_and_clients, events = excluded.events`

/** Who may create tables in a schema need not be allowed to create schemas. */
async function createNamespace(ask: Ask, { schema }: Place): Promise<void> {
  const { rows } = await ask('SELECT FROM pg_namespace WHERE nspname = $1', [schema])
  if (rows.length === 0) await ask('CREATE SCHEMA {schema}')
}

async function createFunctions(ask: Ask): Promise<void> {
  for (const [name, { signature, returns, body }] of Object.entries(FUNCTIONS)) {
    await ask(`CREATE OR REPLACE FUNCTION {schema}.${name}${signature} RETURNS ${returns}
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS ${BODY_QUOTE} ${body} ${BODY_QUOTE}`)
    await ask(`REVOKE ALL ON FUNCTION {schema}.${name}${signature} FROM PUBLIC`)
  }
}

async function createTriggers(ask: Ask): Promise<void> {
  for (const [table, triggers] of Object.entries(TRIGGERS)) {
    for (const [name, event] of Object.entries(triggers)) {
      await ask(`DROP TRIGGER IF EXISTS ${name} ON {schema}.${table}`)
      await ask(`CREATE TRIGGER ${name} ${event}`)
      await ask(`ALTER TABLE {schema}.${table} ENABLE ALWAYS TRIGGER ${name}`)
    }
  }
}

const MADE_BY_ANOTHER: readonly unknown[] = [
  SQLSTATE.uniqueViolation,
  SQLSTATE.duplicateTable,
  SQLSTATE.duplicateSchema,
  SQLSTATE.duplicateName,
  SQLSTATE.deadlock,
]

/** Again, when another process has made the same at the same moment. */
async function retry(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { code?: unknown }
      if (attempt === MIGRATION_ATTEMPTS || !MADE_BY_ANOTHER.includes(code)) throw error
    }
  }
}
