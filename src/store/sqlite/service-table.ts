import type { AskedService } from '../contract.js'
import { serviceText } from '../this-service.js'
import { BUSY_TIMEOUT_MS, type SqliteDatabase, type SqliteRow } from './driver.js'
import type { ProcessMark } from './process-mark.js'
import { inTransaction } from './schema.js'

/** How many services a file has room for. Who finds none looks at the file before each decision, and is not counted. */
export const MOST_SERVICES = 2000

/** A service that has given no sign of life for so long may have gone. Each gives one a minute. */
export const SILENCE_MS = 180_000

/** What a service says of itself. */
export interface Presence extends Pick<AskedService, 'host' | 'pid' | 'applicationName'>, ProcessMark {
  /** Random. */
  readonly id: string
  readonly since: number
  /** Number of the newest change that it has heard of. */
  readonly heardOf: string
  /** The newest question before which all changes were read. */
  readonly answered: number
}

/** A service as the file has it. Others write it, so its texts are made fit to be shown. */
export type StoredPresence = Readonly<
  Omit<Presence, 'since' | 'heardOf'> & { since: number | null; heardOf: string | null; seenAt: number }
>

/** The services that follow a file, and the number of the question that they were asked last, over one open connection. */
export interface ServiceTable {
  /** The newest question, and the last one that a service has answered; `undefined` where it is not in the table. */
  question(id: string): { readonly asked: number; readonly answered: number | undefined }
  /** @returns whether there is room for it */
  write(presence: Presence): boolean
  remove(ids: readonly string[]): void
  /** Puts a question to those that follow now. */
  ask(): { readonly question: number; readonly services: readonly StoredPresence[] }
  list(): StoredPresence[]
}

export function createServiceTable(database: SqliteDatabase): ServiceTable {
  const readQuestion = database.prepare(
    `SELECT coalesce((SELECT asked FROM vantage_question), 0) AS asked,
      (SELECT answered FROM vantage_services WHERE id = ?) AS answered`,
  )
  const update = database.prepare(
    'UPDATE vantage_services SET since = ?, heard_of = ?, answered = ?, seen_at = ? WHERE id = ?',
  )
  const insert = database.prepare(
    `INSERT INTO vantage_services (since, heard_of, answered, seen_at, id, host, pid, application, pid_space, started)
      SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM vantage_services) < ${MOST_SERVICES}`,
  )
  const dropSilent = database.prepare('DELETE FROM vantage_services WHERE abs(seen_at - ?) > ?')
  const drop = database.prepare('DELETE FROM vantage_services WHERE id IN (SELECT value FROM json_each(?))')
  const select = database.prepare(`SELECT * FROM vantage_services LIMIT ${MOST_SERVICES}`)
  // Beyond each answer that is there, also where somebody has deleted the row of the question.
  const putQuestion = database.prepare(
    `INSERT INTO vantage_question (one, asked) SELECT 1, 1 + coalesce(max(answered), 0) FROM vantage_services WHERE true
      ON CONFLICT (one) DO UPDATE SET asked = max(asked + 1, excluded.asked) RETURNING asked`,
  )

  const list = () => select.all().map(toPresence)

  function add(presence: Presence, changing: readonly (string | number)[]): boolean {
    const { host, pid, applicationName, pidSpace, started } = presence
    return Number(insert.run(...changing, host, pid, applicationName, pidSpace, started).changes) > 0
  }

  return {
    question(id) {
      const row = readQuestion.get(id)
      return { asked: Number(row?.asked), answered: row?.answered === null ? undefined : Number(row?.answered) }
    },

    write(presence) {
      const { id, since, heardOf, answered } = presence
      const now = Date.now()
      const changing = [since, heardOf, answered, now, id]
      return lightly(database, 0, () => {
        if (Number(update.run(...changing).changes) > 0 || add(presence, changing)) return true
        dropSilent.run(now, SILENCE_MS)
        return add(presence, changing)
      })
    },

    remove: (ids) => lightly(database, 0, () => void drop.run(JSON.stringify(ids))),

    ask: () =>
      lightly(database, BUSY_TIMEOUT_MS, () =>
        inTransaction(database, () => ({ question: Number(putQuestion.get()?.asked), services: list() })),
      ),

    list,
  }
}

/**
 * A write that nobody needs after a loss of power, so that it does not wait for the disk. The next revocation does, and takes
 * it along.
 *
 * @param busyMs how long it may block the process while another program holds the lock
 */
function lightly<T>(database: SqliteDatabase, busyMs: number, write: () => T): T {
  database.exec(`PRAGMA busy_timeout = ${busyMs}; PRAGMA synchronous = NORMAL`)
  try {
    return write()
  } finally {
    try {
      database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA synchronous = FULL`)
    } catch {
      // A revocation over this connection might not outlive a loss of power. The next operation connects anew.
      database.close()
    }
  }
}

function toPresence(row: SqliteRow): StoredPresence {
  const text = (value: unknown) => (value === null ? null : serviceText(String(value)))
  const number = (value: unknown) => (value === null ? null : Number(value))
  return {
    id: String(row.id),
    host: text(row.host),
    pid: number(row.pid),
    applicationName: text(row.application),
    pidSpace: row.pid_space as string | null,
    started: row.started as string | null,
    since: number(row.since),
    heardOf: text(row.heard_of),
    seenAt: Number(row.seen_at),
    answered: Number(row.answered),
  }
}
