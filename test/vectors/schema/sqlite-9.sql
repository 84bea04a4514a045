CREATE TABLE IF NOT EXISTS vantage_schema (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    feed TEXT NOT NULL
  );

CREATE TABLE IF NOT EXISTS vantage_keys (
    id TEXT CHECK (typeof(id) IN ('text', 'null')) NOT NULL PRIMARY KEY,
    digest TEXT CHECK (typeof(digest) IN ('text', 'null')) NOT NULL,
    subject TEXT CHECK (typeof(subject) IN ('text', 'null')) NOT NULL,
    tenant TEXT CHECK (typeof(tenant) IN ('text', 'null')),
    name TEXT CHECK (typeof(name) IN ('text', 'null')),
    environment TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    scopes TEXT CHECK (typeof(scopes) IN ('text', 'null')) NOT NULL,
    created_at INTEGER CHECK (typeof(created_at) IN ('integer', 'null') AND created_at BETWEEN 0 AND 253402300799999) NOT NULL,
    created_by TEXT CHECK (typeof(created_by) IN ('text', 'null')),
    expires_at INTEGER CHECK (typeof(expires_at) IN ('integer', 'null') AND expires_at BETWEEN 0 AND 253402300799999),
    revoked_at INTEGER CHECK (typeof(revoked_at) IN ('integer', 'null') AND revoked_at BETWEEN 0 AND 253402300799999),
    revoked_by TEXT CHECK (typeof(revoked_by) IN ('text', 'null')),
    revoked_reason TEXT CHECK (typeof(revoked_reason) IN ('text', 'null')),
    replaces TEXT CHECK (typeof(replaces) IN ('text', 'null')),
    replaced_by TEXT CHECK (typeof(replaced_by) IN ('text', 'null'))
  );

CREATE INDEX IF NOT EXISTS vantage_keys_created ON vantage_keys (created_at, id);

CREATE INDEX IF NOT EXISTS vantage_keys_subject ON vantage_keys (subject, created_at);

CREATE TABLE IF NOT EXISTS vantage_usage (
    id TEXT NOT NULL,
    day TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (id, day)
  ) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS vantage_changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT,
    at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
  );

CREATE INDEX IF NOT EXISTS vantage_changes_at ON vantage_changes (at);

CREATE TABLE IF NOT EXISTS vantage_token_revocations (
    id TEXT CHECK (typeof(id) IN ('text', 'null')) NOT NULL PRIMARY KEY,
    issuer TEXT CHECK (typeof(issuer) IN ('text', 'null')) NOT NULL,
    token_id TEXT CHECK (typeof(token_id) IN ('text', 'null')),
    subject TEXT CHECK (typeof(subject) IN ('text', 'null')),
    client_id TEXT CHECK (typeof(client_id) IN ('text', 'null')),
    issued_before INTEGER CHECK (typeof(issued_before) IN ('integer', 'null') AND issued_before BETWEEN 0 AND 253402300799999),
    created_at INTEGER CHECK (typeof(created_at) IN ('integer', 'null') AND created_at BETWEEN 0 AND 253402300799999) NOT NULL,
    created_by TEXT CHECK (typeof(created_by) IN ('text', 'null')),
    reason TEXT CHECK (typeof(reason) IN ('text', 'null')),
    ends_at INTEGER CHECK (typeof(ends_at) IN ('integer', 'null') AND ends_at BETWEEN 0 AND 253402300799999) NOT NULL,
    CHECK ((token_id IS NOT NULL) + (subject IS NOT NULL) + (client_id IS NOT NULL) = 1),
    CHECK ((token_id IS NULL) = (issued_before IS NOT NULL))
  );

CREATE INDEX IF NOT EXISTS vantage_token_revocations_end ON vantage_token_revocations (ends_at);

CREATE TABLE IF NOT EXISTS vantage_audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
    action TEXT NOT NULL,
    key_id TEXT,
    successor_id TEXT,
    actor TEXT,
    reason TEXT,
    detail TEXT
  );

CREATE INDEX IF NOT EXISTS vantage_audit_key ON vantage_audit (key_id);

CREATE INDEX IF NOT EXISTS vantage_audit_successor ON vantage_audit (successor_id);

