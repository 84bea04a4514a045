import type { ChangeFeed, KeyChange } from '../contract.js'

import { TOKEN_REVOCATIONS } from '../token-changes.js'
import type { SqliteDatabase, SqliteStatement } from './driver.js'

/** How long a cached key may be served without a look at the file. A monotonic clock measures it. */
export const CHECK_INTERVAL_MS = 50

const MOST_CHANGES = 1000

/** One change, in the history that it belongs to. */
interface Position {
  /** Identifies the history that `seq` counts in: random, made with the schema. */
  readonly feed: string
  /** 0 for a table without rows. */
  readonly seq: number
  /** `null` stands for every key. */
  readonly id: string | null
  readonly at: number
}

/** Reads the changes of one open connection. */
export interface ChangeReader {
  /** Moves when another connection has committed, whatever it wrote. */
  fileVersion(): number
  newest(): Position
  /** The changes after a position, oldest first; `undefined` when it cannot be told what happened since. */
  since(position: Position): readonly Position[] | undefined
}

export function createChangeReader(database: SqliteDatabase): ChangeReader {
  const version = database.prepare('PRAGMA data_version')
  const feedId = database.prepare('SELECT feed FROM vantage_schema')
  const last = database.prepare('SELECT seq, id, at FROM vantage_changes ORDER BY seq DESC LIMIT 1')
  const after = database.prepare(
    `SELECT seq, id, at FROM vantage_changes WHERE seq >= ? ORDER BY seq LIMIT ${MOST_CHANGES + 2}`,
  )

  const readFeed = () => String(feedId.get()?.feed)
  const toPosition = (feed: string, row: ReturnType<SqliteStatement['get']>): Position => ({
    feed,
    seq: Number(row?.seq ?? 0),
    id: (row?.id ?? null) as string | null,
    at: Number(row?.at ?? 0),
  })

  return {
    fileVersion: () => Number(version.get()?.data_version),
    newest: () => toPosition(readFeed(), last.get()),
    since(position) {
      const feed = readFeed()
      const rows = after.all(position.seq).map((row) => toPosition(feed, row))
      // The row that was the newest has to be there still, and the same: a restored backup may count on past our position
      // along another history, and what lay between is unknown.
      const first = position.seq === 0 ? position : rows.shift()
      if (
        feed !== position.feed ||
        first?.seq !== position.seq ||
        first.id !== position.id ||
        first.at !== position.at
      ) {
        return undefined
      }
      return rows.length > MOST_CHANGES ? undefined : rows
    },
  }
}

/** The changes of one store, for every verifier that watches it. */
export interface Follower {
  watch(listener: (change: KeyChange) => void): ChangeFeed
  /** Looks for changes now: somebody in this process wrote. */
  poke(): void
  close(): void
}

/** @param connect the reader of the store's connection; a new one whenever it had to connect anew; throws out of reach */
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
      // Read before the changes: what is committed in between moves it again, and is read at the next look.
      const version = current.fileVersion()
      const reconnected = reader !== undefined && current !== reader
      if (state === 'down' || reconnected) epoch++
      if (current !== reader || version !== seenVersion || state === 'down') readChanges(current)
      reader = current
      seenVersion = version
      state = 'polling'
    } catch {
      // Whoever asks the store gets the error; here it means that nothing cached can be relied upon.
      state = 'down'
    }
  }

  function readChanges(current: ChangeReader): void {
    if (position === undefined) {
      position = current.newest()
      return
    }
    const newest = current.newest()
    const changes = current.since(position)
    if (changes === undefined) epoch++
    if (changes === undefined || changes.some(({ id }) => id === null)) {
      announce({ all: true })
    } else {
      const changedAt = new Map(changes.map(({ id, at }) => [id as string, at]))
      for (const [id, at] of changedAt) announce(id === TOKEN_REVOCATIONS ? { tokens: true, at } : { id, at })
    }
    position = changes === undefined ? newest : (changes.at(-1) ?? position)
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
    // The file version does not move for a write on this very connection.
    seenVersion = undefined
    look(performance.now())
  }

  return {
    poke,

    watch(listener) {
      // A wrapper of its own, so that one listener given twice is two feeds.
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
