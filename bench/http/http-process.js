/** One server of `npm run bench:http`, in a process of its own: mounts one contender and says where it listens. */
import { createKeys } from '../shared/credentials.js'
import { cpuTime } from '../shared/timing.js'
import { clockHash, clockHooks, takeTimes } from './hook-clock.js'
import { mounts, serve } from './mounts.js'

/** @typedef {{ issuer: string, jwksUri: string, pem: string }} IssuerAddress */
/** @typedef {{ index: number, issuer: IssuerAddress, keyCount: number, clocksHooks: boolean }} Order */
/** @param {object} message */
const tell = (message) => process.send?.(message)

process.once('message', async (/** @type {Order} */ { index, issuer, keyCount, clocksHooks }) => {
  const { store, keys } = await createKeys(keyCount)
  const port = await serve(clocksHooks ? clocked(mounts[index]) : mounts[index], { issuer, store, keys })
  tell({ port, keys: keys.map(String) })
  process.on('message', () => tell({ cpuMs: cpuTime(), ...takeTimes() }))
})
process.once('disconnect', () => process.exit())

/**
 * @param {import('./mounts.js').Mount} mount
 * @returns {import('./mounts.js').Mount}
 */
function clocked(mount) {
  clockHash()
  return {
    ...mount,
    mount(app, material) {
      clockHooks(app)
      return mount.mount(app, material)
    },
  }
}
