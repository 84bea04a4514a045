import type { ChangeFeed, KeyChange, KeyStore } from '../contract.js'
import { judgeChanges, type News, type Position, REVOCATION_ALIAS, toChange, toPosition } from '../sql/changes.js'
import { selectList } from '../sql/tables.js'
import { TOKEN_REVOCATIONS } from '../sql/token-revocations.js'
import { createAnswers } from './answers.js'
import type { SqliteDatabase } from './driver.js'
import { DIALECT } from './queries.js'
import { createServiceTable, type ServiceTable } from './service-table.js'

/** How long a cached key may be served without a look at the file. A monotonic clock measures it. */
export const CHECK_INTERVAL_MS = 50

const MOST_CHANGES = 1000

/** Reads the log of changes over one open connection. */
export interface ChangeReader {
  /** Moves when another connection has committed, whatever it wrote. */
  fileVersion(): number
  newest(): Position
  since(position: Position): News
  readonly services: ServiceTable
}

export function createChangeReader(database: SqliteDatabase): ChangeReader {
  const version = database.prepare('PRAGMA data_version')
  const feedId = database.prepare('SELECT feed FROM vantage_schema')
  const last = database.prepare('SELECT seq, id, at FROM vantage_changes ORDER BY seq DESC LIMIT 1')
  // The entry at the position itself, one more than is told, and those between; with the revocations that they name.
  const from = database.prepare(
    `SELECT c.seq, c.id, c.at, c.revocation, ${selectList(TOKEN_REVOCATIONS, DIALECT, REVOCATION_ALIAS)}
      FROM vantage_changes c LEFT JOIN ${TOKEN_REVOCATIONS.name} ${REVOCATION_ALIAS} ON ${REVOCATION_ALIAS}.id = c.revocation
      WHERE c.seq >= ? ORDER BY c.seq LIMIT ${MOST_CHANGES + 2}`,
  )

  const readFeed = () => String(feedId.get()?.feed)

  return {
    fileVersion: () => Number(version.get()?.data_version),
    newest: () => toPosition(readFeed(), last.get()),
    since(position) {
      const feed = readFeed()
      const entries = from.all(Number(position.seq)).map((row) => toChange(feed, row))
      return judgeChanges(position, feed, entries, MOST_CHANGES)
    },
    services: createServiceTable(database),
  }
}

/** The changes of one store, for every verifier that watches it. */
export interface Following {
  readonly watch: NonNullable<KeyStore['watch']>
  /** Looks for changes at once, because a store of this process wrote. */
  poke(): void
  close(): Promise<void>
}

/**
 * @param connect returns the reader of the store's connection, another one whenever the store had to connect anew; throws
 *   when the file is out of reach. It is given whether to look now which file is there.
 * @param mayAnswer whether services may write that they follow
 */
export function followFile(connect: (check: boolean) => ChangeReader, mayAnswer: boolean): Following {
  const listeners = new Set<(change: KeyChange) => void>()
  /** Those of the listeners that decide on credentials. They are one service to whoever asks. */
  const services = new Set<object>()
  const answers = createAnswers()
  let state: ChangeFeed['state'] = 'down'
  let epoch = 0
  /** Since when nothing was missed. */
  let unbrokenSince = 0
  let checkedAt = Number.NEGATIVE_INFINITY
  let reader: ChangeReader | undefined
  let seenVersion: number | undefined
  let position: Position | undefined
  /** Keys may have been cached before the first reading, and changed since: the file may have come in between two looks. */
  let wasOutOfReach = false
  let ticking: NodeJS.Timeout | undefined
  let soon: NodeJS.Timeout | undefined

  function look(now: number, check = true): void {
    if (check) checkedAt = now
    try {
      const current = connect(check)
      // The version is read before the changes, so that a commit in between is seen at the next look.
      const version = current.fileVersion()
      const reconnected = reader !== undefined && current !== reader
      if (state === 'down' || reconnected) beginEpoch()
      if (current !== reader || version !== seenVersion || state === 'down') {
        if (ticking !== undefined) answers.hear(current.services)
        readChanges(current)
      }
      reader = current
      seenVersion = version
      state = 'polling'
    } catch {
      // The store's methods report the error. For a feed it means that nothing cached can be relied upon.
      state = 'down'
      wasOutOfReach = true
    }
  }

  function beginEpoch(): void {
    epoch++
    unbrokenSince = Date.now()
  }

  function readChanges(current: ChangeReader): void {
    if (position === undefined) {
      position = current.newest()
      if (wasOutOfReach) announce({ all: true })
      return
    }
    const news = current.since(position)
    if (news.missed) beginEpoch()
    position = news.position ?? current.newest()
    for (const change of news.changes) announce(change)
  }

  function announce(change: KeyChange): void {
    for (const listener of listeners) listener(change)
  }

  function poll(): void {
    if (listeners.size === 0) return
    const now = performance.now()
    const isTime = now - checkedAt > CHECK_INTERVAL_MS
    // Nobody waits for the answer of a service that is not counted, so it must not be behind at all.
    const mustBeFirst = ticking !== undefined && state !== 'down' && !answers.isCounted
    if (isTime || mustBeFirst) lookAndAnswer(now, isTime)
  }

  /** The answer is written apart, so that no request waits for it. */
  function lookAndAnswer(now: number, check = true): void {
    look(now, check)
    if (ticking !== undefined && state !== 'down' && answers.isDue(now)) tickIn(0)
  }

  function tickIn(ms: number): void {
    soon ??= setTimeout(() => {
      soon = undefined
      tick()
    }, ms).unref()
  }

  /** A service answers also while no request comes. */
  function tick(): void {
    const now = performance.now()
    look(now)
    if (ticking === undefined || state === 'down' || !reader || !position || !answers.isDue(now)) return
    const againMs = answers.give(reader.services, now, unbrokenSince, position.seq)
    if (againMs !== undefined) tickIn(againMs)
  }

  function poke(): void {
    if (listeners.size === 0) return
    // The version of the file does not move for a write over our own connection.
    seenVersion = undefined
    lookAndAnswer(performance.now())
  }

  function startAnswering(): void {
    ticking = setInterval(tick, CHECK_INTERVAL_MS).unref()
    seenVersion = undefined
    tick()
  }

  async function leaveServices(): Promise<void> {
    if (services.size > 0 || ticking === undefined) return
    clearInterval(ticking)
    clearTimeout(soon)
    ticking = soon = undefined
    if (reader) await answers.leave(reader.services, () => ticking !== undefined)
  }

  return {
    poke,

    watch(listener, follower = 'service') {
      // A function of its own for each feed, so that one listener given twice is two feeds.
      const deliver = (change: KeyChange) => listener(change)
      listeners.add(deliver)
      if (follower === 'service') services.add(deliver)
      if (mayAnswer && services.size > 0 && ticking === undefined) startAnswering()
      else poll()
      return {
        get state() {
          return listeners.has(deliver) ? state : 'down'
        },
        get epoch() {
          return epoch
        },
        poll() {
          if (listeners.has(deliver)) poll()
        },
        async close() {
          listeners.delete(deliver)
          if (services.delete(deliver)) await leaveServices()
        },
      }
    },

    async close() {
      listeners.clear()
      services.clear()
      state = 'down'
      await leaveServices()
    },
  }
}
