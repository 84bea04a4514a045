import { KeyStoreError } from '../../core/errors.js'
import type { Ask, Connections } from './connections.js'
import { TABLES } from './migrations.js'
import { quoteName } from './names.js'
import { FUNCTIONS } from './triggers.js'

type Place = Pick<Connections, 'name' | 'schema'>

/** As PostgreSQL names the sequence of a column `seq`. */
const SEQUENCES = TABLES.map((table) => `${table}_seq_seq`)

// An owner is trusted who can do to us whatever he likes anyway (a superuser, the owner of the database), and one whose
// member the current role was made. That a superuser counts as a member of every role says nothing of its owner; nor does a
// membership that the owner granted himself, as every role can up to PostgreSQL 15.
const FOREIGN_OBJECTS = `
  WITH RECURSIVE powerful (oid) AS (
    SELECT oid FROM pg_roles WHERE rolsuper OR rolname = current_user
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
  ), groups (oid) AS (
    SELECT oid FROM pg_roles WHERE rolname = current_user
    UNION SELECT m.roleid FROM pg_auth_members m JOIN groups g ON g.oid = m.member
      WHERE m.grantor IN (SELECT oid FROM pg_roles WHERE rolcreaterole UNION SELECT oid FROM powerful)
  ), found (kind, name, owner, namespace) AS (
    SELECT CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' ELSE 'table' END,
        relname::text, relowner, relnamespace FROM pg_class WHERE relname = ANY ($2)
    UNION ALL SELECT 'function', proname::text, proowner, pronamespace FROM pg_proc WHERE proname = ANY ($3)
    UNION ALL SELECT 'type', typname::text, typowner, typnamespace FROM pg_type WHERE typname = ANY ($2) AND typrelid = 0
  )
  SELECT kind, name, rolname AS owner FROM found f
    JOIN pg_namespace n ON n.oid = f.namespace JOIN pg_roles r ON r.oid = f.owner
    WHERE nspname = $1 AND f.owner NOT IN (SELECT oid FROM powerful UNION SELECT oid FROM groups) ORDER BY kind DESC, name`

/**
 * Whoever owns a table that is there already decides what is in it, and whoever owns a function what it does.
 *
 * @throws {KeyStoreError} that names each object of our names that belongs to somebody else, and its owner
 */
export async function refuseForeignObjects(ask: Ask, { name, schema }: Place): Promise<void> {
  const names = [[...TABLES, ...SEQUENCES], Object.keys(FUNCTIONS)]
  const { rows } = await ask(FOREIGN_OBJECTS, [schema, ...names])
  if (rows.length === 0) return
  const found = rows.map(({ kind, name, owner }) => `${kind} ${name} of ${quoteName(String(owner))}`).join(', ')
  throw new KeyStoreError(
    `The ${name} has objects in the schema ${quoteName(schema)} that belong to another role: ${found}. Nothing was written. Drop them, or make them your own with ALTER ... OWNER TO, if you know that what they hold is right; or name another schema`,
  )
}

/** Tells of a schema in which every role may create objects. */
export async function warnOfOpenSchema(ask: Ask, { schema }: Place, onNotice: (notice: string) => void): Promise<void> {
  const { rows } = await ask(
    `SELECT FROM pg_namespace WHERE nspname = $1 AND has_schema_privilege('public', oid, 'CREATE')`,
    [schema],
  )
  if (rows.length === 0) return
  onNotice(
    `Every role may create tables and functions in the schema of the key store. Take that away: REVOKE CREATE ON SCHEMA ${quoteName(schema)} FROM PUBLIC`,
  )
}
