import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Response } from 'express'
import { LRUCache } from 'lru-cache'

/** Who is signed in to the dashboard. */
export interface User {
  readonly account: string
  readonly tenant: string
}

/** The dashboard's own sessions: a random id in a cookie, and the user in memory. */
export interface Sessions {
  userOf(req: IncomingMessage): User | undefined
  begin(req: IncomingMessage, res: Response, user: User): void
  end(req: IncomingMessage, res: Response): void
}

const LIFE_MS = 3_600_000
const MAX_SESSIONS = 1000

/** @param cookie its name */
export function createSessions(cookie: string): Sessions {
  const users = new LRUCache<string, User>({ max: MAX_SESSIONS, ttl: LIFE_MS })
  const idsOf = (req: IncomingMessage) =>
    readCookies(req)
      .filter(({ name }) => name === cookie)
      .map(({ value }) => value)
  const forget = (req: IncomingMessage) => {
    for (const id of idsOf(req)) users.delete(id)
  }
  return {
    // All of that name: another port of this host may have set one for a longer path, which comes first.
    userOf: (req) => users.get(idsOf(req).find((id) => users.has(id)) ?? ''),
    begin(req, res, user) {
      forget(req)
      // Another id each time: one that somebody else has put into this browser is worth nothing.
      const id = randomBytes(32).toString('base64url')
      users.set(id, user)
      writeCookie(res, cookie, id, LIFE_MS)
    },
    end(req, res) {
      forget(req)
      res.clearCookie(cookie)
    },
  }
}

/** The cookies of a request, in the order that the browser sends: of one path, the oldest comes first. */
export function readCookies(req: IncomingMessage): readonly { readonly name: string; readonly value: string }[] {
  return (req.headers.cookie ?? '').split('; ').map((line) => {
    const [name = '', ...value] = line.split('=')
    return { name, value: value.join('=') }
  })
}

/** For this host alone, and for no script. SameSite=Lax: it comes along where the authorization server sends the browser back. */
export function writeCookie(res: Response, name: string, value: string, lifeMs: number): void {
  res.cookie(name, value, { httpOnly: true, sameSite: 'lax', maxAge: lifeMs })
}
