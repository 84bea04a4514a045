import { DROPPED_AT_A_TIME } from '../sql/token-events.js'
import { NAME_COLUMNS, TOKEN_REVOCATIONS } from '../sql/token-revocations.js'
import { LOCK_CHANGES, type StoredFunction } from './stored-function.js'

const COLUMNS = TOKEN_REVOCATIONS.columns.map(({ name }) => name)

const INSERT = `INSERT INTO {schema}.vantage_token_revocations (${COLUMNS.join(', ')})
          VALUES (${COLUMNS.map((name) => `one.${name}`).join(', ')})`

/** As `replaces()` says it. */
const DELETE_REPLACED = `DELETE FROM {schema}.vantage_token_revocations o
          WHERE (${NAME_COLUMNS.map((column) => `o.${column} = one.${column}`).join(' OR ')})
            AND o.issuer = one.issuer AND o.escaped = one.escaped AND o.id <> one.id AND o.ends_at <= one.ends_at
            AND o.without_session >= one.without_session
            AND (one.issued_before IS NULL OR o.issued_before <= one.issued_before)`

/**
 * Notes an event and adds its revocations. A role that may do nothing but call it can revoke tokens, and cannot take back a
 * revocation: what it deletes has ended by the server's clock, or is covered by what it adds. Nor can it speak for a person
 * in the audit trail, or write there what is no JSON.
 *
 * The lock comes first: other changes take it before they count, so taken later two of them could wait for each other. Of two
 * calls with one event the second waits at it until the first has committed, and then finds the event.
 */
export const REVOKE_TOKENS_ONCE: StoredFunction = {
  signature: '(event text, kept_until timestamptz, at timestamptz, revocations json)',
  types: 'text, timestamp with time zone, timestamp with time zone, json',
  returns: 'boolean LANGUAGE plpgsql',
  body: `DECLARE
      ended timestamptz := least(at, now());
      one {schema}.vantage_token_revocations%ROWTYPE;
    BEGIN
      ${LOCK_CHANGES};
      DELETE FROM {schema}.vantage_token_events WHERE (digest = event AND ends_at <= ended) OR digest IN (
        SELECT digest FROM {schema}.vantage_token_events WHERE ends_at <= ended ORDER BY ends_at LIMIT ${DROPPED_AT_A_TIME});
      INSERT INTO {schema}.vantage_token_events (digest, ends_at)
        VALUES (event, least(kept_until, now() + interval '367 days')) ON CONFLICT (digest) DO NOTHING;
      IF NOT FOUND THEN
        RETURN false;
      END IF;
      IF json_array_length(revocations) > 0 THEN
        DELETE FROM {schema}.vantage_token_revocations WHERE ends_at <= ended;
      END IF;
      FOR one IN SELECT * FROM json_populate_recordset(NULL::{schema}.vantage_token_revocations, revocations) LOOP
        IF (one.created_by = 'receiver' OR one.created_by LIKE 'receiver:%') IS NOT TRUE THEN
          RAISE EXCEPTION 'created_by must be receiver, or begin with receiver:' USING ERRCODE = 'check_violation';
        END IF;
        IF one.escaped = 1 AND json_typeof(coalesce(${NAME_COLUMNS.map((column) => `one.${column}`).join(', ')})::json) <> 'string' THEN
          RAISE EXCEPTION 'an escaped name must be a JSON string' USING ERRCODE = 'check_violation';
        END IF;
        BEGIN
          ${INSERT};
        EXCEPTION WHEN program_limit_exceeded THEN
          ${DELETE_REPLACED};
          ${INSERT};
        END;
        ${DELETE_REPLACED};
      END LOOP;
      RETURN true;
    END`,
}
