/** One server of `npm run bench:http`, in a process of its own: mounts one contender and says where it listens. */
import { createKeys } from '../shared/credentials.js'
import { cpuTime } from '../shared/timing.js'
import { mounts, serve } from './mounts.js'

/** @typedef {{ index: number, issuer: { issuer: string, jwksUri: string, pem: string }, keyCount: number }} Order */
/** @param {object} message */
const tell = (message) => process.send?.(message)

process.once('message', async (/** @type {Order} */ { index, issuer, keyCount }) => {
  const { store, keys } = await createKeys(keyCount)
  const port = await serve(mounts[index], { issuer, store, keys })
  tell({ port, keys: keys.map(String) })
  process.on('message', () => tell({ cpuMs: cpuTime() }))
})
process.once('disconnect', () => process.exit())
