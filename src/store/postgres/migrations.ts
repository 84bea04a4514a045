import type { Step } from '../sql/schema.js'

// Released steps never change, nor does what they are written with below. test/store/migrations.test.ts holds this.

// Instants have milliseconds, as everywhere in the package, so that what was read can be compared with what is stored.
const INSTANT = (column: string) =>
  `timestamptz(3) CHECK (${column} BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z')`

const KEYS_USAGE_AND_CHANGES: Step = {
  version: 1,
  tables: ['vantage_schema', 'vantage_keys', 'vantage_usage', 'vantage_changes'],
  statements: [
    `CREATE TABLE IF NOT EXISTS vantage_schema (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    feed text NOT NULL
  )`,
    // Ids compare by their bytes, as in the rest of the package, whatever the collation of the database.
    `CREATE TABLE IF NOT EXISTS vantage_keys (
    id text COLLATE "C" PRIMARY KEY,
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
    'CREATE INDEX IF NOT EXISTS vantage_keys_created ON vantage_keys (created_at, id)',
    'CREATE INDEX IF NOT EXISTS vantage_keys_subject ON vantage_keys (subject, created_at)',
    // No foreign key: each flush would lock rows of keys.
    `CREATE TABLE IF NOT EXISTS vantage_usage (
    id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    count bigint NOT NULL,
    last_used_at timestamptz(3) NOT NULL,
    PRIMARY KEY (id, day)
  )`,
    // An id of NULL stands for every key.
    `CREATE TABLE IF NOT EXISTS vantage_changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text,
    at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
  )`,
    'CREATE INDEX IF NOT EXISTS vantage_changes_at ON vantage_changes (at)',
  ],
}

const TOKEN_REVOCATIONS_AND_AUDIT: Step = {
  version: 2,
  tables: ['vantage_token_revocations', 'vantage_audit'],
  statements: [
    `CREATE TABLE IF NOT EXISTS vantage_token_revocations (
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
    'CREATE INDEX IF NOT EXISTS vantage_token_revocations_end ON vantage_token_revocations (ends_at)',
    `CREATE TABLE IF NOT EXISTS vantage_audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL,
    key_id text,
    successor_id text,
    actor text,
    reason text,
    detail text
  )`,
    'CREATE INDEX IF NOT EXISTS vantage_audit_key ON vantage_audit (key_id)',
    'CREATE INDEX IF NOT EXISTS vantage_audit_successor ON vantage_audit (successor_id)',
  ],
}

/** In order. The next step goes behind the last one. */
export const STEPS: readonly Step[] = [KEYS_USAGE_AND_CHANGES, TOKEN_REVOCATIONS_AND_AUDIT]
