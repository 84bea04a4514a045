import type { IncomingMessage } from 'node:http'
import type { VerifierOptions } from '../config/options.js'
import type { Auth } from '../core/auth.js'
import {
  type AnyAuthError,
  InsufficientScopeError,
  isAuthError,
  MissingCredentialsError,
  UnavailableError,
} from '../core/errors.js'
import { checkScopes, grantsAll, grantsAny } from '../core/scope.js'
import { publishScopeRefusal } from '../core/telemetry.js'
import { createVerifier, type Verifier } from '../verifier/verifier.js'

/** What a middleware takes besides the options of its verifier. `R` is what the framework's handlers receive. */
export interface MountOptions<R> extends VerifierOptions {
  /** A verifier to share, instead of the options of one. Its owner closes it. */
  verifier?: Verifier | undefined
  /** Lets a request without a credential continue, without Auth. A bad credential is still refused. Default: false. */
  optional?: boolean | undefined
  /**
   * Requests to let through unseen, without Auth. Synchronous; only `true` skips. A throw, or anything but a boolean, is a
   * 500 and never access. Default: none.
   */
  skip?: ((request: R) => boolean) | undefined
  /** Observes each refusal. What it returns, throws or rejects changes nothing. Default: none. */
  onError?: ((error: AnyAuthError, request: R) => unknown) | undefined
  /** Hands refusals to the framework's own error handling instead of answering them. Default: false. */
  forwardErrors?: boolean | undefined
}

/** What the Authorization header lines are read from. Serverless shims and mocks may have no `rawHeaders`. */
type Message = Partial<Pick<IncomingMessage, 'rawHeaders' | 'headers'>>

/** Where a request can go from here; each is the framework's way of doing so. */
export interface Exits<T> {
  /** To what comes next. */
  pass(): T
  /** Back to the client. */
  answer(answer: Answer): T
  /** To the framework's own error handling. */
  fail(error: unknown): T
}

/** A mounted middleware, without its framework. */
export interface Mount<R> {
  readonly verifier: Verifier
  readonly realm: string
  readonly forwardErrors: boolean
  /** Decides on a request, leaves the outcome on it, and takes the exit: at once, unless the verifier needs time. */
  enter<T>(request: R, message: Message, exits: Exits<T>): T | Promise<Awaited<T>>
  /** Tells `onError` of a refusal. Returns what may be forwarded: the refusal as it was. */
  report(error: AnyAuthError, request: R): AnyAuthError | MountError
  /** Closes the verifier, unless it is shared. */
  close(): Promise<void>
}

/** What a mount leaves on the request for guards and handlers. */
export interface Entered {
  readonly auth: Auth | undefined
  // biome-ignore lint/suspicious/noExplicitAny: a guard does not know the framework of the mount, and gives it back its own request
  readonly mount: Mount<any>
}

/** A mistake of the application, answered 500 by the framework. The message is fixed; what a hook threw is the cause. */
export class MountError extends Error {
  status = 500
  statusCode = 500
  /** The message names the mistake and nothing else. */
  expose = true
  static {
    this.prototype.name = 'MountError'
  }
}

/**
 * @param showAuth puts the Auth where handlers look for it
 * @throws {TypeError} for a wrong option, naming it and the cure
 */
