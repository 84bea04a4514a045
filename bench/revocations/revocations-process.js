/**
 * A service under load, in a process of its own: it decides on tokens all the time, and on those that it is told were
 * revoked until it refuses them.
 */
import { subscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import { createVerifier, openKeyStore } from '../shared/built-package.js'
import { cpuTime, sharedNow } from '../shared/timing.js'

/** @import { JSONWebKeySet } from 'jose' */

/** @typedef {{ url: string, options: { issuer: string, audience: string, jwks: JSONWebKeySet }, tokens: string[], perSecond: number }} Start */
/** @typedef {{ start: Start } | { watch: string } | { revoked: string, at: number } | { begin: true } | { stop: true }} Message */

/** @param {object} message */
const tell = (message) => process.send?.(message)

/** @type {ReturnType<typeof createVerifier>} */
let verifier
let stopped = false
const counts = { decisions: 0, unavailable: 0, acceptedAfterRefusal: 0 }
/**
 * Milliseconds from when a request was due to its decision, while nothing is revoked and while much is.
 *
 * @type {{ quiet: number[], busy: number[] }}
 */
const latencies = { quiet: [], busy: [] }
let stretch = latencies.quiet
/** @type {number[]} milliseconds from the commit of a revocation to the last acceptance of its token */
const lags = []

/** How often the change feed began or ceased to be heard. */
let feedChanges = 0
subscribe('vantage-auth:store', (message) => {
  if (/** @type {{ event: string }} */ (message).event === 'feed') feedChanges++
})

/** @param {string} token */
async function decide(token) {
  try {
    await verifier.authenticate({ authorization: `Bearer ${token}` })
    return 200
  } catch (error) {
    return /** @type {import('../shared/built-package.js').AnyAuthError} */ (error).status
  }
}

/**
 * Requests arrive at their time, whether those before are decided or not: what holds up the process counts for all of
 * them.
 *
 * @param {Start} start
 */
async function load({ tokens, perSecond }) {
  const startedAt = performance.now()
  for (let i = 0; !stopped; ) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
    for (; i < due; i++) {
      const dueAt = startedAt + (i / perSecond) * 1000
      decide(tokens[i % tokens.length]).then((status) => {
        counts.decisions++
        if (status !== 200) counts.unavailable++
        stretch.push(performance.now() - dueAt)
      })
    }
    await delay(1)
  }
}

/**
 * @param {string} token
 * @param {number} committedAt
 */
async function watchRevoked(token, committedAt) {
  let lastAccepted = committedAt
  while ((await decide(token)) !== 401) {
    lastAccepted = sharedNow()
    await delay(1)
  }
  lags.push(lastAccepted - committedAt)
  for (let i = 0; i < 10; i++) {
    await delay(100)
    if ((await decide(token)) === 200) counts.acceptedAfterRefusal++
  }
}

/** @type {(message: Message) => Promise<void>} */
async function receive(message) {
  if ('start' in message) {
    const { url, options, tokens } = message.start
    verifier = createVerifier({ ...options, keys: openKeyStore(url) })
    await verifier.ready()
    // Until the feed is up and the list is read.
    while (verifier.authenticate({ authorization: `Bearer ${tokens[0]}` }) instanceof Promise) await delay(20)
    for (const token of tokens) await decide(token)
    global.gc?.()
    const cpuBefore = cpuTime()
    const startedAt = performance.now()
    tell({ ready: true })
    await load(message.start)
    const processorsBusy = (cpuTime() - cpuBefore) / (performance.now() - startedAt)
    tell({ counts, feedChanges, latencies, lags, processorsBusy, heapMiB: process.memoryUsage().heapUsed / 2 ** 20 })
  } else if ('watch' in message) await decide(message.watch)
  else if ('revoked' in message) await watchRevoked(message.revoked, message.at)
  else if ('begin' in message) stretch = latencies.busy
  else stopped = true
}

process.on('message', (/** @type {Message} */ message) => void receive(message))
