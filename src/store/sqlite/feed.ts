import type { ChangeFeed, KeyChange } from '../contract.js'
import { judgeChanges, type News, type Position, REVOCATION_ALIAS, toChange, toPosition } from '../sql/changes.js'
import { selectList } from '../sql/tables.js'
import { TOKEN_REVOCATIONS } from '../sql/token-revocations.js'
import type { SqliteDatabase } from './driver.js'
import { DIALECT } from './queries.js'

/** How long a cached key may be served without a look at the file. A monotonic clock measures it. */
export const CHECK_INTERVAL_MS = 50

const MOST_CHANGES = 1000

/** Reads the log of changes over one open connection. */
export interface ChangeReader {
  /** Moves when another connection has committed, whatever it wrote. */
  fileVersion(): number
  newest(): Position
  since(position: Position): News
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
  }
}

/** The changes of one store, for every verifier that watches it. */
export interface Follower {
  watch(listener: (change: KeyChange) => void): ChangeFeed
  /** Looks for changes at once, because a store of this process wrote. */
  poke(): void
  close(): void
}

/**
 * @param connect returns the reader of the store's connection, another one whenever the store had to connect anew; throws
 *   when the file is out of reach
 */
export function createFollower(connect: () => ChangeReader): Follower {
  const listeners = new Set<(change: KeyChange) => void>()
  let state: ChangeFeed['state'] = 'down'
  let epoch = 0
  let checkedAt = Number.NEGATIVE_INFINITY
  let reader: ChangeReader | undefined
  let seenVersion: number | undefined
  let position: Position | undefined

  function look(now: number): void {
    checkedAt = now
    try {
      const current = connect()
      // The version is read before the changes, so that a commit in between is seen at the next look.
      const version = current.fileVersion()
      const reconnected = reader !== undefined && current !== reader
      if (state === 'down' || reconnected) epoch++
      if (current !== reader || version !== seenVersion || state === 'down') readChanges(current)
      reader = current
      seenVersion = version
      state = 'polling'
    } catch {
      // The store's methods report the error. For a feed it means that nothing cached can be relied upon.
      state = 'down'
    }
  }

  function readChanges(current: ChangeReader): void {
    if (position === undefined) {
      position = current.newest()
      return
    }
    const news = current.since(position)
    if (news.missed) epoch++
    position = news.position ?? current.newest()
    for (const change of news.changes) announce(change)
  }

  function announce(change: KeyChange): void {
    for (const listener of listeners) listener(change)
  }

  function poll(): void {
    const now = performance.now()
    if (listeners.size > 0 && now - checkedAt > CHECK_INTERVAL_MS) look(now)
  }

  function poke(): void {
    if (listeners.size === 0) return
    // The version of the file does not move for a write over our own connection.
    seenVersion = undefined
    look(performance.now())
  }

  return {
    poke,

    watch(listener) {
      // A function of its own for each feed, so that one listener given twice is two feeds.
      const deliver = (change: KeyChange) => listener(change)
      listeners.add(deliver)
      poll()
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
        },
      }
    },

    close() {
      listeners.clear()
      state = 'down'
    },
  }
}