export function createMount<R extends object>(
  options: MountOptions<R> = {},
  showAuth: (request: R, auth: Auth | undefined) => void,
): Mount<R> {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError('vantageAuth() takes an object of options, for example vantageAuth({ optional: true })')
  }
  const { verifier: shared, optional, skip, onError, forwardErrors, ...verifierOptions } = options
  for (const [name, value] of Object.entries({ optional, forwardErrors })) {
    if (value !== undefined && typeof value !== 'boolean') throw new TypeError(`${name} must be true or false`)
  }
  for (const [name, value] of Object.entries({ skip, onError })) {
    if (value !== undefined && typeof value !== 'function') throw new TypeError(`${name} must be a function`)
  }
  if (shared !== undefined) checkShared(shared, verifierOptions)
  const verifier = shared ?? createVerifier(verifierOptions)
  const { realm } = verifier.describe()

  const mount: Mount<R> = {
    verifier,
    realm,
    forwardErrors: forwardErrors ?? false,

    enter<T>(request: R, message: Message, exits: Exits<T>) {
      const refused = (error: unknown) => refuse(mount, error, request, exits)
      let decided: undefined | Promise<undefined>
      try {
        decided = decide(request, message)
      } catch (error) {
        return refused(error)
      }
      // Outside the try: what is thrown further on is no authentication error.
      if (decided === undefined) return exits.pass()
      return decided.then(() => exits.pass(), refused) as Promise<Awaited<T>>
    },

    report(error, request) {
      if (onError === undefined) return error
      const { status, statusCode, expose, message } = error
      const headers = { ...error.headers }
      try {
        Promise.resolve(onError(error, request)).catch(() => {})
      } catch {
        // It observes; the refusal stands.
      }
      try {
        return Object.assign(error, { status, statusCode, expose, message, headers })
      } catch (cause) {
        // Koa could not assign to it either, and would end the process.
        return new MountError('the onError hook of vantageAuth() froze the error', { cause })
      }
    },

    close: async () => (shared === undefined ? verifier.close() : undefined),
  }
  const nobody: Entered = { auth: undefined, mount }

  /** A promise only when the verifier answers with one. `Promise.resolve` makes it one that `instanceof` knows. */
  function decide(request: R, message: Message): undefined | Promise<undefined> {
    if (skip !== undefined && skips(skip, request)) return leave(request, undefined)
    let answer: unknown
    try {
      answer = verifier.authenticate({ authorization: authorizationOf(message) })
    } catch (error) {
      return leave(request, withoutAuth(error))
    }
    if (!isThenable(answer)) return leave(request, checkAuth(answer))
    return Promise.resolve(answer)
      .then(checkAuth, withoutAuth)
      .then((auth) => leave(request, auth))
  }

  function withoutAuth(error: unknown): undefined {
    if (!isAuthError(error)) throw new UnavailableError(error)
    if (optional && error.code === MissingCredentialsError.code) return undefined
    throw error
  }

  function leave(request: R, auth: Auth | undefined): undefined {
    setEntered(request, auth === undefined ? nobody : { auth, mount })
    showAuth(request, auth)
  }

  return mount
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

/** A verifier of the application's own may answer with a promise of another library or realm. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** What is no Auth opens nothing: a verifier may be the application's own. */
function checkAuth(answer: unknown): Auth {
  const auth = answer as Partial<Auth> | null | undefined
  const isAuth =
    (auth?.kind === 'api_key' || auth?.kind === 'access_token') &&
    typeof auth.subject === 'string' &&
    Array.isArray(auth.scopes)
  if (!isAuth) throw new MountError('the verifier of vantageAuth() answered with something that is no Auth')
  return auth as Auth
}

function skips<R>(skip: (request: R) => boolean, request: R): boolean {
  let answer: unknown
  try {
    answer = skip(request)
  } catch (cause) {
    throw new MountError('the skip hook of vantageAuth() threw', { cause })
  }
  if (typeof answer === 'boolean') return answer
  Promise.resolve(answer).catch(() => {})
  throw new MountError('the skip hook of vantageAuth() must return true or false, synchronously')
}

/** Node keeps the first of several Authorization headers in `headers`; `rawHeaders` has them all. */
function authorizationOf({ rawHeaders = [], headers }: Message): string | readonly string[] | undefined {
  let first: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length !== 13 || name.toLowerCase() !== 'authorization') continue
    if (first !== undefined) return [first, rawHeaders[i + 1] as string]
    first = rawHeaders[i + 1] as string
  }
  return first ?? headers?.authorization
}

