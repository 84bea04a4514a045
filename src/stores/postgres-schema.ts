import { randomUUID } from 'node:crypto'
import { KeyStoreError } from '../errors.js'
import type { Ask, Connections } from './postgres-connections.js'

/** The version that this package reads and writes. */
export const SCHEMA_VERSION = 1

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
      RETURN NULL;
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

const TRIGGERS: Readonly<Record<string, string>> = {
  vantage_keys_before: `BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vantage_keys
    FOR EACH STATEMENT EXECUTE FUNCTION vantage_before_change()`,
  vantage_keys_changed: `AFTER INSERT OR UPDATE OR DELETE ON vantage_keys
    FOR EACH ROW EXECUTE FUNCTION vantage_log_change()`,
  // No row trigger fires for it.
  vantage_keys_truncated: `AFTER TRUNCATE ON vantage_keys
    FOR EACH STATEMENT EXECUTE FUNCTION vantage_log_truncate()`,
}

const TABLE_NAMES = ['vantage_schema', 'vantage_keys', 'vantage_usage', 'vantage_changes']

/** The schema that a connection sees: its version, 0 without one; and whether all of it is there, and its triggers are on. */
async function readSchema(ask: Ask): Promise<{ readonly version: number; readonly complete: boolean }> {
  const { rows } = await ask(
    `SELECT to_regclass('vantage_schema') IS NOT NULL AS present,
      (SELECT count(*) FROM unnest($1::text[]) AS t (name) WHERE to_regclass(t.name) IS NOT NULL)
        + (SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass('vantage_keys') AND tgenabled IN ('O', 'A')
            AND tgname::text = ANY ($2::text[]))
        + (SELECT count(*) FROM unnest($3::text[]) AS f (name) WHERE to_regproc(f.name) IS NOT NULL) AS parts`,
    [TABLE_NAMES, Object.keys(TRIGGERS), Object.keys(FUNCTIONS)],
  )
  if (rows[0]?.present !== 't') return { version: 0, complete: false }
  const parts = TABLE_NAMES.length + Object.keys(TRIGGERS).length + Object.keys(FUNCTIONS).length
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
    for (const [name, event] of Object.entries(TRIGGERS)) {
      await ask(`DROP TRIGGER IF EXISTS ${name} ON vantage_keys`)
      await ask(`CREATE TRIGGER ${name} ${event}`)
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
