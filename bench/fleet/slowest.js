/** What delayed the slowest revocations: `npm run bench:fleet -- --part revocation --case many --slowest 10`. */
import { subscribe } from 'node:diagnostics_channel'
import { PerformanceObserver, performance } from 'node:perf_hooks'
import { sharedNow } from '../shared/timing.js'

/**
 * All times are by `sharedNow()`.
 *
 * @typedef {{ what: string, from: number, to: number }} Episode
 * @typedef {{ episodes: Episode[], heardAt: Record<string, number> }} Trace of one process; `heardAt` by the id of the key
 * @typedef {{ at: number, acceptedAt: number }} Refused as fleet-services.js says it
 * @typedef {{ keyId: string, committedAt: number, refused: Refused[] }} Revocation `refused` by process
 */

/** A timer that is due each millisecond fires later than that where the process has no processor, or is busy. */
const STANDSTILL_MS = 5

/** Takes notes in a process with services. */
export function startTrace() {
  /** @type {Trace} */
  const trace = { episodes: [], heardAt: {} }
  subscribe('vantage-auth:store', (message) => {
    const { event, keyId } = /** @type {{ event: string, keyId?: string }} */ (message)
    const at = sharedNow()
    // Of several services in the process it is the last that counts.
    if (event === 'change' && keyId) trace.heardAt[keyId] = at
    if (event === 'usage_flushed') trace.episodes.push({ what: 'uses written', from: at, to: at })
  })
  const offset = sharedNow() - performance.now()
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      const from = startTime + offset
      trace.episodes.push({ what: 'collecting garbage', from, to: from + duration })
    }
  }).observe({ entryTypes: ['gc'] })
  let tickedAt = sharedNow()
  setInterval(() => {
    const now = sharedNow()
    if (now - tickedAt > STANDSTILL_MS) trace.episodes.push({ what: 'at a standstill', from: tickedAt, to: now })
    tickedAt = now
  }, 1)
  return trace
}

/**
 * @param {Revocation[]} revocations
 * @param {{ trace: Trace }[]} reports by process
 * @param {number} count
 */
export function printSlowest(revocations, reports, count) {
  const slowest = revocations.map((one) => {
    const at = Math.max(...one.refused.map((refused) => refused.at))
    return { ...one, at, process: one.refused.findIndex((refused) => refused.at === at) }
  })
  slowest.sort((a, b) => b.at - b.committedAt - (a.at - a.committedAt))
  for (const { keyId, committedAt, refused, at, process } of slowest.slice(0, count)) {
    const { episodes, heardAt } = reports[process].trace
    const ms = (/** @type {number} */ instant) => (instant - committedAt).toFixed(0)
    const meanwhile = episodes
      .filter(({ from, to }) => to >= committedAt && from <= at)
      .map(({ what, from, to }) => `${what} ${ms(from)}..${ms(to)}`)
    console.log(
      `refused after ${ms(at)} ms, accepted last ${ms(refused[process].acceptedAt)}, heard ${ms(heardAt[keyId])}, process ${process}: ${meanwhile.join(', ')}`,
    )
  }
}
