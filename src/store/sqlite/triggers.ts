import { TOKENS_CHANGED } from '../sql/changes.js'

// Each migration makes all triggers anew. A change here reaches existing files only with a new step in migrations.ts.

const NOW = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`
const SEVEN_DAYS_MS = 7 * 86_400_000

const APPEND_ONLY = `BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END`

// Changes of a key that no method of ours makes. A rotation changes the end of a key too, and has its own entry.
const CHANGED = `(OLD.id, OLD.digest, OLD.subject, OLD.tenant, OLD.environment, OLD.scopes, OLD.created_at)
      IS NOT (NEW.id, NEW.digest, NEW.subject, NEW.tenant, NEW.environment, NEW.scopes, NEW.created_at)
    OR (OLD.expires_at IS NOT NEW.expires_at AND OLD.replaced_by IS NEW.replaced_by)`

// The trail is written by triggers, so that hand-written SQL leaves its traces as well.
const AUDIT_TRIGGERS: Readonly<Record<string, string>> = {
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

const LOG_TOKENS = `BEGIN INSERT INTO vantage_changes (id) VALUES ('${TOKENS_CHANGED}'); END`

/** The triggers, by name. REPLACE fires no delete trigger: the insert trigger tells of the key instead. */
export const TRIGGERS: Readonly<Record<string, string>> = {
  ...AUDIT_TRIGGERS,
  vantage_tokens_inserted: `AFTER INSERT ON vantage_token_revocations ${LOG_TOKENS}`,
  vantage_tokens_updated: `AFTER UPDATE ON vantage_token_revocations ${LOG_TOKENS}`,
  vantage_tokens_deleted: `AFTER DELETE ON vantage_token_revocations ${LOG_TOKENS}`,
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
  // Pruned by a trigger, so that the log stays bounded under hand-written SQL too.
  vantage_changes_pruned: `AFTER INSERT ON vantage_changes BEGIN
    DELETE FROM vantage_changes WHERE at < ${NOW} - ${SEVEN_DAYS_MS} AND seq < NEW.seq;
  END`,
}
