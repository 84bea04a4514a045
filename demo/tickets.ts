import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Response } from 'express'
import { readCookies, writeCookie } from './sessions.js'
import { SIGN_IN_LIFE_MS } from './sign-in.js'

/** Sign-ins that one browser may have under way. */
const MAX_AT_ONCE = 5

/** The tickets of the sign-ins that a browser has begun, each in a cookie of its own: two tabs may sign in at once. */
export interface Tickets {
  /** Gives the browser a ticket; the oldest of too many is taken away. */
  give(req: IncomingMessage, res: Response, ticket: string): void
  /** Takes back the ticket that `state` names, if this browser has it. */
  take(req: IncomingMessage, res: Response, state: unknown): string | undefined
}

/** @param prefix of the names of the cookies */
export function createTickets(prefix: string): Tickets {
  // A part of a hash: the state goes through addresses, and the name of a cookie has no room for all that may stand there.
  const nameOf = (ticket: string) => `${prefix}_${createHash('sha256').update(ticket).digest('base64url').slice(0, 16)}`
  return {
    give(req, res, ticket) {
      const held = readCookies(req).filter(({ name }) => name.startsWith(`${prefix}_`))
      for (const { name } of held.slice(0, Math.max(0, held.length + 1 - MAX_AT_ONCE))) res.clearCookie(name)
      writeCookie(res, nameOf(ticket), ticket, SIGN_IN_LIFE_MS)
    },
    take(req, res, state) {
      if (typeof state !== 'string') return undefined
      const found = readCookies(req).find(({ name, value }) => name === nameOf(state) && value === state)
      if (found !== undefined) res.clearCookie(found.name)
      return found?.value
    },
  }
}