ALTER TABLE vantage_changes ADD COLUMN revocation TEXT;

ALTER TABLE vantage_token_revocations ADD COLUMN escaped INTEGER NOT NULL DEFAULT 0 CHECK (escaped IN (0, 1));

CREATE INDEX IF NOT EXISTS vantage_token_revocations_token_id ON vantage_token_revocations (token_id)
    WHERE token_id IS NOT NULL;

CREATE INDEX IF NOT EXISTS vantage_token_revocations_subject ON vantage_token_revocations (subject)
    WHERE subject IS NOT NULL;

CREATE INDEX IF NOT EXISTS vantage_token_revocations_client_id ON vantage_token_revocations (client_id)
    WHERE client_id IS NOT NULL;

ALTER TABLE vantage_keys ADD COLUMN change_id TEXT CHECK (typeof(change_id) IN ('text', 'null'));

ALTER TABLE vantage_keys ADD COLUMN edited_by TEXT CHECK (typeof(edited_by) IN ('text', 'null'));

ALTER TABLE vantage_audit ADD COLUMN tenant TEXT;

ALTER TABLE vantage_audit ADD COLUMN subject TEXT;

DROP TRIGGER IF EXISTS vantage_audit_kept;

UPDATE vantage_audit SET (tenant, subject) = (SELECT k.tenant, k.subject FROM vantage_keys k WHERE k.id = key_id)
    WHERE subject IS NULL AND key_id IN (SELECT id FROM vantage_keys);

CREATE INDEX IF NOT EXISTS vantage_audit_tenant ON vantage_audit (tenant, seq);

CREATE INDEX IF NOT EXISTS vantage_audit_subject ON vantage_audit (subject, seq);

CREATE INDEX IF NOT EXISTS vantage_keys_tenant ON vantage_keys (tenant, created_at);

CREATE INDEX IF NOT EXISTS vantage_usage_day ON vantage_usage (day, id);

ALTER TABLE vantage_token_revocations ADD COLUMN session_id TEXT;

ALTER TABLE vantage_token_revocations ADD COLUMN without_session INTEGER NOT NULL DEFAULT 0;

ALTER TABLE vantage_token_revocations ADD COLUMN sender TEXT;

DROP TABLE IF EXISTS vantage_token_revocations_9;

CREATE TABLE vantage_token_revocations_9 (
    id TEXT CHECK (typeof(id) IN ('text', 'null')) NOT NULL PRIMARY KEY,
    issuer TEXT CHECK (typeof(issuer) IN ('text', 'null')) NOT NULL,
    token_id TEXT CHECK (typeof(token_id) IN ('text', 'null')),
    subject TEXT CHECK (typeof(subject) IN ('text', 'null')),
    client_id TEXT CHECK (typeof(client_id) IN ('text', 'null')),
    session_id TEXT CHECK (typeof(session_id) IN ('text', 'null')),
    without_session INTEGER NOT NULL DEFAULT 0 CHECK (without_session IN (0, 1)),
    issued_before INTEGER CHECK (typeof(issued_before) IN ('integer', 'null') AND issued_before BETWEEN 0 AND 253402300799999),
    created_at INTEGER CHECK (typeof(created_at) IN ('integer', 'null') AND created_at BETWEEN 0 AND 253402300799999) NOT NULL,
    created_by TEXT CHECK (typeof(created_by) IN ('text', 'null')),
    reason TEXT CHECK (typeof(reason) IN ('text', 'null')),
    ends_at INTEGER CHECK (typeof(ends_at) IN ('integer', 'null') AND ends_at BETWEEN 0 AND 253402300799999) NOT NULL,
    escaped INTEGER NOT NULL DEFAULT 0 CHECK (escaped IN (0, 1)),
    sender TEXT CHECK (typeof(sender) IN ('text', 'null')),
    CHECK ((token_id IS NOT NULL) + (subject IS NOT NULL) + (client_id IS NOT NULL) + (session_id IS NOT NULL) = 1),
    CHECK (session_id IS NOT NULL OR (token_id IS NULL) = (issued_before IS NOT NULL)),
    CHECK (without_session = 0 OR subject IS NOT NULL)
  );

