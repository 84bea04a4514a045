import { isAuthError } from '../../src/core/errors.js'
import { createVerifier } from '../../src/verifier/verifier.js'

// A service on the same file, which gets a request when it is told to: with the key that it is sent. Without one it closes.
const [path = ''] = process.argv.slice(2)
const verifier = createVerifier({ issuer: false, keys: `sqlite:${path}` })

process.on('disconnect', () => process.exit())

process.on('message', async (key: string | null) => {
  if (key === null) {
    await verifier.close()
    process.send?.('closed')
    return
  }
  let answer = 'accepted'
  try {
    await verifier.authenticate({ authorization: `Bearer ${key}` })
  } catch (error) {
    answer = isAuthError(error) && 'reason' in error ? String(error.reason) : String(error)
  }
  process.send?.(answer)
})

process.send?.('started')
