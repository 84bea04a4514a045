import { type Auth, credentialOf } from '../core/auth.js'
import { answerWithin } from '../core/deadline.js'
import {
  type AnyAuthError,
  InsufficientScopeError,
  InvalidTokenError,
  MissingCredentialsError,
} from '../core/errors.js'
import { formatGiven } from '../core/given.js'
import { checkScopes, grantsAll, grantsAny, isSharedList, type Scope, type SomeScopes } from '../core/scope.js'
import { publishRefusal } from '../core/telemetry.js'
import { authTestAnswer } from './answers.js'
import type { Guard } from './guard.js'
import { endingOf, type PortableMiddleware, refuse, type Verdict } from './middleware.js'
import { MountError, notMounted } from './mount-error.js'
import { findOutcome } from './outcome.js'
import { isThenable } from './thenable.js'
import { refuseUncalled } from './uncalled.js'

export type { Guard } from './guard.js'
export { requireAuthentication } from './require-authentication.js'

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

/** Passes a request that came with this kind of credential. Another is refused 401, with the reason `kind`. */
export function requireKind(kind: Auth['kind']): Guard {
  refuseUncalled('requireKind', [kind], "requireKind('api_key')")
  if (kind !== 'api_key' && kind !== 'access_token') {
    throw new TypeError(`requireKind() takes 'api_key' or 'access_token', not ${formatGiven(kind)}`)
  }
  return {
    name: `requireKind('${kind}')`,
    check: (auth, _request, { realm }) =>
      auth.kind === kind ? 'pass' : new InvalidTokenError(realm, 'kind', credentialOf(auth)),
  }
}

/** A rule of the application, for {@link authorize}. */
export type RuleCheck<R extends object> = (auth: Auth, request: R) => boolean | Promise<boolean>

/**
 * Passes a request of which the rule says `true`. `false` is refused 403, and everything else, an AuthError too, is a 500:
 * a rule that fails gives no access and no reason to try other credentials. What it answers after `timeoutMs` is ignored.
 *
 * @param name what telemetry shows: 1 to 64 of `A-Z a-z 0-9 _ . : -`
 * @throws {TypeError} for another name, and where `check` is no function
 */
export function authorize<R extends object>(name: string, check: RuleCheck<R>): Guard<R> {
  refuseUncalled('authorize', [name], "authorize('owns-job', check)")
  if (typeof name !== 'string' || !/^[A-Za-z0-9_.:-]{1,64}$/.test(name)) {
    throw new TypeError(
      `authorize() takes a name of 1 to 64 letters, digits and _ . : - for telemetry, not ${formatGiven(name)}`,
    )
  }
  if (typeof check !== 'function') {
    throw new TypeError(`authorize('${name}') needs a function that returns true or false, or a promise of one`)
  }
  const failure = (problem: string, cause?: unknown) =>
    new MountError(`the check of authorize('${name}') ${problem}`, cause === undefined ? undefined : { cause })
  return {
    name: `authorize('${name}')`,
    check(auth, request, { realm, timeoutMs }) {
      const judge = (answer: unknown): Verdict => {
        if (answer === true) return 'pass'
        if (answer === false) return new InsufficientScopeError(realm, [], credentialOf(auth), name)
        throw failure('must return true or false, or a promise of one')
      }
      const fail = (cause: unknown): never => {
        throw failure('threw, or did not answer in time', cause)
      }
      let answer: unknown
      try {
        answer = check(auth, request)
        if (isThenable(answer)) return answerWithin(timeoutMs, `authorize('${name}')`, answer).then(judge, fail)
      } catch (error) {
        return fail(error)
      }
      return judge(answer)
    },
  }
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
  // Credentials with the same scopes share one list.
  let lastSufficient: readonly string[] | undefined
  return {
    name: `${caller}(${required.map((scope) => `'${scope}'`).join(', ')})`,
    check(auth, _request, { realm }) {
      const { scopes } = auth
      if (scopes === lastSufficient) return 'pass'
      if (!grants(scopes, required)) return new InsufficientScopeError(realm, required, credentialOf(auth))
      if (isSharedList(scopes)) lastSufficient = scopes
      return 'pass'
    },
  }
}

/** The middleware that applies a guard. Whatever it refuses reaches telemetry and `onError`. */
export function guardMiddleware<R extends object>(guard: Guard<R>): PortableMiddleware<R> {
  return (request) => {
    const outcome = findOutcome(request)
    if (outcome === undefined) return { error: notMounted(guard.name) }
    const { auth, mount } = outcome
    let verdict: Verdict | Promise<Verdict>
    try {
      verdict = auth === undefined ? new MissingCredentialsError(mount.realm) : guard.check(auth, request, mount)
    } catch (error) {
      return refuse(error, mount, request, publishFor(auth))
    }
    return verdict === 'pass' ? verdict : endingOf(verdict, mount, request, publishFor(auth))
  }
}

/** Outside of the middleware, where it would be made for each request that passes. */
function publishFor(auth: Auth | undefined): (error: AnyAuthError) => void {
  return (error) => publishRefusal(error, auth, 'guard')
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
