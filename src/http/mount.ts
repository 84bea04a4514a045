import { readOptions } from '../config/checks.js'
import { OPTION_NAMES, type VerifierOptions } from '../config/options.js'
import { type Auth, isAuth, noteRealm } from '../core/auth.js'
import { isRealm } from '../core/challenge.js'
import { DEFAULT_TIMEOUT_MS } from '../core/deadline.js'
import { type AnyAuthError, isAuthError, MissingCredentialsError } from '../core/errors.js'
import { createVerifier, type Verifier } from '../verifier/verifier.js'
import { timeOf } from '../verifier/verifier-time.js'
import { type Message, readAuthorizationLines } from './authorization-lines.js'
import { askSkip } from './hooks.js'
import { endingOf, type PortableMiddleware, refuse } from './middleware.js'
import { MountError } from './mount-error.js'
import { findOutcome, keepOutcome, type MountSettings, type Outcome } from './outcome.js'
import { isThenable } from './thenable.js'
import { refuseUncalled } from './uncalled.js'

/** What a middleware takes besides the options of its verifier. `R` is what the framework's handlers receive. */
export interface MountOptions<R> extends VerifierOptions {
  /**
   * A verifier to share, instead of the options of one. Its owner closes it. It may be the application's own: its
   * `describe().realm` is what challenges name.
   */
  verifier?: Verifier | undefined
  /** Lets a request without a credential continue, without Auth. A bad credential is still refused. Default: false. */
  optional?: boolean | undefined
  /**
   * Requests to let through unseen, without Auth. Synchronous; only `true` skips. A throw, or anything but a boolean, is a
   * 500 and never access. Default: none.
   */
  skip?: ((request: R) => boolean) | undefined
  /**
   * Observes each refusal. What it returns, throws or rejects, and what it does to the error, changes nothing: it is given a
   * copy. Default: none.
   */
  onError?: ((error: AnyAuthError, request: R) => unknown) | undefined
  /**
   * The name under which handlers find the Auth: of `req`, `ctx.state` or Fastify's `request`. `false`: nowhere but in
   * `getAuth()`. A name that requests have already is a TypeError. What another middleware puts there is overwritten where
   * there is an Auth, and left alone otherwise. Default: `'auth'`.
   */
  exposeAs?: string | false | undefined
  /** Hands refusals to the framework's own error handling instead of answering them. Default: false. */
  forwardErrors?: boolean | undefined
}

/** Every option of a mount that no verifier has. */
export const MOUNT_OPTION_NAMES = Object.keys({
  verifier: 0,
  optional: 0,
  skip: 0,
  onError: 0,
  exposeAs: 0,
  forwardErrors: 0,
} satisfies Record<Exclude<keyof MountOptions<object>, keyof VerifierOptions>, 0>) as (keyof MountOptions<object>)[]

/** What a mount must know of its framework. */
export interface FrameworkRequests<R> {
  /** Where the header lines of a request are. */
  messageOf(request: R): Message
  /** The object on which handlers look for the Auth. It is for reading only: guards never do. */
  holderOf(request: R, name: string): object
  /** Whether requests have a property of this name already. */
  hasProperty(name: string): boolean
  /**
   * The mount is one of several that a request may satisfy: one that refuses leaves what an earlier one accepted. Default:
   * false.
   */
  readonly isAlternative?: boolean
  /** What the framework puts among the options. */
  readonly ignoredOptions?: readonly string[]
}

/** A mounted `vantageAuth()`, without its framework. */
export interface Mount<R extends object> {
  readonly verifier: Verifier
  readonly settings: MountSettings
  /** Decides on a request, and keeps the outcome on it where it goes on. */
  readonly middleware: PortableMiddleware<R>
  /** Closes the verifier, unless it is shared. */
  close(): Promise<void>
}

/**
 * @param given the arguments of `vantageAuth()`
 * @throws {TypeError} for a wrong option, naming it and the cure
 */
