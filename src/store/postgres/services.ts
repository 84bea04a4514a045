import { setTimeout as delay } from 'node:timers/promises'
import type { AskedService } from '../contract.js'
import type { Connections } from './connections.js'
import { feedName, type NamedService, parseServiceName } from './service-name.js'

/** A notification with the start of the id of a log asks those who follow it what they have heard of. */
export const QUESTIONS = 'vantage_questions'

/** Between two looks at the list of sessions: a part of the time that has gone by, within these bounds. */
const SHORTEST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 250
/**
 * A service whose session has ended may not have noticed it yet, if it was stopped or the network is down. After so long it
 * serves nothing any more without asking the store.
 */
const UNNOTICED_END_MS = 5000
const MAX_SERVICES = 10_000

// A session of a role that may not read the log follows nothing, whatever it is called. Rights to its columns are enough. A
// role may also be one that its login only changes to.
const LIST = `WITH schema AS (SELECT feed FROM {schema}.vantage_schema LIMIT 1),
    readers AS (SELECT oid FROM pg_roles WHERE has_any_column_privilege(oid, '{schema}.vantage_changes'::regclass, 'SELECT'))
  SELECT feed, pid, application_name AS name FROM schema LEFT JOIN pg_stat_activity ON datname = current_database()
    AND starts_with(application_name, concat('vantage-auth ', left(feed, 8), ' '))
    AND (has_any_column_privilege(usesysid, '{schema}.vantage_changes'::regclass, 'SELECT')
      OR EXISTS (SELECT FROM readers WHERE pg_has_role(usesysid, readers.oid, 'MEMBER')))
  LIMIT ${MAX_SERVICES}`
// Whoever reads with a snapshot that ends behind this transaction's number does so after everything that was committed before.
const ASK = `SELECT pg_catalog.txid_current()::pg_catalog.text AS number,
  pg_catalog.pg_notify('${QUESTIONS}'::pg_catalog.text, $1::pg_catalog.text)`

interface Session {
  service: NamedService
  answeredAfterMs: number | null
  goneAt: number | undefined
}

/**
 * Asks the services of a store, and reads their answers in the database's list of sessions.
 *
 * @param checkOpen throws once the store is closed
 */
export async function askServices(
  connections: Pick<Connections, 'read' | 'ask'>,
  limitMs: number,
  checkOpen: () => void,
): Promise<readonly AskedService[]> {
  const askedAt = performance.now()
  // Before the question: a service that is not in the list yet has still to read, before it serves anything.
  const first = await list()
  const sessions = new Map<string, Session>()
  for (const [pid, service] of first.services) {
    sessions.set(pid, { service, answeredAfterMs: null, goneAt: undefined })
  }
  const { rows } = await connections.ask(ASK, [feedName(first.feed)])
  const question = BigInt(String(rows[0]?.number))

  for (;;) {
    const elapsed = performance.now() - askedAt
    const left = limitMs - elapsed
    const isAnswered = [...sessions.values()].every(({ answeredAfterMs }) => answeredAfterMs !== null)
    if (isAnswered || left <= 0) return [...sessions.values()].map(toAskedService)
    await delay(Math.min(left, LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, elapsed / 8)))
    checkOpen()
    note((await list()).services)
  }

  async function list() {
    const { rows } = await connections.read((ask) => ask(LIST))
    const services = new Map<string, NamedService>()
    for (const { pid, name } of rows) {
      const service = parseServiceName(name ?? '')
      if (service !== undefined) services.set(String(pid), service)
    }
    return { feed: String(rows[0]?.feed), services }
  }

  function note(services: ReadonlyMap<string, NamedService>): void {
    const now = performance.now()
    for (const [pid, session] of sessions) {
      if (session.answeredAfterMs !== null) continue
      const service = services.get(pid)
      if (service?.pid !== session.service.pid) {
        session.goneAt ??= now
        if (now - session.goneAt >= UNNOTICED_END_MS) sessions.delete(pid)
        continue
      }
      session.goneAt = undefined
      if (service.snapshot !== undefined && service.snapshot > question) {
        // An answer has less room for names.
        const { host, applicationName } = session.service
        session.service = { ...service, host, applicationName }
        session.answeredAfterMs = now - askedAt
      }
    }
  }
}

function toAskedService({ service, answeredAfterMs }: Session): AskedService {
  const { host, pid, applicationName, since = null, heardOf = null } = service
  const named = { host, pid, applicationName }
  return answeredAfterMs === null
    ? { ...named, since: null, heardOf: null, answeredAfterMs }
    : { ...named, since, heardOf, answeredAfterMs }
}
