import { KeyStoreError } from '../../core/errors.js'
import type { Ask, Connections } from './connections.js'
import { RIGHTS } from './grants.js'
import { TABLES } from './migrations.js'
import { OF_SERVICES } from './missing-grant.js'
import { refuseForeignObjects } from './ownership.js'
import { FUNCTIONS, SIGNATURES, TRIGGER_NAMES, TRIGGERS } from './triggers.js'

/** What a service calls. */
const SERVICE_FUNCTIONS: readonly string[] = ['vantage_add_usage']

/** What a database has of a key store, and what the role may do with it. */
export interface PostgresInspection {
  readonly role: string
  /** 0 without a schema; `undefined` where it cannot be read. */
  readonly version: number | undefined
  /** Tables and functions that are not there: `table vantage_keys`. */
  readonly missing: readonly string[]
  /** Triggers that are not there, are switched off, or do not fire in each session. */
  readonly silentTriggers: readonly string[]
  /** What a service needs, and the role has not: `SELECT on vantage_keys`. */
  readonly lacks: readonly string[]
  /** What the role may do beyond what a service needs: `INSERT, UPDATE on vantage_keys`. */
  readonly exceeds: readonly string[]
  /** Whether the role may write the rows of keys. */
  readonly mayWriteKeys: boolean
  /** Whether the role has all that who administers keys needs. It is no service's then. */
  readonly isAdministrator: boolean
  /** What a receiver needs and the role lacks, where the role is one of a receiver: it may call its function, and read no keys. */
  readonly lacksAsReceiver: readonly string[] | undefined
  /** What belongs to others, in the words of a migration that refuses it. */
  readonly foreign: string | undefined
}

/** It changes nothing: it reads the catalogs and, unless others own it, the version. */
export function inspectPostgres(connections: Connections): Promise<PostgresInspection> {
  const { schema } = connections
  return connections.read(async (ask) => {
    const foreign = await nameForeign(ask, connections)
    const [place] = (await ask(FIND_ROLE, [schema])).rows
    const tables = (await ask(FIND_TABLES, [schema, TABLES])).rows
    const functions = (await ask(FIND_FUNCTIONS, [schema, SIGNATURES, Object.keys(FUNCTIONS)])).rows
    const triggers = (await ask(FIND_TRIGGERS, [schema, TABLES_OF_TRIGGERS, TRIGGER_NAMES])).rows
    const readable = (name: string) => tables.some((row) => row.name === name && row.reads === 't')
    const hasSchema = tables.some((row) => row.name === 'vantage_schema' && row.there === 't')
    const version = !hasSchema
      ? 0
      : foreign === undefined && place?.enters === 't' && readable('vantage_schema')
        ? Number((await ask('SELECT version FROM {schema}.vantage_schema')).rows[0]?.version ?? 0)
        : undefined
    const there = tables.filter((row) => row.there === 't')
    const lacking = (kind: readonly string[], found: typeof tables, privilege: string, has: string) =>
      found
        .filter((row) => kind.includes(String(row.name)) && row.there === 't' && row[has] !== 't')
        .map((row) => `${privilege} on ${row.name}`)
    return {
      role: String(place?.role),
      version,
      missing: [
        ...tables.filter((row) => row.there !== 't').map((row) => `table ${row.name}`),
        ...functions.filter((row) => row.there !== 't').map((row) => `function ${row.name}`),
      ],
      silentTriggers: triggers.filter((row) => row.enabled !== 'A').map((row) => String(row.name)),
      lacks: [
        ...(place?.enters === 'f' ? [`USAGE on the schema ${schema}`] : []),
        ...lacking(OF_SERVICES, tables, 'SELECT', 'reads'),
        ...lacking(SERVICE_FUNCTIONS, functions, 'EXECUTE', 'calls'),
      ],
      exceeds:
        place?.powerful === 't'
          ? ['everything, as a superuser']
          : [
              ...there.filter((row) => row.writes !== '').map((row) => `${row.writes} on ${row.name}`),
              ...(place?.creates === 't' ? [`CREATE on the schema ${schema}`] : []),
            ],
      mayWriteKeys: there.some((row) => row.name === 'vantage_keys' && row.updates === 't'),
      isAdministrator: Object.entries(RIGHTS.administrator.tables).every(([name, privileges]) =>
        there.some((row) => row.name === name && has(row, privileges)),
      ),
      lacksAsReceiver:
        functions.some((row) => RIGHTS.receiver.functions.includes(String(row.name)) && row.calls === 't') &&
        !readable('vantage_keys')
          ? [
              ...(place?.enters === 'f' ? [`USAGE on the schema ${schema}`] : []),
              ...lacking(Object.keys(RIGHTS.receiver.tables), tables, 'SELECT', 'reads'),
            ]
          : undefined,
      foreign,
    }
  })
}

function has({ reads, writes }: Readonly<Record<string, unknown>>, privileges: readonly string[]): boolean {
  const held = [...(reads === 't' ? ['SELECT'] : []), ...String(writes).split(', ')]
  return privileges.every((privilege) => held.includes(privilege))
}

async function nameForeign(ask: Ask, place: Connections): Promise<string | undefined> {
  try {
    await refuseForeignObjects(ask, place, { onlyUsed: true })
    return undefined
  } catch (error) {
    if (error instanceof KeyStoreError) return error.message
    throw error
  }
}

const TABLES_OF_TRIGGERS = Object.entries(TRIGGERS).flatMap(([table, triggers]) =>
  Object.keys(triggers).map(() => table),
)

const FIND_ROLE = `SELECT current_user AS role, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS powerful,
    has_schema_privilege(n.oid, 'USAGE') AS enters, has_schema_privilege(n.oid, 'CREATE') AS creates
  FROM (SELECT) AS one LEFT JOIN pg_namespace n ON nspname = $1`

// A privilege on one column is enough to write, and not to read what a service reads.
const FIND_TABLES = `SELECT ours.name, c.oid IS NOT NULL AS there, has_table_privilege(c.oid, 'SELECT') AS reads,
    has_any_column_privilege(c.oid, 'UPDATE') AS updates,
    concat_ws(', ',
      CASE WHEN has_any_column_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
      CASE WHEN has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
      CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END,
      CASE WHEN has_table_privilege(c.oid, 'TRUNCATE') THEN 'TRUNCATE' END) AS writes
  FROM unnest($2::text[]) AS ours (name) LEFT JOIN pg_class c ON relname = ours.name
    AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)`

const FIND_FUNCTIONS = `SELECT ours.name, p.oid IS NOT NULL AS there, has_function_privilege(p.oid, 'EXECUTE') AS calls
  FROM unnest($2::text[], $3::text[]) AS ours (signature, name)
    LEFT JOIN pg_proc p ON proname || '(' || oidvectortypes(proargtypes) || ')' = ours.signature
      AND pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)`

const FIND_TRIGGERS = `SELECT ours.name, tgenabled AS enabled FROM unnest($2::text[], $3::text[]) AS ours (tab, name)
    LEFT JOIN pg_class c ON relname = ours.tab AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
    LEFT JOIN pg_trigger t ON tgrelid = c.oid AND tgname = ours.name`
