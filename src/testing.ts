export { createTestIssuer, type TestIssuer, type TestIssuerOptions } from './testing/issuer.js'
export { type KeyStoreContractOptions, keyStoreContract } from './testing/store-contract/contract.js'
