import type { Step } from '../sql/schema.js'

// Released steps never change, nor does what they are written with below. test/store/migrations.test.ts holds this.

// Instants have milliseconds, as everywhere in the package, so that what was read can be compared with what is stored.
const INSTANT = (column: string) =>
  `timestamptz(3) CHECK (${column} BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z')`

/** Part of version 1. It comes before all steps, since a migration locks this table. */
export const CREATE_SCHEMA_TABLE = `CREATE TABLE IF NOT EXISTS {schema}.vantage_schema (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    feed text NOT NULL
  )`

const KEYS_USAGE_AND_CHANGES: Step = {
  version: 1,
  tables: ['vantage_schema', 'vantage_keys', 'vantage_usage', 'vantage_changes'],
  statements: [
    // Ids compare by their bytes, as in the rest of the package, whatever the collation of the database.
    `CREATE TABLE IF NOT EXISTS {schema}.vantage_keys (
    id text COLLATE pg_catalog."C" PRIMARY KEY,
    digest text NOT NULL,
    subject text NOT NULL,
    tenant text,
    name text,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    scopes text NOT NULL,
    created_at ${INSTANT('created_at')} NOT NULL,
    created_by text,
    expires_at ${INSTANT('expires_at')},
    revoked_at ${INSTANT('revoked_at')},
    revoked_by text,
    revoked_reason text,
    replaces text,
    replaced_by text
  )`,
    'CREATE INDEX IF NOT EXISTS vantage_keys_created ON {schema}.vantage_keys (created_at, id)',
    'CREATE INDEX IF NOT EXISTS vantage_keys_subject ON {schema}.vantage_keys (subject, created_at)',
    // No foreign key: each flush would lock rows of keys.
    `CREATE TABLE IF NOT EXISTS {schema}.vantage_usage (
    id text COLLATE pg_catalog."C" NOT NULL,
    day date NOT NULL,
    count bigint NOT NULL,
    last_used_at timestamptz(3) NOT NULL,
    PRIMARY KEY (id, day)
  )`,
    // An id of NULL stands for every key.
    `CREATE TABLE IF NOT EXISTS {schema}.vantage_changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text,
    at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
  )`,
    'CREATE INDEX IF NOT EXISTS vantage_changes_at ON {schema}.vantage_changes (at)',
  ],
}

const TOKEN_REVOCATIONS_AND_AUDIT: Step = {
  version: 2,
  tables: ['vantage_token_revocations', 'vantage_audit'],
  statements: [
    `CREATE TABLE IF NOT EXISTS {schema}.vantage_token_revocations (
    id text PRIMARY KEY,
    issuer text NOT NULL,
    token_id text,
    subject text,
    client_id text,
    issued_before ${INSTANT('issued_before')},
    created_at ${INSTANT('created_at')} NOT NULL,
    created_by text,
    reason text,
    ends_at ${INSTANT('ends_at')} NOT NULL,
    CHECK (num_nonnulls(token_id, subject, client_id) = 1),
    CHECK ((token_id IS NULL) = (issued_before IS NOT NULL))
  )`,
    'CREATE INDEX IF NOT EXISTS vantage_token_revocations_end ON {schema}.vantage_token_revocations (ends_at)',
    `CREATE TABLE IF NOT EXISTS {schema}.vantage_audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL,
    key_id text,
    successor_id text,
    actor text,
    reason text,
    detail text
  )`,
    'CREATE INDEX IF NOT EXISTS vantage_audit_key ON {schema}.vantage_audit (key_id)',
    'CREATE INDEX IF NOT EXISTS vantage_audit_successor ON {schema}.vantage_audit (successor_id)',
  ],
}

/** What a count of uses can be: the largest number that JavaScript has exactly. */
export const MAX_COUNT = 9_007_199_254_740_991

