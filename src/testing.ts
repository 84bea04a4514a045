export { createTestAuth, type TestAccessTokenAuthOptions, type TestApiKeyAuthOptions } from './testing/auth.js'
export { createTestClock, type TestClock } from './testing/clock.js'
export {
  createTestIssuer,
  type ProviderOptions,
  type TestClaims,
  type TestIssuer,
  type TestIssuerOptions,
} from './testing/issuer.js'
export { createTestKeys, type TestKeys } from './testing/keys.js'
export type { TestProvider } from './testing/providers.js'
export type { TestAlgorithm } from './testing/signing-key.js'
export { type KeyStoreContractOptions, keyStoreContract } from './testing/store-contract/contract.js'
