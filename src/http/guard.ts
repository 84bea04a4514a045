import type { Auth } from '../core/auth.js'
import type { Verdict } from './middleware.js'
import type { MountSettings } from './outcome.js'

/**
 * What a route demands of a request that a `vantageAuth()` let through. A request without an Auth never reaches
 * `check`: it is answered 401.
 *
 * A new guard is one function in guards.ts that returns a Guard, and one line in each adapter.
 */
export interface Guard<R extends object = object> {
  /** How the application wrote it, for the messages of mistakes: `requireScope('jobs:read')`. */
  readonly name: string
  /**
   * @param mount whose realm refusals name, whose `timeoutMs` a check that asks somebody may take, and whose time counts
   * @throws what it throws is refused if it is an AuthError, and a failure of the application otherwise
   */
  check(auth: Auth, request: R, mount: MountSettings): Verdict | Promise<Verdict>
}
