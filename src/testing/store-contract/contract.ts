import { testFeeds } from './feeds.js'
import { testKeys } from './keys.js'
import { testLists } from './lists.js'
import { testServices } from './services.js'
import { testSessionsAndEvents } from './sessions-and-events.js'
import { createSuite, type KeyStoreContractOptions } from './suite.js'
import { testTokensAndAudit } from './tokens-and-audit.js'
import { testUsage } from './usage.js'

export type { KeyStoreContractOptions } from './suite.js'

/**
 * Declares the tests that a `KeyStore` of your own has to pass: those that the stores of this package pass. Each test
 * makes a store by `create` and closes it. Tests of an optional method that your store lacks are skipped, with the reason.
 *
 * ```ts
 * import { describe, test } from 'node:test' // or vitest, or Jest's globals
 * import { keyStoreContract } from 'vantage-auth/testing'
 *
 * keyStoreContract({ create: () => myKeyStore(), describe, test })
 * ```
 *
 * It does not test what becomes of a store whose server is out of reach: each method has to reject then.
 *
 * @throws {TypeError} without `create`, `describe`, and `test` or `it`
 */
export function keyStoreContract(options: KeyStoreContractOptions): void {
  const suite = createSuite(options)
  suite.describe('KeyStore contract', () => {
    testKeys(suite)
    testLists(suite)
    testUsage(suite)
    testTokensAndAudit(suite)
    testSessionsAndEvents(suite)
    testFeeds(suite)
    testServices(suite)
  })
}
