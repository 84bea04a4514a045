import { KeyStoreError } from '../../core/errors.js'
import type { Ask, Connections } from './connections.js'
import { INDEXES, TABLES } from './migrations.js'
import { quoteName } from './names.js'
import { FUNCTIONS, SIGNATURES } from './triggers.js'

type Place = Pick<Connections, 'name' | 'schema'>

/** As PostgreSQL names the sequence of a column `seq`. */
const SEQUENCES = TABLES.map((table) => `${table}_seq_seq`)

// An owner is trusted who can do to us whatever he likes anyway (a superuser, the owner of the database), and one whose
// member the current role was made. That a superuser counts as a member of every role says nothing of its owner; nor does a
// membership that the owner granted himself, as every role can up to PostgreSQL 15. There CREATEROLE can grant all roles
// but superusers; from 16 on only those that it has made.
// `used` is what a store runs or reads where its schema is complete. A trigger, a default or a check on a table of ours
// counts by who owns the functions, operators and types in it: it runs them with the rights of whoever writes the table.
const FIND_OBJECTS = `
  WITH RECURSIVE powerful (oid) AS (
    SELECT oid FROM pg_roles WHERE rolsuper OR rolname IN (current_user, 'pg_database_owner')
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
  ), grantors (oid) AS (
    SELECT oid FROM powerful
    UNION SELECT oid FROM pg_roles WHERE rolcreaterole AND current_setting('server_version_num')::int < 160000
  ), groups (oid) AS (
    SELECT oid FROM pg_roles WHERE rolname = current_user
    UNION SELECT m.roleid FROM pg_auth_members m JOIN groups g ON g.oid = m.member
      WHERE m.grantor IN (SELECT oid FROM grantors)
  ), place (oid, owner) AS (
    SELECT oid, nspowner FROM pg_namespace WHERE nspname = $1
  ), tables (oid, name) AS (
    SELECT c.oid, relname::text FROM pg_class c JOIN place ON place.oid = relnamespace WHERE relname = ANY ($2)
  ), parts (class, oid, kind, name, tab) AS (
    SELECT 'pg_trigger'::regclass, oid, 'trigger', tgname::text, tgrelid FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'pg_constraint'::regclass, oid, 'constraint', conname::text, conrelid FROM pg_constraint
    UNION ALL SELECT 'pg_policy'::regclass, oid, 'policy', polname::text, polrelid FROM pg_policy
    UNION ALL SELECT 'pg_rewrite'::regclass, oid, 'rule', rulename::text, ev_class FROM pg_rewrite
    UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, 'default of', attname::text, adrelid
      FROM pg_attrdef d JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    UNION ALL SELECT 'pg_class'::regclass, c.oid, 'index', relname::text, indrelid
      FROM pg_index JOIN pg_class c ON c.oid = indexrelid
  ), found (kind, name, owner, used, misplaced) AS (
    SELECT 'schema', quote_ident($1), owner, true, false FROM place
    UNION ALL SELECT CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' ELSE 'table' END,
        relname::text, relowner, relname = ANY ($2), relname = ANY ($4) AND NOT EXISTS (
          SELECT FROM unnest($4::text[], $5::text[]) AS ours (name, tab) JOIN tables ON tables.name = ours.tab
            JOIN pg_index ON indrelid = tables.oid AND indexrelid = c.oid WHERE ours.name = relname)
      FROM pg_class c JOIN place ON place.oid = relnamespace
      WHERE relname = ANY ($2) OR relname = ANY ($3) OR relname = ANY ($4)
    UNION ALL SELECT 'function', proname::text, proowner,
        proname || '(' || oidvectortypes(proargtypes) || ')' = ANY ($7), false
      FROM pg_proc JOIN place ON place.oid = pronamespace WHERE proname = ANY ($6)
    UNION ALL SELECT 'type', typname::text, typowner, false, false
      FROM pg_type JOIN place ON place.oid = typnamespace WHERE typname = ANY ($2) AND typrelid = 0
    UNION ALL SELECT p.kind, p.name || ' on ' || t.name, coalesce(proowner, oprowner), true, false
      FROM parts p JOIN tables t ON t.oid = p.tab JOIN pg_depend d ON d.classid = p.class AND d.objid = p.oid
        LEFT JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
        LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
      WHERE o.oid IS NOT NULL OR f.oid IS NOT NULL
        -- A trigger that calls a function of ours: it is listed itself.
        AND NOT (p.kind = 'trigger' AND proname || '()' = ANY ($7) AND pronamespace IN (SELECT oid FROM place))
    UNION ALL SELECT 'type of', attname || ' on ' || t.name, typowner, true, false
      FROM tables t JOIN pg_attribute ON attrelid = t.oid AND attnum > 0 JOIN pg_type y ON y.oid = atttypid
    UNION ALL SELECT 'rule', p.name || ' on ' || t.name, NULL::oid, true, true
      FROM parts p JOIN tables t ON t.oid = p.tab WHERE p.kind = 'rule' AND p.name <> '_RETURN'
  )
  SELECT DISTINCT kind, name, rolname AS owner, used, misplaced, f.owner IS NOT NULL AND f.owner NOT IN (
      SELECT oid FROM powerful UNION SELECT oid FROM groups) AS foreign_owner
    FROM found f LEFT JOIN pg_roles r ON r.oid = f.owner ORDER BY kind DESC, name`

