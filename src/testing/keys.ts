import type { Keyring, KeyringOptions } from '../keyring/contract.js'
import { createKeyring } from '../keyring/keyring.js'
import type { KeyStore } from '../store/contract.js'
import { memoryKeyStore } from '../store/memory.js'

/** See {@link createTestKeys}. */
export interface TestKeys {
  /** For the option `keys`. */
  readonly store: KeyStore
  readonly keyring: Keyring
}

/**
 * Creates a key store in memory, and a keyring on it: real keys, which can be created, rotated and revoked, without a file.
 *
 * ```ts
 * const { store, keyring } = createTestKeys()
 * app.use(vantageAuth({ issuer: false, keys: store }))
 * const { key } = await keyring.create({ subject: 'ci', scopes: ['jobs:read'] })
 * ```
 *
 * @param options as for `createKeyring()`; `clock` takes a test clock
 * @throws {TypeError} for a wrong option
 */
export function createTestKeys(options: KeyringOptions = {}): TestKeys {
  const store = memoryKeyStore()
  return Object.freeze({ store, keyring: createKeyring(store, options) })
}
