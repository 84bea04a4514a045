export type { Environment } from './api-key.js'
export type { AccessTokenAuth, ApiKeyAuth, Auth } from './auth.js'
export type { EffectivePolicy } from './effective-policy.js'
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
// A user's `declare module 'vantage-auth'` reaches VantageScopes through this name.
export { DOCUMENTED_SCOPES, hasScope, type Scope, type VantageScopes } from './scope.js'
export { memoryKeyStore } from './stores/memory.js'
export { openKeyStore } from './stores/open.js'
export type { DecisionEvent, KeySetEvent, StoreEvent } from './telemetry.js'
export { createVerifier, type Verifier } from './verifier.js'
