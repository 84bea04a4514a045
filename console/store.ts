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
      const answer = await answerWithin(left, 'The key store', call.apply(keyring, given))
      notice.answered()
      return answer
    } catch (error) {
      if (isOfRequest(error)) throw error
      notice.failed(error)
      throw new StoreFailure('the key store failed', { cause: error })
    }
  }
  const methods = METHODS.map((method) => [method, (...given: unknown[]) => ask(method, given)])
  return Object.fromEntries(methods) as Keys
}

/**
 * The answer to what a handler threw; `undefined` for a mistake of our own. A keyring of the other module format has classes
 * of its own, so that errors are told by what they carry.
 */
export function answerToFailure(error: unknown): ConsoleAnswer | undefined {
  try {
    if (error instanceof StoreFailure) return unavailable()
    if (isArgumentError(error)) return refuse('invalid_request', error.message)
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

/** See `ArgumentError`. */
function isArgumentError(error: unknown): error is TypeError {
  return error instanceof TypeError && typeof (error as { argument?: unknown }).argument === 'string'
}
