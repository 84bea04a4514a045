import type { StoredTokenEvent } from '../contract.js'
import { createParameters, type Dialect, type Statement } from './dialect.js'

export const TOKEN_EVENTS = 'vantage_token_events'

/** How many events that have ended are dropped by one that comes: more than one, so that they go faster than they come. */
export const DROPPED_AT_A_TIME = 1000

/** Of those that have ended the same event, and some others. */
export function deleteEndedEvents({ digest, createdAt }: StoredTokenEvent, dialect: Dialect): Statement {
  const { instant, value, table, values } = createParameters(dialect)
  const ended = () => `ends_at <= ${dialect.notAfterNow(instant(createdAt))}`
  const text = `DELETE FROM ${table(TOKEN_EVENTS)} WHERE (digest = ${value(digest)} AND ${ended()}) OR digest IN (
    SELECT digest FROM ${table(TOKEN_EVENTS)} WHERE ${ended()} ORDER BY ends_at LIMIT ${DROPPED_AT_A_TIME})`
  return { text, values }
}
