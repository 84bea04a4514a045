import { TOKENS_CHANGED } from '../sql/changes.js'
import { replacedIn } from '../sql/token-revocations.js'

// Each migration makes all triggers anew. A change here reaches existing files only with a new step in migrations.ts.

const NOW = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`
const SEVEN_DAYS_MS = 7 * 86_400_000

const APPEND_ONLY = `BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END`

// A rotation shortens the life of a key too, and its successor, which is there already, has an entry.
const ROTATED = `OLD.replaced_by IS NULL AND NEW.expires_at <= coalesce(OLD.expires_at, NEW.expires_at)
      AND EXISTS (SELECT 1 FROM vantage_keys s WHERE s.id = NEW.replaced_by AND s.replaces = NEW.id)`

const BY_HAND = 'OLD.change_id IS NEW.change_id'
const NAME_OR_SCOPES = '(OLD.name, OLD.scopes) IS NOT (NEW.name, NEW.scopes)'

// Changes of a key that no method of ours makes.
const CHANGED = `(OLD.id, OLD.digest, OLD.subject, OLD.tenant, OLD.environment, OLD.created_at, OLD.created_by, OLD.replaces)
      IS NOT (NEW.id, NEW.digest, NEW.subject, NEW.tenant, NEW.environment, NEW.created_at, NEW.created_by, NEW.replaces)
    OR (${NAME_OR_SCOPES} AND ${BY_HAND})
    OR ((OLD.expires_at, OLD.replaced_by) IS NOT (NEW.expires_at, NEW.replaced_by) AND (${ROTATED}) IS NOT TRUE)
    OR ((OLD.revoked_at IS NULL) = (NEW.revoked_at IS NULL)
      AND (OLD.revoked_at, OLD.revoked_by, OLD.revoked_reason) IS NOT (NEW.revoked_at, NEW.revoked_by, NEW.revoked_reason))`

// The old name is left out: it may be what had to go.
const EDIT = `'{' || ltrim(
        iif(OLD.scopes IS NEW.scopes, '',
          ',"scopesBefore":' || json_quote(OLD.scopes) || ',"scopes":' || json_quote(NEW.scopes))
        || iif(OLD.name IS NEW.name, '', ',"name":' || json_quote(NEW.name)), ',') || '}'`

const NAMES = [
  ['tokenId', 'token_id'],
  ['subject', 'subject'],
  ['clientId', 'client_id'],
  ['sessionId', 'session_id'],
] as const

/** A name of tokens as a member of a JSON object; empty where there is none. */
const member = (row: string, name: string, column: string) =>
  `coalesce(',"${name}":' || iif(${row}.${column} IS NULL, NULL,
        iif(${row}.escaped, ${row}.${column}, json_quote(${row}.${column}))), '')`

const tokens = (row: string) => `'{"issuer":' || json_quote(${row}.issuer)
      || ${NAMES.map(([name, column]) => member(row, name, column)).join(' || ')}
      || iif(${row}.without_session, ',"withoutSession":true', '')
      || coalesce(',"issuedBefore":"'
        || strftime('%Y-%m-%dT%H:%M:%fZ', ${row}.issued_before / 1000.0, 'unixepoch') || '"', '') || '}'`

/**
 * INSERT OR REPLACE and UPDATE OR REPLACE throw out the rows that are in their way, and no trigger fires for the deletion.
 *
 * @param tell the statements that tell of those rows, which are called `was`, given the condition that finds them
 */
function replacedTriggers(table: string, tell: (condition: string) => readonly string[]): Record<string, string> {
  const body = (condition: string) => `BEGIN ${tell(condition).join(';\n    ')}; END`
  const inTheWay = '(was.id = NEW.id OR was.rowid = NEW.rowid)'
  return {
    [`${table}_replacing`]: `BEFORE INSERT ON ${table} ${body(inTheWay)}`,
    [`${table}_overwriting`]: `BEFORE UPDATE ON ${table} ${body(`${inTheWay} AND was.rowid <> OLD.rowid`)}`,
  }
}

// The trail is written by triggers, so that hand-written SQL leaves its traces as well.
const AUDIT_TRIGGERS: Readonly<Record<string, string>> = {
  vantage_audit_inserted: `AFTER INSERT ON vantage_keys BEGIN
    INSERT INTO vantage_audit (action, key_id, successor_id, actor, tenant, subject) VALUES (
      iif(NEW.replaces IS NULL, 'create', 'rotate'), coalesce(NEW.replaces, NEW.id),
      iif(NEW.replaces IS NULL, NULL, NEW.id), NEW.created_by, NEW.tenant, NEW.subject);
  END`,
  vantage_audit_revoked: `AFTER UPDATE ON vantage_keys WHEN OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL BEGIN
    INSERT INTO vantage_audit (action, key_id, actor, reason, detail, tenant, subject) VALUES ('revoke', NEW.id,
      NEW.revoked_by, NEW.revoked_reason, iif(${BY_HAND}, '{"by":"sql"}', NULL), NEW.tenant, NEW.subject);
  END`,
  vantage_audit_edited: `AFTER UPDATE ON vantage_keys WHEN ${NAME_OR_SCOPES} AND (${CHANGED}) IS NOT TRUE BEGIN
    INSERT INTO vantage_audit (action, key_id, actor, detail, tenant, subject)
      VALUES ('edited', NEW.id, NEW.edited_by, ${EDIT}, NEW.tenant, NEW.subject);
  END`,
  vantage_audit_restored: `AFTER UPDATE ON vantage_keys WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL BEGIN
    INSERT INTO vantage_audit (action, key_id, tenant, subject) VALUES ('restore', NEW.id, NEW.tenant, NEW.subject);
  END`,
  vantage_audit_changed: `AFTER UPDATE ON vantage_keys WHEN ${CHANGED} BEGIN
    INSERT INTO vantage_audit (action, key_id, tenant, subject)
      SELECT 'change', OLD.id, OLD.tenant, OLD.subject UNION SELECT 'change', NEW.id, NEW.tenant, NEW.subject;
  END`,
  vantage_audit_deleted: `AFTER DELETE ON vantage_keys BEGIN
    INSERT INTO vantage_audit (action, key_id, tenant, subject) VALUES ('delete', OLD.id, OLD.tenant, OLD.subject);
  END`,
  vantage_audit_tokens: `AFTER INSERT ON vantage_token_revocations BEGIN
    INSERT INTO vantage_audit (action, actor, reason, detail)
      VALUES ('revoke_tokens', NEW.created_by, NEW.reason, ${tokens('NEW')});
  END`,
  vantage_audit_tokens_changed: `AFTER UPDATE ON vantage_token_revocations BEGIN
    INSERT INTO vantage_audit (action, detail) VALUES ('change', ${tokens('OLD')});
  END`,
  // Those that have ended, or that another one replaces, are dropped by our own methods, and mean nothing any more.
  vantage_audit_tokens_deleted: `AFTER DELETE ON vantage_token_revocations
    WHEN OLD.ends_at > ${NOW} AND NOT ${replacedIn('vantage_token_revocations', 'OLD')} BEGIN
    INSERT INTO vantage_audit (action, detail) VALUES ('delete', ${tokens('OLD')});
  END`,
  ...replacedTriggers('vantage_keys', (condition) => [
    `INSERT INTO vantage_audit (action, key_id, tenant, subject)
      SELECT 'change', was.id, was.tenant, was.subject FROM vantage_keys was WHERE ${condition}`,
    `INSERT INTO vantage_changes (id) SELECT was.id FROM vantage_keys was WHERE ${condition}`,
  ]),
  ...replacedTriggers('vantage_token_revocations', (condition) => [
    `INSERT INTO vantage_audit (action, detail)
      SELECT 'change', ${tokens('was')} FROM vantage_token_revocations was WHERE ${condition}`,
    `INSERT INTO vantage_changes (id, revocation)
      SELECT '${TOKENS_CHANGED}', was.id FROM vantage_token_revocations was WHERE ${condition}`,
  ]),
  vantage_audit_unreplaced: `BEFORE INSERT ON vantage_audit
    WHEN EXISTS (SELECT 1 FROM vantage_audit a WHERE a.seq = NEW.seq) ${APPEND_ONLY}`,
  vantage_audit_kept: `BEFORE UPDATE ON vantage_audit ${APPEND_ONLY}`,
  vantage_audit_undeleted: `BEFORE DELETE ON vantage_audit ${APPEND_ONLY}`,
}

const logRevocation = (id: string) =>
  `INSERT INTO vantage_changes (id, revocation) VALUES ('${TOKENS_CHANGED}', ${id});`

/** The triggers, by name. */
export const TRIGGERS: Readonly<Record<string, string>> = {
  ...AUDIT_TRIGGERS,
  vantage_tokens_inserted: `AFTER INSERT ON vantage_token_revocations BEGIN ${logRevocation('NEW.id')} END`,
  vantage_tokens_updated: `AFTER UPDATE ON vantage_token_revocations BEGIN
    ${logRevocation('OLD.id')} ${logRevocation('NEW.id')}
  END`,
  // That an ended one is dropped changes nothing.
  vantage_tokens_deleted: `AFTER DELETE ON vantage_token_revocations WHEN OLD.ends_at > ${NOW} BEGIN
    ${logRevocation('OLD.id')}
  END`,
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
