import { answerWithin } from '../src/core/deadline.js'
import { KeyNotFoundError, KeyStateError } from '../src/core/errors.js'
import type { DependencyNotice } from '../src/core/outage-notices.js'
import type { Keyring } from '../src/keyring/contract.js'
import { notFound, refuse, unavailable } from './answers.js'
import type { ConsoleAnswer } from './exchange.js'

const METHODS = ['create', 'rotate', 'revoke', 'get', 'usage', 'list', 'totalUsage', 'audit'] as const

/** What the API asks of a keyring. */
export type Keys = Pick<Keyring, (typeof METHODS)[number]>

/** The key store did not do what it was asked, or not in time. */
class StoreFailure extends Error {}

/** The methods of a keyring for one request: together they may take `timeoutMs`, also where the store hangs. */
export function keysWithin(timeoutMs: number, keyring: Keyring, notice: DependencyNotice): Keys {
  const endsAt = performance.now() + timeoutMs
  async function ask(method: (typeof METHODS)[number], given: unknown[]): Promise<unknown> {
    try {
      const call = keyring[method] as (...given: unknown[]) => Promise<unknown>
      const left = Math.max(1, Math.ceil(endsAt - performance.now()))
      const answer = await answerWithin(left, 'The key store', call.apply(keyring, limited(method, given, left)))
      notice.answered()
      return answer
    } catch (error) {
      if (isOfRequest(error) || isMistake(error)) throw error
      notice.failed(error)
      throw new StoreFailure('the key store failed', { cause: error })
    }
  }
  const methods = METHODS.map((method) => [method, (...given: unknown[]) => ask(method, given)])
  return Object.fromEntries(methods) as Keys
}

/**
 * A key that is made after its answer was given up would be held by nobody. What is written at the last moment still has
 * the rest of the time to be answered.
 */
function limited(method: (typeof METHODS)[number], given: unknown[], left: number): unknown[] {
  if (method !== 'create' && method !== 'rotate') return given
  const options = given.at(-1) as object
  return [...given.slice(0, -1), { ...options, timeoutMs: Math.ceil(left * 0.9) }]
}

/**
 * The answer to what a handler threw; `undefined` for a mistake of our own. A keyring of the other module format has classes
 * of its own, so that errors are told by what they carry.
 */
export function answerToFailure(error: unknown): ConsoleAnswer | undefined {
  try {
    if (error instanceof StoreFailure) return unavailable()
    if (isArgumentError(error)) {
      // The keyring judges it by its own clock. Its form was checked when `authorize` answered.
      if (error.argument === 'notAfter') return refuse('forbidden', 'Your own access has ended, and keys end with it')
      return refuse('invalid_request', error.message)
    }
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
    if (code === KeyNotFoundError.code) return notFound()
    if (code === KeyStateError.code) return refuse('invalid_state', String(message))
  } catch {
    // A Proxy, or a getter that throws: it says nothing that could be answered.
  }
  return undefined
}

/** What a keyring refuses because of what it was given. */
function isOfRequest(error: unknown): boolean {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return isArgumentError(error) || code === KeyNotFoundError.code || code === KeyStateError.code
}

/** What the engine throws for a wrong program, our own or that of a store. A `fetch` that fails has a cause. */
function isMistake(error: unknown): boolean {
  return (error instanceof TypeError || error instanceof ReferenceError) && error.cause === undefined
}

/** See `ArgumentError`. */
function isArgumentError(error: unknown): error is TypeError & { readonly argument: string } {
  return error instanceof TypeError && typeof (error as { argument?: unknown }).argument === 'string'
}
