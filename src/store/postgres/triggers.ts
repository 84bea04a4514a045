import { TOKENS_CHANGED } from '../sql/changes.js'
import { replacedIn } from '../sql/token-revocations.js'
import { MAX_EVENTS, MAX_SESSIONS, MAX_SUBJECTS_AND_CLIENTS, MAX_TOKENS } from '../token-revocations.js'
import { MAX_COUNT } from './migrations.js'
import { REVOKE_TOKENS_ONCE } from './revoke-once.js'
import { LOCK_CHANGES, type StoredFunction } from './stored-function.js'

// Each migration makes all functions and triggers anew. A change here reaches existing databases only with a new step in
// migrations.ts.

/**
 * The channel on which a change wakes those who follow the log. The notification of a change is empty; one with a text
 * is a feed's test of whether notifications arrive.
 */
export const CHANNEL = 'vantage_changes'

const NAMES = [
  ['tokenId', 'token_id'],
  ['subject', 'subject'],
  ['clientId', 'client_id'],
  ['sessionId', 'session_id'],
] as const

/** A name of tokens as JSON; NULL where there is none. */
const jsonName = (column: string) =>
  `CASE WHEN told.escaped = 1 THEN told.${column} ELSE to_json(told.${column})::text END`

/** How many rows there are for each room: of tokens, of sessions, and of subjects and clients. See `roomOf()`. */
const OF_SESSIONS = 'sender IS NOT NULL OR session_id IS NOT NULL OR without_session = 1'
export const COUNT_ROOMS = `count(token_id) FILTER (WHERE sender IS NULL), count(*) FILTER (WHERE ${OF_SESSIONS}),
          count(*) FILTER (WHERE token_id IS NULL AND NOT (${OF_SESSIONS}))`

const LOG_REVOCATION = (id: string) =>
  `INSERT INTO {schema}.vantage_changes (id, revocation) VALUES ('${TOKENS_CHANGED}', ${id});`

/**
 * Rows that logical replication applies fire no trigger of statements, so the triggers of rows lock and notify as well.
 * For ordinary statements both are done already, and cost next to nothing.
 */
const AS_REPLICATED = `${LOCK_CHANGES};
      PERFORM pg_notify('${CHANNEL}', '');`

/**
 * The functions, by name. They run with the rights of their owner (SECURITY DEFINER): a role that may write keys need not be
 * allowed to write the log, and a service that verifies may add usage and nothing else. Their search path holds nothing but
 * the server's own names, and tables are written with their schema: whoever may create a function there could have it called
 * with the owner's rights otherwise, since an overload whose arguments fit better comes before pg_catalog's.
 */
