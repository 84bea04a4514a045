CREATE TABLE "public".vantage_schema (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    feed text NOT NULL
  );

CREATE TABLE "public".vantage_keys (
    id text COLLATE pg_catalog."C" PRIMARY KEY,
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

CREATE TABLE "public".vantage_usage (
    id text COLLATE pg_catalog."C" NOT NULL,
    day date NOT NULL,
    count bigint NOT NULL,
    last_used_at timestamptz(3) NOT NULL,
    PRIMARY KEY (id, day)
  );

CREATE TABLE "public".vantage_changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text,
    at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
  );

CREATE TABLE "public".vantage_token_revocations (
    id text PRIMARY KEY,
    issuer text NOT NULL,
    token_id text,
    subject text,
    client_id text,
    issued_before timestamptz(3) CHECK (issued_before BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z'),
    created_at timestamptz(3) CHECK (created_at BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z') NOT NULL,
    created_by text,
    reason text,
    ends_at timestamptz(3) CHECK (ends_at BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z') NOT NULL,
    CHECK (num_nonnulls(token_id, subject, client_id) = 1),
    CHECK ((token_id IS NULL) = (issued_before IS NOT NULL))
  );

CREATE TABLE "public".vantage_audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL,
    key_id text,
    successor_id text,
    actor text,
    reason text,
    detail text
  );

CREATE TABLE "public".vantage_lock ();

CREATE TABLE "public".vantage_token_counts (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    tokens bigint NOT NULL,
    subjects_and_clients bigint NOT NULL
  );

CREATE TABLE "public".vantage_token_events (
    digest text COLLATE pg_catalog."C" PRIMARY KEY CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
    sender text COLLATE pg_catalog."C" NOT NULL CHECK (sender ~ '^sha256:[0-9a-f]{64}$'),
    ends_at timestamptz(3) CHECK (ends_at BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z') NOT NULL
  );

CREATE INDEX vantage_keys_created ON "public".vantage_keys (created_at, id);

CREATE INDEX vantage_keys_subject ON "public".vantage_keys (subject, created_at);

CREATE INDEX vantage_changes_at ON "public".vantage_changes (at);

CREATE INDEX vantage_token_revocations_end ON "public".vantage_token_revocations (ends_at);

CREATE INDEX vantage_audit_key ON "public".vantage_audit (key_id);

CREATE INDEX vantage_audit_successor ON "public".vantage_audit (successor_id);

DELETE FROM "public".vantage_usage
    WHERE count < 1 OR NOT day BETWEEN '1970-01-01' AND ((now() AT TIME ZONE 'UTC') + interval '1 day')::date;

UPDATE "public".vantage_usage SET count = least(count, 9007199254740991),
      last_used_at = least(greatest(last_used_at, '1970-01-01T00:00:00Z'), now())
    WHERE count > 9007199254740991 OR NOT last_used_at BETWEEN '1970-01-01T00:00:00Z' AND now() + interval '1 day';

ALTER TABLE "public".vantage_usage
    DROP CONSTRAINT IF EXISTS vantage_usage_bounds,
    ADD CONSTRAINT vantage_usage_bounds CHECK (
      count BETWEEN 1 AND 9007199254740991 AND day BETWEEN '1970-01-01' AND '9999-12-31'
      AND last_used_at BETWEEN '1970-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999Z');

ALTER TABLE "public".vantage_changes ADD COLUMN IF NOT EXISTS revocation text;

ALTER TABLE "public".vantage_token_revocations
    ADD COLUMN IF NOT EXISTS escaped smallint NOT NULL DEFAULT 0 CHECK (escaped IN (0, 1));

CREATE INDEX vantage_token_revocations_token_id
    ON "public".vantage_token_revocations USING hash (token_id);

CREATE INDEX vantage_token_revocations_subject
    ON "public".vantage_token_revocations USING hash (subject);

CREATE INDEX vantage_token_revocations_client_id
    ON "public".vantage_token_revocations USING hash (client_id);

ALTER TABLE "public".vantage_keys
    ADD COLUMN IF NOT EXISTS change_id text,
    ADD COLUMN IF NOT EXISTS edited_by text;

ALTER TABLE "public".vantage_audit
    ADD COLUMN IF NOT EXISTS tenant text,
    ADD COLUMN IF NOT EXISTS subject text;

DROP TRIGGER IF EXISTS vantage_audit_kept ON "public".vantage_audit;

UPDATE "public".vantage_audit a SET tenant = k.tenant, subject = k.subject FROM "public".vantage_keys k
    WHERE k.id = a.key_id AND a.subject IS NULL;

CREATE INDEX vantage_audit_tenant ON "public".vantage_audit (tenant, seq);

CREATE INDEX vantage_audit_subject ON "public".vantage_audit (subject, seq);

CREATE INDEX vantage_keys_tenant ON "public".vantage_keys (tenant, created_at);

CREATE INDEX vantage_usage_day ON "public".vantage_usage (day, id);

CREATE INDEX vantage_token_events_end ON "public".vantage_token_events (ends_at);

CREATE INDEX vantage_token_events_sender ON "public".vantage_token_events (sender);

ALTER TABLE "public".vantage_token_revocations
    ADD COLUMN IF NOT EXISTS session_id text,
    ADD COLUMN IF NOT EXISTS without_session smallint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS sender text COLLATE pg_catalog."C" CHECK (sender ~ '^sha256:[0-9a-f]{64}$'),
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_check,
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_check1,
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_named,
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_instant,
    DROP CONSTRAINT IF EXISTS vantage_token_revocations_session,
    ADD CONSTRAINT vantage_token_revocations_named CHECK (num_nonnulls(token_id, subject, client_id, session_id) = 1),
    ADD CONSTRAINT vantage_token_revocations_instant
      CHECK (session_id IS NOT NULL OR (token_id IS NULL) = (issued_before IS NOT NULL)),
    ADD CONSTRAINT vantage_token_revocations_session
      CHECK (without_session IN (0, 1) AND (without_session = 0 OR subject IS NOT NULL));

CREATE INDEX vantage_token_revocations_session_id
    ON "public".vantage_token_revocations USING hash (session_id);

CREATE INDEX vantage_token_revocations_sender
    ON "public".vantage_token_revocations (sender) WHERE sender IS NOT NULL;

ALTER TABLE "public".vantage_token_counts
    ADD COLUMN IF NOT EXISTS sessions bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS events bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE FUNCTION "public".vantage_before_change() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ BEGIN
      LOCK TABLE "public".vantage_lock IN EXCLUSIVE MODE;
      PERFORM pg_notify('vantage_changes', '');
      WITH pruned AS (
        DELETE FROM "public".vantage_changes
          WHERE at < now() - interval '7 days' AND seq < (SELECT max(seq) FROM "public".vantage_changes)
          RETURNING id
      )
      DELETE FROM "public".vantage_usage WHERE (id, day) IN (
        SELECT u.id, u.day FROM "public".vantage_usage u JOIN pruned p ON p.id = u.id
          WHERE NOT EXISTS (SELECT FROM "public".vantage_keys k WHERE k.id = p.id)
          FOR UPDATE OF u SKIP LOCKED);
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_before_change() FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_log_change() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ BEGIN
      LOCK TABLE "public".vantage_lock IN EXCLUSIVE MODE;
      PERFORM pg_notify('vantage_changes', '');
      IF TG_OP <> 'INSERT' THEN
        INSERT INTO "public".vantage_changes (id) VALUES (OLD.id);
      END IF;
      IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.id <> OLD.id) THEN
        INSERT INTO "public".vantage_changes (id) VALUES (NEW.id);
      END IF;
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_log_change() FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_log_truncate() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ BEGIN
      INSERT INTO "public".vantage_changes (id) VALUES (NULL);
      INSERT INTO "public".vantage_audit (action) VALUES ('delete');
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_log_truncate() FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_audit_key() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ BEGIN
      LOCK TABLE "public".vantage_lock IN EXCLUSIVE MODE;
      IF TG_OP = 'INSERT' THEN
        INSERT INTO "public".vantage_audit (action, key_id, successor_id, actor, tenant, subject) VALUES (
          CASE WHEN NEW.replaces IS NULL THEN 'create' ELSE 'rotate' END, coalesce(NEW.replaces, NEW.id),
          CASE WHEN NEW.replaces IS NOT NULL THEN NEW.id END, NEW.created_by, NEW.tenant, NEW.subject);
        RETURN NULL;
      ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO "public".vantage_audit (action, key_id, tenant, subject)
          VALUES ('delete', OLD.id, OLD.tenant, OLD.subject);
        RETURN NULL;
      END IF;
      IF OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL THEN
        INSERT INTO "public".vantage_audit (action, key_id, actor, reason, detail, tenant, subject)
          VALUES ('revoke', NEW.id, NEW.revoked_by, NEW.revoked_reason,
            CASE WHEN OLD.change_id IS NOT DISTINCT FROM NEW.change_id THEN '{"by":"sql"}' END, NEW.tenant, NEW.subject);
      ELSIF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL THEN
        INSERT INTO "public".vantage_audit (action, key_id, tenant, subject)
          VALUES ('restore', NEW.id, NEW.tenant, NEW.subject);
      END IF;
      -- A rotation shortens the life of a key too, and its successor, which is there already, has an entry.
      IF (OLD.id, OLD.digest, OLD.subject, OLD.tenant, OLD.environment, OLD.created_at, OLD.created_by, OLD.replaces)
          IS DISTINCT FROM (NEW.id, NEW.digest, NEW.subject, NEW.tenant, NEW.environment, NEW.created_at, NEW.created_by, NEW.replaces)
        OR (OLD.name, OLD.scopes) IS DISTINCT FROM (NEW.name, NEW.scopes)
          AND OLD.change_id IS NOT DISTINCT FROM NEW.change_id
        OR (OLD.expires_at, OLD.replaced_by) IS DISTINCT FROM (NEW.expires_at, NEW.replaced_by)
          AND (OLD.replaced_by IS NULL AND NEW.expires_at <= coalesce(OLD.expires_at, NEW.expires_at) AND EXISTS (
            SELECT FROM "public".vantage_keys s WHERE s.id = NEW.replaced_by AND s.replaces = NEW.id)) IS NOT TRUE
        OR (OLD.revoked_at IS NULL) = (NEW.revoked_at IS NULL)
          AND (OLD.revoked_at, OLD.revoked_by, OLD.revoked_reason)
            IS DISTINCT FROM (NEW.revoked_at, NEW.revoked_by, NEW.revoked_reason) THEN
        INSERT INTO "public".vantage_audit (action, key_id, tenant, subject)
          SELECT 'change', OLD.id, OLD.tenant, OLD.subject UNION SELECT 'change', NEW.id, NEW.tenant, NEW.subject;
      ELSIF (OLD.name, OLD.scopes) IS DISTINCT FROM (NEW.name, NEW.scopes) THEN
        -- The old name is left out: it may be what had to go.
        INSERT INTO "public".vantage_audit (action, key_id, actor, tenant, subject, detail)
          VALUES ('edited', NEW.id, NEW.edited_by, NEW.tenant, NEW.subject, '{' || concat_ws(',',
            CASE WHEN OLD.scopes <> NEW.scopes THEN
              '"scopesBefore":' || to_json(OLD.scopes)::text || ',"scopes":' || to_json(NEW.scopes)::text END,
            CASE WHEN OLD.name IS DISTINCT FROM NEW.name THEN
              '"name":' || coalesce(to_json(NEW.name)::text, 'null') END) || '}');
      END IF;
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_audit_key() FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_audit_tokens() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ DECLARE
      told record;
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO "public".vantage_audit (action, detail) VALUES ('delete', '{"tokens":"all"}');
        RETURN NULL;
      ELSIF TG_OP = 'INSERT' THEN
        told := NEW;
      ELSE
        told := OLD;
      END IF;
      -- Those that have ended, or that another one replaces, are dropped by our own methods, and mean nothing any more.
      IF TG_OP = 'DELETE' AND (told.ends_at <= now()
          OR EXISTS (SELECT 1 FROM "public".vantage_token_revocations o
    WHERE (o.token_id = told.token_id OR o.subject = told.subject OR o.client_id = told.client_id OR o.session_id = told.session_id)
      AND o.issuer = told.issuer AND o.escaped = told.escaped AND o.id <> told.id AND o.ends_at >= told.ends_at
      AND o.without_session <= told.without_session
      AND (o.issued_before IS NULL OR o.issued_before >= told.issued_before))) THEN
        RETURN NULL;
      END IF;
      INSERT INTO "public".vantage_audit (action, actor, reason, detail) VALUES (
        CASE TG_OP WHEN 'INSERT' THEN 'revoke_tokens' WHEN 'UPDATE' THEN 'change' ELSE 'delete' END,
        CASE TG_OP WHEN 'INSERT' THEN told.created_by END,
        CASE TG_OP WHEN 'INSERT' THEN told.reason END,
        '{' || concat_ws(',', '"issuer":' || to_json(told.issuer)::text,
          '"tokenId":' || CASE WHEN told.escaped = 1 THEN told.token_id ELSE to_json(told.token_id)::text END,
          '"subject":' || CASE WHEN told.escaped = 1 THEN told.subject ELSE to_json(told.subject)::text END,
          '"clientId":' || CASE WHEN told.escaped = 1 THEN told.client_id ELSE to_json(told.client_id)::text END,
          '"sessionId":' || CASE WHEN told.escaped = 1 THEN told.session_id ELSE to_json(told.session_id)::text END,
          CASE WHEN told.without_session = 1 THEN '"withoutSession":true' END,
          '"issuedBefore":"' || to_char(told.issued_before AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"') || '}');
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_audit_tokens() FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_log_tokens() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ BEGIN
      LOCK TABLE "public".vantage_lock IN EXCLUSIVE MODE;
      PERFORM pg_notify('vantage_changes', '');
      IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO "public".vantage_changes (id, revocation) VALUES ('(token revocations)', NULL);
      ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO "public".vantage_changes (id, revocation) VALUES ('(token revocations)', NEW.id);
      ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO "public".vantage_changes (id, revocation) VALUES ('(token revocations)', OLD.id);
        INSERT INTO "public".vantage_changes (id, revocation) VALUES ('(token revocations)', NEW.id);
      ELSIF OLD.ends_at > clock_timestamp() THEN
        -- That an ended one is dropped changes nothing.
        INSERT INTO "public".vantage_changes (id, revocation) VALUES ('(token revocations)', OLD.id);
      END IF;
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_log_tokens() FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_count_tokens() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ DECLARE
      added "public".vantage_token_counts%ROWTYPE;
      removed "public".vantage_token_counts%ROWTYPE;
      full_of text;
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN
        UPDATE "public".vantage_token_counts SET tokens = 0, subjects_and_clients = 0, sessions = 0;
        RETURN NULL;
      END IF;
      added.tokens := 0;
      added.subjects_and_clients := 0;
      added.sessions := 0;
      removed := added;
      IF TG_OP <> 'DELETE' THEN
        SELECT count(token_id) FILTER (WHERE sender IS NULL), count(*) FILTER (WHERE sender IS NOT NULL OR session_id IS NOT NULL OR without_session = 1),
          count(*) FILTER (WHERE token_id IS NULL AND NOT (sender IS NOT NULL OR session_id IS NOT NULL OR without_session = 1)) INTO added.tokens, added.sessions, added.subjects_and_clients FROM added;
      END IF;
      IF TG_OP <> 'INSERT' THEN
        SELECT count(token_id) FILTER (WHERE sender IS NULL), count(*) FILTER (WHERE sender IS NOT NULL OR session_id IS NOT NULL OR without_session = 1),
          count(*) FILTER (WHERE token_id IS NULL AND NOT (sender IS NOT NULL OR session_id IS NOT NULL OR without_session = 1)) INTO removed.tokens, removed.sessions, removed.subjects_and_clients FROM removed;
      END IF;
      IF added = removed THEN
        RETURN NULL;
      END IF;
      UPDATE "public".vantage_token_counts SET tokens = tokens + added.tokens - removed.tokens,
          sessions = sessions + added.sessions - removed.sessions,
          subjects_and_clients = subjects_and_clients + added.subjects_and_clients - removed.subjects_and_clients
        RETURNING CASE WHEN added.tokens > removed.tokens AND tokens > 100000 THEN 'tokens'
          WHEN added.sessions > removed.sessions AND sessions > 100000 THEN 'sessions'
          WHEN added.subjects_and_clients > removed.subjects_and_clients
            AND subjects_and_clients > 10000 THEN 'subjects and clients'
          END INTO full_of;
      IF full_of IS NOT NULL THEN
        RAISE EXCEPTION 'there are too many revocations of %', full_of USING ERRCODE = 'program_limit_exceeded';
      END IF;
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_count_tokens() FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_count_events() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ DECLARE
      changed bigint := 0;
      counted bigint;
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN
        UPDATE "public".vantage_token_counts SET events = 0;
        RETURN NULL;
      ELSIF TG_OP = 'INSERT' THEN
        SELECT count(*) INTO changed FROM added;
      ELSE
        SELECT -count(*) INTO changed FROM removed;
      END IF;
      IF changed <> 0 THEN
        UPDATE "public".vantage_token_counts SET events = events + changed RETURNING events INTO counted;
      END IF;
      IF changed > 0 AND counted > 200000 THEN
        RAISE EXCEPTION 'there are too many events' USING ERRCODE = 'program_limit_exceeded';
      END IF;
      RETURN NULL;
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_count_events() FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_revoke_tokens_once(event text, sent_by text, kept_until timestamptz, at timestamptz, revocations json) RETURNS boolean LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ DECLARE
      ended timestamptz := least(at, now());
      one "public".vantage_token_revocations%ROWTYPE;
    BEGIN
      IF (octet_length(revocations::text) <= 12000000 AND json_array_length(revocations) <= 100) IS NOT TRUE THEN
        RAISE EXCEPTION 'a call takes a list of at most 100 revocations' USING ERRCODE = 'check_violation';
      END IF;
      LOCK TABLE "public".vantage_lock IN EXCLUSIVE MODE;
      DELETE FROM "public".vantage_token_events WHERE (digest = event AND ends_at <= ended) OR digest IN (
        SELECT digest FROM "public".vantage_token_events WHERE ends_at <= ended ORDER BY ends_at LIMIT 1000);
      INSERT INTO "public".vantage_token_events (digest, sender, ends_at)
        VALUES (event, sent_by, least(kept_until, now() + interval '367 days')) ON CONFLICT (digest) DO NOTHING;
      IF NOT FOUND THEN
        RETURN false;
      END IF;
      IF (SELECT c.events FROM "public".vantage_token_counts c) > 100000
        AND (SELECT count(*) FROM "public".vantage_token_events e WHERE e.sender = sent_by) > 100000 THEN
        RAISE EXCEPTION 'there are too many events of a sender' USING ERRCODE = 'program_limit_exceeded';
      END IF;
      IF json_array_length(revocations) > 0 THEN
        DELETE FROM "public".vantage_token_revocations WHERE ends_at <= ended;
      END IF;
      FOR one IN SELECT * FROM json_populate_recordset(NULL::"public".vantage_token_revocations, revocations) LOOP
        IF (one.created_by = 'receiver' OR one.created_by LIKE 'receiver:%') IS NOT TRUE THEN
          RAISE EXCEPTION 'created_by must be receiver, or begin with receiver:' USING ERRCODE = 'check_violation';
        END IF;
        IF (one.id COLLATE pg_catalog."C" ~ '^[!-~]{1,64}$'
          AND octet_length(one.issuer) BETWEEN 1 AND 8192
          AND octet_length(coalesce(one.token_id, one.subject, one.client_id, one.session_id)) BETWEEN 1 AND CASE one.escaped WHEN 1 THEN 49154 ELSE 8192 END
          AND char_length(one.created_by) <= 256
          AND (one.reason IS NULL OR char_length(one.reason) <= 256 AND btrim(one.reason) <> '')
          AND concat(one.issuer, one.created_by, one.reason) !~ E'[\\u0001-\\u001f\\u007f-\\u009f\\u2028\\u2029]'
          AND (one.issued_before IS NULL OR one.issued_before <= now() + interval '1 day')
          AND one.ends_at <= now() + interval '36502 days') IS NOT TRUE THEN
          RAISE EXCEPTION 'a revocation has a value that no keyring writes' USING ERRCODE = 'check_violation';
        END IF;
        IF one.escaped = 1 AND (json_typeof(coalesce(one.token_id, one.subject, one.client_id, one.session_id)::json) <> 'string' OR strpos(coalesce(one.token_id, one.subject, one.client_id, one.session_id), E'\\u') = 0) THEN
          RAISE EXCEPTION 'an escaped name must be a JSON string that needs it' USING ERRCODE = 'check_violation';
        END IF;
        one.sender := sent_by;
        BEGIN
          INSERT INTO "public".vantage_token_revocations (id, issuer, token_id, subject, client_id, session_id, without_session, issued_before, created_at, created_by, reason, ends_at, escaped, sender)
          VALUES (one.id, one.issuer, one.token_id, one.subject, one.client_id, one.session_id, one.without_session, one.issued_before, one.created_at, one.created_by, one.reason, one.ends_at, one.escaped, one.sender);
        EXCEPTION WHEN program_limit_exceeded THEN
          DELETE FROM "public".vantage_token_revocations o
          WHERE (o.token_id = one.token_id OR o.subject = one.subject OR o.client_id = one.client_id OR o.session_id = one.session_id)
            AND o.issuer = one.issuer AND o.escaped = one.escaped AND o.id <> one.id AND o.ends_at <= one.ends_at
            AND o.without_session >= one.without_session
            AND (one.issued_before IS NULL OR o.issued_before <= one.issued_before);
          INSERT INTO "public".vantage_token_revocations (id, issuer, token_id, subject, client_id, session_id, without_session, issued_before, created_at, created_by, reason, ends_at, escaped, sender)
          VALUES (one.id, one.issuer, one.token_id, one.subject, one.client_id, one.session_id, one.without_session, one.issued_before, one.created_at, one.created_by, one.reason, one.ends_at, one.escaped, one.sender);
        END;
        DELETE FROM "public".vantage_token_revocations o
          WHERE (o.token_id = one.token_id OR o.subject = one.subject OR o.client_id = one.client_id OR o.session_id = one.session_id)
            AND o.issuer = one.issuer AND o.escaped = one.escaped AND o.id <> one.id AND o.ends_at <= one.ends_at
            AND o.without_session >= one.without_session
            AND (one.issued_before IS NULL OR o.issued_before <= one.issued_before);
      END LOOP;
      IF json_array_length(revocations) > 0
        AND (SELECT c.sessions FROM "public".vantage_token_counts c) > 50000
        AND (SELECT count(*) FROM "public".vantage_token_revocations r WHERE r.sender = sent_by)
          > 50000 THEN
        RAISE EXCEPTION 'there are too many revocations of one sender' USING ERRCODE = 'program_limit_exceeded';
      END IF;
      RETURN true;
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_revoke_tokens_once(event text, sent_by text, kept_until timestamptz, at timestamptz, revocations json) FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_keep_audit() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ BEGIN
      RAISE EXCEPTION 'the audit trail cannot be changed';
    END $body$;

REVOKE ALL ON FUNCTION "public".vantage_keep_audit() FROM PUBLIC;

CREATE OR REPLACE FUNCTION "public".vantage_add_usage(ids text[], days date[], counts bigint[], last_uses timestamptz[]) RETURNS void LANGUAGE sql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ INSERT INTO "public".vantage_usage AS kept (id, day, count, last_used_at)
      SELECT used.id, used.day, least(sum(least(used.count, 1000000000)), 9007199254740991)::bigint,
          max(least(greatest(used.at, '2020-01-01T00:00:00Z'), now() + interval '1 day'))
        FROM unnest(ids, days, counts, last_uses) AS used (id, day, count, at)
        WHERE used.count > 0 AND used.at IS NOT NULL
          AND used.day BETWEEN '2020-01-01' AND ((now() AT TIME ZONE 'UTC') + interval '1 day')::date
          AND EXISTS (SELECT FROM "public".vantage_keys k WHERE k.id = used.id)
        GROUP BY used.id, used.day
        ORDER BY used.id COLLATE pg_catalog."C", used.day
      ON CONFLICT (id, day) DO UPDATE SET count = least(kept.count + excluded.count, 9007199254740991),
        last_used_at = greatest(kept.last_used_at, excluded.last_used_at) $body$;

REVOKE ALL ON FUNCTION "public".vantage_add_usage(ids text[], days date[], counts bigint[], last_uses timestamptz[]) FROM PUBLIC;

DROP TRIGGER IF EXISTS vantage_keys_before ON "public".vantage_keys;

CREATE TRIGGER vantage_keys_before BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "public".vantage_keys
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_before_change();

ALTER TABLE "public".vantage_keys ENABLE ALWAYS TRIGGER vantage_keys_before;

DROP TRIGGER IF EXISTS vantage_keys_changed ON "public".vantage_keys;

CREATE TRIGGER vantage_keys_changed AFTER INSERT OR UPDATE OR DELETE ON "public".vantage_keys
      FOR EACH ROW EXECUTE FUNCTION "public".vantage_log_change();

ALTER TABLE "public".vantage_keys ENABLE ALWAYS TRIGGER vantage_keys_changed;

DROP TRIGGER IF EXISTS vantage_keys_truncated ON "public".vantage_keys;

CREATE TRIGGER vantage_keys_truncated AFTER TRUNCATE ON "public".vantage_keys
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_log_truncate();

ALTER TABLE "public".vantage_keys ENABLE ALWAYS TRIGGER vantage_keys_truncated;

DROP TRIGGER IF EXISTS vantage_keys_audited ON "public".vantage_keys;

CREATE TRIGGER vantage_keys_audited AFTER INSERT OR UPDATE OR DELETE ON "public".vantage_keys
      FOR EACH ROW EXECUTE FUNCTION "public".vantage_audit_key();

ALTER TABLE "public".vantage_keys ENABLE ALWAYS TRIGGER vantage_keys_audited;

DROP TRIGGER IF EXISTS vantage_tokens_before ON "public".vantage_token_revocations;

CREATE TRIGGER vantage_tokens_before BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "public".vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_before_change();

ALTER TABLE "public".vantage_token_revocations ENABLE ALWAYS TRIGGER vantage_tokens_before;

DROP TRIGGER IF EXISTS vantage_tokens_changed ON "public".vantage_token_revocations;

CREATE TRIGGER vantage_tokens_changed AFTER INSERT OR UPDATE OR DELETE ON "public".vantage_token_revocations
      FOR EACH ROW EXECUTE FUNCTION "public".vantage_log_tokens();

ALTER TABLE "public".vantage_token_revocations ENABLE ALWAYS TRIGGER vantage_tokens_changed;

DROP TRIGGER IF EXISTS vantage_tokens_cleared ON "public".vantage_token_revocations;

CREATE TRIGGER vantage_tokens_cleared AFTER TRUNCATE ON "public".vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_log_tokens();

ALTER TABLE "public".vantage_token_revocations ENABLE ALWAYS TRIGGER vantage_tokens_cleared;

DROP TRIGGER IF EXISTS vantage_tokens_counted ON "public".vantage_token_revocations;

CREATE TRIGGER vantage_tokens_counted AFTER INSERT ON "public".vantage_token_revocations REFERENCING NEW TABLE AS added
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_count_tokens();

ALTER TABLE "public".vantage_token_revocations ENABLE ALWAYS TRIGGER vantage_tokens_counted;

DROP TRIGGER IF EXISTS vantage_tokens_recounted ON "public".vantage_token_revocations;

CREATE TRIGGER vantage_tokens_recounted AFTER UPDATE ON "public".vantage_token_revocations
      REFERENCING NEW TABLE AS added OLD TABLE AS removed
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_count_tokens();

ALTER TABLE "public".vantage_token_revocations ENABLE ALWAYS TRIGGER vantage_tokens_recounted;

DROP TRIGGER IF EXISTS vantage_tokens_discounted ON "public".vantage_token_revocations;

CREATE TRIGGER vantage_tokens_discounted AFTER DELETE ON "public".vantage_token_revocations REFERENCING OLD TABLE AS removed
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_count_tokens();

ALTER TABLE "public".vantage_token_revocations ENABLE ALWAYS TRIGGER vantage_tokens_discounted;

DROP TRIGGER IF EXISTS vantage_tokens_emptied ON "public".vantage_token_revocations;

CREATE TRIGGER vantage_tokens_emptied AFTER TRUNCATE ON "public".vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_count_tokens();

ALTER TABLE "public".vantage_token_revocations ENABLE ALWAYS TRIGGER vantage_tokens_emptied;

DROP TRIGGER IF EXISTS vantage_tokens_audited ON "public".vantage_token_revocations;

CREATE TRIGGER vantage_tokens_audited AFTER INSERT OR UPDATE OR DELETE ON "public".vantage_token_revocations
      FOR EACH ROW EXECUTE FUNCTION "public".vantage_audit_tokens();

ALTER TABLE "public".vantage_token_revocations ENABLE ALWAYS TRIGGER vantage_tokens_audited;

DROP TRIGGER IF EXISTS vantage_tokens_truncated ON "public".vantage_token_revocations;

CREATE TRIGGER vantage_tokens_truncated AFTER TRUNCATE ON "public".vantage_token_revocations
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_audit_tokens();

ALTER TABLE "public".vantage_token_revocations ENABLE ALWAYS TRIGGER vantage_tokens_truncated;

DROP TRIGGER IF EXISTS vantage_events_counted ON "public".vantage_token_events;

CREATE TRIGGER vantage_events_counted AFTER INSERT ON "public".vantage_token_events REFERENCING NEW TABLE AS added
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_count_events();

ALTER TABLE "public".vantage_token_events ENABLE ALWAYS TRIGGER vantage_events_counted;

DROP TRIGGER IF EXISTS vantage_events_discounted ON "public".vantage_token_events;

CREATE TRIGGER vantage_events_discounted AFTER DELETE ON "public".vantage_token_events REFERENCING OLD TABLE AS removed
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_count_events();

ALTER TABLE "public".vantage_token_events ENABLE ALWAYS TRIGGER vantage_events_discounted;

DROP TRIGGER IF EXISTS vantage_events_emptied ON "public".vantage_token_events;

CREATE TRIGGER vantage_events_emptied AFTER TRUNCATE ON "public".vantage_token_events
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_count_events();

ALTER TABLE "public".vantage_token_events ENABLE ALWAYS TRIGGER vantage_events_emptied;

DROP TRIGGER IF EXISTS vantage_audit_kept ON "public".vantage_audit;

CREATE TRIGGER vantage_audit_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON "public".vantage_audit
      FOR EACH STATEMENT EXECUTE FUNCTION "public".vantage_keep_audit();

ALTER TABLE "public".vantage_audit ENABLE ALWAYS TRIGGER vantage_audit_kept;

INSERT INTO "public".vantage_schema (version, feed) VALUES (10, 'feed')
      ON CONFLICT (one) DO UPDATE SET version = excluded.version;

INSERT INTO "public".vantage_token_counts (tokens, sessions, subjects_and_clients, events)
  SELECT count(token_id) FILTER (WHERE sender IS NULL), count(*) FILTER (WHERE sender IS NOT NULL OR session_id IS NOT NULL OR without_session = 1),
          count(*) FILTER (WHERE token_id IS NULL AND NOT (sender IS NOT NULL OR session_id IS NOT NULL OR without_session = 1)), (SELECT count(*) FROM "public".vantage_token_events) FROM "public".vantage_token_revocations
  ON CONFLICT (one) DO UPDATE SET tokens = excluded.tokens, sessions = excluded.sessions,
    subjects_and_clients = excluded.subjects_and_clients, events = excluded.events;

INSERT INTO "public".vantage_changes (id) VALUES (NULL);
