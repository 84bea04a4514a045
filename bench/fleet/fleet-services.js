/** Starts services of the fleet, each in a process of its own or several in one, and tells them what to do. */
import { fork } from 'node:child_process'
import { join } from 'node:path'

/** @import { ChildProcess } from 'node:child_process' */
/** @typedef {{ at: number, acceptedAt: number }} Refused when all services of a process refused a key, and when one accepted it last */
/** @typedef {Awaited<ReturnType<typeof startService>>} Service */
/** @typedef {Awaited<ReturnType<typeof startFleet>>} Fleet */

/**
 * @param {number} services
 * @param {string} [url] of the store that all of them open
 * @param {object} [options] of their verifiers, instead of one that takes keys alone
 * @param {number} [count] of processes, which share the services among them
 */
export async function startFleet(services, url, options, count = services) {
  const processes = await Promise.all(Array.from({ length: count }, () => startService()))
  /**
   * Has all services do the same, and resolves to their answers.
   *
   * @param {string} command of fleet-process.js
   * @param {object} [given]
   */
  const all = (command, given) => Promise.all(processes.map(({ call }) => call(command, given)))
  if (url) {
    await Promise.all(
      processes.map(({ call }, i) => call('open', { url, options, services: Math.ceil((services - i) / count) })),
    )
  }
  return { processes, all, stop: () => processes.map((one) => one.process.kill()) }
}

export async function startService() {
  const process = fork(join(import.meta.dirname, 'fleet-process.js'), { execArgv: [] })
  /** @type {Map<number, { resolve(answer: any): void, reject(error: Error): void }>} */
  const calls = new Map()
  /** @type {Map<string, (seen: Refused) => void>} */
  const refusals = new Map()
  /** @type {Promise<never>} */
  const died = new Promise((_, reject) => {
    process.on('error', reject)
    process.on('exit', (code, signal) => reject(new Error(`a service ended by ${signal ?? code}`)))
  })
  // Those who wait for an answer get the rejection; without anybody waiting it is no error.
  died.catch(() => {})
  let serial = 0
  let progress = 0
  process.on('message', (/** @type {any} */ { call, answer, error, refused, progress: used, ...seen }) => {
    if (used !== undefined) progress = used
    else if (refused) refusals.get(refused)?.(seen)
    else if (error) calls.get(call)?.reject(new Error(error))
    else calls.get(call)?.resolve(answer)
  })
  return {
    process,
    /** @type {(command: string, given?: object) => Promise<any>} resolves to the answer of that command of fleet-process.js */
    call: (command, given = {}) =>
      Promise.race([
        died,
        new Promise((resolve, reject) => {
          calls.set(++serial, { resolve, reject })
          process.send({ call: serial, command, ...given })
        }),
      ]),
    /** Uses so far. */
    get progress() {
      return progress
    },
    /** @type {(key: string) => Promise<Refused>} */
    refused: (key) =>
      Promise.race([died, new Promise((/** @type {(seen: Refused) => void} */ resolve) => refusals.set(key, resolve))]),
  }
}