export const FUNCTIONS: Readonly<Record<string, StoredFunction>> = {
  // A transaction draws the numbers of its changes before it commits. Without the lock, a reader could read number 8 and
  // never see number 7, which commits later. So one transaction at a time changes keys. The lock is taken before any row is
  // locked: taken in a row trigger, two ordinary transactions could wait for each other.
  // Pruning keeps the newest change, because readers who are up to date look for it. It passes over usage that a service
  // is adding to: with an open transaction that service would hold up revocations.
  vantage_before_change: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      ${LOCK_CHANGES};
      PERFORM pg_notify('${CHANNEL}', '');
      WITH pruned AS (
        DELETE FROM {schema}.vantage_changes
          WHERE at < now() - interval '7 days' AND seq < (SELECT max(seq) FROM {schema}.vantage_changes)
          RETURNING id
      )
      DELETE FROM {schema}.vantage_usage WHERE (id, day) IN (
        SELECT u.id, u.day FROM {schema}.vantage_usage u JOIN pruned p ON p.id = u.id
          WHERE NOT EXISTS (SELECT FROM {schema}.vantage_keys k WHERE k.id = p.id)
          FOR UPDATE OF u SKIP LOCKED);
      RETURN NULL;
    END`,
  },
  vantage_log_change: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      ${AS_REPLICATED}
      IF TG_OP <> 'INSERT' THEN
        INSERT INTO {schema}.vantage_changes (id) VALUES (OLD.id);
      END IF;
      IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.id <> OLD.id) THEN
        INSERT INTO {schema}.vantage_changes (id) VALUES (NEW.id);
      END IF;
      RETURN NULL;
    END`,
  },
  vantage_log_truncate: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      INSERT INTO {schema}.vantage_changes (id) VALUES (NULL);
      INSERT INTO {schema}.vantage_audit (action) VALUES ('delete');
      RETURN NULL;
    END`,
  },
  // The trail is written by a trigger, so that hand-written SQL leaves its traces as well. Of replicated rows it comes before
  // the one that locks: its numbers are read in their order, too.
  vantage_audit_key: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      ${LOCK_CHANGES};
      IF TG_OP = 'INSERT' THEN
        INSERT INTO {schema}.vantage_audit (action, key_id, successor_id, actor, tenant, subject) VALUES (
          CASE WHEN NEW.replaces IS NULL THEN 'create' ELSE 'rotate' END, coalesce(NEW.replaces, NEW.id),
          CASE WHEN NEW.replaces IS NOT NULL THEN NEW.id END, NEW.created_by, NEW.tenant, NEW.subject);
        RETURN NULL;
      ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO {schema}.vantage_audit (action, key_id, tenant, subject)
          VALUES ('delete', OLD.id, OLD.tenant, OLD.subject);
        RETURN NULL;
      END IF;
      IF OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL THEN
        INSERT INTO {schema}.vantage_audit (action, key_id, actor, reason, detail, tenant, subject)
          VALUES ('revoke', NEW.id, NEW.revoked_by, NEW.revoked_reason,
            CASE WHEN OLD.change_id IS NOT DISTINCT FROM NEW.change_id THEN '{"by":"sql"}' END, NEW.tenant, NEW.subject);
      ELSIF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL THEN
        INSERT INTO {schema}.vantage_audit (action, key_id, tenant, subject)
          VALUES ('restore', NEW.id, NEW.tenant, NEW.subject);
      END IF;
      -- A rotation shortens the life of a key too, and its successor, which is there already, has an entry.
      IF (OLD.id, OLD.digest, OLD.subject, OLD.tenant, OLD.environment, OLD.created_at, OLD.created_by, OLD.replaces)
          IS DISTINCT FROM (NEW.id, NEW.digest, NEW.subject, NEW.tenant, NEW.environment, NEW.created_at, NEW.created_by, NEW.replaces)
        OR (OLD.name, OLD.scopes) IS DISTINCT FROM (NEW.name, NEW.scopes)
          AND OLD.change_id IS NOT DISTINCT FROM NEW.change_id
        OR (OLD.expires_at, OLD.replaced_by) IS DISTINCT FROM (NEW.expires_at, NEW.replaced_by)
          AND (OLD.replaced_by IS NULL AND NEW.expires_at <= coalesce(OLD.expires_at, NEW.expires_at) AND EXISTS (
            SELECT FROM {schema}.vantage_keys s WHERE s.id = NEW.replaced_by AND s.replaces = NEW.id)) IS NOT TRUE
        OR (OLD.revoked_at IS NULL) = (NEW.revoked_at IS NULL)
          AND (OLD.revoked_at, OLD.revoked_by, OLD.revoked_reason)
            IS DISTINCT FROM (NEW.revoked_at, NEW.revoked_by, NEW.revoked_reason) THEN
        INSERT INTO {schema}.vantage_audit (action, key_id, tenant, subject)
          SELECT 'change', OLD.id, OLD.tenant, OLD.subject UNION SELECT 'change', NEW.id, NEW.tenant, NEW.subject;
      ELSIF (OLD.name, OLD.scopes) IS DISTINCT FROM (NEW.name, NEW.scopes) THEN
        -- The old name is left out: it may be what had to go.
        INSERT INTO {schema}.vantage_audit (action, key_id, actor, tenant, subject, detail)
          VALUES ('edited', NEW.id, NEW.edited_by, NEW.tenant, NEW.subject, '{' || concat_ws(',',
            CASE WHEN OLD.scopes <> NEW.scopes THEN
              '"scopesBefore":' || to_json(OLD.scopes)::text || ',"scopes":' || to_json(NEW.scopes)::text END,
            CASE WHEN OLD.name IS DISTINCT FROM NEW.name THEN
              '"name":' || coalesce(to_json(NEW.name)::text, 'null') END) || '}');
      END IF;
      RETURN NULL;
    END`,
  },
  vantage_audit_tokens: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `DECLARE
      told record;
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO {schema}.vantage_audit (action, detail) VALUES ('delete', '{"tokens":"all"}');
        RETURN NULL;
      ELSIF TG_OP = 'INSERT' THEN
        told := NEW;
      ELSE
        told := OLD;
      END IF;
      -- Those that have ended, or that another one replaces, are dropped by our own methods, and mean nothing any more.
      IF TG_OP = 'DELETE' AND (told.ends_at <= now()
          OR ${replacedIn('{schema}.vantage_token_revocations', 'told')}) THEN
        RETURN NULL;
      END IF;
      INSERT INTO {schema}.vantage_audit (action, actor, reason, detail) VALUES (
        CASE TG_OP WHEN 'INSERT' THEN 'revoke_tokens' WHEN 'UPDATE' THEN 'change' ELSE 'delete' END,
        CASE TG_OP WHEN 'INSERT' THEN told.created_by END,
        CASE TG_OP WHEN 'INSERT' THEN told.reason END,
        '{' || concat_ws(',', '"issuer":' || to_json(told.issuer)::text,
          ${NAMES.map(([member, column]) => `'"${member}":' || ${jsonName(column)}`).join(`,
          `)},
          CASE WHEN told.without_session = 1 THEN '"withoutSession":true' END,
          '"issuedBefore":"' || to_char(told.issued_before AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"') || '}');
      RETURN NULL;
    END`,
  },
  vantage_log_tokens: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      ${AS_REPLICATED}
      IF TG_OP = 'TRUNCATE' THEN
        ${LOG_REVOCATION('NULL')}
      ELSIF TG_OP = 'INSERT' THEN
        ${LOG_REVOCATION('NEW.id')}
      ELSIF TG_OP = 'UPDATE' THEN
        ${LOG_REVOCATION('OLD.id')}
        ${LOG_REVOCATION('NEW.id')}
      ELSIF OLD.ends_at > clock_timestamp() THEN
        -- That an ended one is dropped changes nothing.
        ${LOG_REVOCATION('OLD.id')}
      END IF;
      RETURN NULL;
    END`,
  },
  // By whole statements: a row that is updated for each of many rows that end together would grow slow.
  vantage_count_tokens: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `DECLARE
      added {schema}.vantage_token_counts%ROWTYPE;
      removed {schema}.vantage_token_counts%ROWTYPE;
      full_of text;
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN
        UPDATE {schema}.vantage_token_counts SET tokens = 0, subjects_and_clients = 0, sessions = 0;
        RETURN NULL;
      END IF;
      added.tokens := 0;
      added.subjects_and_clients := 0;
      added.sessions := 0;
      removed := added;
      IF TG_OP <> 'DELETE' THEN
        SELECT ${COUNT_ROOMS} INTO added.tokens, added.sessions, added.subjects_and_clients FROM added;
      END IF;
      IF TG_OP <> 'INSERT' THEN
        SELECT ${COUNT_ROOMS} INTO removed.tokens, removed.sessions, removed.subjects_and_clients FROM removed;
      END IF;
      IF added = removed THEN
        RETURN NULL;
      END IF;
      UPDATE {schema}.vantage_token_counts SET tokens = tokens + added.tokens - removed.tokens,
          sessions = sessions + added.sessions - removed.sessions,
          subjects_and_clients = subjects_and_clients + added.subjects_and_clients - removed.subjects_and_clients
        RETURNING CASE WHEN added.tokens > removed.tokens AND tokens > ${MAX_TOKENS} THEN 'tokens'
          WHEN added.sessions > removed.sessions AND sessions > ${MAX_SESSIONS} THEN 'sessions'
          WHEN added.subjects_and_clients > removed.subjects_and_clients
            AND subjects_and_clients > ${MAX_SUBJECTS_AND_CLIENTS} THEN 'subjects and clients'
          END INTO full_of;
      IF full_of IS NOT NULL THEN
        RAISE EXCEPTION 'there are too many revocations of %', full_of USING ERRCODE = 'program_limit_exceeded';
      END IF;
      RETURN NULL;
    END`,
  },
  vantage_count_events: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `DECLARE
      changed bigint := 0;
      counted bigint;
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN
        UPDATE {schema}.vantage_token_counts SET events = 0;
        RETURN NULL;
      ELSIF TG_OP = 'INSERT' THEN
        SELECT count(*) INTO changed FROM added;
      ELSE
        SELECT -count(*) INTO changed FROM removed;
      END IF;
      IF changed <> 0 THEN
        UPDATE {schema}.vantage_token_counts SET events = events + changed RETURNING events INTO counted;
      END IF;
      IF changed > 0 AND counted > ${MAX_EVENTS} THEN
        RAISE EXCEPTION 'there are too many events' USING ERRCODE = 'program_limit_exceeded';
      END IF;
      RETURN NULL;
    END`,
  },
  vantage_revoke_tokens_once: REVOKE_TOKENS_ONCE,
  vantage_keep_audit: {
    signature: '()',
    returns: 'trigger LANGUAGE plpgsql',
    body: `BEGIN
      RAISE EXCEPTION 'the audit trail cannot be changed';
    END`,
  },
  // A service may call it with anything. What no service counts is left out, or brought to the nearest value that one
  // could, so that no row can be written that cannot be read, or that stops others from counting.
  // Rows are locked in the order of the primary key. In different orders, two services could wait for each other.
  vantage_add_usage: {
    signature: '(ids text[], days date[], counts bigint[], last_uses timestamptz[])',
    types: 'text[], date[], bigint[], timestamp with time zone[]',
    returns: 'void LANGUAGE sql',
    body: `INSERT INTO {schema}.vantage_usage AS kept (id, day, count, last_used_at)
      SELECT used.id, used.day, least(sum(least(used.count, 1000000000)), ${MAX_COUNT})::bigint,
          max(least(greatest(used.at, '2020-01-01T00:00:00Z'), now() + interval '1 day'))
        FROM unnest(ids, days, counts, last_uses) AS used (id, day, count, at)
        WHERE used.count > 0 AND used.at IS NOT NULL
          AND used.day BETWEEN '2020-01-01' AND ((now() AT TIME ZONE 'UTC') + interval '1 day')::date
          AND EXISTS (SELECT FROM {schema}.vantage_keys k WHERE k.id = used.id)
        GROUP BY used.id, used.day
        ORDER BY used.id COLLATE pg_catalog."C", used.day
      ON CONFLICT (id, day) DO UPDATE SET count = least(kept.count + excluded.count, ${MAX_COUNT}),
        last_used_at = greatest(kept.last_used_at, excluded.last_used_at)`,
  },
}

/** Each function with its types. Others may have created functions of the same names with other types. */
export const SIGNATURES: readonly string[] = Object.entries(FUNCTIONS).map(
  ([name, { types = '' }]) => `${name}(${types})`,
)

/** The triggers, by table and name. They fire under each `session_replication_role`: a restored key is a change too. */
export const TRIGGERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  vantage_keys: {
    vantage_keys_before: `BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {schema}.vantage_keys
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_before_change()`,
    vantage_keys_changed: `AFTER INSERT OR UPDATE OR DELETE ON {schema}.vantage_keys
      FOR EACH ROW EXECUTE FUNCTION {schema}.vantage_log_change()`,
    // TRUNCATE fires no row trigger.
    vantage_keys_truncated: `AFTER TRUNCATE ON {schema}.vantage_keys
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_log_truncate()`,
    vantage_keys_audited: `AFTER INSERT OR UPDATE OR DELETE ON {schema}.vantage_keys
      FOR EACH ROW EXECUTE FUNCTION {schema}.vantage_audit_key()`,
  },
  vantage_token_revocations: {
    vantage_tokens_before: `BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {schema}.vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_before_change()`,
    vantage_tokens_changed: `AFTER INSERT OR UPDATE OR DELETE ON {schema}.vantage_token_revocations
      FOR EACH ROW EXECUTE FUNCTION {schema}.vantage_log_tokens()`,
    // TRUNCATE fires no row trigger.
    vantage_tokens_cleared: `AFTER TRUNCATE ON {schema}.vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_log_tokens()`,
    // A trigger for each event, since only one with a single event can have the rows of its statement.
    vantage_tokens_counted: `AFTER INSERT ON {schema}.vantage_token_revocations REFERENCING NEW TABLE AS added
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_count_tokens()`,
    vantage_tokens_recounted: `AFTER UPDATE ON {schema}.vantage_token_revocations
      REFERENCING NEW TABLE AS added OLD TABLE AS removed
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_count_tokens()`,
    vantage_tokens_discounted: `AFTER DELETE ON {schema}.vantage_token_revocations REFERENCING OLD TABLE AS removed
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_count_tokens()`,
    vantage_tokens_emptied: `AFTER TRUNCATE ON {schema}.vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_count_tokens()`,
    vantage_tokens_audited: `AFTER INSERT OR UPDATE OR DELETE ON {schema}.vantage_token_revocations
      FOR EACH ROW EXECUTE FUNCTION {schema}.vantage_audit_tokens()`,
    vantage_tokens_truncated: `AFTER TRUNCATE ON {schema}.vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_audit_tokens()`,
  },
  vantage_token_events: {
    vantage_events_counted: `AFTER INSERT ON {schema}.vantage_token_events REFERENCING NEW TABLE AS added
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_count_events()`,
    vantage_events_discounted: `AFTER DELETE ON {schema}.vantage_token_events REFERENCING OLD TABLE AS removed
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_count_events()`,
    vantage_events_emptied: `AFTER TRUNCATE ON {schema}.vantage_token_events
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_count_events()`,
  },
  vantage_audit: {
    vantage_audit_kept: `BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.vantage_audit
      FOR EACH STATEMENT EXECUTE FUNCTION {schema}.vantage_keep_audit()`,
  },
}

export const TRIGGER_NAMES: readonly string[] = Object.values(TRIGGERS).flatMap(Object.keys)
