export { createTestIssuer, type TestIssuer, type TestIssuerOptions } from './testing/issuer.js'
