import { TOKENS_CHANGED } from '../sql/changes.js'

// Each migration makes all functions and triggers anew. A change here reaches existing databases only with a new step in
// migrations.ts.

/**
 * The channel on which a change wakes those who follow the log. The notification of a change is empty; one with a text
 * is a feed's test of whether notifications arrive.
 */
export const CHANNEL = 'vantage_changes'

// Advisory locks are shared by the whole database: a number that nobody else is likely to use, 'vak.' in ASCII.
export const LOCK_SPACE = 0x76616b2e
/** Held from a change of keys or revocations to its commit. */
export const CHANGE_LOCK = 1
export const MIGRATION_LOCK = 2

/**
 * The functions, by name. They run with the rights of their owner (SECURITY DEFINER): a role that may write keys need not be
 * allowed to write the log, and a service that verifies may add usage and nothing else. Their fixed search path keeps them
 * from using another role's table of the same name.
 */
export const FUNCTIONS: Readonly<Record<string, { signature: string; returns: string; body: string }>> = {
  // A transaction draws the numbers of its changes before it commits. Without the lock, a reader could read number 8 and
  // never see number 7, which commits later. So one transaction at a time changes keys. The lock is taken before any row is
  // locked: taken in a row trigger, two ordinary transactions could wait for each other.
  // Pruning keeps the newest change, because readers who are up to date look for it.
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
  // The trail is written by a trigger, so that hand-written SQL leaves its traces as well.
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
      INSERT INTO vantage_changes (id) VALUES ('${TOKENS_CHANGED}');
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
  // Rows are locked in the order of the primary key. In different orders, two services could wait for each other.
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

/** The triggers, by table and name. */
export const TRIGGERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  vantage_keys: {
    vantage_keys_before: `BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vantage_keys
      FOR EACH STATEMENT EXECUTE FUNCTION vantage_before_change()`,
    vantage_keys_changed: `AFTER INSERT OR UPDATE OR DELETE ON vantage_keys
      FOR EACH ROW EXECUTE FUNCTION vantage_log_change()`,
    // TRUNCATE fires no row trigger.
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
