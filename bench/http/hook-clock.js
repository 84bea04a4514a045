/**
 * Time that a server spends in the `onRequest` hooks of a contender, and of it in the hash: clocks are read where a hook
 * begins and where it hands on, since what comes after runs within its call. What hooks call counts as theirs: our
 * functions, the cache, and what of Node they need, such as the headers, which Node parses for the first who reads them.
 *
 * Not by V8's profiler: on a virtual machine of two cores nearly all of its samples were in system calls and waiting, where
 * more than half of the processor time was outside the kernel.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/** @import { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify' */
/** @typedef {(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => unknown} Hook */

const times = { hooksMs: 0, hashMs: 0 }

/** @returns {typeof times} since the last call */
export function takeTimes() {
  const taken = { ...times }
  times.hooksMs = 0
  times.hashMs = 0
  return taken
}

/** Puts a clock around `crypto.hash`, also for those who have imported it. */
export function clockHash() {
  const { hash } = crypto
  /** @type {(...args: any) => any} */
  crypto.hash = (algorithm, data, encoding) => {
    const begunAt = performance.now()
    const digest = hash(algorithm, data, encoding)
    times.hashMs += performance.now() - begunAt
    return digest
  }
  syncBuiltinESMExports()
}

/**
 * Puts a clock around each hook that is added from now on.
 *
 * @param {FastifyInstance} app
 */
export function clockHooks(app) {
  const addHook = /** @type {(name: string, hook: Hook) => unknown} */ (app.addHook.bind(app))
  /** @type {(name: string, hook: Hook) => unknown} */
  const addClocked = (name, hook) => {
    if (name !== 'onRequest') return addHook(name, hook)
    return addHook(name, (request, reply, done) => {
      const begunAt = performance.now()
      return hook(request, reply, (error) => {
        times.hooksMs += performance.now() - begunAt
        done(error)
      })
    })
  }
  Object.assign(app, { addHook: addClocked })
}
