/** One service of the fleet, in a process of its own: does what messages of fleet-services.js tell it. */
import { subscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import { createKeyring, createVerifier } from '../shared/built-package.js'
import { sharedNow } from '../shared/timing.js'

/** @import { Verifier } from '../shared/built-package.js' */

/** @param {object} message */
const tell = (message) => process.send?.(message)
/** @param {string} key */
const authorize = (key) => ({ authorization: `Bearer ${key}` })

/** @type {Verifier} */
let verifier
/**
 * Keys that were accepted, in rotation under the load.
 *
 * @type {string[]}
 */
let warm = []
/** @type {Set<string>} */
const watched = new Set()
/** @type {string[]} */
const refused = []
/** It has to stay 0. */
let acceptedAfterRefusal = 0
/** @type {NodeJS.Timeout[]} */
let timers = []

/**
 * Status of the answer: 200, 401 or 503; and whether it came from the cache.
 *
 * @param {string} key
 */
async function decide(key) {
  try {
    const decision = verifier.authenticate(authorize(key))
    await decision
    return { status: 200, cached: !(decision instanceof Promise) }
  } catch (error) {
    return { status: /** @type {import('../shared/built-package.js').AnyAuthError} */ (error).status, cached: false }
  }
}

async function isReady() {
  try {
    await verifier.ready()
    return true
  } catch {
    return false
  }
}

let flushFailures = 0
subscribe('vantage-auth:store', (message) => {
  const { event } = /** @type {{ event: string }} */ (message)
  if (event === 'usage_failed' || event === 'usage_dropped') flushFailures++
})

/** @type {Record<string, (given: any) => unknown>} */
const commands = {
  async open({ url, options = { issuer: false } }) {
    const begunAt = performance.now()
    verifier = createVerifier({ ...options, keys: url })
    // Asks again as a readiness probe does: where eight start at once, the machine may be too busy for the first time limit.
    while (!(await isReady())) await delay(100)
    return { startMs: performance.now() - begunAt }
  },

  /** Until each is answered from the cache. */
  async warm({ keys }) {
    for (const key of keys) {
      while (!(await decide(key)).cached) await delay(1)
    }
    warm = [...warm, ...keys]
  },

  /** A load of decisions, a few each millisecond, and among them keys that were refused. */
  load({ perMs }) {
    let next = 0
    timers.push(
      // Keys that were refused are asked for again and again: each change has them looked up once more.
      setInterval(async () => {
        const key = refused[Math.floor(Math.random() * refused.length)]
        if (key !== undefined && (await decide(key)).status === 200) acceptedAfterRefusal++
      }, 50),
      setInterval(() => {
        for (let i = 0; i < perMs; i++) {
          const key = warm[next++ % warm.length]
          if (!watched.has(key)) void decide(key)
        }
      }, 1),
    )
  },

  /** Asks for a key each millisecond from now on, also after it was refused. */
  watch({ key }) {
    let acceptedAt = 0
    /** @type {number | undefined} */
    let refusedAt
    watched.add(key)
    const timer = setInterval(async () => {
      const askedAt = sharedNow()
      const { status } = await decide(key)
      if (status === 200) {
        acceptedAt = Math.max(acceptedAt, askedAt)
        if (refusedAt !== undefined && askedAt > refusedAt) acceptedAfterRefusal++
      } else if (status === 401 && refusedAt === undefined) {
        refusedAt = sharedNow()
        tell({ refused: key, at: refusedAt, acceptedAt })
        clearInterval(timer)
        refused.push(key)
      }
    }, 1)
    timers.push(timer)
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
    return { acceptedAfterRefusal, flushFailures, rss: process.memoryUsage().rss }
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
    await verifier?.close()
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
