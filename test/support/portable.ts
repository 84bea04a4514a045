import type { Auth } from 'vantage-auth'
import type { Guard } from '../../src/http/guard.js'
import * as guards from '../../src/http/guards.js'
import { type Actions, follow } from '../../src/http/middleware.js'
import { createMount, type Mount, type MountOptions } from '../../src/http/mount.js'
import { options } from './requests.js'

/** A request of no framework. */
export interface Request {
  rawHeaders?: string[]
  headers?: { authorization?: string }
  auth?: Auth | undefined
}

/** Returns what was done with the request: `'passed'`, the answer, or the error that the framework was given. */
export const actions: Actions<unknown> = {
  next: () => 'passed',
  answer: (answer) => answer,
  fail: (error) => error,
}

export function mountOf(given: MountOptions<Request> = options): Mount<Request> {
  return createMount<Request>([given], {
    messageOf: (request) => request,
    holderOf: (request) => request,
    hasProperty: (name) => name === 'headers',
  })
}

/** Sends a request through a mount: the request itself where it passed; else the answer, or the error that was forwarded. */
export async function enter(request: Request, given?: MountOptions<Request>): Promise<unknown> {
  const outcome = await follow(mountOf(given).middleware(request), actions)
  return outcome === 'passed' ? request : outcome
}

/** A guard as a middleware that does at once what it said. */
export function guardMiddleware<R extends object>(guard: Guard<R>) {
  const middleware = guards.guardMiddleware(guard)
  return <T>(request: R, does: Actions<T>) => follow(middleware(request), does)
}
