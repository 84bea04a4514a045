/** What a contender leaves of its framework's requests a second. The client is this process, each server one of its own. */
import { fork } from 'node:child_process'
import { createKeys, headersOf, startIssuer } from '../shared/credentials.js'
import { BARE, HAND_WRITTEN, OURS } from '../shared/names.js'
import { countsCpuTime, interleave, median, ratioOf } from '../shared/timing.js'
import { latency, openConnections, throughput } from './load-client.js'
import { mounts } from './mounts.js'

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Figure, HttpLine, HttpResults, Issuer } from '../shared/types.d.ts' */
/** @import { Connection } from './load-client.js' */
/** @import { Mount } from './mounts.js' */

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {ChildProcess} child
 * @property {() => Promise<Connection[]>} connect
 * @property {() => Promise<Connection[]>} [connectRefused] with credentials that it refuses
 */
/** @typedef {{ rounds: number, turnMs: number, peers: boolean }} Effort `turnMs`: how long the load on one server lasts */

/** Distinct credentials in rotation. */
export const ROTATION = 1000
const REFUSED = 100
/** Share of the bare framework's requests/s at which latency is measured. */
const LATENCY_RATE = 0.5
/** Longer turns than those under full load, and fewer: a percentile needs many requests. */
const LATENCY_MS = 1000
const LATENCY_ROUNDS = 5
const LATENCY_WARM_UPS = 1
/**
 * Requests that a server answers before it counts, counted and not timed: where the machine has other work, a few seconds
 * would not compile its code. A slow server does not get as many.
 */
const WARM_UP_REQUESTS = 15_000
const WARM_UP_LIMIT_MS = 5000
const WARM_UPS = 2

/**
 * @param {Effort} effort
 * @param {(framework: string, lines: Record<string, HttpLine>) => void} tell
 */
export async function measureServers({ rounds, turnMs, peers }, tell) {
  const issuer = await startIssuer()
  const tokens = headersOf(issuer.tokens('RS256', ROTATION))
  const expired = headersOf(issuer.tokens('RS256', REFUSED, { exp: Math.floor(Date.now() / 1000) - 60 }))
  const unknown = headersOf((await createKeys(REFUSED)).keys)
  /** @type {HttpResults} */
  const results = {}
  for (const framework of new Set(mounts.map((mount) => mount.framework))) {
    /** @type {Server[]} */
    const servers = []
    for (const mount of mounts) {
      if (mount.framework !== framework || !(peers || isForCheck(mount))) continue
      const { child, port, keys } = await startServer(mount, issuer)
      const accepted = mount.accepts === 'key' ? headersOf(keys.map((key) => Buffer.from(key))) : tokens
      const name = mount.name === OURS ? `${OURS}, ${mount.accepts}` : mount.name
      const refused = mount.accepts === 'key' ? unknown : expired
      const server = {
        name,
        child,
        connect: () => openConnections(port, accepted, 200),
        ...(mount.name === OURS && { connectRefused: () => openConnections(port, refused, 401) }),
      }
      servers.push(server)
    }
    try {
      results[framework] = await measureFramework(servers, { rounds, turnMs, peers })
    } finally {
      for (const { child } of servers) child.kill('SIGKILL')
    }
    tell(framework, results[framework])
  }
  issuer.close()
  return results
}

/**
 * Whether a goal with a limit needs it.
 *
 * @param {Mount} mount
 */
function isForCheck({ framework, name }) {
  return [OURS, BARE].includes(name) || (framework === 'fastify' && name === HAND_WRITTEN)
}

/**
 * @param {Server[]} servers
 * @param {Effort} effort
 */
