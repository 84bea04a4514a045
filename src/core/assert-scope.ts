import { type Auth, credentialOf, isAuth, realmFor } from './auth.js'
import { InsufficientScopeError } from './errors.js'
import { checkScopes, grantsAll, type Scope, type SomeScopes } from './scope.js'
import { publishBeforeThrow } from './telemetry.js'

/**
 * Refuses an Auth that does not grant all of the scopes: for handlers that know what they require only while they run, and
 * for code outside the adapters. The adapters answer what it throws as they answer a guard's refusal, Koa by itself and
 * the others with `authErrors()`; elsewhere `answerTo()` gives the answer.
 *
 * The refusal is published as a decision of the handler (`DecisionEvent.decidedBy`), once. `onError` hears of it where an
 * adapter answers it.
 *
 * @throws {InsufficientScopeError} with the realm of the verifier that made the Auth. A verifier of the application's own is
 *   one where it is the `verifier` of a `vantageAuth()`; asked by hand, it gives the default realm
 * @throws {TypeError} for something that is no Auth, and when no scope is given: a check of nothing is a mistake
 */
export function assertScope<List extends Scope[]>(auth: Auth, ...scopes: SomeScopes<List>): void {
  const required = checkScopes('assertScope', scopes)
  if (!isAuth(auth)) throw new TypeError('assertScope() takes an Auth, then the scopes: what getAuth() returns')
  if (grantsAll(auth.scopes, required)) return
  const error = new InsufficientScopeError(realmFor(auth), required, credentialOf(auth))
  publishBeforeThrow(error, auth)
  throw error
}
