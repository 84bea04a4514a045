import { KeyStoreError } from '../../core/errors.js'
import { createBatches } from '../batches.js'
import type {
  AuditQuery,
  DayUsage,
  KeyQuery,
  ListedKey,
  StoredAuditEntry,
  StoredKey,
  StoredTotalUsage,
  TotalUsageQuery,
  UsageIncrement,
} from '../contract.js'
import { isSameKey } from '../same-key.js'
import { HINT_START, readSearch } from '../search.js'
import type { Dialect, Parameters, Statement } from '../sql/dialect.js'
import * as statements from '../sql/statements.js'
import { AUDIT, fromRow, isStill, KEYS, selectList, toCount } from '../sql/tables.js'
import { toDayUsage, toKeyUses, toListedKey } from '../sql/usage-rows.js'
import type { Ask } from './connections.js'
import { type PostgresResult, type PostgresRow, SQLSTATE, sqlState } from './driver.js'

// Each statement is safe under any search path, since look-ups run outside of a transaction: one round trip.
export const DIALECT: Dialect = {
  table: (name) => `{schema}.${name}`,
  parameter: (number) => `$${number}`,
  instantParameter: (number) => `$${number}::pg_catalog.timestamptz`,
  // As text: the driver would write a Date in the time zone of the process.
  instantValue: toInstant,
  notAfterNow: (parameter) => `LEAST(${parameter}, pg_catalog.now())`,
  readInstant,
  dayParameter: (number) => `$${number}::pg_catalog.date`,
  readDay: (expression) => `pg_catalog.to_char(${expression}, 'YYYY-MM-DD')`,
  plainText: (expression) => `${expression} COLLATE pg_catalog."C"`,
  joinTexts: (expression) => `pg_catalog.string_agg(${expression}, ',')`,
}

/**
 * As a whole number: a timestamp's text depends on the time zone and the date style of the session. Of the instants that
 * are no number, `infinity` and `-infinity`, the text does not.
 */
export function readInstant(expression: string): string {
  return `CASE WHEN pg_catalog.isfinite(${expression})
    THEN pg_catalog.round(EXTRACT(epoch FROM ${expression}) OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8::pg_catalog.text
    ELSE ${expression}::pg_catalog.text END`
}

const FIND = `SELECT ${selectList(KEYS, DIALECT)} FROM ${DIALECT.table(KEYS.name)}
  WHERE id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])`

/** @param maxStatements how many may be under way at a time */
export function createFinder(ask: Ask, maxStatements: number): (id: string) => Promise<StoredKey | undefined> {
  return createBatches(async (ids: readonly string[]) => {
    const { rows } = await ask(FIND, [ids])
    const keys = new Map(rows.map((row) => [row.id, row]))
    return (id) => {
      const row = keys.get(id)
      return row && fromRow(KEYS, row)
    }
  }, maxStatements)
}

/** Rejects when the id exists. */
export async function insertKey(ask: Ask, key: StoredKey): Promise<void> {
  try {
    await run(ask, statements.insertKey(key, DIALECT))
  } catch (error) {
    const state = sqlState(error)
    if (state === SQLSTATE.uniqueViolation) throw new KeyStoreError('A key with this id exists')
    // Classes of the SQL standard: a value that its type, or a check of the schema, does not admit.
    if (state?.startsWith('22') || state?.startsWith('23')) {
      throw new KeyStoreError('The key holds a value that the store does not accept')
    }
    throw error
  }
}

/** @returns false when the stored row is no longer as `current` says; what was written has to be taken back then */
export async function updateKey(
  ask: Ask,
  current: StoredKey,
  next: StoredKey,
  successor: StoredKey | undefined,
  editor: string | null | undefined,
): Promise<boolean> {
  const [row] = (
    await ask(`SELECT ${selectList(KEYS, DIALECT)} FROM ${DIALECT.table(KEYS.name)} WHERE id = $1`, [current.id])
  ).rows
  if (row === undefined || !isSameKey(fromRow(KEYS, row), current)) return false
  // The successor first: the audit trail tells a rotation from a change by hand by it.
  if (successor) await insertKey(ask, successor)
  const update = statements.updateKey(
    current,
    next,
    DIALECT,
    editor,
    // The row is not locked by the read, which would come before the lock that all changes take: a deadlock. By values, and
    // not by the version of the row: somebody who writes it again and again without a change must not hold a revocation up.
    (parameters) => isStill(KEYS, row, DIALECT, parameters),
  )
  return update === undefined || (await run(ask, update)).rowCount === 1
}

