import { judgeChanges, type News, type Position, REVOCATION_ALIAS, toChange, toPosition } from '../sql/changes.js'
import { selectList } from '../sql/tables.js'
import { TOKEN_REVOCATIONS } from '../sql/token-revocations.js'
import type { Ask } from './connections.js'
import type { PostgresRow } from './driver.js'
import { quoteName } from './names.js'
import { DIALECT, readInstant } from './queries.js'
import { TRIGGER_NAMES, TRIGGERS } from './triggers.js'

/** More changes than this are told as a change of everything. */
const MOST_CHANGES = 5000
/** Changes that are read in the first place: a service that is up to date finds no more than this. */
const FEW_CHANGES = 100

// Both statements are one round trip, under any search path.

// How many of our triggers fire, and a number that another one takes the place of when one of them, or its function, was
// changed: also when it was switched off and on again in between.
const TRIGGER_STATE = `(
    SELECT pg_catalog.concat_ws(' ', pg_catalog.count(*), pg_catalog.hashtextextended(pg_catalog.string_agg(
      pg_catalog.concat_ws(' ', t.oid, t.xmin, p.oid, p.xmin), ',' ORDER BY t.tgname), 0))
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
    WHERE t.tgrelid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.regclass[]::pg_catalog.oid[])
      AND t.tgname OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.name[]) AND t.tgenabled OPERATOR(pg_catalog.=) 'A'
  ) AS triggers`
const SCHEMA_ROW = `(SELECT feed, pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) AS snapshot
    FROM {schema}.vantage_schema LIMIT 1)`
const ENTRIES = `SELECT seq, id, revocation, ${readInstant('at')} AS at FROM {schema}.vantage_changes`

// One statement, and so one snapshot, for the feed id and the entries: the one at the position itself, one more than is
// told, and those between. The planner takes a table that was never analyzed for a large one and compiles the statement,
// which takes far longer than running it: LIMIT 1 tells it that there is one row.
// With the revocations that they name, as they are now: each by its id, and OFFSET keeps the planner from reading all of them.
const readAfter = (most: number) => `SELECT s.*, ${TRIGGER_STATE}, c.*, told.* FROM ${SCHEMA_ROW} s
  LEFT JOIN LATERAL (${ENTRIES} WHERE seq OPERATOR(pg_catalog.>=) (SELECT $3::pg_catalog.int8)
    ORDER BY seq LIMIT ${most + 2}) c ON true
  LEFT JOIN LATERAL (SELECT ${selectList(TOKEN_REVOCATIONS, DIALECT, REVOCATION_ALIAS)}
    FROM ${DIALECT.table(TOKEN_REVOCATIONS.name)} ${REVOCATION_ALIAS}
    WHERE ${REVOCATION_ALIAS}.id OPERATOR(pg_catalog.=) c.revocation OFFSET 0) told ON true
  ORDER BY c.seq`
// To plan it takes the server several times as long as to run it, and all services of a fleet run it at the same moment. So
// the plan is kept. It has to stay good while the log grows: for few entries it is by the index, however short the log was.
// And SELECT hides the position, for which the server would make a plan each time.
const READ_FEW = readAfter(FEW_CHANGES)
const READ_MANY = readAfter(MOST_CHANGES)
const READ_NEWEST = `SELECT s.*, ${TRIGGER_STATE}, c.* FROM ${SCHEMA_ROW} s
  LEFT JOIN LATERAL (${ENTRIES} ORDER BY seq DESC LIMIT 1) c ON true`

const UNHEARD_TABLES = `SELECT DISTINCT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    JOIN unnest($2::text[], $3::text[]) AS wanted (tab, trig) ON tab = relname
  WHERE nspname = $1 AND NOT EXISTS (
    SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = trig AND tgenabled = 'A') ORDER BY relname`

/** Has the server make new plans for what it keeps: where a table was empty, the old one may read all of its rows. */
export const PLAN_AGAIN = 'DISCARD PLANS'

/** What one reading of the log of changes gives. */
export interface Reading extends Pick<News, 'missed' | 'changes'> {
  readonly position: Position
  /** Whether each of our triggers fires, so that the log tells of all changes. */
  readonly complete: boolean
  /** Another text than before when a trigger was changed in between. */
  readonly triggers: string
  /** What was committed before this snapshot was taken has been read. See `Heard`. */
  readonly snapshot: string
}

/** Reads what has changed since a position; without one, only where the log ends. */
export async function readChanges(ask: Ask, schema: string, last: Position | undefined): Promise<Reading> {
  const tables = Object.keys(TRIGGERS).map((table) => `${quoteName(schema)}.${table}`)
  const values = [tables, TRIGGER_NAMES]
  if (last === undefined) {
    const [row] = (await ask(READ_NEWEST, values)).rows
    if (row === undefined) throw new Error('the schema is gone')
    return { missed: false, changes: [], position: toPosition(String(row.feed), row), ...readState(row) }
  }
  const few = (await ask(READ_FEW, [...values, last.seq], 'vantage_read_changes')).rows
  const rows = few.length < FEW_CHANGES + 2 ? few : (await ask(READ_MANY, [...values, last.seq])).rows
  const feed = String(rows[0]?.feed)
  // An empty log is a row with a feed and no entry.
  const entries = rows.filter(({ seq }) => seq !== null).map((row) => toChange(feed, row))
  const { missed, changes, position } = judgeChanges(last, feed, entries, MOST_CHANGES)
  // Read before the changes are told: a commit in between is told twice rather than not at all.
  const end = position ?? (await readChanges(ask, schema, undefined)).position
  return { missed, changes, position: end, ...readState(rows[0]) }
}

function readState(row: PostgresRow | undefined): Pick<Reading, 'complete' | 'triggers' | 'snapshot'> {
  const { triggers, snapshot } = row ?? {}
  return {
    complete: triggers?.startsWith(`${TRIGGER_NAMES.length} `) ?? false,
    triggers: triggers ?? '',
    snapshot: snapshot ?? '0',
  }
}

/**
 * The tables of which changes are not heard.
 *
 * @param ask within `Connections.read`
 */
export async function findUnheardTables(ask: Ask, schema: string): Promise<string[]> {
  const wanted = Object.entries(TRIGGERS).flatMap(([table, triggers]) =>
    Object.keys(triggers).map((trigger) => [table, trigger] as const),
  )
  const { rows } = await ask(UNHEARD_TABLES, [schema, wanted.map(([table]) => table), wanted.map(([, name]) => name)])
  return rows.map(({ relname }) => String(relname))
}
