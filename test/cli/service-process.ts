import { setTimeout as delay } from 'node:timers/promises'
import { isAuthError } from '../../src/core/errors.js'
import { createVerifier } from '../../src/verifier/verifier.js'

// A service that has a key in its cache. It tells once it accepts the key, and when asked what it thinks of it.
const [keys = '', key = ''] = process.argv.slice(2)

process.on('disconnect', () => process.exit())

const verifier = createVerifier({ issuer: false, keys, outageNotices: false })

await verifier.ready()

async function decide(): Promise<string> {
  try {
    await verifier.authenticate({ authorization: `Bearer ${key}` })
    return 'accepted'
  } catch (error) {
    return isAuthError(error) && 'reason' in error ? error.reason : String(error)
  }
}

process.on('message', async () => process.send?.(await decide()))
while ((await decide()) !== 'accepted') await delay(50)
process.send?.('ready')
