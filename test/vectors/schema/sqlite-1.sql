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

INSERT INTO vantage_schema (one, version, feed) VALUES (1, 1, lower(hex(randomblob(16))))
        ON CONFLICT (one) DO UPDATE SET version = excluded.version;
      INSERT INTO vantage_changes (id) VALUES (NULL);
