import type { AnyAuthError } from '../src/core/errors.js'
import { ofProcess } from '../src/core/of-process.js'
import { ALL_TENANTS, type ConsoleCaller } from './contract.js'

// What `authorizeByScope()` tells the console besides a caller. The mark is on what it answers and not on the function, so
// that an application may call it from an `authorize` of its own, for some requests and not for others.

const BY_SCOPE = Symbol.for('vantage-auth.by-scope')

const refusals = ofProcess('console-refusals', () => new WeakSet<object>())

/** Marks a caller as found by `authorizeByScope()`. Spreading keeps the mark. */
export function markByScope(caller: ConsoleCaller): ConsoleCaller {
  return Object.assign(caller, { [BY_SCOPE]: true })
}

/**
 * Whether `authorizeByScope()` found the caller. Such a request needs neither `Origin` nor `Sec-Fetch-Site` when the client
 * itself sent an `Authorization` header: no browser sends one across sites unasked. Where they are present, they must be
 * right all the same.
 */
export function isByScope(caller: ConsoleCaller): boolean {
  return (caller as { [BY_SCOPE]?: unknown })[BY_SCOPE] === true
}

/**
 * Whether the caller may name the tenant of a new key. A credential without a tenant sees its subject's keys in all of
 * them, and could otherwise make itself a key of any tenant.
 */
export function mayNameTenant(caller: ConsoleCaller): boolean {
  return caller.tenant === ALL_TENANTS && !isByScope(caller)
}

/** Notes that `authorizeByScope()` refuses with this error, which is then answered as documented. */
export function noteRefusal<E extends AnyAuthError>(error: E): E {
  refusals.add(error)
  return error
}

/**
 * The refusal of `authorizeByScope()`, for `answerTo()`; `undefined` for anything else that an `authorize` throws, which is
 * a 500 even where it is an AuthError: a mistake of the application is no answer to the client.
 */
export function documentedRefusal(thrown: unknown): AnyAuthError | undefined {
  return typeof thrown === 'object' && thrown !== null && refusals.has(thrown) ? (thrown as AnyAuthError) : undefined
}
