import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { answerWithin } from '../../core/deadline.js'
import type { ChangeFeed, KeyChange } from '../contract.js'

import { TOKEN_REVOCATIONS } from '../token-changes.js'
import { type Ask, askClient, type Connections, connectClient, endClient } from './connections.js'
import { type PostgresClient, SQLSTATE, sqlState } from './driver.js'
import { CHANNEL, checkSchema } from './schema.js'

/** Changes are read this often even when nothing is pushed, so that one is heard of within 2 s. */
const READ_INTERVAL_MS = 1800
/** A connection whose other end has stopped looks connected for minutes. */
const READ_LIMIT_MS = 2000
/** What was caught up with so long ago says nothing of now. */
const CAUGHT_UP_LIMIT_MS = 5000
const PROOF_LIMIT_MS = 1000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
/** A longer history is not told one by one. */
const MOST_CHANGES = 5000

// All in one statement, so in one snapshot. It begins with the change that was read last, to see whether it is still there.
const READ_CHANGES = `SELECT s.feed, c.seq, c.id, round(extract(epoch FROM c.at) * 1000)::bigint AS at
  FROM vantage_schema s LEFT JOIN LATERAL (
    SELECT seq, id, at FROM vantage_changes WHERE seq >= $1 ORDER BY seq LIMIT ${MOST_CHANGES + 2}
  ) c ON true ORDER BY c.seq`
const READ_NEWEST = `SELECT s.feed, c.seq, c.id, round(extract(epoch FROM c.at) * 1000)::bigint AS at
  FROM vantage_schema s LEFT JOIN LATERAL (
    SELECT seq, id, at FROM vantage_changes ORDER BY seq DESC LIMIT 1
  ) c ON true`

/** One change, in the history that it belongs to. */
interface Position {
  /** Identifies the history that `seq` counts in: random, made with the schema. */
  readonly feed: string
  /** `0` for a table without rows. */
  readonly seq: string
  /** `null` stands for every key. */
  readonly id: string | null
  readonly at: number
}

/** The changes of one store, for every verifier that watches it, over one connection. */
export interface Follower {
  watch(listener: (change: KeyChange) => void): ChangeFeed
  close(): Promise<void>
}

export function createFollower(connections: Connections): Follower {
  const listeners = new Set<(change: KeyChange) => void>()
  let epoch = 0
  let position: Position | undefined
  /** Whether changes are pushed; `undefined` while that is not known, or nothing is connected. */
  let pushed: boolean | undefined
  let caughtUpAt = Number.NEGATIVE_INFINITY
  let caughtUpAtWall = 0
  let following: AbortController | undefined
  /** Of the last one: two at a time would undo what the other one says. */
  let followingEnded = Promise.resolve()

  /** By both clocks: the monotonic one stands still while a machine sleeps, and the other one can be set back. */
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
        // Whoever asks the store gets the error; here it means that nothing cached can be relied upon.
      }
      pushed = undefined
      await endClient(client)
      // So that the services of a fleet do not come back all at the same moment.
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
        // At once: what is cached must not be served until somebody gets to know of it.
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
    /** Until something arrives, for so long at most. */
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
    // Before the first read: what commits after it is pushed.
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
     * Notifies ourselves, over another connection: a proxy that shares connections among its clients delivers nothing but
     * what a client sends to itself.
     */
    async function prove(): Promise<boolean> {
      const token = randomUUID()
      if (!(await permitted(connections.ask('SELECT pg_notify($1, $2)', [CHANNEL, token])))) return false
      const limit = performance.now() + PROOF_LIMIT_MS
      while (!tokens.has(token) && performance.now() < limit) await pause(limit - performance.now())
      // What arrived while this process was busy is there after another answer.
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
    const rows = (await ask(READ_CHANGES, [last.seq])).rows.map(toPosition)
    const feed = rows[0]?.feed
    const changes = rows.filter(({ seq }) => seq !== '0')
    // The change that was the newest has to be there still, and be the same: a restored backup may count on past our
    // position along another history, and what lay between is unknown.
    const first = last.seq === '0' ? last : changes.shift()
    const unbroken = feed === last.feed && first?.seq === last.seq && first.id === last.id && first.at === last.at
    if (!unbroken || changes.length > MOST_CHANGES) {
      if (!unbroken) epoch++
      // Read before it is told: what commits in between is told twice rather than not at all.
      const newest = await readNewest(ask)
      announce({ all: true })
      return newest
    }
    if (changes.some(({ id }) => id === null)) {
      announce({ all: true })
    } else {
      const changedAt = new Map(changes.map(({ id, at }) => [id as string, at]))
      for (const [id, at] of changedAt) announce(id === TOKEN_REVOCATIONS ? { tokens: true, at } : { id, at })
    }
    return changes.at(-1) ?? last
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
      // A wrapper of its own, so that one listener given twice is two feeds.
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
  return toPosition(row)
}

function toPosition(row: Record<string, string | null>): Position {
  return { feed: String(row.feed), seq: row.seq ?? '0', id: row.id ?? null, at: Number(row.at ?? 0) }
}

/** A read replica takes neither LISTEN nor NOTIFY: that is an answer, and not a fault. */
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
