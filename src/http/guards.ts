import { type Auth, credentialOf } from '../core/auth.js'
import { InsufficientScopeError, MissingCredentialsError } from '../core/errors.js'
import { checkScopes, grantsAll, grantsAny, type Scope, type SomeScopes } from '../core/scope.js'
import { publishRefusal } from '../core/telemetry.js'
import { authTestAnswer } from './answers.js'
import { type PortableMiddleware, runCheck, type Verdict } from './middleware.js'
import { notMounted } from './mount-error.js'
import { findOutcome } from './outcome.js'
import { refuseUncalled } from './uncalled.js'

/**
 * What a route demands of a request that a `vantageAuth()` let through. A request without an Auth never reaches
 * `check`: it is answered 401.
 *
 * A new guard is one function below that returns a Guard, and one line in each adapter.
 */
export interface Guard<R extends object = object> {
  /** How the application wrote it, for the messages of mistakes: `requireScope('jobs:read')`. */
  readonly name: string
  /**
   * @param realm of the mount, which refusals name
   * @throws what it throws is refused if it is an AuthError, and a failure of the application otherwise
   */
  check(auth: Auth, request: R, realm: string): Verdict | Promise<Verdict>
}

/** How an adapter exports a guard of scopes. */
export type ScopeGuard<M> = <List extends Scope[]>(...scopes: SomeScopes<List>) => M

/** Passes a request whose credential grants all of the scopes. */
export function requireScope(...scopes: Scope[]): Guard {
  return scopeGuard('requireScope', scopes, grantsAll)
}

/** Passes a request whose credential grants one of the scopes, at least. */
export function requireAnyScope(...scopes: Scope[]): Guard {
  return scopeGuard('requireAnyScope', scopes, grantsAny)
}

/** Passes nothing on: answers as the documentation says of `/v1/auth/test`. */
export function authTest(...nothing: []): Guard {
  refuseUncalled('authTest', nothing, 'authTest()')
  return { name: 'authTest()', check: authTestAnswer }
}

/** @throws {TypeError} for no scope, or one that is not a scope token, and where a framework calls it */
function scopeGuard(caller: string, scopes: readonly unknown[], grants: typeof grantsAll): Guard {
  refuseUncalled(caller, scopes, `${caller}('jobs:read')`)
  const required = checkScopes(caller, scopes)
  return {
    name: `${caller}(${required.map((scope) => `'${scope}'`).join(', ')})`,
    check(auth, _request, realm) {
      return grants(auth.scopes, required) ? 'pass' : new InsufficientScopeError(realm, required, credentialOf(auth))
    },
  }
}

/** The middleware that applies a guard. Whatever it refuses reaches telemetry and `onError`. */
export function guardMiddleware<R extends object>(guard: Guard<R>): PortableMiddleware<R> {
  return (request, actions) => {
    const outcome = findOutcome(request)
    if (outcome === undefined) return actions.fail(notMounted(guard.name))
    const { auth, mount } = outcome
    const check = () =>
      auth === undefined ? new MissingCredentialsError(mount.realm) : guard.check(auth, request, mount.realm)
    return runCheck(check, mount, request, actions, (error) => publishRefusal(error, auth, 'guard'))
  }
}

/**
 * How an adapter exports guards: it makes of a function that returns a guard one that takes the same arguments and
 * returns a middleware of the framework.
 */
export function guardsAs<M, R extends object>(toFramework: (middleware: PortableMiddleware<R>) => M) {
  return <A extends unknown[]>(declare: (...args: A) => Guard<R>) =>
    (...args: A): M =>
      toFramework(guardMiddleware(declare(...args)))
}
