import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, type RequestListener, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** One answer of the service under test. */
export interface Outcome {
  /** `0` when there was none. */
  readonly status: number
  readonly retryAfter: string | undefined
  readonly ms: number
}

/** A service that checks access tokens, in a process of its own with a clock of its own. */
export interface Subject {
  /** @param patienceMs how long the client waits for an answer; default 12 s */
  ask(token: string, patienceMs?: number): Promise<Outcome>
  /** Moves every clock of the process forward. */
  advance(ms: number): Promise<void>
  /** Puts a new service in the place of the one before, which has seen nothing yet. */
  renew(options?: object): Promise<void>
  /** Bytes of live heap, after a collection. */
  heap(): Promise<number>
  close(): Promise<void>
}

const PATIENCE_MS = 12_000

/**
 * Starts a subject: a module that ends in {@link serveSubject}.
 *
 * @param args what the module finds in `process.argv` from index 2 on
 */
export async function startSubject(
  module: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Subject> {
  const child = fork(module, args, { execArgv: ['--import', 'tsx'], env: { ...process.env, ...env } })
  const port = (await reply(child)) as number
  const agent = new Agent({ keepAlive: true, maxSockets: 1000 })

  async function order(message: Order): Promise<unknown> {
    const answered = reply(child)
    child.send(message)
    return await answered
  }

  return {
    ask(token, patienceMs = PATIENCE_MS) {
      const begunAt = performance.now()
      return new Promise((resolve) => {
        const end = (status: number, retryAfter?: string) =>
          resolve({ status, retryAfter, ms: performance.now() - begunAt })
        const send = () => {
          const outgoing = request(
            {
              host: '127.0.0.1',
              port,
              path: '/v1/jobs',
              agent,
              headers: { authorization: `Bearer ${token}` },
              timeout: patienceMs,
            },
            (response) => {
              response.resume()
              response.once('end', () => end(response.statusCode ?? 0, response.headers['retry-after']))
            },
          )
          outgoing.once('timeout', () => outgoing.destroy())
          // A kept connection may close just when it is used again; that says nothing of the service.
          outgoing.once('error', (error: NodeJS.ErrnoException) =>
            outgoing.reusedSocket && error.code === 'ECONNRESET' ? send() : end(0),
          )
          outgoing.end()
        }
        send()
      })
    },
    advance: async (ms) => void (await order({ advance: ms })),
    renew: async (options = {}) => void (await order({ renew: options })),
    heap: async () => (await order({ heap: true })) as number,
    async close() {
      agent.destroy()
      if (child.exitCode !== null) return
      const exit = once(child, 'exit')
      child.disconnect()
      await exit
    },
  }
}

async function reply(child: ChildProcess): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('the subject has ended'))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message)
    })
  })
}

type Order = { advance: number } | { renew: object } | { heap: true }

/**
 * Serves requests on loopback, under the clock that {@link Subject.advance} moves.
 *
 * @param create makes a service from the options of {@link Subject.renew}
 */
export function serveSubject(create: (options: object) => RequestListener | Promise<RequestListener>): void {
  let ahead = 0
  const { now } = Date
  const steady = performance.now.bind(performance)
  Date.now = () => now() + ahead
  performance.now = () => steady() + ahead

  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let listener: RequestListener = (_, response) => void response.writeHead(404).end()
  async function obey(order: Order): Promise<unknown> {
    if ('advance' in order) ahead += order.advance
    if ('renew' in order) listener = await create(order.renew)
    if (!('heap' in order)) return true
    collect()
    return process.memoryUsage().heapUsed
  }
  process.on('message', (order: Order) => void obey(order).then((answer) => process.send?.(answer)))
  process.once('disconnect', () => process.exit(0))
  const server = createServer((request, response) => listener(request, response))
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
}

/** This package on Express. */
export const OURS = fileURLToPath(new URL('fault-subject-ours.ts', import.meta.url))
