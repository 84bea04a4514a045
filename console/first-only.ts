import { LRUCache } from 'lru-cache'
import { ArgumentError } from '../src/core/argument-error.js'
import { refuse } from './answers.js'
import { REQUEST_HEADER } from './api-types.js'
import type { Caller } from './caller.js'
import { ALL_TENANTS } from './contract.js'
import type { ConsoleAnswer, ConsoleRequest } from './exchange.js'

/** Does what a request wants, unless the same one was received before. */
export type FirstOnly = (
  request: ConsoleRequest,
  caller: Caller,
  act: () => ConsoleAnswer | Promise<ConsoleAnswer>,
) => Promise<ConsoleAnswer>

const MAX_REQUESTS = 10_000
const REQUEST_ID = /^[\w-]{16,64}$/

/**
 * A browser sends a POST once more by itself when a connection that it has used before ends without an answer, and a second
 * key would be made that nobody sees. The page therefore gives each request an id. The last 10 000 are remembered, by caller,
 * and in this process alone.
 */
export function createFirstOnly(): FirstOnly {
  /** Settles with the request. Its answer is not kept: there is a key in it. */
  const received = new LRUCache<string, Promise<void>>({ max: MAX_REQUESTS })

  return async (request, caller, act) => {
    const id = request.header(REQUEST_HEADER.toLowerCase())
    if (id === undefined) return act()
    if (!REQUEST_ID.test(id)) throw new ArgumentError(REQUEST_HEADER, 'must be 16 to 64 letters, digits, - and _')
    const { actor, subject, tenant } = caller
    const name = JSON.stringify([tenant === ALL_TENANTS ? null : tenant, subject, actor, id])
    const first = received.get(name)
    if (first === undefined) {
      const answer = (async () => act())()
      received.set(name, answer.then(ignore, ignore))
      return answer
    }
    // Who is told to look finds what the first one has done.
    await first
    return refuse('invalid_state', 'This request was received before: look at what it has done', {
      [REQUEST_HEADER]: 'repeated',
    })
  }
}

function ignore(): void {}
