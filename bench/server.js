/** The server of `bench:http`, in a process of its own: mounts one contender and says where it listens. */
import { createKeys } from './material.js'
import { cpuTime } from './measure.js'
import { mounts, serve } from './mounts.js'

process.once('message', async ({ index, issuer, keyCount }) => {
  const { store, keys } = await createKeys(keyCount)
  const port = await serve(mounts[index], { issuer, store, keys })
  process.send({ port, keys: keys.map(String) })
  process.on('message', () => process.send({ cpuMs: cpuTime() }))
})
process.once('disconnect', () => process.exit())
