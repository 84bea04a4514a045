export type { GrantOptions } from './config/claim-options.js'
export type { EffectiveGrant, EffectiveIssuerPolicy, EffectivePolicy } from './config/effective-policy.js'
export type { ResolveIssuer } from './config/issuer-resolver.js'
export type { CacheOptions, IssuerOptions, VerifierOptions } from './config/options.js'
export { isScope, type VocabularyOptions } from './config/vocabulary.js'
export type { ActingParty, Actor } from './core/actor.js'
export { assertScope } from './core/assert-scope.js'
export type { AccessTokenAuth, ApiKeyAuth, Auth } from './core/auth.js'
export type { Duration } from './core/duration.js'
export type { Environment } from './core/environments.js'
export {
  type AnyAuthError,
  AuthError,
  type ErrorBody,
  InsufficientAuthenticationError,
  InsufficientScopeError,
  InvalidRequestError,
  InvalidTokenError,
  isAuthError,
  KeyNotFoundError,
  KeyStateError,
  KeyStoreError,
  MissingCredentialsError,
  type Reason,
  type RefusalReason,
  type RefusedCredential,
  UnavailableError,
} from './core/errors.js'
// A user's `declare module 'vantage-auth'` reaches VantageScopes and VantageVocabulary through these names.
export {
  DOCUMENTED_SCOPES,
  hasAnyScope,
  hasScope,
  type Scope,
  type SomeScopes,
  type VantageScopes,
  type VantageVocabulary,
} from './core/scope.js'
export type { DecisionEvent, KeySetEvent, RevocationEvent, RevocationRefusal, StoreEvent } from './core/telemetry.js'
export { type Answer, answerTo, authTestAnswer } from './http/answers.js'
export type * from './keyring/contract.js'
export { createKeyring } from './keyring/keyring.js'
export type { AuditEntry, KeyRecord, TokenRevocation } from './keyring/records.js'
export type { TokenSelector } from './keyring/token-selector.js'
export { UnconfirmedError } from './keyring/unconfirmed-error.js'
export type * from './store/contract.js'
export { memoryKeyStore } from './store/memory.js'
export { openKeyStore } from './store/open.js'
export type { Algorithm } from './token/algorithms.js'
export type { ClaimReference } from './token/claim-reference.js'
export type { ClaimValue } from './token/grants.js'
export type { Profile, ScopeRule } from './token/policy.js'
export { createVerifier, type Verifier } from './verifier/verifier.js'