async function measureFramework(servers, { rounds, turnMs, peers }) {
  const turns = servers.flatMap(({ name, child, connect, connectRefused }) => [
    { name, time: () => underLoad(connect, (connections) => rate(child, connections, turnMs)) },
    ...(connectRefused
      ? [
          {
            name: `${name}, refusing`,
            time: () => underLoad(connectRefused, (connections) => rate(child, connections, turnMs)),
          },
        ]
      : []),
  ])
  for (const { connect } of servers) await underLoad(connect, (connections) => warmUp(connections, turnMs))
  const rates = await interleave(turns, rounds, WARM_UPS)
  const bare = rates[BARE]
  /** @type {Record<string, HttpLine>} */
  const lines = {}
  for (const { name } of servers) {
    const refusing = rates[`${name}, refusing`]
    lines[name] = {
      perSecond: rates[name],
      share: ratioOf(rates[name], bare),
      ...(refusing && { refusing, refusingShare: ratioOf(refusing, rates[name]) }),
    }
  }
  if (!peers) return lines

  // No latency for a server that cannot keep up with the rate: its queue would only grow.
  const able = servers.filter(({ name }) => lines[name].share > LATENCY_RATE * 1.2)
  /** @type {Map<string, number[]>} */
  const p50s = new Map(able.map(({ name }) => [name, []]))
  const p99s = await interleave(
    able.map(({ name, connect }) => ({
      name,
      async time() {
        const { p50, p99 } = await underLoad(connect, (connections) =>
          latency(connections, bare.typical * LATENCY_RATE, LATENCY_MS),
        )
        p50s.get(name)?.push(p50)
        return p99
      },
    })),
    LATENCY_ROUNDS,
    LATENCY_WARM_UPS,
  )
  for (const { name } of able) {
    Object.assign(lines[name], {
      p50: median(p50s.get(name) ?? []),
      p99: p99s[name],
      p99Ratio: ratioOf(p99s[name], p99s[BARE]),
    })
  }
  return lines
}

/**
 * @param {Connection[]} connections
 * @param {number} turnMs
 */
export async function warmUp(connections, turnMs) {
  const until = performance.now() + WARM_UP_LIMIT_MS
  let requests = 0
  while (requests < WARM_UP_REQUESTS && performance.now() < until) {
    const { answered } = await throughput(connections, turnMs)
    requests += answered
  }
}

/**
 * Requests a second: of time, or of the processor time of the server.
 *
 * @param {ChildProcess} child
 * @param {Connection[]} connections
 * @param {number} turnMs
 */
async function rate(child, connections, turnMs) {
  const before = countsCpuTime ? (await ask(child)).cpuMs : 0
  const { answered, tookMs } = await throughput(connections, turnMs)
  return (answered * 1000) / (countsCpuTime ? (await ask(child)).cpuMs - before : tookMs)
}

/**
 * Processor time that a server has used, and what its clocks have counted since they were asked last.
 *
 * @param {ChildProcess} child
 * @returns {Promise<{ cpuMs: number, hooksMs: number, hashMs: number }>}
 */
export function ask(child) {
  return new Promise((resolve) => {
    child.once('message', (/** @type {any} */ times) => resolve(times))
    child.send('times')
  })
}

/**
 * Opens connections for each turn anew: a server closes those that stay idle while others have theirs.
 *
 * @template T
 * @param {() => Promise<Connection[]>} connect
 * @param {(connections: Connection[]) => Promise<T>} measure
 */
export async function underLoad(connect, measure) {
  const connections = await connect()
  try {
    return await measure(connections)
  } finally {
    for (const connection of connections) connection.close()
  }
}

/**
 * @param {Mount} mount
 * @param {Issuer} issuer
 * @param {{ clocksHooks?: boolean }} [options]
 * @returns {Promise<{ child: ChildProcess, port: number, keys: string[] }>}
 */
export function startServer(mount, { issuer, jwksUri, publicKeys }, { clocksHooks = false } = {}) {
  const child = fork(new URL('./http-process.js', import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const pem = publicKeys.RS256.export({ type: 'spki', format: 'pem' })
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => reject(new Error(`the server ended with code ${code}`)))
    child.once('message', (/** @type {any} */ { port, keys }) => resolve({ child, port, keys }))
    child.send({ index: mounts.indexOf(mount), issuer: { issuer, jwksUri, pem }, keyCount: ROTATION, clocksHooks })
  })
}