// Until version 3 a service could write counts and instants that nobody could read, and so make a key that could not be
// listed, or revoked. What it wrote is brought to the nearest value that it could have counted.
const BOUNDS_AND_LOCK: Step = {
  version: 3,
  tables: ['vantage_lock'],
  statements: [
    // Without columns: it is there to be locked.
    'CREATE TABLE IF NOT EXISTS {schema}.vantage_lock ()',
    `DELETE FROM {schema}.vantage_usage
    WHERE count < 1 OR NOT day BETWEEN '1970-01-01' AND ((now() AT TIME ZONE 'UTC') + interval '1 day')::date`,
    `UPDATE {schema}.vantage_usage SET count = least(count, ${MAX_COUNT}),
      last_used_at = least(greatest(last_used_at, '1970-01-01T00:00:00Z'), now())
    WHERE count > ${MAX_COUNT} OR NOT last_used_at BETWEEN '1970-01-01T00:00:00Z' AND now() + interval '1 day'`,
    `ALTER TABLE {schema}.vantage_usage
    DROP CONSTRAINT IF EXISTS vantage_usage_bounds,
    ADD CONSTRAINT vantage_usage_bounds CHECK (
      count BETWEEN 1 AND ${MAX_COUNT} AND day BETWEEN '1970-01-01' AND '9999-12-31'
      AND last_used_at BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z')`,
  ],
}

// Changes by hand of revocations of tokens, and of the ends of keys, are in the audit trail.
const AUDIT_OF_CHANGES_BY_HAND: Step = { version: 4, tables: [], statements: [] }

const TOKEN_CHANGES_NAMES_AND_COUNTS: Step = {
  version: 5,
  tables: ['vantage_token_counts'],
  statements: [
    // Which revocation a change of the revocations concerns.
    'ALTER TABLE {schema}.vantage_changes ADD COLUMN IF NOT EXISTS revocation text',
    // Whether token_id, subject or client_id is written as JSON: for names that hold what a text here cannot.
    `ALTER TABLE {schema}.vantage_token_revocations
    ADD COLUMN IF NOT EXISTS escaped smallint NOT NULL DEFAULT 0 CHECK (escaped IN (0, 1))`,
    // By their hashes: a name may be longer than an ordinary index takes.
    ...['token_id', 'subject', 'client_id'].map(
      (column) => `CREATE INDEX IF NOT EXISTS vantage_token_revocations_${column}
    ON {schema}.vantage_token_revocations USING hash (${column})`,
    ),
    // One row, since counting 100 000 rows for each new one would be slow.
    `CREATE TABLE IF NOT EXISTS {schema}.vantage_token_counts (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    tokens bigint NOT NULL,
    subjects_and_clients bigint NOT NULL
  )`,
  ],
}

// Changes by hand of names, and of who revoked a key and why, are in the audit trail.
const AUDIT_OF_NAMES_AND_REASONS: Step = { version: 6, tables: [], statements: [] }

// Revocations that another one replaces are dropped without a trace. Triggers of rows notify too, and lock: what logical
// replication applies fires no trigger of statements.
const REPLICATED_ROWS: Step = { version: 7, tables: [], statements: [] }

// With a change by a store of ours, change_id is new: what hand-written SQL does is told apart by it. edited_by is who edited
// the key last.
const EDITS: Step = {
  version: 8,
  tables: [],
  statements: [
    `ALTER TABLE {schema}.vantage_keys
    ADD COLUMN IF NOT EXISTS change_id text,
    ADD COLUMN IF NOT EXISTS edited_by text`,
  ],
}

// The audit trail tells whose key an entry is of, the entries that are there included, as far as their keys are. For that its
// trigger goes away; the migration makes all triggers anew.
const AUDIT_BY_TENANT: Step = {
  version: 9,
  tables: [],
  statements: [
    `ALTER TABLE {schema}.vantage_audit
    ADD COLUMN IF NOT EXISTS tenant text,
    ADD COLUMN IF NOT EXISTS subject text`,
    'DROP TRIGGER IF EXISTS vantage_audit_kept ON {schema}.vantage_audit',
    `UPDATE {schema}.vantage_audit a SET tenant = k.tenant, subject = k.subject FROM {schema}.vantage_keys k
    WHERE k.id = a.key_id AND a.subject IS NULL`,
    'CREATE INDEX IF NOT EXISTS vantage_audit_tenant ON {schema}.vantage_audit (tenant, seq)',
    'CREATE INDEX IF NOT EXISTS vantage_audit_subject ON {schema}.vantage_audit (subject, seq)',
    'CREATE INDEX IF NOT EXISTS vantage_keys_tenant ON {schema}.vantage_keys (tenant, created_at)',
    'CREATE INDEX IF NOT EXISTS vantage_usage_day ON {schema}.vantage_usage (day, id)',
  ],
}