INSERT INTO vantage_token_revocations_9 (id, issuer, token_id, subject, client_id, session_id, without_session,
      issued_before, created_at, created_by, reason, ends_at, escaped, sender)
    SELECT id, issuer, token_id, subject, client_id, session_id, without_session,
      issued_before, created_at, created_by, reason, ends_at, escaped, sender FROM vantage_token_revocations;

DROP TABLE vantage_token_revocations;

ALTER TABLE vantage_token_revocations_9 RENAME TO vantage_token_revocations;

CREATE INDEX vantage_token_revocations_end ON vantage_token_revocations (ends_at);

CREATE INDEX vantage_token_revocations_token_id ON vantage_token_revocations (token_id)
    WHERE token_id IS NOT NULL;

CREATE INDEX vantage_token_revocations_subject ON vantage_token_revocations (subject)
    WHERE subject IS NOT NULL;

CREATE INDEX vantage_token_revocations_client_id ON vantage_token_revocations (client_id)
    WHERE client_id IS NOT NULL;

CREATE INDEX vantage_token_revocations_session_id ON vantage_token_revocations (session_id)
    WHERE session_id IS NOT NULL;

CREATE INDEX vantage_token_revocations_room ON vantage_token_revocations (CASE WHEN sender IS NOT NULL OR session_id IS NOT NULL OR without_session = 1 THEN 'sessions'
    WHEN token_id IS NOT NULL THEN 'tokens' ELSE 'subjects and clients' END);

CREATE INDEX vantage_token_revocations_sender ON vantage_token_revocations (sender) WHERE sender IS NOT NULL;

CREATE TABLE IF NOT EXISTS vantage_token_events (
    digest TEXT CHECK (typeof(digest) IN ('text', 'null')) NOT NULL PRIMARY KEY,
    sender TEXT CHECK (typeof(sender) IN ('text', 'null')) NOT NULL,
    ends_at INTEGER CHECK (typeof(ends_at) IN ('integer', 'null') AND ends_at BETWEEN 0 AND 253402300799999) NOT NULL
  ) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS vantage_token_events_end ON vantage_token_events (ends_at);

CREATE INDEX IF NOT EXISTS vantage_token_events_sender ON vantage_token_events (sender);

CREATE TABLE IF NOT EXISTS vantage_services (
    id TEXT CHECK (typeof(id) IN ('text', 'null')) NOT NULL PRIMARY KEY,
    host TEXT CHECK (typeof(host) IN ('text', 'null')),
    pid INTEGER CHECK (typeof(pid) IN ('integer', 'null')),
    application TEXT CHECK (typeof(application) IN ('text', 'null')),
    pid_space TEXT CHECK (typeof(pid_space) IN ('text', 'null')),
    started TEXT CHECK (typeof(started) IN ('text', 'null')),
    since INTEGER CHECK (typeof(since) IN ('integer', 'null') AND since BETWEEN 0 AND 253402300799999),
    heard_of TEXT CHECK (typeof(heard_of) IN ('text', 'null')),
    seen_at INTEGER CHECK (typeof(seen_at) IN ('integer', 'null') AND seen_at BETWEEN 0 AND 253402300799999) NOT NULL,
    answered INTEGER NOT NULL CHECK (typeof(answered) = 'integer')
  ) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS vantage_question (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    asked INTEGER NOT NULL CHECK (typeof(asked) = 'integer')
  );

DROP TRIGGER IF EXISTS vantage_audit_inserted; CREATE TRIGGER vantage_audit_inserted AFTER INSERT ON vantage_keys BEGIN
    INSERT INTO vantage_audit (action, key_id, successor_id, actor, tenant, subject) VALUES (
      iif(NEW.replaces IS NULL, 'create', 'rotate'), coalesce(NEW.replaces, NEW.id),
      iif(NEW.replaces IS NULL, NULL, NEW.id), NEW.created_by, NEW.tenant, NEW.subject);
  END;

DROP TRIGGER IF EXISTS vantage_audit_revoked; CREATE TRIGGER vantage_audit_revoked AFTER UPDATE ON vantage_keys WHEN OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL BEGIN
    INSERT INTO vantage_audit (action, key_id, actor, reason, detail, tenant, subject) VALUES ('revoke', NEW.id,
      NEW.revoked_by, NEW.revoked_reason, iif(OLD.change_id IS NEW.change_id, '{"by":"sql"}', NULL), NEW.tenant, NEW.subject);
  END;