export function createMount<R extends object>(
  given: readonly [options?: MountOptions<R>],
  { messageOf, holderOf, hasProperty, isAlternative = false, ignoredOptions = [] }: FrameworkRequests<R>,
): Mount<R> {
  const [options = {}, ...others] = given
  refuseUncalled('vantageAuth', others, 'app.use(vantageAuth())')
  if (typeof options !== 'object' || options === null) {
    throw new TypeError('vantageAuth() takes an object of options, for example vantageAuth({ optional: true })')
  }
  // Inherited ones are refused: `optional` on a prototype would open every route.
  const values = readOptions(options, [...MOUNT_OPTION_NAMES, ...OPTION_NAMES, ...ignoredOptions], 'option')
  const {
    verifier: shared,
    optional = false,
    skip,
    onError,
    exposeAs = 'auth',
    forwardErrors = false,
  } = values as MountOptions<R>
  const verifierOptions = Object.fromEntries(OPTION_NAMES.map((name) => [name, values[name]]))
  for (const [name, value] of Object.entries({ optional, forwardErrors })) {
    if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false`)
  }
  for (const [name, value] of Object.entries({ skip, onError })) {
    if (value !== undefined && typeof value !== 'function') throw new TypeError(`${name} must be a function`)
  }
  checkExposeAs(exposeAs, hasProperty)
  if (shared !== undefined) checkShared(shared, verifierOptions)
  const verifier = shared ?? createVerifier(verifierOptions)
  const settings: MountSettings = {
    realm: realmOf(verifier),
    timeoutMs: timeoutOf(verifier),
    time: timeOf(verifier),
    forwardErrors,
    exposeAs,
    isAlternative,
    ...(onError && { onError }),
    reauthenticate: async (request) => checkAuth(await askVerifier(request as R)),
  }
  const outcomeWithoutAuth = { auth: undefined, mount: settings }

  /** A promise only when the verifier answers with one. */
  function authenticate(request: R): 'pass' | Promise<'pass'> {
    if (!isAlternative) admit(request, undefined)
    // Before anything is decided: a name that is taken must not show with good credentials alone.
    if (exposeAs !== false) holderOf(request, exposeAs)
    if (skip !== undefined && askSkip(skip, request)) return admit(request, undefined)
    let answer: unknown
    try {
      answer = askVerifier(request)
    } catch (error) {
      return admit(request, excuseMissing(error))
    }
    if (!isThenable(answer)) return admit(request, checkAuth(answer))
    // Promise.resolve makes of another library's promise one that `instanceof` knows.
    return Promise.resolve(answer)
      .then(checkAuth, excuseMissing)
      .then((auth) => admit(request, auth))
  }

  function askVerifier(request: R): unknown {
    return verifier.authenticate({ authorization: readAuthorizationLines(messageOf(request)) })
  }

  /** A verifier may be the application's own: an answer that is no Auth never gives access. */
  function checkAuth(answer: unknown): Auth {
    if (!isAuth(answer)) {
      throw new MountError('the verifier of vantageAuth() answered with something that is no Auth')
    }
    // Verifiers of this package have noted their realm. Without this, assertScope() would name another than the guards.
    if (shared !== undefined) noteRealm(answer, settings.realm)
    return answer
  }

  /** No Auth, where the request has no credential and needs none; throws the refusal otherwise. */
  function excuseMissing(error: unknown): undefined {
    // Of an own verifier. No 503: clients would repeat what fails each time.
    if (!isAuthError(error)) {
      throw new MountError('the verifier of vantageAuth() threw something that is no AuthError', { cause: error })
    }
    if (optional && error.code === MissingCredentialsError.code) return undefined
    throw error
  }

  /** Takes away what an earlier mount has put there, if it still is that. */
  function conceal(request: R, earlier: Outcome | undefined): void {
    const name = earlier?.auth && earlier.mount.exposeAs
    if (!name) return
    const holder = holderOf(request, name) as Record<string, unknown>
    if (holder[name] === earlier.auth) delete holder[name]
  }

  /** Keeps the outcome. An application may go on after a refusal: what an earlier mount accepted must not count then. */
  function admit(request: R, auth: Auth | undefined): 'pass' {
    const earlier = findOutcome(request)
    if (auth === undefined) {
      keepOutcome(request, outcomeWithoutAuth)
      conceal(request, earlier)
      return 'pass'
    }
    // The outcome comes last: a property that cannot be written is a refusal, after which the application may go on.
    conceal(request, earlier)
    if (exposeAs !== false) {
      const holder = holderOf(request, exposeAs) as Record<string, unknown>
      holder[exposeAs] = auth
    }
    keepOutcome(request, { auth, mount: settings })
    return 'pass'
  }

  return {
    verifier,
    settings,
    middleware(request) {
      try {
        const verdict = authenticate(request)
        return verdict === 'pass' ? verdict : endingOf(verdict, settings, request)
      } catch (error) {
        return refuse(error, settings, request)
      }
    },
    close: async () => (shared === undefined ? verifier.close() : undefined),
  }
}

function checkExposeAs(name: unknown, hasProperty: (name: string) => boolean): void {
  if (name === false) return
  if (typeof name !== 'string' || !/^[A-Za-z_$][\w$]{0,63}$/.test(name)) {
    throw new TypeError("exposeAs must be a name of letters, digits, _ and $, for example 'vantage', or false")
  }
  if (name in {} || hasProperty(name)) {
    throw new TypeError(`exposeAs: requests have a property '${name}' already; choose another name, or false`)
  }
}

function checkShared(verifier: Verifier, otherOptions: object): void {
  for (const name of ['authenticate', 'describe', 'close'] as const) {
    if (typeof verifier?.[name] !== 'function') {
      throw new TypeError(`verifier must come from createVerifier(), or be an object like it: it has no ${name}()`)
    }
  }
  for (const [name, value] of Object.entries(otherOptions)) {
    if (value === undefined) continue
    throw new TypeError(`${name} cannot be combined with verifier; give it to createVerifier(), or leave verifier out`)
  }
}

/** Challenges quote the realm as it is: one that a header cannot carry would fail at the first refusal. */
function realmOf(verifier: Verifier): string {
  const realm: unknown = verifier.describe()?.realm
  if (isRealm(realm)) return realm
  throw new TypeError(
    "verifier must describe() a realm of printable ASCII without \" and \\, for example describe: () => ({ realm: 'vantage' })",
  )
}

/** What rules may take to answer. A verifier of the application's own need not know of a time limit. */
function timeoutOf(verifier: Verifier): number {
  const { timeoutMs } = verifier.describe() as { timeoutMs?: unknown }
  return typeof timeoutMs === 'number' && timeoutMs > 0 ? timeoutMs : DEFAULT_TIMEOUT_MS
}
