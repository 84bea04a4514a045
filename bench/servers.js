/** What a contender leaves of its framework, with the client in this process and each server in one of its own. */
import { fork } from 'node:child_process'
import { OURS } from './contenders.js'
import { latency, openConnections, throughput } from './load.js'
import { createKeys, headersOf, startIssuer } from './material.js'
import { countsCpuTime, interleave, median, ratioOf } from './measure.js'
import { BARE, mounts } from './mounts.js'

/** Distinct credentials in rotation. */
const ROTATION = 1000
const REFUSED = 100
/** Share of the bare framework's requests/s at which latency is measured. */
const LATENCY_RATE = 0.5
/** Longer turns than those under full load, and fewer: a percentile needs many requests. */
const LATENCY_MS = 1500
const LATENCY_ROUNDS = 5
/** A server runs for some seconds before it counts. */
const WARM_UPS = 8

/**
 * @param {{ rounds: number, turnMs: number, peers: boolean }} effort `turnMs`: how long the load on one server lasts
 * @param {(framework: string, lines: object) => void} tell
 */
export async function measureServers({ rounds, turnMs, peers }, tell) {
  const issuer = await startIssuer()
  const tokens = headersOf(issuer.tokens('RS256', ROTATION))
  const expired = headersOf(issuer.tokens('RS256', REFUSED, { exp: Math.floor(Date.now() / 1000) - 60 }))
  const unknown = headersOf((await createKeys(REFUSED)).keys)
  const results = {}
  for (const framework of new Set(mounts.map((mount) => mount.framework))) {
    const servers = []
    for (const mount of mounts) {
      if (mount.framework !== framework || !(peers || mount.name === OURS || mount.name === BARE)) continue
      const { child, port, keys } = await startServer(mount, issuer)
      const accepted = mount.accepts === 'key' ? headersOf(keys) : tokens
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
  const rates = await interleave(turns, rounds, WARM_UPS)
  const bare = rates[BARE]
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

  // Who has less to give than the rate asks for has no latency at it.
  const able = servers.filter(({ name }) => lines[name].share > LATENCY_RATE * 1.2)
  const p50s = new Map(able.map(({ name }) => [name, []]))
  const p99s = await interleave(
    able.map(({ name, connect }) => ({
      name,
      async time() {
        const { p50, p99 } = await underLoad(connect, (connections) =>
          latency(connections, bare.typical * LATENCY_RATE, LATENCY_MS),
        )
        p50s.get(name).push(p50)
        return p99
      },
    })),
    LATENCY_ROUNDS,
  )
  for (const { name } of able) {
    Object.assign(lines[name], {
      p50: median(p50s.get(name)),
      p99: p99s[name],
      p99Ratio: ratioOf(p99s[name], p99s[BARE]),
    })
  }
  return lines
}

/** Requests a second: of time, or of the processor time of the server. */
async function rate(child, connections, turnMs) {
  const before = countsCpuTime ? await cpuTimeOf(child) : 0
  const { answered, tookMs } = await throughput(connections, turnMs)
  return (answered * 1000) / (countsCpuTime ? (await cpuTimeOf(child)) - before : tookMs)
}

function cpuTimeOf(child) {
  return new Promise((resolve) => {
    child.once('message', ({ cpuMs }) => resolve(cpuMs))
    child.send('cpuTime')
  })
}

/** Connections of its own for each turn: the server closes those that wait long for theirs. */
async function underLoad(connect, measure) {
  const connections = await connect()
  try {
    return await measure(connections)
  } finally {
    for (const connection of connections) connection.close()
  }
}

function startServer(mount, { issuer, jwksUri, publicKeys }) {
  const child = fork(new URL('./server.js', import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const pem = publicKeys.RS256.export({ type: 'spki', format: 'pem' })
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => reject(new Error(`the server ended with code ${code}`)))
    child.once('message', ({ port, keys }) => resolve({ child, port, keys }))
    child.send({ index: mounts.indexOf(mount), issuer: { issuer, jwksUri, pem }, keyCount: ROTATION })
  })
}