DROP TRIGGER IF EXISTS vantage_audit_edited; CREATE TRIGGER vantage_audit_edited AFTER UPDATE ON vantage_keys WHEN (OLD.name, OLD.scopes) IS NOT (NEW.name, NEW.scopes) AND ((OLD.id, OLD.digest, OLD.subject, OLD.tenant, OLD.environment, OLD.created_at, OLD.created_by, OLD.replaces)
      IS NOT (NEW.id, NEW.digest, NEW.subject, NEW.tenant, NEW.environment, NEW.created_at, NEW.created_by, NEW.replaces)
    OR ((OLD.name, OLD.scopes) IS NOT (NEW.name, NEW.scopes) AND OLD.change_id IS NEW.change_id)
    OR ((OLD.expires_at, OLD.replaced_by) IS NOT (NEW.expires_at, NEW.replaced_by) AND (OLD.replaced_by IS NULL AND NEW.expires_at <= coalesce(OLD.expires_at, NEW.expires_at)
      AND EXISTS (SELECT 1 FROM vantage_keys s WHERE s.id = NEW.replaced_by AND s.replaces = NEW.id)) IS NOT TRUE)
    OR ((OLD.revoked_at IS NULL) = (NEW.revoked_at IS NULL)
      AND (OLD.revoked_at, OLD.revoked_by, OLD.revoked_reason) IS NOT (NEW.revoked_at, NEW.revoked_by, NEW.revoked_reason))) IS NOT TRUE BEGIN
    INSERT INTO vantage_audit (action, key_id, actor, detail, tenant, subject)
      VALUES ('edited', NEW.id, NEW.edited_by, '{' || ltrim(
        iif(OLD.scopes IS NEW.scopes, '',
          ',"scopesBefore":' || json_quote(OLD.scopes) || ',"scopes":' || json_quote(NEW.scopes))
        || iif(OLD.name IS NEW.name, '', ',"name":' || json_quote(NEW.name)), ',') || '}', NEW.tenant, NEW.subject);
  END;

DROP TRIGGER IF EXISTS vantage_audit_restored; CREATE TRIGGER vantage_audit_restored AFTER UPDATE ON vantage_keys WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL BEGIN
    INSERT INTO vantage_audit (action, key_id, tenant, subject) VALUES ('restore', NEW.id, NEW.tenant, NEW.subject);
  END;

DROP TRIGGER IF EXISTS vantage_audit_changed; CREATE TRIGGER vantage_audit_changed AFTER UPDATE ON vantage_keys WHEN (OLD.id, OLD.digest, OLD.subject, OLD.tenant, OLD.environment, OLD.created_at, OLD.created_by, OLD.replaces)
      IS NOT (NEW.id, NEW.digest, NEW.subject, NEW.tenant, NEW.environment, NEW.created_at, NEW.created_by, NEW.replaces)
    OR ((OLD.name, OLD.scopes) IS NOT (NEW.name, NEW.scopes) AND OLD.change_id IS NEW.change_id)
    OR ((OLD.expires_at, OLD.replaced_by) IS NOT (NEW.expires_at, NEW.replaced_by) AND (OLD.replaced_by IS NULL AND NEW.expires_at <= coalesce(OLD.expires_at, NEW.expires_at)
      AND EXISTS (SELECT 1 FROM vantage_keys s WHERE s.id = NEW.replaced_by AND s.replaces = NEW.id)) IS NOT TRUE)
    OR ((OLD.revoked_at IS NULL) = (NEW.revoked_at IS NULL)
      AND (OLD.revoked_at, OLD.revoked_by, OLD.revoked_reason) IS NOT (NEW.revoked_at, NEW.revoked_by, NEW.revoked_reason)) BEGIN
    INSERT INTO vantage_audit (action, key_id, tenant, subject)
      SELECT 'change', OLD.id, OLD.tenant, OLD.subject UNION SELECT 'change', NEW.id, NEW.tenant, NEW.subject;
  END;

