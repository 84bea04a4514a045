import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { answerWithin } from '../../core/deadline.js'
import type { ChangeFeed, KeyChange } from '../contract.js'
import { judgeChanges, type Position, toPosition } from '../sql/changes.js'
import { type Ask, askClient, type Connections, connectClient, endClient } from './connections.js'
import { type PostgresClient, SQLSTATE, sqlState } from './driver.js'
import { checkSchema } from './schema.js'
import { CHANNEL } from './triggers.js'

/** How often changes are read when nothing is pushed: each is heard of within 2 s. */
const READ_INTERVAL_MS = 1800
/** A limit for each read, since a connection whose other end has stopped looks connected for minutes. */
const READ_LIMIT_MS = 2000
/** A feed that has not caught up for so long is down. */
const CAUGHT_UP_LIMIT_MS = 5000
const PROOF_LIMIT_MS = 1000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
/** More changes than this are told as a change of everything. */
const MOST_CHANGES = 5000

const ENTRIES = 'SELECT seq, id, round(extract(epoch FROM at) * 1000)::bigint AS at FROM vantage_changes'

// One statement, and so one snapshot, for the feed id and the entries: the one at the position itself, one more than is
// told, and those between.
const READ_CHANGES = `SELECT s.feed, c.* FROM vantage_schema s
  LEFT JOIN LATERAL (${ENTRIES} WHERE seq >= $1 ORDER BY seq LIMIT ${MOST_CHANGES + 2}) c ON true ORDER BY c.seq`
const READ_NEWEST = `SELECT s.feed, c.* FROM vantage_schema s
  LEFT JOIN LATERAL (${ENTRIES} ORDER BY seq DESC LIMIT 1) c ON true`

/** The changes of one store, for every verifier that watches it, over one connection. */
export interface Follower {
  watch(listener: (change: KeyChange) => void): ChangeFeed
  close(): Promise<void>
}

