import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { answerWithin } from '../../core/deadline.js'
import { warnOnce } from '../../core/process-warning.js'
import type { ChangeFeed, KeyChange, Follower as Role } from '../contract.js'
import { createAnswers } from './answers.js'
import { findUnheardTables, PLAN_AGAIN, type Reading, readChanges } from './changes.js'
import { type Ask, type Connections, connectClient, endClient, readOver } from './connections.js'
import { type PostgresClient, SQLSTATE, sqlState } from './driver.js'
import { checkSchema } from './schema.js'
import { feedName, type Heard } from './service-name.js'
import { QUESTIONS } from './services.js'
import { CHANNEL } from './triggers.js'

/** How often changes are read when nothing is pushed: each is heard of within 2 s. */
const READ_INTERVAL_MS = 1800
/** A limit for each read, since a connection whose other end has stopped looks connected for minutes. */
const READ_LIMIT_MS = 2000
/** A feed that has not caught up for so long is down. */
const CAUGHT_UP_LIMIT_MS = 5000
const PROOF_LIMIT_MS = 1000
const PLAN_INTERVAL_MS = 60_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
/**
 * Every role of the database can notify. Notifications that have nothing to tell, and questions, come at most this often, so
 * that floods of them cost a few reads; short enough for the bound of a revocation.
 */
const IDLE_WAKE_PAUSE_MS = 25
/** So many may come at once: where changes are many, one is often read before its own notification arrives. */
const IDLE_WAKES = 4

/** The changes of one store, for every verifier that watches it, over one connection. */
export interface Follower {
  watch(listener: (change: KeyChange) => void, role: Role): ChangeFeed
  /** Tells the verifiers of this process of a change that it has made itself. The feed will tell it once more. */
  tell(change: KeyChange): void
  close(): Promise<void>
}

