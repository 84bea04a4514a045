import { randomUUID } from 'node:crypto'
import { KeyStoreError } from '../../core/errors.js'
import { TOKEN_REVOCATIONS } from '../token-changes.js'
import type { Ask, Connections } from './connections.js'

/** The version that this package reads and writes. */
export const SCHEMA_VERSION = 2

/** Wakes those who follow the changes. A payload is somebody's proof that it is delivered, and no change. */
export const CHANNEL = 'vantage_changes'

// Any two numbers that nobody else in the database uses; the first is 'vak' and a dot in ASCII.
const LOCK_SPACE = 0x76616b2e
const CHANGE_LOCK = 1
const MIGRATION_LOCK = 2

// Instants have milliseconds, as everywhere in the package, so that what was read can be compared with what is stored.
const INSTANT = (column: string) =>
  `timestamptz(3) CHECK (${column} BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z')`

const TABLES = [
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
  // Since version 2.
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
]

/**
 * They run with the rights of their owner: whoever may write keys need not be allowed to write the log, and a service
 * that verifies may add usage and nothing else. The fixed search path keeps others from putting their tables in between.
 */
const FUNCTIONS: Readonly<Record<string, { signature: string; returns: string; body: string }>> = {
  // A number of the sequence is drawn before the commit, so a reader could see 8 and miss 7, which commits later. From here
  // on to its commit there is only one transaction that changes keys. In a row trigger, after the first row lock, two
  // ordinary transactions could wait for each other. What is pruned leaves the newest change, where up-to-date readers stand.
  vantage_before_change: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      PERFORM pg_advisory_xact_lock(${LOCK_SPACE}, ${CHANGE_LOCK});
      PERFORM pg_notify('${CHANNEL}', '');
      WITH pruned AS (
        DELETE FROM vantage_changes
          WHERE at < now() - interval '7 days' AND seq < (SELECT max(seq) FROM vantage_changes)
          RETURNING id
      )
      DELETE FROM vantage_usage u USING pruned p
        WHERE u.id = p.id AND NOT EXISTS (SELECT FROM vantage_keys k WHERE k.id = p.id);
      RETURN NULL;
    END`,
  },
  vantage_log_change: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      IF TG_OP <> 'INSERT' THEN
        INSERT INTO vantage_changes (id) VALUES (OLD.id);
      END IF;
      IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.id <> OLD.id) THEN
        INSERT INTO vantage_changes (id) VALUES (NEW.id);
      END IF;
      RETURN NULL;
    END`,
  },
  vantage_log_truncate: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      INSERT INTO vantage_changes (id) VALUES (NULL);
      INSERT INTO vantage_audit (action) VALUES ('delete');
      RETURN NULL;
    END`,
  },
  // In a trigger, so that hand-written SQL leaves its traces as well.
  vantage_audit_key: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      IF TG_OP = 'INSERT' THEN
        INSERT INTO vantage_audit (action, key_id, successor_id, actor) VALUES (
          CASE WHEN NEW.replaces IS NULL THEN 'create' ELSE 'rotate' END, coalesce(NEW.replaces, NEW.id),
          CASE WHEN NEW.replaces IS NOT NULL THEN NEW.id END, NEW.created_by);
        RETURN NULL;
      ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO vantage_audit (action, key_id) VALUES ('delete', OLD.id);
        RETURN NULL;
      END IF;
      IF OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL THEN
        INSERT INTO vantage_audit (action, key_id, actor, reason)
          VALUES ('revoke', NEW.id, NEW.revoked_by, NEW.revoked_reason);
      ELSIF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL THEN
        INSERT INTO vantage_audit (action, key_id) VALUES ('restore', NEW.id);
      END IF;
      -- The end of a key changes with its rotation too.
      IF (OLD.id, OLD.digest, OLD.subject, OLD.tenant, OLD.environment, OLD.scopes, OLD.created_at)
          IS DISTINCT FROM (NEW.id, NEW.digest, NEW.subject, NEW.tenant, NEW.environment, NEW.scopes, NEW.created_at)
        OR (OLD.expires_at IS DISTINCT FROM NEW.expires_at AND OLD.replaced_by IS NOT DISTINCT FROM NEW.replaced_by) THEN
        INSERT INTO vantage_audit (action, key_id) VALUES ('change', OLD.id);
      END IF;
      RETURN NULL;
    END`,
  },
  vantage_audit_tokens: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      INSERT INTO vantage_audit (action, actor, reason, detail) VALUES ('revoke_tokens', NEW.created_by, NEW.reason,
        json_strip_nulls(json_build_object('issuer', NEW.issuer, 'tokenId', NEW.token_id, 'subject', NEW.subject,
          'clientId', NEW.client_id, 'issuedBefore',
          to_char(NEW.issued_before AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::text);
      RETURN NULL;
    END`,
  },
  vantage_log_tokens: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      INSERT INTO vantage_changes (id) VALUES ('${TOKEN_REVOCATIONS}');
      RETURN NULL;
    END`,
  },
  vantage_keep_audit: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      RAISE EXCEPTION 'the audit trail cannot be changed';
    END`,
  },
  // In the order of the primary key, or two services that flush at once could wait for each other.
  vantage_add_usage: {
    signature: '(ids text[], days date[], counts bigint[], last_uses timestamptz[])',
    returns: 'void LANGUAGE sql',
    body: `INSERT INTO vantage_usage AS kept (id, day, count, last_used_at)
      SELECT used.id, used.day, sum(used.count), max(used.at)
        FROM unnest(ids, days, counts, last_uses) AS used (id, day, count, at)
        WHERE EXISTS (SELECT FROM vantage_keys k WHERE k.id = used.id)
        GROUP BY used.id, used.day
        ORDER BY used.id COLLATE "C", used.day
      ON CONFLICT (id, day) DO UPDATE SET count = kept.count + excluded.count,
        last_used_at = greatest(kept.last_used_at, excluded.last_used_at)`,
  },
}

/** By table. */
const TRIGGERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  vantage_keys: {
    vantage_keys_before: `BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vantage_keys
      FOR EACH STATEMENT EXECUTE FUNCTION vantage_before_change()`,
    vantage_keys_changed: `AFTER INSERT OR UPDATE OR DELETE ON vantage_keys
      FOR EACH ROW EXECUTE FUNCTION vantage_log_change()`,
    // No row trigger fires for it.
    vantage_keys_truncated: `AFTER TRUNCATE ON vantage_keys
      FOR EACH STATEMENT EXECUTE FUNCTION vantage_log_truncate()`,
    vantage_keys_audited: `AFTER INSERT OR UPDATE OR DELETE ON vantage_keys
      FOR EACH ROW EXECUTE FUNCTION vantage_audit_key()`,
  },
  vantage_token_revocations: {
    vantage_tokens_before: `BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION vantage_before_change()`,
    vantage_tokens_changed: `AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION vantage_log_tokens()`,
    vantage_tokens_audited: `AFTER INSERT ON vantage_token_revocations
      FOR EACH ROW EXECUTE FUNCTION vantage_audit_tokens()`,
  },
  vantage_audit: {
    vantage_audit_kept: `BEFORE UPDATE OR DELETE OR TRUNCATE ON vantage_audit
      FOR EACH STATEMENT EXECUTE FUNCTION vantage_keep_audit()`,
  },
}

const TRIGGER_NAMES = Object.values(TRIGGERS).flatMap(Object.keys)
const TABLE_NAMES = [
  'vantage_schema',
  'vantage_keys',
  'vantage_usage',
  'vantage_changes',
  'vantage_token_revocations',
  'vantage_audit',
]

/** The schema that a connection sees: its version, 0 without one; and whether all of it is there, and its triggers are on. */
async function readSchema(ask: Ask): Promise<{ readonly version: number; readonly complete: boolean }> {
  const { rows } = await ask(
    `SELECT to_regclass('vantage_schema') IS NOT NULL AS present,
      (SELECT count(*) FROM unnest($1::text[]) AS t (name) WHERE to_regclass(t.name) IS NOT NULL)
        + (SELECT count(*) FROM pg_trigger WHERE tgname::text = ANY ($2::text[]) AND tgenabled IN ('O', 'A')
            AND tgrelid IN (SELECT to_regclass(t.name) FROM unnest($1::text[]) AS t (name)))
        + (SELECT count(*) FROM unnest($3::text[]) AS f (name) WHERE to_regproc(f.name) IS NOT NULL) AS parts`,
    [TABLE_NAMES, TRIGGER_NAMES, Object.keys(FUNCTIONS)],
  )
  if (rows[0]?.present !== 't') return { version: 0, complete: false }
  const parts = TABLE_NAMES.length + TRIGGER_NAMES.length + Object.keys(FUNCTIONS).length
  const version = (await ask('SELECT version FROM vantage_schema')).rows[0]?.version
  return { version: Number(version ?? 0), complete: Number(rows[0].parts) === parts }
}

/**
 * Checks that the schema is the one that this package knows, with its triggers: without them a hand-written revocation
 * would not travel.
 *
 * @throws {KeyStoreError} that names the cure
 */
export async function checkSchema(ask: Ask, name: string): Promise<void> {
  const { version, complete } = await readSchema(ask)
  if (version > SCHEMA_VERSION) throw tooNew(name, version)
  if (version === SCHEMA_VERSION && complete) return
  const fault =
    version === SCHEMA_VERSION
      ? 'lacks tables, functions or triggers'
      : version === 0
        ? 'has no key schema'
        : 'has an old key schema'
  throw new KeyStoreError(`The ${name} ${fault}; run: vantage-auth keys migrate`)
}

/**
 * Creates the schema, or brings it up to date, or puts back what is missing. Two processes may do it at once: one waits
 * for the other, and finds nothing left to do. An up-to-date database is not written to, so that a role that administers
 * keys need not own the tables.
 */
export async function migrateSchema({ ask, transaction, name }: Connections): Promise<number> {
  if (await isUpToDate(ask)) return SCHEMA_VERSION
  await transaction(async (ask) => {
    await ask(`SELECT pg_advisory_xact_lock(${LOCK_SPACE}, ${MIGRATION_LOCK})`)
    if (await isUpToDate(ask)) return
    const schema = (await ask('SELECT quote_ident(current_schema()) AS name')).rows[0]?.name
    if (!schema) throw new KeyStoreError(`The ${name} has no schema on its search_path to create tables in`)
    for (const table of TABLES) await ask(table)
    // The steps of a later version go here, each for the databases older than it.
    for (const [name, { signature, returns, body }] of Object.entries(FUNCTIONS)) {
      await ask(`CREATE OR REPLACE FUNCTION ${name}${signature} RETURNS ${returns}
        SECURITY DEFINER SET search_path = pg_catalog, ${schema}, pg_temp AS $body$ ${body} $body$`)
      await ask(`REVOKE ALL ON FUNCTION ${name}${signature} FROM PUBLIC`)
    }
    for (const [table, triggers] of Object.entries(TRIGGERS)) {
      for (const [name, event] of Object.entries(triggers)) {
        await ask(`DROP TRIGGER IF EXISTS ${name} ON ${table}`)
        await ask(`CREATE TRIGGER ${name} ${event}`)
      }
    }
    await ask(
      `INSERT INTO vantage_schema (version, feed) VALUES (${SCHEMA_VERSION}, $1)
        ON CONFLICT (one) DO UPDATE SET version = excluded.version`,
      [randomUUID()],
    )
    // Without the triggers something may have changed unseen.
    await ask(`SELECT pg_advisory_xact_lock(${LOCK_SPACE}, ${CHANGE_LOCK}), pg_notify('${CHANNEL}', '')`)
    await ask('INSERT INTO vantage_changes (id) VALUES (NULL)')
  })
  return SCHEMA_VERSION

  async function isUpToDate(ask: Ask): Promise<boolean> {
    const { version, complete } = await readSchema(ask)
    if (version > SCHEMA_VERSION) throw tooNew(name, version)
    return version === SCHEMA_VERSION && complete
  }
}

function tooNew(name: string, version: number): KeyStoreError {
  return new KeyStoreError(
    `The ${name} has key schema ${version}, and this vantage-auth knows ${SCHEMA_VERSION}; update vantage-auth to the version whose vantage-auth keys migrate wrote it`,
  )
}