// Sessions are revoked, and events of issuers are noted. The two checks that go have the names that PostgreSQL gave them.
const SESSIONS_AND_EVENTS: Step = {
  version: 10,
  tables: ['vantage_token_events'],
  statements: [
    // Of an event's issuer and id there is a digest alone.
    `CREATE TABLE IF NOT EXISTS {schema}.vantage_token_events (
    digest text COLLATE pg_catalog."C" PRIMARY KEY CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
    sender text COLLATE pg_catalog."C" NOT NULL CHECK (sender ~ '^sha256:[0-9a-f]{64}$'),
    ends_at ${INSTANT('ends_at')} NOT NULL
  )`,
    'CREATE INDEX IF NOT EXISTS vantage_token_events_end ON {schema}.vantage_token_events (ends_at)',
    'CREATE INDEX IF NOT EXISTS vantage_token_events_sender ON {schema}.vantage_token_events (sender)',
    `ALTER TABLE {schema}.vantage_token_revocations
    ADD COLUMN IF NOT EXISTS session_id text,
    ADD COLUMN IF NOT EXISTS without_session smallint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS sender text COLLATE pg_catalog."C" CHECK (sender ~ '^sha256:[0-9a-f]{64}$'),
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_check,
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_check1,
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_named,
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_instant,
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_session,
    ADD CONSTRAINT vantage_token_revocations_named CHECK (num_nonnulls(token_id, subject, client_id, session_id) = 1),
    ADD CONSTRAINT vantage_token_revocations_instant
      CHECK (session_id IS NOT NULL OR (token_id IS NULL) = (issued_before IS NOT NULL)),
    ADD CONSTRAINT vantage_token_revocations_session
      CHECK (without_session IN (0, 1) AND (without_session = 0 OR subject IS NOT NULL))`,
    `CREATE INDEX IF NOT EXISTS vantage_token_revocations_session_id
    ON {schema}.vantage_token_revocations USING hash (session_id)`,
    `CREATE INDEX IF NOT EXISTS vantage_token_revocations_sender
    ON {schema}.vantage_token_revocations (sender) WHERE sender IS NOT NULL`,
    `ALTER TABLE {schema}.vantage_token_counts
    ADD COLUMN IF NOT EXISTS sessions bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS events bigint NOT NULL DEFAULT 0`,
  ],
}

/** In order. The next step goes behind the last one. */
export const STEPS: readonly Step[] = [
  KEYS_USAGE_AND_CHANGES,
  TOKEN_REVOCATIONS_AND_AUDIT,
  BOUNDS_AND_LOCK,
  AUDIT_OF_CHANGES_BY_HAND,
  TOKEN_CHANGES_NAMES_AND_COUNTS,
  AUDIT_OF_NAMES_AND_REASONS,
  REPLICATED_ROWS,
  EDITS,
  AUDIT_BY_TENANT,
  SESSIONS_AND_EVENTS,
]

export const TABLES: readonly string[] = STEPS.flatMap(({ tables }) => tables)

/** A statement that creates a table or an index unless it is there, with the name in question. */
const CREATION = /^CREATE (TABLE|INDEX) IF NOT EXISTS (?:\{schema\}\.)?(\w+)/

/** What a statement of a step creates; `undefined` for any other statement. */
export function creationOf(statement: string): { readonly kind: 'TABLE' | 'INDEX'; readonly name: string } | undefined {
  const [, kind, name] = CREATION.exec(statement) ?? []
  return name === undefined ? undefined : { kind: kind === 'TABLE' ? 'TABLE' : 'INDEX', name }
}

/** The indexes of the steps. Those of primary keys get another name where theirs is taken. */
export const INDEXES: readonly { readonly name: string; readonly table: string }[] = STEPS.flatMap(({ statements }) =>
  statements.flatMap((statement) => {
    const [, name, table] = /^CREATE INDEX IF NOT EXISTS (\w+)\s+ON \{schema\}\.(\w+)/.exec(statement) ?? []
    return name === undefined || table === undefined ? [] : [{ name, table }]
  }),
)
