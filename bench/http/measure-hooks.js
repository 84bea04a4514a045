/** The time of a request in the hooks of a Fastify server under load: ours, and the one that is written by hand. */
import { headersOf, startIssuer } from '../shared/credentials.js'
import { HAND_WRITTEN, IDLE, OURS } from '../shared/names.js'
import { figureOf, interleave } from '../shared/timing.js'
import { openConnections, throughput } from './load-client.js'
import { ask, ROTATION, startServer, underLoad, warmUp } from './measure-http.js'
import { mounts } from './mounts.js'

/** @import { ChildProcess } from 'node:child_process' */
/** @import { HookResults, Turn } from '../shared/types.d.ts' */

/**
 * @param {{ rounds: number, turnMs: number }} effort `turnMs`: how long the load on one server lasts
 * @returns {Promise<HookResults>}
 */
export async function measureHooks({ rounds, turnMs }) {
  const issuer = await startIssuer()
  const tokens = headersOf(issuer.tokens('RS256', ROTATION))
  /** @type {ChildProcess[]} */
  const children = []
  /** @type {Turn[]} */
  const turns = []
  /** @type {Record<string, number[]>} */
  const hashes = {}
  try {
    for (const mount of mounts) {
      if (mount.framework !== 'fastify' || ![OURS, HAND_WRITTEN, IDLE].includes(mount.name)) continue
      const { child, port, keys } = await startServer(mount, issuer, { clocksHooks: true })
      children.push(child)
      const accepted = mount.accepts === 'key' ? headersOf(keys.map((key) => Buffer.from(key))) : tokens
      const connect = () => openConnections(port, accepted, 200)
      const name = mount.name === OURS ? `${OURS}, ${mount.accepts}` : mount.name
      hashes[name] = []
      await underLoad(connect, (connections) => warmUp(connections, turnMs))
      turns.push({
        name,
        time: () =>
          underLoad(connect, async (connections) => {
            await ask(child)
            const { answered } = await throughput(connections, turnMs)
            const { hooksMs, hashMs } = await ask(child)
            hashes[name].push((hashMs * 1000) / answered)
            return (hooksMs * 1000) / answered
          }),
      })
    }
    const hooks = await interleave(turns, rounds)
    return Object.fromEntries(
      Object.entries(hooks).map(([name, figure]) => {
        const { rounds: idle } = hooks[IDLE]
        // The clocks themselves take time, which hooks that do nothing show.
        const own = figure.rounds.map((us, round) => us - idle[round])
        return [name, { ...figureOf(own), hash: figureOf(hashes[name].slice(-rounds)) }]
      }),
    )
  } finally {
    for (const child of children) child.kill('SIGKILL')
    issuer.close()
  }
}
