import type { KeyringDescription } from '../src/keyring/contract.js'
import type { Assets } from './assets.js'
import type { Caller } from './caller.js'
import type { ConsoleAnswer, ConsoleRequest, EventStreams } from './exchange.js'
import type { Keys } from './keys-within.js'
import type { ConsoleSettings } from './options.js'
import type { QueryNames } from './query.js'

/** What all requests to one console have in common. */
export interface Site {
  readonly settings: ConsoleSettings
  /** What keys can be made of. */
  readonly made: KeyringDescription
  readonly assets: Assets
  readonly streams: EventStreams
}

/** One request, once it is known who is asking, and that they may ask. */
export interface Task {
  readonly site: Site
  readonly request: ConsoleRequest
  readonly caller: Caller
  readonly keys: Keys
  /** The id in the path. It has the form of one, and is no key; `''` where the path has none. */
  readonly id: string
  /** Asks `authorize` once more: see `EventStreams.open()`. */
  askAgain(): Promise<Caller | undefined>
  /** @throws {ArgumentError} see `parseQuery()` */
  query(names: QueryNames): Record<string, unknown>
  /**
   * The members of the body, of any name.
   *
   * @throws {ArgumentError} see `parseMembers()`
   */
  members(): Readonly<Record<string, unknown>>
}

export type Handler = (task: Task) => ConsoleAnswer | Promise<ConsoleAnswer>
