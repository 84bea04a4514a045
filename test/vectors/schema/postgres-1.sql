CREATE TABLE IF NOT EXISTS vantage_schema (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    feed text NOT NULL
  );

CREATE TABLE IF NOT EXISTS vantage_keys (
    id text COLLATE "C" PRIMARY KEY,
    digest text NOT NULL,
    subject text NOT NULL,
    tenant text,
    name text,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    scopes text NOT NULL,
    created_at timestamptz(3) CHECK (created_at BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z') NOT NULL,
    created_by text,
    expires_at timestamptz(3) CHECK (expires_at BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z'),
    revoked_at timestamptz(3) CHECK (revoked_at BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z'),
    revoked_by text,
    revoked_reason text,
    replaces text,
    replaced_by text
  );

CREATE INDEX IF NOT EXISTS vantage_keys_created ON vantage_keys (created_at, id);

CREATE INDEX IF NOT EXISTS vantage_keys_subject ON vantage_keys (subject, created_at);

CREATE TABLE IF NOT EXISTS vantage_usage (
    id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    count bigint NOT NULL,
    last_used_at timestamptz(3) NOT NULL,
    PRIMARY KEY (id, day)
  );

CREATE TABLE IF NOT EXISTS vantage_changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text,
    at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
  );

CREATE INDEX IF NOT EXISTS vantage_changes_at ON vantage_changes (at);

CREATE OR REPLACE FUNCTION vantage_before_change() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$ BEGIN
      PERFORM pg_advisory_xact_lock(1986095918, 1);
      PERFORM pg_notify('vantage_changes', '');
      WITH pruned AS (
        DELETE FROM vantage_changes
          WHERE at < now() - interval '7 days' AND seq < (SELECT max(seq) FROM vantage_changes)
          RETURNING id
      )
      DELETE FROM vantage_usage u USING pruned p
        WHERE u.id = p.id AND NOT EXISTS (SELECT FROM vantage_keys k WHERE k.id = p.id);
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION vantage_before_change() FROM PUBLIC;

CREATE OR REPLACE FUNCTION vantage_log_change() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$ BEGIN
      IF TG_OP <> 'INSERT' THEN
        INSERT INTO vantage_changes (id) VALUES (OLD.id);
      END IF;
      IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.id <> OLD.id) THEN
        INSERT INTO vantage_changes (id) VALUES (NEW.id);
      END IF;
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION vantage_log_change() FROM PUBLIC;

CREATE OR REPLACE FUNCTION vantage_log_truncate() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$ BEGIN
      INSERT INTO vantage_changes (id) VALUES (NULL);
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION vantage_log_truncate() FROM PUBLIC;

CREATE OR REPLACE FUNCTION vantage_add_usage(ids text[], days date[], counts bigint[], last_uses timestamptz[]) RETURNS void LANGUAGE sql
        SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$ INSERT INTO vantage_usage AS kept (id, day, count, last_used_at)
      SELECT used.id, used.day, sum(used.count), max(used.at)
        FROM unnest(ids, days, counts, last_uses) AS used (id, day, count, at)
        WHERE EXISTS (SELECT FROM vantage_keys k WHERE k.id = used.id)
        GROUP BY used.id, used.day
        ORDER BY used.id COLLATE "C", used.day
      ON CONFLICT (id, day) DO UPDATE SET count = kept.count + excluded.count,
        last_used_at = greatest(kept.last_used_at, excluded.last_used_at) $body$;

REVOKE ALL ON FUNCTION vantage_add_usage(ids text[], days date[], counts bigint[], last_uses timestamptz[]) FROM PUBLIC;

DROP TRIGGER IF EXISTS vantage_keys_before ON vantage_keys;

CREATE TRIGGER vantage_keys_before BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vantage_keys
    FOR EACH STATEMENT EXECUTE FUNCTION vantage_before_change();

DROP TRIGGER IF EXISTS vantage_keys_changed ON vantage_keys;

CREATE TRIGGER vantage_keys_changed AFTER INSERT OR UPDATE OR DELETE ON vantage_keys
    FOR EACH ROW EXECUTE FUNCTION vantage_log_change();

DROP TRIGGER IF EXISTS vantage_keys_truncated ON vantage_keys;

CREATE TRIGGER vantage_keys_truncated AFTER TRUNCATE ON vantage_keys
    FOR EACH STATEMENT EXECUTE FUNCTION vantage_log_truncate();

INSERT INTO vantage_schema (version, feed) VALUES (1, 'feed')
        ON CONFLICT (one) DO UPDATE SET version = excluded.version;

INSERT INTO vantage_changes (id) VALUES (NULL);
