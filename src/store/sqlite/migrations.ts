import type { Step } from '../sql/schema.js'

// Released steps never change, nor does what they are written with below. test/store/migrations.test.ts holds this.

// Instants are milliseconds since the epoch, up to the end of the year 9999. The checks turn a hand-written
// `datetime('now')` into an error where it is written, rather than into a store that cannot be read.
const INSTANT = (column: string) =>
  `INTEGER CHECK (typeof(${column}) IN ('integer', 'null') AND ${column} BETWEEN 0 AND 253402300799999)`
const TEXT = (column: string) => `TEXT CHECK (typeof(${column}) IN ('text', 'null'))`
const NOW = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`

const KEYS_USAGE_AND_CHANGES: Step = {
  version: 1,
  tables: ['vantage_schema', 'vantage_keys', 'vantage_usage', 'vantage_changes'],
  statements: [
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
  ],
}

const TOKEN_REVOCATIONS_AND_AUDIT: Step = {
  version: 2,
  tables: ['vantage_token_revocations', 'vantage_audit'],
  statements: [
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
  ],
}

// Changes by hand of revocations of tokens, and of the ends of keys, are in the audit trail.
const AUDIT_OF_CHANGES_BY_HAND: Step = { version: 3, tables: [], statements: [] }

const TOKEN_CHANGES_AND_NAMES: Step = {
  version: 4,
  tables: [],
  statements: [
    // Which revocation a change of the revocations concerns.
    'ALTER TABLE vantage_changes ADD COLUMN revocation TEXT',
    // Whether token_id, subject or client_id is written as JSON: for names that hold what a text here cannot.
    'ALTER TABLE vantage_token_revocations ADD COLUMN escaped INTEGER NOT NULL DEFAULT 0 CHECK (escaped IN (0, 1))',
    ...['token_id', 'subject', 'client_id'].map(
      (column) =>
        `CREATE INDEX IF NOT EXISTS vantage_token_revocations_${column} ON vantage_token_revocations (${column})
    WHERE ${column} IS NOT NULL`,
    ),
  ],
}

// Changes by hand of names, and of who revoked a key and why, are in the audit trail.
const AUDIT_OF_NAMES_AND_REASONS: Step = { version: 5, tables: [], statements: [] }

// A revocation of tokens that another one covers goes without an entry in the audit trail.
const AUDIT_WITHOUT_COVERED: Step = { version: 6, tables: [], statements: [] }

// With a change by a store of ours, change_id is new: what hand-written SQL does is told apart by it. edited_by is who edited
// the key last.
const EDITS: Step = {
  version: 7,
  tables: [],
  statements: [
    `ALTER TABLE vantage_keys ADD COLUMN change_id ${TEXT('change_id')}`,
    `ALTER TABLE vantage_keys ADD COLUMN edited_by ${TEXT('edited_by')}`,
  ],
}

// The audit trail tells whose key an entry is of, the entries that are there included, as far as their keys are. For that its
// trigger goes away; the migration makes all triggers anew.
const AUDIT_BY_TENANT: Step = {
  version: 8,
  tables: [],
  statements: [
    'ALTER TABLE vantage_audit ADD COLUMN tenant TEXT',
    'ALTER TABLE vantage_audit ADD COLUMN subject TEXT',
    'DROP TRIGGER IF EXISTS vantage_audit_kept',
    `UPDATE vantage_audit SET (tenant, subject) = (SELECT k.tenant, k.subject FROM vantage_keys k WHERE k.id = key_id)
    WHERE subject IS NULL AND key_id IN (SELECT id FROM vantage_keys)`,
    'CREATE INDEX IF NOT EXISTS vantage_audit_tenant ON vantage_audit (tenant, seq)',
    'CREATE INDEX IF NOT EXISTS vantage_audit_subject ON vantage_audit (subject, seq)',
    'CREATE INDEX IF NOT EXISTS vantage_keys_tenant ON vantage_keys (tenant, created_at)',
    'CREATE INDEX IF NOT EXISTS vantage_usage_day ON vantage_usage (day, id)',
  ],
}

/** As `roomOf()` says it. An index has it, which SQLite uses for this very expression alone. */
export const ROOM_OF_ROW = `CASE WHEN sender IS NOT NULL OR session_id IS NOT NULL OR without_session = 1 THEN 'sessions'
    WHEN token_id IS NOT NULL THEN 'tokens' ELSE 'subjects and clients' END`

// Sessions are revoked, events of issuers are noted, and services say that they follow the file. A check of a table can be
// changed only with the table, so it is made anew; without legacy_alter_table, a view of somebody's own upon it would stop
// that. The columns come first, so that the same statements copy a table that was made anew already. Its triggers go with it;
// the migration makes all of them.
const SESSIONS_EVENTS_AND_SERVICES: Step = {
  version: 9,
  tables: ['vantage_token_events', 'vantage_services', 'vantage_question'],
  statements: [
    'ALTER TABLE vantage_token_revocations ADD COLUMN session_id TEXT',
    'ALTER TABLE vantage_token_revocations ADD COLUMN without_session INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE vantage_token_revocations ADD COLUMN sender TEXT',
    'DROP TABLE IF EXISTS vantage_token_revocations_9',
    `CREATE TABLE vantage_token_revocations_9 (
    id ${TEXT('id')} NOT NULL PRIMARY KEY,
    issuer ${TEXT('issuer')} NOT NULL,
    token_id ${TEXT('token_id')},
    subject ${TEXT('subject')},
    client_id ${TEXT('client_id')},
    session_id ${TEXT('session_id')},
    without_session INTEGER NOT NULL DEFAULT 0 CHECK (without_session IN (0, 1)),
    issued_before ${INSTANT('issued_before')},
    created_at ${INSTANT('created_at')} NOT NULL,
    created_by ${TEXT('created_by')},
    reason ${TEXT('reason')},
    ends_at ${INSTANT('ends_at')} NOT NULL,
    escaped INTEGER NOT NULL DEFAULT 0 CHECK (escaped IN (0, 1)),
    sender ${TEXT('sender')},
    CHECK ((token_id IS NOT NULL) + (subject IS NOT NULL) + (client_id IS NOT NULL) + (session_id IS NOT NULL) = 1),
    CHECK (session_id IS NOT NULL OR (token_id IS NULL) = (issued_before IS NOT NULL)),
    CHECK (without_session = 0 OR subject IS NOT NULL)
  )`,
    `INSERT INTO vantage_token_revocations_9 (id, issuer, token_id, subject, client_id, session_id, without_session,
      issued_before, created_at, created_by, reason, ends_at, escaped, sender)
    SELECT id, issuer, token_id, subject, client_id, session_id, without_session,
      issued_before, created_at, created_by, reason, ends_at, escaped, sender FROM vantage_token_revocations`,
    'PRAGMA legacy_alter_table = ON',
    'DROP TABLE vantage_token_revocations',
    'ALTER TABLE vantage_token_revocations_9 RENAME TO vantage_token_revocations',
    'PRAGMA legacy_alter_table = OFF',
    'CREATE INDEX vantage_token_revocations_end ON vantage_token_revocations (ends_at)',
    ...['token_id', 'subject', 'client_id', 'session_id'].map(
      (column) =>
        `CREATE INDEX vantage_token_revocations_${column} ON vantage_token_revocations (${column})
    WHERE ${column} IS NOT NULL`,
    ),
    `CREATE INDEX vantage_token_revocations_room ON vantage_token_revocations (${ROOM_OF_ROW})`,
    `CREATE INDEX vantage_token_revocations_sender ON vantage_token_revocations (sender) WHERE sender IS NOT NULL`,
    // Of an event's issuer and id there is a digest alone. No trigger: nobody follows them.
    `CREATE TABLE IF NOT EXISTS vantage_token_events (
    digest ${TEXT('digest')} NOT NULL PRIMARY KEY,
    sender ${TEXT('sender')} NOT NULL,
    ends_at ${INSTANT('ends_at')} NOT NULL
  ) WITHOUT ROWID`,
    'CREATE INDEX IF NOT EXISTS vantage_token_events_end ON vantage_token_events (ends_at)',
    'CREATE INDEX IF NOT EXISTS vantage_token_events_sender ON vantage_token_events (sender)',
    // Each service writes its row when it begins to follow, when it is asked, and once a minute.
    `CREATE TABLE IF NOT EXISTS vantage_services (
    id ${TEXT('id')} NOT NULL PRIMARY KEY,
    host ${TEXT('host')},
    pid INTEGER CHECK (typeof(pid) IN ('integer', 'null')),
    application ${TEXT('application')},
    pid_space ${TEXT('pid_space')},
    started ${TEXT('started')},
    since ${INSTANT('since')},
    heard_of ${TEXT('heard_of')},
    seen_at ${INSTANT('seen_at')} NOT NULL,
    answered INTEGER NOT NULL CHECK (typeof(answered) = 'integer')
  ) WITHOUT ROWID`,
    // How many questions were put to them.
    `CREATE TABLE IF NOT EXISTS vantage_question (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    asked INTEGER NOT NULL CHECK (typeof(asked) = 'integer')
  )`,
  ],
}

/** In order. The next step goes behind the last one. */
export const STEPS: readonly Step[] = [
  KEYS_USAGE_AND_CHANGES,
  TOKEN_REVOCATIONS_AND_AUDIT,
  AUDIT_OF_CHANGES_BY_HAND,
  TOKEN_CHANGES_AND_NAMES,
  AUDIT_OF_NAMES_AND_REASONS,
  AUDIT_WITHOUT_COVERED,
  EDITS,
  AUDIT_BY_TENANT,
  SESSIONS_EVENTS_AND_SERVICES,
]