// The registered symbol is the same for the ESM and the CommonJS build: a guard of one sees the mount of the other.
const ENTERED = Symbol.for('vantage-auth.entered')

type Carrier = { [ENTERED]?: Entered }

/** A later mount replaces an earlier one. */
function setEntered(carrier: object, entered: Entered): void {
  ;(carrier as Carrier)[ENTERED] = entered
}

/** What the mount left, if one ran. */
export function getEntered(carrier: object): Entered | undefined {
  return (carrier as Carrier)[ENTERED]
}

/** The Auth of a request; `undefined` without one, and without the middleware. */
export function findAuth(carrier: object): Auth | undefined {
  return getEntered(carrier)?.auth
}

/**
 * The Auth of a request.
 *
 * @throws {MissingCredentialsError} when the request was let through without a credential
 * @throws {Error} when the middleware did not run
 */
export function getAuth(carrier: object): Auth {
  const entered = enteredBefore(carrier, 'getAuth()')
  if (entered.auth === undefined) throw new MissingCredentialsError(entered.mount.realm)
  return entered.auth
}

/** A step behind a mount. */
export type Step = <T>(request: object, exits: Exits<T>) => T

/**
 * A guard: passes a request that grants the scopes.
 *
 * @param caller the guard's name, for the messages of mistakes
 * @throws {TypeError} for no scope, or one that is not a scope token
 */
export function createGuard(caller: 'requireScope' | 'requireAnyScope', scopes: readonly unknown[]): Step {
  const required = checkScopes(caller, scopes)
  const grants = caller === 'requireScope' ? grantsAll : grantsAny
  const name = `${caller}(${required.map((scope) => `'${scope}'`).join(', ')})`

  function check(request: object): void {
    const { auth, mount } = enteredBefore(request, name)
    if (auth === undefined) throw new MissingCredentialsError(mount.realm)
    if (grants(auth.scopes, required)) return
    publishScopeRefusal(auth)
    throw new InsufficientScopeError(mount.realm, required)
  }

  return (request, exits) => {
    try {
      check(request)
    } catch (error) {
      return refuse(getEntered(request)?.mount, error, request, exits)
    }
    return exits.pass()
  }
}

/** Answers as the documentation says of `/v1/auth/test`. */
export const testAuth: Step = (request, exits) => {
  let answer: Answer
  try {
    answer = authTestAnswer(getAuth(request))
  } catch (error) {
    return refuse(getEntered(request)?.mount, error, request, exits)
  }
  return exits.answer(answer)
}

/** Answers a refusal, or forwards it, as the mount says; forwards a mistake of the application. */
function refuse<R, T>(mount: Mount<R> | undefined, error: unknown, request: R, exits: Exits<T>): T {
  if (mount === undefined || !isAuthError(error)) return exits.fail(error)
  const answer = answerTo(error)
  const reported = mount.report(error, request)
  return mount.forwardErrors ? exits.fail(reported) : exits.answer(answer)
}

function enteredBefore(carrier: object, what: string): Entered {
  const entered = getEntered(carrier)
  if (entered !== undefined) return entered
  throw new MountError(`${what} ran without vantageAuth(): mount the middleware before the route`)
}

/** Everything that is written to the client. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The documented answer to a refusal. */
export function answerTo(error: AnyAuthError): Answer {
  return answer(error.status, error, error.headers)
}

/** The documented answer of `/v1/auth/test`. */
export function authTestAnswer({ subject, scopes, expiresAt }: Auth): Answer {
  // Whole seconds, as documented.
  const expires_at = expiresAt === null ? null : `${expiresAt.toISOString().slice(0, 19)}Z`
  return answer(200, { authenticated: true, user_id: subject, scopes, expires_at }, { 'Cache-Control': 'no-store' })
}

function answer(status: number, value: unknown, headers: Readonly<Record<string, string>>): Answer {
  const body = JSON.stringify(value)
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      ...headers,
    },
    body,
  }
}