DROP TRIGGER IF EXISTS vantage_audit_deleted; CREATE TRIGGER vantage_audit_deleted AFTER DELETE ON vantage_keys BEGIN
    INSERT INTO vantage_audit (action, key_id, tenant, subject) VALUES ('delete', OLD.id, OLD.tenant, OLD.subject);
  END;

DROP TRIGGER IF EXISTS vantage_audit_tokens; CREATE TRIGGER vantage_audit_tokens AFTER INSERT ON vantage_token_revocations BEGIN
    INSERT INTO vantage_audit (action, actor, reason, detail)
      VALUES ('revoke_tokens', NEW.created_by, NEW.reason, '{"issuer":' || json_quote(NEW.issuer)
      || coalesce(',"tokenId":' || iif(NEW.token_id IS NULL, NULL,
        iif(NEW.escaped, NEW.token_id, json_quote(NEW.token_id))), '') || coalesce(',"subject":' || iif(NEW.subject IS NULL, NULL,
        iif(NEW.escaped, NEW.subject, json_quote(NEW.subject))), '') || coalesce(',"clientId":' || iif(NEW.client_id IS NULL, NULL,
        iif(NEW.escaped, NEW.client_id, json_quote(NEW.client_id))), '') || coalesce(',"sessionId":' || iif(NEW.session_id IS NULL, NULL,
        iif(NEW.escaped, NEW.session_id, json_quote(NEW.session_id))), '')
      || iif(NEW.without_session, ',"withoutSession":true', '')
      || coalesce(',"issuedBefore":"'
        || strftime('%Y-%m-%dT%H:%M:%fZ', NEW.issued_before / 1000.0, 'unixepoch') || '"', '') || '}');
  END;

DROP TRIGGER IF EXISTS vantage_audit_tokens_changed; CREATE TRIGGER vantage_audit_tokens_changed AFTER UPDATE ON vantage_token_revocations BEGIN
    INSERT INTO vantage_audit (action, detail) VALUES ('change', '{"issuer":' || json_quote(OLD.issuer)
      || coalesce(',"tokenId":' || iif(OLD.token_id IS NULL, NULL,
        iif(OLD.escaped, OLD.token_id, json_quote(OLD.token_id))), '') || coalesce(',"subject":' || iif(OLD.subject IS NULL, NULL,
        iif(OLD.escaped, OLD.subject, json_quote(OLD.subject))), '') || coalesce(',"clientId":' || iif(OLD.client_id IS NULL, NULL,
        iif(OLD.escaped, OLD.client_id, json_quote(OLD.client_id))), '') || coalesce(',"sessionId":' || iif(OLD.session_id IS NULL, NULL,
        iif(OLD.escaped, OLD.session_id, json_quote(OLD.session_id))), '')
      || iif(OLD.without_session, ',"withoutSession":true', '')
      || coalesce(',"issuedBefore":"'
        || strftime('%Y-%m-%dT%H:%M:%fZ', OLD.issued_before / 1000.0, 'unixepoch') || '"', '') || '}');
  END;

DROP TRIGGER IF EXISTS vantage_audit_tokens_deleted; CREATE TRIGGER vantage_audit_tokens_deleted AFTER DELETE ON vantage_token_revocations
    WHEN OLD.ends_at > CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) AND NOT EXISTS (SELECT 1 FROM vantage_token_revocations o
    WHERE (o.token_id = OLD.token_id OR o.subject = OLD.subject OR o.client_id = OLD.client_id OR o.session_id = OLD.session_id)
      AND o.issuer = OLD.issuer AND o.escaped = OLD.escaped AND o.id <> OLD.id AND o.ends_at >= OLD.ends_at
      AND o.without_session <= OLD.without_session
      AND (o.issued_before IS NULL OR o.issued_before >= OLD.issued_before)) BEGIN
    INSERT INTO vantage_audit (action, detail) VALUES ('delete', '{"issuer":' || json_quote(OLD.issuer)
      || coalesce(',"tokenId":' || iif(OLD.token_id IS NULL, NULL,
        iif(OLD.escaped, OLD.token_id, json_quote(OLD.token_id))), '') || coalesce(',"subject":' || iif(OLD.subject IS NULL, NULL,
        iif(OLD.escaped, OLD.subject, json_quote(OLD.subject))), '') || coalesce(',"clientId":' || iif(OLD.client_id IS NULL, NULL,
        iif(OLD.escaped, OLD.client_id, json_quote(OLD.client_id))), '') || coalesce(',"sessionId":' || iif(OLD.session_id IS NULL, NULL,
        iif(OLD.escaped, OLD.session_id, json_quote(OLD.session_id))), '')
      || iif(OLD.without_session, ',"withoutSession":true', '')
      || coalesce(',"issuedBefore":"'
        || strftime('%Y-%m-%dT%H:%M:%fZ', OLD.issued_before / 1000.0, 'unixepoch') || '"', '') || '}');
  END;

