import { DROPPED_AT_A_TIME } from '../sql/token-events.js'
import { ADDED_TOKEN_REVOCATIONS, NAME_COLUMNS } from '../sql/token-revocations.js'
import { MAX_EVENTS_OF_SENDER, MAX_REVOCATIONS_OF_SENDER } from '../token-revocations.js'
import { LOCK_CHANGES, type StoredFunction } from './stored-function.js'

const COLUMNS = ADDED_TOKEN_REVOCATIONS.columns.map(({ name }) => name)

const INSERT = `INSERT INTO {schema}.vantage_token_revocations (${COLUMNS.join(', ')})
          VALUES (${COLUMNS.map((name) => `one.${name}`).join(', ')})`

const NAMED = `coalesce(${NAME_COLUMNS.map((column) => `one.${column}`).join(', ')})`

/** Of a call, and of its revocations as JSON: more than those have when each has the longest names. */
const MOST_REVOCATIONS = 100
const MOST_BYTES = 12_000_000
/** As a keyring holds names to it. Written as JSON a byte becomes six at most. */
const NAME_BYTES = 8192
const ESCAPED_NAME_BYTES = NAME_BYTES * 6 + 2
/** No more than a keyring lets a revocation last: the longest `tokenLife`, and a little. */
const LONGEST = "interval '36502 days'"
const CONTROL = "E'[\\\\u0001-\\\\u001f\\\\u007f-\\\\u009f\\\\u2028\\\\u2029]'"

/** That a row can be read, listed and shown like one that a keyring has written. */
const IS_FIT = `one.id COLLATE pg_catalog."C" ~ '^[!-~]{1,64}$'
          AND octet_length(one.issuer) BETWEEN 1 AND ${NAME_BYTES}
          AND octet_length(${NAMED}) BETWEEN 1 AND CASE one.escaped WHEN 1 THEN ${ESCAPED_NAME_BYTES} ELSE ${NAME_BYTES} END
          AND char_length(one.created_by) <= 256
          AND (one.reason IS NULL OR char_length(one.reason) <= 256 AND btrim(one.reason) <> '')
          AND concat(one.issuer, one.created_by, one.reason) !~ ${CONTROL}
          AND (one.issued_before IS NULL OR one.issued_before <= now() + interval '1 day')
          AND one.ends_at <= now() + ${LONGEST}`

/** As `replaces()` says it. */
const DELETE_REPLACED = `DELETE FROM {schema}.vantage_token_revocations o
          WHERE (${NAME_COLUMNS.map((column) => `o.${column} = one.${column}`).join(' OR ')})
            AND o.issuer = one.issuer AND o.escaped = one.escaped AND o.id <> one.id AND o.ends_at <= one.ends_at
            AND o.without_session >= one.without_session
            AND (one.issued_before IS NULL OR o.issued_before <= one.issued_before)`

/**
 * Notes an event and adds its revocations. A role that may do nothing but call it can revoke tokens, and cannot take back a
 * revocation: what it deletes has ended by the server's clock, or is covered by what it adds. Nor can it speak for a person
 * in the audit trail, or write what no service could read: each keeps all revocations in memory. What it adds never takes the
 * room of administrators.
 *
 * The lock comes first: other changes take it before they count, so taken later two of them could wait for each other. Of two
 * calls with one event the second waits at it until the first has committed, and then finds the event.
 */
export const REVOKE_TOKENS_ONCE: StoredFunction = {
  signature: '(event text, sent_by text, kept_until timestamptz, at timestamptz, revocations json)',
  types: 'text, text, timestamp with time zone, timestamp with time zone, json',
  returns: 'boolean LANGUAGE plpgsql',
  body: `DECLARE
      ended timestamptz := least(at, now());
      one {schema}.vantage_token_revocations%ROWTYPE;
    BEGIN
      IF (octet_length(revocations::text) <= ${MOST_BYTES} AND json_array_length(revocations) <= ${MOST_REVOCATIONS}) IS NOT TRUE THEN
        RAISE EXCEPTION 'a call takes a list of at most ${MOST_REVOCATIONS} revocations' USING ERRCODE = 'check_violation';
      END IF;
      ${LOCK_CHANGES};
      DELETE FROM {schema}.vantage_token_events WHERE (digest = event AND ends_at <= ended) OR digest IN (
        SELECT digest FROM {schema}.vantage_token_events WHERE ends_at <= ended ORDER BY ends_at LIMIT ${DROPPED_AT_A_TIME});
      INSERT INTO {schema}.vantage_token_events (digest, sender, ends_at)
        VALUES (event, sent_by, least(kept_until, now() + interval '367 days')) ON CONFLICT (digest) DO NOTHING;
      IF NOT FOUND THEN
        RETURN false;
      END IF;
      IF (SELECT c.events FROM {schema}.vantage_token_counts c) > ${MAX_EVENTS_OF_SENDER}
        AND (SELECT count(*) FROM {schema}.vantage_token_events e WHERE e.sender = sent_by) > ${MAX_EVENTS_OF_SENDER} THEN
        RAISE EXCEPTION 'there are too many events of a sender' USING ERRCODE = 'program_limit_exceeded';
      END IF;
      IF json_array_length(revocations) > 0 THEN
        DELETE FROM {schema}.vantage_token_revocations WHERE ends_at <= ended;
      END IF;
      FOR one IN SELECT * FROM json_populate_recordset(NULL::{schema}.vantage_token_revocations, revocations) LOOP
        IF (one.created_by = 'receiver' OR one.created_by LIKE 'receiver:%') IS NOT TRUE THEN
          RAISE EXCEPTION 'created_by must be receiver, or begin with receiver:' USING ERRCODE = 'check_violation';
        END IF;
        IF (${IS_FIT}) IS NOT TRUE THEN
          RAISE EXCEPTION 'a revocation has a value that no keyring writes' USING ERRCODE = 'check_violation';
        END IF;
        IF one.escaped = 1 AND (json_typeof(${NAMED}::json) <> 'string' OR strpos(${NAMED}, E'\\\\u') = 0) THEN
          RAISE EXCEPTION 'an escaped name must be a JSON string that needs it' USING ERRCODE = 'check_violation';
        END IF;
        one.sender := sent_by;
        BEGIN
          ${INSERT};
        EXCEPTION WHEN program_limit_exceeded THEN
          ${DELETE_REPLACED};
          ${INSERT};
        END;
        ${DELETE_REPLACED};
      END LOOP;
      IF json_array_length(revocations) > 0
        AND (SELECT c.sessions FROM {schema}.vantage_token_counts c) > ${MAX_REVOCATIONS_OF_SENDER}
        AND (SELECT count(*) FROM {schema}.vantage_token_revocations r WHERE r.sender = sent_by)
          > ${MAX_REVOCATIONS_OF_SENDER} THEN
        RAISE EXCEPTION 'there are too many revocations of one sender' USING ERRCODE = 'program_limit_exceeded';
      END IF;
      RETURN true;
    END`,
}
