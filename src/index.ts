export type { Environment } from './api-key.js'
export type { AccessTokenAuth, ApiKeyAuth, Auth } from './auth.js'
export {
  type AnyAuthError,
  AuthError,
  type ErrorBody,
  InsufficientScopeError,
  InvalidRequestError,
  InvalidTokenError,
  isAuthError,
  KeyNotFoundError,
  KeyStateError,
  KeyStoreError,
  MissingCredentialsError,
  type Reason,
  UnavailableError,
} from './errors.js'
export type * from './keyring.js'
export { createKeyring } from './keyring.js'
export type { Algorithm, CacheOptions, IssuerOptions, Profile, VerifierOptions } from './options.js'
// Only a star lets a user's `declare module 'vantage-auth'` reach VantageScopes.
export type * from './scope.js'
export { DOCUMENTED_SCOPES, hasScope } from './scope.js'
export { memoryKeyStore } from './stores/memory.js'
export { openKeyStore } from './stores/open.js'
export type { DecisionEvent, KeySetEvent, StoreEvent } from './telemetry.js'
export { createVerifier, type EffectivePolicy, type Verifier } from './verifier.js'