DROP TRIGGER IF EXISTS vantage_keys_replacing; CREATE TRIGGER vantage_keys_replacing BEFORE INSERT ON vantage_keys BEGIN INSERT INTO vantage_audit (action, key_id, tenant, subject)
      SELECT 'change', was.id, was.tenant, was.subject FROM vantage_keys was WHERE (was.id = NEW.id OR was.rowid = NEW.rowid);
    INSERT INTO vantage_changes (id) SELECT was.id FROM vantage_keys was WHERE (was.id = NEW.id OR was.rowid = NEW.rowid); END;

DROP TRIGGER IF EXISTS vantage_keys_overwriting; CREATE TRIGGER vantage_keys_overwriting BEFORE UPDATE ON vantage_keys BEGIN INSERT INTO vantage_audit (action, key_id, tenant, subject)
      SELECT 'change', was.id, was.tenant, was.subject FROM vantage_keys was WHERE (was.id = NEW.id OR was.rowid = NEW.rowid) AND was.rowid <> OLD.rowid;
    INSERT INTO vantage_changes (id) SELECT was.id FROM vantage_keys was WHERE (was.id = NEW.id OR was.rowid = NEW.rowid) AND was.rowid <> OLD.rowid; END;

DROP TRIGGER IF EXISTS vantage_token_revocations_replacing; CREATE TRIGGER vantage_token_revocations_replacing BEFORE INSERT ON vantage_token_revocations BEGIN INSERT INTO vantage_audit (action, detail)
      SELECT 'change', '{"issuer":' || json_quote(was.issuer)
      || coalesce(',"tokenId":' || iif(was.token_id IS NULL, NULL,
        iif(was.escaped, was.token_id, json_quote(was.token_id))), '') || coalesce(',"subject":' || iif(was.subject IS NULL, NULL,
        iif(was.escaped, was.subject, json_quote(was.subject))), '') || coalesce(',"clientId":' || iif(was.client_id IS NULL, NULL,
        iif(was.escaped, was.client_id, json_quote(was.client_id))), '') || coalesce(',"sessionId":' || iif(was.session_id IS NULL, NULL,
        iif(was.escaped, was.session_id, json_quote(was.session_id))), '')
      || iif(was.without_session, ',"withoutSession":true', '')
      || coalesce(',"issuedBefore":"'
        || strftime('%Y-%m-%dT%H:%M:%fZ', was.issued_before / 1000.0, 'unixepoch') || '"', '') || '}' FROM vantage_token_revocations was WHERE (was.id = NEW.id OR was.rowid = NEW.rowid);
    INSERT INTO vantage_changes (id, revocation)
      SELECT '(token revocations)', was.id FROM vantage_token_revocations was WHERE (was.id = NEW.id OR was.rowid = NEW.rowid); END;

