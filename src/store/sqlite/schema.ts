import { KeyStoreError } from '../../core/errors.js'
import { TOKEN_REVOCATIONS } from '../token-changes.js'
import type { SqliteDatabase } from './driver.js'

/** The version that this package reads and writes. */
export const SCHEMA_VERSION = 2

// Instants are milliseconds since the epoch. The checks turn a hand-written `datetime('now')` into an error where it is
// written, rather than into a store that cannot be read; the upper bound is the end of the year 9999.
const INSTANT = (column: string) =>
  `INTEGER CHECK (typeof(${column}) IN ('integer', 'null') AND ${column} BETWEEN 0 AND 253402300799999)`
const TEXT = (column: string) => `TEXT CHECK (typeof(${column}) IN ('text', 'null'))`
const NOW = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`
const SEVEN_DAYS_MS = 7 * 86_400_000

const TABLES = [
  `CREATE TABLE IF NOT EXISTS vantage_schema (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    feed TEXT NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS vantage_keys (
    id ${TEXT('id')} NOT NULL PRIMARY KEY,
    digest ${TEXT('digest')} NOT NULL,
    subject ${TEXT('subject')} NOT NULL,
    tenant ${TEXT('tenant')},
    name ${TEXT('name')},
    environment TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    scopes ${TEXT('scopes')} NOT NULL,
    created_at ${INSTANT('created_at')} NOT NULL,
    created_by ${TEXT('created_by')},
    expires_at ${INSTANT('expires_at')},
    revoked_at ${INSTANT('revoked_at')},
    revoked_by ${TEXT('revoked_by')},
    revoked_reason ${TEXT('revoked_reason')},
    replaces ${TEXT('replaces')},
    replaced_by ${TEXT('replaced_by')}
  )`,
  'CREATE INDEX IF NOT EXISTS vantage_keys_created ON vantage_keys (created_at, id)',
  'CREATE INDEX IF NOT EXISTS vantage_keys_subject ON vantage_keys (subject, created_at)',
  // No foreign key: REPLACE on a key would take its usage along.
  `CREATE TABLE IF NOT EXISTS vantage_usage (
    id TEXT NOT NULL,
    day TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (id, day)
  ) WITHOUT ROWID`,
  // An id of NULL stands for every key.
  `CREATE TABLE IF NOT EXISTS vantage_changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT,
    at INTEGER NOT NULL DEFAULT (${NOW})
  )`,
  'CREATE INDEX IF NOT EXISTS vantage_changes_at ON vantage_changes (at)',
  // Since version 2.
  `CREATE TABLE IF NOT EXISTS vantage_token_revocations (
    id ${TEXT('id')} NOT NULL PRIMARY KEY,
    issuer ${TEXT('issuer')} NOT NULL,
    token_id ${TEXT('token_id')},
    subject ${TEXT('subject')},
    client_id ${TEXT('client_id')},
    issued_before ${INSTANT('issued_before')},
    created_at ${INSTANT('created_at')} NOT NULL,
    created_by ${TEXT('created_by')},
    reason ${TEXT('reason')},
    ends_at ${INSTANT('ends_at')} NOT NULL,
    CHECK ((token_id IS NOT NULL) + (subject IS NOT NULL) + (client_id IS NOT NULL) = 1),
    CHECK ((token_id IS NULL) = (issued_before IS NOT NULL))
  )`,
  'CREATE INDEX IF NOT EXISTS vantage_token_revocations_end ON vantage_token_revocations (ends_at)',
  `CREATE TABLE IF NOT EXISTS vantage_audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL DEFAULT (${NOW}),
    action TEXT NOT NULL,
    key_id TEXT,
    successor_id TEXT,
    actor TEXT,
    reason TEXT,
    detail TEXT
  )`,
  'CREATE INDEX IF NOT EXISTS vantage_audit_key ON vantage_audit (key_id)',
  'CREATE INDEX IF NOT EXISTS vantage_audit_successor ON vantage_audit (successor_id)',
]

const APPEND_ONLY = `BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END`

// What else of a key can change by hand; the end of a key changes with its rotation too.
const CHANGED = `(OLD.id, OLD.digest, OLD.subject, OLD.tenant, OLD.environment, OLD.scopes, OLD.created_at)
      IS NOT (NEW.id, NEW.digest, NEW.subject, NEW.tenant, NEW.environment, NEW.scopes, NEW.created_at)
    OR (OLD.expires_at IS NOT NEW.expires_at AND OLD.replaced_by IS NEW.replaced_by)`

// In triggers, so that hand-written SQL leaves its traces as well.
const AUDIT_TRIGGERS: Record<string, string> = {
  vantage_audit_inserted: `AFTER INSERT ON vantage_keys BEGIN
    INSERT INTO vantage_audit (action, key_id, successor_id, actor) VALUES (
      iif(NEW.replaces IS NULL, 'create', 'rotate'), coalesce(NEW.replaces, NEW.id),
      iif(NEW.replaces IS NULL, NULL, NEW.id), NEW.created_by);
  END`,
  vantage_audit_revoked: `AFTER UPDATE ON vantage_keys WHEN OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL BEGIN
    INSERT INTO vantage_audit (action, key_id, actor, reason)
      VALUES ('revoke', NEW.id, NEW.revoked_by, NEW.revoked_reason);
  END`,
  vantage_audit_restored: `AFTER UPDATE ON vantage_keys WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL BEGIN
    INSERT INTO vantage_audit (action, key_id) VALUES ('restore', NEW.id);
  END`,
  vantage_audit_changed: `AFTER UPDATE ON vantage_keys WHEN ${CHANGED} BEGIN
    INSERT INTO vantage_audit (action, key_id) VALUES ('change', OLD.id);
  END`,
  vantage_audit_deleted: `AFTER DELETE ON vantage_keys BEGIN
    INSERT INTO vantage_audit (action, key_id) VALUES ('delete', OLD.id);
  END`,
  vantage_audit_tokens: `AFTER INSERT ON vantage_token_revocations BEGIN
    INSERT INTO vantage_audit (action, actor, reason, detail) VALUES ('revoke_tokens', NEW.created_by, NEW.reason,
      json_patch('{}', json_object('issuer', NEW.issuer, 'tokenId', NEW.token_id, 'subject', NEW.subject,
        'clientId', NEW.client_id,
        'issuedBefore', strftime('%Y-%m-%dT%H:%M:%fZ', NEW.issued_before / 1000.0, 'unixepoch'))));
  END`,
  vantage_audit_kept: `BEFORE UPDATE ON vantage_audit ${APPEND_ONLY}`,
  vantage_audit_undeleted: `BEFORE DELETE ON vantage_audit ${APPEND_ONLY}`,
}

const TOKENS_CHANGED = `BEGIN INSERT INTO vantage_changes (id) VALUES ('${TOKEN_REVOCATIONS}'); END`

// REPLACE fires no delete trigger, so an insert is a change of that id as well.
const TRIGGERS: Record<string, string> = {
  ...AUDIT_TRIGGERS,
  vantage_tokens_inserted: `AFTER INSERT ON vantage_token_revocations ${TOKENS_CHANGED}`,
  vantage_tokens_updated: `AFTER UPDATE ON vantage_token_revocations ${TOKENS_CHANGED}`,
  vantage_tokens_deleted: `AFTER DELETE ON vantage_token_revocations ${TOKENS_CHANGED}`,
  vantage_keys_inserted: `AFTER INSERT ON vantage_keys BEGIN
    INSERT INTO vantage_changes (id) VALUES (NEW.id);
  END`,
  vantage_keys_updated: `AFTER UPDATE ON vantage_keys BEGIN
    INSERT INTO vantage_changes (id) SELECT OLD.id UNION SELECT NEW.id;
  END`,
  vantage_keys_deleted: `AFTER DELETE ON vantage_keys BEGIN
    INSERT INTO vantage_changes (id) VALUES (OLD.id);
    DELETE FROM vantage_usage WHERE id = OLD.id;
  END`,
  // Here and not in our own writes, so that the table stays bounded under hand-written SQL too.
  vantage_changes_pruned: `AFTER INSERT ON vantage_changes BEGIN
    DELETE FROM vantage_changes WHERE at < ${NOW} - ${SEVEN_DAYS_MS} AND seq < NEW.seq;
  END`,
}

const OBJECTS = [
  'vantage_schema',
  'vantage_keys',
  'vantage_usage',
  'vantage_changes',
  'vantage_token_revocations',
  'vantage_audit',
  ...Object.keys(TRIGGERS),
]

/** The schema of a file: its version, 0 without one; and whether all of its tables and triggers are there. */
function readSchema(database: SqliteDatabase): { readonly version: number; readonly complete: boolean } {
  const names = new Set(
    database
      .prepare(`SELECT name FROM sqlite_master WHERE type IN ('table', 'trigger')`)
      .all()
      .map(({ name }) => name),
  )
  if (!names.has('vantage_schema')) return { version: 0, complete: false }
  const version = database.prepare('SELECT version FROM vantage_schema').get()?.version
  return { version: typeof version === 'number' ? version : 0, complete: OBJECTS.every((name) => names.has(name)) }
}

/**
 * Checks that the schema of a file is the one that this package knows, with its triggers: without them a hand-written
 * revocation would not travel.
 *
 * @throws {KeyStoreError} that names the cure
 */
export function checkSchema(database: SqliteDatabase, file: string): void {
  const { version, complete } = readSchema(database)
  if (version > SCHEMA_VERSION) throw tooNew(file, version)
  if (version === SCHEMA_VERSION && complete) return
  const fault =
    version === SCHEMA_VERSION
      ? 'lacks tables or triggers'
      : version === 0
        ? 'has no key schema'
        : 'has an old key schema'
  throw new KeyStoreError(`The key store ${file} ${fault}; run: vantage-auth keys migrate`)
}

/**
 * Creates the schema, or brings it up to date, or puts back what is missing. Two processes may do it at once: one waits
 * for the other, and finds nothing left to do. An up-to-date file is not written to.
 */
export function migrateSchema(database: SqliteDatabase, file: string): number {
  if (isUpToDate()) return SCHEMA_VERSION
  // Readers never wait for a writer then. It is a property of the file and cannot be set within a transaction.
  database.exec('PRAGMA journal_mode = WAL')
  inTransaction(database, () => {
    if (isUpToDate()) return
    for (const table of TABLES) database.exec(table)
    // The steps of a later version go here, each for the files older than it.
    for (const [name, body] of Object.entries(TRIGGERS)) {
      database.exec(`DROP TRIGGER IF EXISTS ${name}; CREATE TRIGGER ${name} ${body}`)
    }
    database.exec(`
      INSERT INTO vantage_schema (one, version, feed) VALUES (1, ${SCHEMA_VERSION}, lower(hex(randomblob(16))))
        ON CONFLICT (one) DO UPDATE SET version = excluded.version;
      INSERT INTO vantage_changes (id) VALUES (NULL)`)
  })
  return SCHEMA_VERSION

  function isUpToDate(): boolean {
    const { version, complete } = readSchema(database)
    if (version > SCHEMA_VERSION) throw tooNew(file, version)
    return version === SCHEMA_VERSION && complete
  }
}

function tooNew(file: string, version: number): KeyStoreError {
  return new KeyStoreError(
    `The key store ${file} has key schema ${version}, and this vantage-auth knows ${SCHEMA_VERSION}; update vantage-auth to the version whose vantage-auth keys migrate wrote it`,
  )
}

/** Runs `write` under the write lock of the file; nothing of it remains when it throws. */
export function inTransaction<T>(database: SqliteDatabase, write: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = write()
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