const RELATIONS: ReadonlySet<string> = new Set(['table', 'view', 'sequence', 'index'])

/** What in a schema has one of our names, or stands on one of our tables. */
export interface FoundObjects {
  /** The tables and indexes that are there. Where all objects were judged, each belongs to a role that is trusted. */
  readonly relations: ReadonlySet<string>
  /** What others have put there under our names, and what no store runs or reads: `function vantage_log_change of "x"`. */
  readonly foreign: readonly string[]
}

/**
 * Whoever owns a table that is there already decides what is in it, whoever owns a function what it does, and whoever owns
 * the schema can put another one in its place.
 *
 * @param onlyUsed whether what a complete schema does not use is let pass, such as an overload of a function: whoever may
 *   create objects could hold up all revocations with it otherwise
 * @throws {KeyStoreError} that names each object that belongs to somebody else, and its owner
 */
export async function refuseForeignObjects(
  ask: Ask,
  { name, schema }: Place,
  { onlyUsed = false } = {},
): Promise<FoundObjects> {
  const { rows } = await ask(FIND_OBJECTS, [
    schema,
    TABLES,
    SEQUENCES,
    INDEXES.map((index) => index.name),
    INDEXES.map((index) => index.table),
    Object.keys(FUNCTIONS),
    SIGNATURES,
  ])
  const objects = rows.map((row) => ({
    text: `${row.kind} ${row.name}${row.owner === null ? '' : ` of ${quoteName(String(row.owner))}`}`,
    name: String(row.name),
    isRelation: RELATIONS.has(String(row.kind)),
    used: row.used === 't',
    foreign: row.foreign_owner === 't',
    misplaced: row.misplaced === 't',
  }))
  const listOf = (found: typeof objects) => found.map(({ text }) => text).join(', ')
  const judged = objects.filter(({ used }) => used || !onlyUsed)
  const foreign = judged.filter((object) => object.foreign)
  if (foreign.length > 0) {
    throw new KeyStoreError(
      `The ${name} has objects in the schema ${quoteName(schema)} that belong to another role: ${listOf(foreign)}. Nothing was written. If that role is the one that migrates this key store, make it the owner of the database (ALTER DATABASE ... OWNER TO), or this role its member, which gives this one all of its rights. If you know that what they hold is right, make them your own with ALTER ... OWNER TO. Or name another schema; or, if nobody knows them, drop them`,
    )
  }
  const misplaced = judged.filter((object) => object.misplaced)
  if (misplaced.length > 0) {
    throw new KeyStoreError(
      `The ${name} has objects in the schema ${quoteName(schema)} that are in the way of its own: ${listOf(misplaced)}. Nothing was written. Drop or rename them`,
    )
  }
  return {
    relations: new Set(objects.filter(({ isRelation }) => isRelation).map((object) => object.name)),
    foreign: objects.filter((object) => object.foreign).map(({ text }) => text),
  }
}

/** Tells of a schema in which every role may create objects, and of what others have created there under our names. */
export async function warnOfOthers(
  ask: Ask,
  { schema }: Place,
  foreign: readonly string[],
  onNotice: (notice: string) => void,
): Promise<void> {
  if (foreign.length > 0) {
    onNotice(
      `Other roles have created objects with names of the key store in its schema ${quoteName(schema)}, which it does not use: ${foreign.join(', ')}. Drop them: the next version of vantage-auth does not migrate beside them`,
    )
  }
  const { rows } = await ask(
    `SELECT FROM pg_namespace WHERE nspname = $1 AND has_schema_privilege('public', oid, 'CREATE')`,
    [schema],
  )
  if (rows.length === 0) return
  onNotice(
    `Every role may create tables and functions in the schema of the key store. Take that away: REVOKE CREATE ON SCHEMA ${quoteName(schema)} FROM PUBLIC`,
  )
}