export function createFollower(connections: Connections): Follower {
  const listeners = new Set<(change: KeyChange) => void>()
  /** Those of the listeners that are services. */
  const services = new Set<(change: KeyChange) => void>()
  let epoch = 0
  /** When this epoch began, in milliseconds since 1970. */
  let since = 0
  /** The last reading. The next one goes on from its position. */
  let last: Omit<Reading, 'missed' | 'changes'> | undefined
  /** Whether changes are pushed; `undefined` while nothing is connected, or it is not known yet. */
  let pushed: boolean | undefined
  /** Whether the services can be found, and asked. Until they can, nothing that is pushed is relied upon. */
  let isAnnounced = () => false
  /** Has the feed look at once whether there are services. */
  let wake = () => {}
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
    let proof: { readonly token: string; arrived: boolean } | undefined
    let woken = false
    let proven = false
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
    const send = connections.askClient(client)
    // A proxy that gives us a connection of its own for each transaction would not have the statement that we named before.
    const ask: Ask = (text, values, name) =>
      Promise.race([ended, answerWithin(READ_LIMIT_MS, 'the server', send(text, values, proven ? name : undefined))])
    const answers = createAnswers(ask, () => (proven && services.size > 0 ? last?.position.feed : undefined))
    isAnnounced = () => answers.isAnnounced
    client.on('notification', ({ channel, payload }: { channel: string; payload?: string }) => {
      if (channel === QUESTIONS) {
        if (last !== undefined && payload === feedName(last.position.feed) && answers.hear()) wake()
        return
      }
      if (channel !== CHANNEL) return
      if (proof !== undefined && payload === proof.token) proof.arrived = true
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

    await Promise.race([ended, connectClient(client)])
    // LISTEN comes before the first read, so that whatever commits after that read is pushed.
    const mayListen = await permitted(ask(`LISTEN ${CHANNEL}; LISTEN ${QUESTIONS}`))
    await readOver(ask, (ask) => checkSchema(ask, connections))
    beginEpoch()
    await catchUp(ask)
    onCaughtUp()
    proven = mayListen && (await prove())
    if (!proven) warnPolling()
    /** When as many idle notifications will have been due as there were. */
    let idleUntil = 0
    let plannedAt = performance.now()
    for (;;) {
      const notified = woken
      woken = false
      const begunAt = performance.now()
      const isAnswer = await answers.announce()
      if (proven && begunAt - plannedAt > PLAN_INTERVAL_MS) {
        await ask(PLAN_AGAIN)
        plannedAt = begunAt
      }
      const news = await catchUp(ask, isAnswer)
      pushed = proven
      await answers.give(isAnswer ? heard() : undefined, begunAt, !notified)
      if (!answers.isCurrent) continue
      if (!woken && !answers.isAsked) await pause(READ_INTERVAL_MS)
      const rest = begunAt + IDLE_WAKE_PAUSE_MS - performance.now()
      // A question right after another one waits, unless something changes.
      if (isAnswer && answers.isAsked && !woken) await pause(Math.max(0, rest))
      if (notified && !news) {
        idleUntil = Math.max(idleUntil, begunAt - (IDLE_WAKES - 1) * IDLE_WAKE_PAUSE_MS) + IDLE_WAKE_PAUSE_MS
      }
      // A delay of its own, which further notifications do not end.
      const left = idleUntil - performance.now()
      if (woken && left > 0) await Promise.race([ended, delay(left, undefined, { ref: false })])
    }

    /**
     * Tests whether changes are pushed, by a notification to ourselves. It is sent over another connection: a proxy that
     * shares connections among its clients delivers only what a client sends to itself.
     */
    async function prove(): Promise<boolean> {
      const asked = { token: randomUUID(), arrived: false }
      proof = asked
      const notify = 'SELECT pg_catalog.pg_notify($1::pg_catalog.text, $2::pg_catalog.text)'
      if (!(await permitted(connections.ask(notify, [CHANNEL, asked.token])))) return false
      const limit = performance.now() + PROOF_LIMIT_MS
      while (!asked.arrived && performance.now() < limit) await pause(limit - performance.now())
      // The process may have been too busy to read. What has arrived is there after one more answer.
      if (!asked.arrived) await ask('SELECT 1')
      return asked.arrived
    }
  }

  /**
   * @param isAnswer whether somebody is told afterwards that all was heard of
   * @returns whether there was anything new
   */
  async function catchUp(ask: Ask, isAnswer = false): Promise<boolean> {
    const [begunAt, begunAtWall] = [performance.now(), Date.now()]
    const { missed, changes, ...reading } = await readChanges(ask, connections.schema, last?.position)
    const triggersChanged = last !== undefined && last.triggers !== reading.triggers
    // While a trigger was off, something may have changed that the log does not tell of.
    if (missed || triggersChanged) beginEpoch()
    // Nor does it tell of what came before the first reading, when keys may have been cached already. They must not outlive
    // that in an outage either.
    const unheard = last === undefined || triggersChanged || (isAnswer && !reading.complete)
    last = reading
    for (const change of unheard ? [{ all: true } as const] : changes) tell(change)
    caughtUpAt = begunAt
    caughtUpAtWall = begunAtWall
    if (!reading.complete) {
      const tables = await readOver(ask, (ask) => findUnheardTables(ask, connections.schema))
      warnUnheard(tables, connections)
    }
    return missed || triggersChanged || changes.length > 0
  }

  function heard(): Heard | undefined {
    return last && { since, snapshot: last.snapshot, seq: last.position.seq }
  }

  function beginEpoch(): void {
    epoch++
    since = Date.now()
  }

  function tell(change: KeyChange): void {
    for (const listener of listeners) listener(change)
  }

  async function leave(deliver: (change: KeyChange) => void): Promise<void> {
    listeners.delete(deliver)
    if (services.delete(deliver)) wake()
    if (listeners.size > 0 || following === undefined) return
    following.abort()
    following = undefined
    await followingEnded
  }

  return {
    tell,

    watch(listener, role) {
      // A function of its own for each feed, so that one listener given twice is two feeds.
      const deliver = (change: KeyChange) => listener(change)
      listeners.add(deliver)
      if (role !== 'observer') services.add(deliver)
      wake()
      if (following === undefined) {
        following = new AbortController()
        const { signal } = following
        followingEnded = followingEnded.then(() => follow(signal))
      }
      return {
        get state() {
          if (pushed === undefined || !last?.complete || !listeners.has(deliver) || !isCaughtUp()) return 'down'
          if (!pushed) return 'polling'
          return isAnnounced() || !services.has(deliver) ? 'live' : 'down'
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

function warnUnheard(tables: readonly string[], { migrateCommand }: Pick<Connections, 'migrateCommand'>): void {
  warnOnce(
    'VANTAGE_FEED_TRIGGERS',
    `Changes of ${tables.join(' and ')} in the key store are not heard of, since triggers are missing, or do not fire in each session: every cached key is confirmed with the store until they do. Put them back with: ${migrateCommand}`,
  )
}

function warnPolling(): void {
  warnOnce(
    'VANTAGE_FEED_POLLING',
    'LISTEN does not work over this connection to the key store (a transaction-pooling proxy, or a read replica): changes are read every 2 s. Connect past the proxy for revocation within milliseconds.',
  )
}