export async function listKeys(ask: Ask, query: KeyQuery): Promise<ListedKey[]> {
  const { search } = query
  const isFound = search === undefined ? undefined : (parameters: Parameters) => contains(search, parameters)
  try {
    return (await readAll(ask, statements.listKeys(query, DIALECT, isFound))).map(toListedKey)
  } catch (error) {
    // The encoding of the database lacks a character of the search, so that no name can have it.
    if (isFound && sqlState(error) === SQLSTATE.untranslatable) return []
    throw error
  }
}

/** One text to search. No search holds a line break, so that none is found across two of the three. */
const SEARCHED = `(coalesce(name, '') || '\n' || subject || '\n${HINT_START}' || environment || '_' || id)`

function contains(search: string, { value }: Parameters): string {
  const { text, folded } = readSearch(search)
  // In the collation C lower() knows ASCII alone, whatever the locale. replace() and not translate(), for which a character is
  // a byte where a database has no encoding.
  const searched = folded.reduce(
    (written, [form, as]) => `pg_catalog.replace(${written}, ${value(form)}, ${value(as)})`,
    `pg_catalog.lower(${SEARCHED} COLLATE pg_catalog."C")`,
  )
  return `pg_catalog.strpos(${searched}, ${value(text)}) > 0`
}

export async function readTotalUsage(ask: Ask, query: TotalUsageQuery): Promise<StoredTotalUsage> {
  return {
    days: (await readAll(ask, statements.usesByDay(query, DIALECT))).map(toDayUsage),
    keys: (await readAll(ask, statements.usesByKey(query, DIALECT))).map(toKeyUses),
  }
}

export async function addUsage(ask: Ask, increments: readonly UsageIncrement[]): Promise<void> {
  await ask('SELECT {schema}.vantage_add_usage($1::text[], $2::date[], $3::bigint[], $4::timestamptz[])', [
    increments.map(({ id }) => id),
    increments.map(({ day }) => day),
    increments.map(({ count }) => count),
    increments.map(({ lastUsedAt }) => toInstant(lastUsedAt)),
  ])
}

export async function readUsage(
  ask: Ask,
  id: string,
  sinceDay: string,
): Promise<{ readonly total: number; readonly days: readonly DayUsage[] }> {
  const { rows } = await ask(
    `SELECT to_char(day, 'YYYY-MM-DD') AS day, count, day >= $2::date AS asked FROM {schema}.vantage_usage
      WHERE id = $1 AND day BETWEEN '1970-01-01' AND '9999-12-31' ORDER BY vantage_usage.day`,
    [id, sinceDay],
  )
  const days = rows.map((row) => ({ day: String(row.day), count: toCount(row.count), asked: row.asked === 't' }))
  return {
    total: toCount(days.reduce((sum, { count }) => sum + count, 0)),
    days: days.filter(({ asked }) => asked).map(({ day, count }) => ({ day, count })),
  }
}

export async function firstUses(ask: Ask, sinceDay: string, limit: number): Promise<string[]> {
  const rows = await readAll(ask, statements.firstUses(sinceDay, limit, DIALECT))
  return rows.map(({ id }) => String(id))
}

export async function readAudit(ask: Ask, query: AuditQuery): Promise<StoredAuditEntry[]> {
  const rows = await readAll(ask, statements.readAudit(query, DIALECT))
  return rows.map((row) => fromRow(AUDIT, row))
}

export function run(ask: Ask, { text, values }: Statement): Promise<PostgresResult> {
  return ask(text, values)
}

export async function readAll(ask: Ask, statement: Statement): Promise<PostgresRow[]> {
  return (await run(ask, statement)).rows
}

export function toInstant(ms: number): string {
  return new Date(ms).toISOString()
}
