/** One service of the fleet, in a process of its own, told by messages what to do. */
import { subscribe } from 'node:diagnostics_channel'
import { createKeyring, createVerifier } from '../dist/esm/src/index.js'

/** Milliseconds on a clock that all processes of a machine share. */
const now = () => Number(process.hrtime.bigint()) / 1e6
const authorize = (key) => ({ authorization: `Bearer ${key}` })

let verifier
let keyring
/** Keys that were accepted, in rotation under the load. */
let warm = []
const watched = new Map()
const refused = []
let wrong = 0
let decisions = 0
let timers = []

/** Status of the answer: 200, 401 or 503; and whether it came from the cache. */
async function decide(key) {
  decisions++
  try {
    const decision = verifier.authenticate(authorize(key))
    await decision
    return { status: 200, cached: !(decision instanceof Promise) }
  } catch (error) {
    return { status: error.status, cached: false }
  }
}

let flushFailures = 0
subscribe('vantage-auth:store', ({ event }) => {
  if (event === 'usage_failed' || event === 'usage_dropped') flushFailures++
})

const commands = {
  async open({ url }) {
    const begunAt = performance.now()
    verifier = createVerifier({ issuer: false, keys: url })
    // As a readiness probe does it: eight that start at once may find the machine busy.
    while (
      await verifier.ready().then(
        () => false,
        () => true,
      )
    )
      await new Promise((resolve) => setTimeout(resolve, 100))
    return { startMs: performance.now() - begunAt }
  },

  /** Until each is answered from the cache. */
  async warm({ keys }) {
    for (const key of keys) {
      while (!(await decide(key)).cached) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    warm = [...warm, ...keys]
  },

  /** A load of decisions, a few each millisecond, and among them keys that were refused. */
  load({ perMs }) {
    let next = 0
    timers.push(
      // What was refused once is asked for again and again; each change has such a key looked up once more.
      setInterval(async () => {
        const key = refused[Math.floor(Math.random() * refused.length)]
        if (key !== undefined && (await decide(key)).status === 200) wrong++
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
    const seen = { acceptedAt: 0, refusedAt: undefined }
    watched.set(key, seen)
    const timer = setInterval(async () => {
      const askedAt = now()
      const { status } = await decide(key)
      if (status === 200) {
        seen.acceptedAt = Math.max(seen.acceptedAt, askedAt)
        if (seen.refusedAt !== undefined && askedAt > seen.refusedAt) wrong++
      } else if (status === 401 && seen.refusedAt === undefined) {
        seen.refusedAt = now()
        process.send({ refused: key, at: seen.refusedAt, acceptedAt: seen.acceptedAt })
        clearInterval(timer)
        refused.push(key)
      }
    }, 1)
    timers.push(timer)
  },

  async ask({ key }) {
    return decide(key)
  },

  /** Uses keys at a rate, without waiting for anything. */
  async use({ keys, perSecond, seconds }) {
    let used = 0
    const begunAt = now()
    while (now() - begunAt < seconds * 1000) {
      const due = Math.min(perSecond * seconds, Math.floor(((now() - begunAt) / 1000) * perSecond))
      for (; used < due; used++) await verifier.authenticate(authorize(keys[used % keys.length]))
      process.send({ progress: used })
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    for (; used < perSecond * seconds; used++) await verifier.authenticate(authorize(keys[used % keys.length]))
    return { used }
  },

  /** Creates, rotates and revokes, each in turn. */
  async administer({ url, operations }) {
    keyring = createKeyring(url)
    const failures = {}
    const ids = []
    const revoked = []
    let done = 0
    const attempt = async (work) => {
      done++
      try {
        return await work()
      } catch (error) {
        const name = error.cause?.code ?? error.name
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
    return { wrong, decisions, flushFailures, rss: process.memoryUsage().rss, heap: process.memoryUsage().heapUsed }
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

process.on('message', async ({ call, command, ...given }) => {
  try {
    process.send({ call, answer: (await commands[command](given)) ?? {} })
  } catch (error) {
    process.send({ call, error: String(error.stack) })
  }
})
process.on('disconnect', () => process.exit())
