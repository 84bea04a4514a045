import { setTimeout as delay } from 'node:timers/promises'
import { isAuthError } from '../../src/core/errors.js'
import { sqliteKeyStore } from '../../src/store/sqlite/store.js'
import { createVerifier } from '../../src/verifier/verifier.js'

// Another process on the same file. With a path it follows the changes of the store; with a key as well it is a service
// that has that key cached, gets a request with it every millisecond, and tells when the answer changes.
const [path = '', key] = process.argv.slice(2)

process.on('disconnect', () => process.exit())

const now = () => performance.timeOrigin + performance.now()

if (key === undefined) {
  const feed = sqliteKeyStore({ path }).watch?.((change) => process.send?.({ change, at: now() }))
  feed?.poll?.()
  process.send?.({ state: feed?.state })
  setInterval(() => feed?.poll?.(), 1)
} else {
  const verifier = createVerifier({ issuer: false, keys: `sqlite:${path}` })
  let before: string | undefined
  for (;;) {
    let answer = 'accepted'
    try {
      await verifier.authenticate({ authorization: `Bearer ${key}` })
    } catch (error) {
      answer = isAuthError(error) && 'reason' in error ? error.reason : String(error)
    }
    if (answer !== before) process.send?.(answer === 'accepted' ? { accepted: true } : { reason: answer, at: now() })
    before = answer
    await delay(1)
  }
}