export function createFollower(connections: Connections): Follower {
  const listeners = new Set<(change: KeyChange) => void>()
  let epoch = 0
  let position: Position | undefined
  /** Whether changes are pushed; `undefined` while nothing is connected, or it is not known yet. */
  let pushed: boolean | undefined
  let caughtUpAt = Number.NEGATIVE_INFINITY
  let caughtUpAtWall = 0
  let following: AbortController | undefined
  /** Settles when the last run of `follow` has ended. Two at a time would overwrite each other's state. */
  let followingEnded = Promise.resolve()

  /** Takes the larger age: wall time may be set back, and monotonic time stops while a machine sleeps. */
  function isCaughtUp(): boolean {
    const elapsed = Math.max(performance.now() - caughtUpAt, Date.now() - caughtUpAtWall)
    return elapsed <= CAUGHT_UP_LIMIT_MS
  }

  async function follow(stopped: AbortSignal): Promise<void> {
    let pause = FIRST_PAUSE_MS
    while (!stopped.aborted) {
      const client = connections.createClient()
      try {
        await listen(client, stopped, () => {
          pause = FIRST_PAUSE_MS
        })
      } catch {
        // The store's methods report the error. For a feed it means that nothing cached can be relied upon.
      }
      pushed = undefined
      await endClient(client)
      // A random pause, so that the services of a fleet do not all come back at the same moment.
      const wait = pause * (0.5 + Math.random() / 2)
      await delay(wait, undefined, { signal: stopped, ref: false }).catch(() => {})
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS)
    }
  }

  /** Follows the changes over one connection until that ends. */
  async function listen(client: PostgresClient, stopped: AbortSignal, onCaughtUp: () => void): Promise<never> {
    const tokens = new Set<string>()
    let woken = false
    let wake = () => {}
    const ended = new Promise<never>((_, reject) => {
      const end = () => {
        // At once, so that nothing cached is served until this process has noticed that the connection is gone.
        pushed = undefined
        stopped.removeEventListener('abort', end)
        reject(new Error('the connection has ended'))
      }
      client.on('error', end)
      client.on('end', end)
      stopped.addEventListener('abort', end)
    })
    ended.catch(() => {})
    client.on('notification', ({ channel, payload }: { channel: string; payload?: string }) => {
      if (channel !== CHANNEL) return
      if (payload) tokens.add(payload)
      else woken = true
      wake()
    })
    /** Waits until something arrives, or the time is up. */
    const pause = async (limitMs: number) => {
      const timer = new AbortController()
      const arrived = new Promise<void>((resolve) => {
        wake = resolve
      })
      const timeUp = delay(limitMs, undefined, { signal: timer.signal, ref: false }).catch(() => {})
      await Promise.race([ended, arrived, timeUp])
      timer.abort()
    }
    const send = askClient(client)
    const ask: Ask = (text, values) =>
      Promise.race([ended, answerWithin(READ_LIMIT_MS, 'the server', send(text, values))])

    await Promise.race([ended, connectClient(client)])
    // LISTEN comes before the first read, so that whatever commits after that read is pushed.
    const mayListen = await permitted(ask(`LISTEN ${CHANNEL}`))
    await checkSchema(ask, connections.name)
    epoch++
    await catchUp(ask)
    onCaughtUp()
    const proven = mayListen && (await prove())
    if (!proven) warnPolling()
    for (;;) {
      woken = false
      await catchUp(ask)
      pushed = proven
      if (!woken) await pause(READ_INTERVAL_MS)
    }

    /**
     * Tests whether changes are pushed, by a notification to ourselves. It is sent over another connection: a proxy that
     * shares connections among its clients delivers only what a client sends to itself.
     */
    async function prove(): Promise<boolean> {
      const token = randomUUID()
      if (!(await permitted(connections.ask('SELECT pg_notify($1, $2)', [CHANNEL, token])))) return false
      const limit = performance.now() + PROOF_LIMIT_MS
      while (!tokens.has(token) && performance.now() < limit) await pause(limit - performance.now())
      // The process may have been too busy to read. What has arrived is there after one more answer.
      if (!tokens.has(token)) await ask('SELECT 1')
      return tokens.has(token)
    }
  }

  async function catchUp(ask: Ask): Promise<void> {
    const [begunAt, begunAtWall] = [performance.now(), Date.now()]
    position = position === undefined ? await readNewest(ask) : await readChanges(ask, position)
    caughtUpAt = begunAt
    caughtUpAtWall = begunAtWall
  }

  async function readChanges(ask: Ask, last: Position): Promise<Position> {
    const { rows } = await ask(READ_CHANGES, [last.seq])
    const feed = String(rows[0]?.feed)
    // An empty log is a row with a feed and no entry.
    const entries = rows.filter(({ seq }) => seq !== null).map((row) => toPosition(feed, row))
    const news = judgeChanges(last, feed, entries, MOST_CHANGES)
    if (news.missed) epoch++
    // Read before the changes are told: a commit in between is told twice rather than not at all.
    const next = news.position ?? (await readNewest(ask))
    for (const change of news.changes) announce(change)
    return next
  }

  function announce(change: KeyChange): void {
    for (const listener of listeners) listener(change)
  }

  async function leave(deliver: (change: KeyChange) => void): Promise<void> {
    listeners.delete(deliver)
    if (listeners.size > 0 || following === undefined) return
    following.abort()
    following = undefined
    await followingEnded
  }

  return {
    watch(listener) {
      // A function of its own for each feed, so that one listener given twice is two feeds.
      const deliver = (change: KeyChange) => listener(change)
      listeners.add(deliver)
      if (following === undefined) {
        following = new AbortController()
        const { signal } = following
        followingEnded = followingEnded.then(() => follow(signal))
      }
      return {
        get state() {
          if (pushed === undefined || !listeners.has(deliver) || !isCaughtUp()) return 'down'
          return pushed ? 'live' : 'polling'
        },
        get epoch() {
          return epoch
        },
        close: () => leave(deliver),
      }
    },

    async close() {
      await Promise.all([...listeners].map(leave))
    },
  }
}

async function readNewest(ask: Ask): Promise<Position> {
  const [row] = (await ask(READ_NEWEST)).rows
  if (row === undefined) throw new Error('the schema is gone')
  return toPosition(String(row.feed), row)
}

/** Whether the server permits a statement. A read replica refuses LISTEN and NOTIFY, which is no fault. */
async function permitted(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer
    return true
  } catch (error) {
    const state = sqlState(error) ?? (error as { cause?: { code?: unknown } }).cause?.code
    if (state === SQLSTATE.readOnly) return false
    throw error
  }
}

let warned = false

function warnPolling(): void {
  if (warned) return
  warned = true
  process.emitWarning(
    'LISTEN does not work over this connection to the key store (a transaction-pooling proxy, or a read replica): changes are read every 2 s. Connect past the proxy for revocation within milliseconds.',
    { code: 'VANTAGE_FEED_POLLING' },
  )
}
