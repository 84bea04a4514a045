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

const COOKIE = 'vantage_dashboard'
const LIFE_MS = 3_600_000
const MAX_SESSIONS = 1000

export function createSessions(): Sessions {
  const users = new LRUCache<string, User>({ max: MAX_SESSIONS, ttl: LIFE_MS })
  const forget = (req: IncomingMessage) => users.delete(readCookie(req, COOKIE) ?? '')
  return {
    userOf: (req) => users.get(readCookie(req, COOKIE) ?? ''),
    begin(req, res, user) {
      forget(req)
      // Another id each time: one that somebody else has put into this browser is worth nothing.
      const id = randomBytes(32).toString('base64url')
      users.set(id, user)
      writeCookie(res, COOKIE, id, LIFE_MS)
    },
    end(req, res) {
      forget(req)
      res.clearCookie(COOKIE)
    },
  }
}

export function readCookie(req: IncomingMessage, name: string): string | undefined {
  const line = req.headers.cookie?.split('; ').find((cookie) => cookie.startsWith(`${name}=`))
  return line?.slice(name.length + 1)
}

/** For this host alone, and for no script. SameSite=Lax: it comes along where the authorization server sends the browser back. */
export function writeCookie(res: Response, name: string, value: string, lifeMs: number): void {
  res.cookie(name, value, { httpOnly: true, sameSite: 'lax', maxAge: lifeMs })
}