DROP TRIGGER IF EXISTS vantage_token_revocations_overwriting; CREATE TRIGGER vantage_token_revocations_overwriting BEFORE UPDATE ON vantage_token_revocations BEGIN INSERT INTO vantage_audit (action, detail)
      SELECT 'change', '{"issuer":' || json_quote(was.issuer)
      || coalesce(',"tokenId":' || iif(was.token_id IS NULL, NULL,
        iif(was.escaped, was.token_id, json_quote(was.token_id))), '') || coalesce(',"subject":' || iif(was.subject IS NULL, NULL,
        iif(was.escaped, was.subject, json_quote(was.subject))), '') || coalesce(',"clientId":' || iif(was.client_id IS NULL, NULL,
        iif(was.escaped, was.client_id, json_quote(was.client_id))), '') || coalesce(',"sessionId":' || iif(was.session_id IS NULL, NULL,
        iif(was.escaped, was.session_id, json_quote(was.session_id))), '')
      || iif(was.without_session, ',"withoutSession":true', '')
      || coalesce(',"issuedBefore":"'
        || strftime('%Y-%m-%dT%H:%M:%fZ', was.issued_before / 1000.0, 'unixepoch') || '"', '') || '}' FROM vantage_token_revocations was WHERE (was.id = NEW.id OR was.rowid = NEW.rowid) AND was.rowid <> OLD.rowid;
    INSERT INTO vantage_changes (id, revocation)
      SELECT '(token revocations)', was.id FROM vantage_token_revocations was WHERE (was.id = NEW.id OR was.rowid = NEW.rowid) AND was.rowid <> OLD.rowid; END;

DROP TRIGGER IF EXISTS vantage_audit_unreplaced; CREATE TRIGGER vantage_audit_unreplaced BEFORE INSERT ON vantage_audit
    WHEN EXISTS (SELECT 1 FROM vantage_audit a WHERE a.seq = NEW.seq) BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;

DROP TRIGGER IF EXISTS vantage_audit_kept; CREATE TRIGGER vantage_audit_kept BEFORE UPDATE ON vantage_audit BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;

DROP TRIGGER IF EXISTS vantage_audit_undeleted; CREATE TRIGGER vantage_audit_undeleted BEFORE DELETE ON vantage_audit BEGIN SELECT RAISE(ABORT, 'the audit trail cannot be changed'); END;

DROP TRIGGER IF EXISTS vantage_tokens_inserted; CREATE TRIGGER vantage_tokens_inserted AFTER INSERT ON vantage_token_revocations BEGIN INSERT INTO vantage_changes (id, revocation) VALUES ('(token revocations)', NEW.id); END;

DROP TRIGGER IF EXISTS vantage_tokens_updated; CREATE TRIGGER vantage_tokens_updated AFTER UPDATE ON vantage_token_revocations BEGIN
    INSERT INTO vantage_changes (id, revocation) VALUES ('(token revocations)', OLD.id); INSERT INTO vantage_changes (id, revocation) VALUES ('(token revocations)', NEW.id);
  END;

DROP TRIGGER IF EXISTS vantage_tokens_deleted; CREATE TRIGGER vantage_tokens_deleted AFTER DELETE ON vantage_token_revocations WHEN OLD.ends_at > CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) BEGIN
    INSERT INTO vantage_changes (id, revocation) VALUES ('(token revocations)', OLD.id);
  END;

DROP TRIGGER IF EXISTS vantage_keys_inserted; CREATE TRIGGER vantage_keys_inserted AFTER INSERT ON vantage_keys BEGIN
    INSERT INTO vantage_changes (id) VALUES (NEW.id);
  END;

DROP TRIGGER IF EXISTS vantage_keys_updated; CREATE TRIGGER vantage_keys_updated AFTER UPDATE ON vantage_keys BEGIN
    INSERT INTO vantage_changes (id) SELECT OLD.id UNION SELECT NEW.id;
  END;

DROP TRIGGER IF EXISTS vantage_keys_deleted; CREATE TRIGGER vantage_keys_deleted AFTER DELETE ON vantage_keys BEGIN
    INSERT INTO vantage_changes (id) VALUES (OLD.id);
    DELETE FROM vantage_usage WHERE id = OLD.id;
  END;

DROP TRIGGER IF EXISTS vantage_changes_pruned; CREATE TRIGGER vantage_changes_pruned AFTER INSERT ON vantage_changes BEGIN
    DELETE FROM vantage_changes WHERE at < CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - 604800000 AND seq < NEW.seq;
  END;

INSERT INTO vantage_schema (one, version, feed) VALUES (1, 9, lower(hex(randomblob(16))))
        ON CONFLICT (one) DO UPDATE SET version = excluded.version;
      INSERT INTO vantage_changes (id) VALUES (NULL);
