/** A process of the fleet, with one service or several: does what messages of fleet-services.js tell it. */
import { subscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import { createKeyring, createVerifier } from '../shared/built-package.js'
import { sharedNow } from '../shared/timing.js'
import { startTrace } from './slowest.js'

/** @import { Verifier } from '../shared/built-package.js' */

/** @param {object} message */
const tell = (message) => process.send?.(message)
/** @param {string} key */
const authorize = (key) => ({ authorization: `Bearer ${key}` })

/**
 * Of each service of this process, which has nothing in common with the others.
 *
 * @type {Verifier[]}
 */
let verifiers = []
/** The one that does what one service is told. */
let verifier = verifiers[0]
/**
 * Keys that were accepted, in rotation under the load.
 *
 * @type {string[]}
 */
let warm = []
/** @typedef {{ acceptedAt: number, refusedAt: number | undefined }} Seen when a service accepted a key last, and refused it first */
/**
 * Keys that are asked for each millisecond, with what each service has said.
 *
 * @type {Map<string, Seen[]>}
 */
const watched = new Map()
/** @type {string[]} */
const refused = []
/** Keys that were watched at any time: the load leaves them out.
 *
 * @type {Set<string>}
 */
const isWatched = new Set()
/** It has to stay 0. */
let acceptedAfterRefusal = 0
/** @type {NodeJS.Timeout[]} */
let timers = []

/**
 * Status of the answer: 200, 401 or 503; and whether it came from the cache.
 *
 * @param {string} key
 */
async function decide(key, service = verifier) {
  try {
    const decision = service.authenticate(authorize(key))
    await decision
    return { status: 200, cached: !(decision instanceof Promise) }
  } catch (error) {
    return { status: /** @type {import('../shared/built-package.js').AnyAuthError} */ (error).status, cached: false }
  }
}

/** @param {Verifier} service */
async function isReady(service) {
  try {
    await service.ready()
    return true
  } catch {
    return false
  }
}

/**
 * @param {string} key
 * @param {Verifier} service
 * @param {Seen} seen
 */
async function ask(key, service, seen) {
  if (seen.refusedAt !== undefined) return
  const askedAt = sharedNow()
  const { status } = await decide(key, service)
  if (status === 200) {
    seen.acceptedAt = Math.max(seen.acceptedAt, askedAt)
    if (seen.refusedAt !== undefined && askedAt > seen.refusedAt) acceptedAfterRefusal++
  } else if (status === 401 && seen.refusedAt === undefined) {
    seen.refusedAt = sharedNow()
    const all = watched.get(key) ?? []
    if (all.some(({ refusedAt }) => refusedAt === undefined)) return
    watched.delete(key)
    refused.push(key)
    tell({
      refused: key,
      at: Math.max(...all.map(({ refusedAt }) => refusedAt ?? 0)),
      acceptedAt: Math.max(...all.map(({ acceptedAt }) => acceptedAt)),
    })
  }
}

function askForWatched() {
  for (const [key, seen] of watched) {
    for (const [i, each] of seen.entries()) void ask(key, verifiers[i], each)
  }
}

let flushFailures = 0
subscribe('vantage-auth:store', (message) => {
  const { event } = /** @type {{ event: string }} */ (message)
  if (event === 'usage_failed' || event === 'usage_dropped') flushFailures++
})

/** @type {import('./slowest.js').Trace | undefined} */
let trace

/** @type {Record<string, (given: any) => unknown>} */
const commands = {
  async open({ url, options = { issuer: false }, services = 1 }) {
    const begunAt = performance.now()
    verifiers = Array.from({ length: services }, (_, i) => {
      // Services with one URL would share their connections.
      const own = services === 1 ? url : `${url}?application_name=service-${process.pid}-${i}`
      return createVerifier({ ...options, keys: own })
    })
    verifier = verifiers[0]
    for (const service of verifiers) {
      // Asks again as a readiness probe does: where eight start at once, the machine may be too busy for the first time limit.
      while (!(await isReady(service))) await delay(100)
    }
    return { startMs: performance.now() - begunAt }
  },

  /** Until each is answered from the cache. Two at a time, so that both connections of the store are open as well. */
  async warm({ keys }) {
    const warmUp = async (/** @type {Verifier} */ service) => {
      const left = keys.values()
      const takeTurns = async () => {
        for (const key of left) {
          while (!(await decide(key, service)).cached) await delay(1)
        }
      }
      await Promise.all([takeTurns(), takeTurns()])
    }
    await Promise.all(verifiers.map(warmUp))
    warm = [...warm, ...keys]
  },

  /** The notes are a part of the report. */
  trace() {
    trace = startTrace()
  },

  /** A load of decisions, a few each millisecond, and among them keys that were refused. */
  load({ perMs }) {
    let next = 0
    let nextService = 0
    const takeTurns = () => verifiers[nextService++ % verifiers.length]
    timers.push(
      // Keys that were refused are asked for again and again: each change has them looked up once more.
      setInterval(async () => {
        const key = refused[Math.floor(Math.random() * refused.length)]
        if (key !== undefined && (await decide(key, takeTurns())).status === 200) acceptedAfterRefusal++
      }, 50),
      setInterval(() => {
        for (let i = 0; i < perMs; i++) {
          const key = warm[next++ % warm.length]
          if (!isWatched.has(key)) void decide(key, takeTurns())
        }
      }, 1),
    )
  },

  /** Has each service be asked for a key, each millisecond from now on, until it refuses. */
  watch({ key }) {
    if (isWatched.size === 0) timers.push(setInterval(askForWatched, 1))
    isWatched.add(key)
    watched.set(
      key,
      verifiers.map(() => ({ acceptedAt: 0, refusedAt: undefined })),
    )
  },

  /** Uses keys at a rate, without waiting for anything. */
  async use({ keys, perSecond, seconds }) {
    let used = 0
    const begunAt = sharedNow()
    while (sharedNow() - begunAt < seconds * 1000) {
      const due = Math.min(perSecond * seconds, Math.floor(((sharedNow() - begunAt) / 1000) * perSecond))
      for (; used < due; used++) await verifier.authenticate(authorize(keys[used % keys.length]))
      tell({ progress: used })
      await delay(10)
    }
    for (; used < perSecond * seconds; used++) await verifier.authenticate(authorize(keys[used % keys.length]))
    return { used }
  },

  /** Creates, rotates and revokes, each in turn. */
  async administer({ url, operations }) {
    const keyring = createKeyring(url)
    /** @type {Record<string, number>} */
    const failures = {}
    /** @type {string[]} */
    const ids = []
    /** @type {string[]} */
    const revoked = []
    let done = 0
    /** @type {<T>(work: () => Promise<T>) => Promise<T | undefined>} */
    const attempt = async (work) => {
      done++
      try {
        return await work()
      } catch (error) {
        const { cause, name: ofError } = /** @type {Error & { cause?: { code?: string } }} */ (error)
        const name = cause?.code ?? ofError
        failures[name] = (failures[name] ?? 0) + 1
        return undefined
      }
    }
    await Promise.all(
      [0, 1].map(async () => {
        while (done < operations) {
          const created = await attempt(() => keyring.create({ subject: 'fleet', scopes: ['jobs:read'] }))
          if (created === undefined) continue
          ids.push(created.record.id)
          const rotated = await attempt(() => keyring.rotate(created.record.id))
          if (rotated !== undefined) ids.push(rotated.record.id)
          const ended = await attempt(() => keyring.revoke(created.record.id))
          if (ended !== undefined) revoked.push(created.record.id)
        }
      }),
    )
    await keyring.close()
    return { done, ids, revoked, failures }
  },

  report() {
    return { trace, acceptedAfterRefusal, flushFailures, rss: process.memoryUsage().rss }
  },

  async measure({ key, calls }) {
    const begunAt = performance.now()
    for (let i = 0; i < calls; i++) verifier.authenticate(authorize(key))
    return { microseconds: ((performance.now() - begunAt) * 1000) / calls }
  },

  /** Of each key the time of its first look-up, one after the other. */
  async cold({ keys }) {
    const times = []
    for (const key of keys) {
      const begunAt = performance.now()
      await verifier.authenticate(authorize(key))
      times.push((performance.now() - begunAt) * 1000)
    }
    return { times }
  },

  async close() {
    for (const timer of timers) clearInterval(timer)
    timers = []
    await Promise.all(verifiers.map((service) => service.close()))
  },
}

process.on('message', async (/** @type {{ call: number, command: string }} */ { call, command, ...given }) => {
  try {
    tell({ call, answer: (await commands[command](given)) ?? {} })
  } catch (error) {
    tell({ call, error: String(error instanceof Error ? error.stack : error) })
  }
})
process.on('disconnect', () => process.exit())
