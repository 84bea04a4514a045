import { LRUCache } from 'lru-cache'
import type { AccessToken, ClientCredentials, Provider } from 'oidc-provider'
import type { Middleware } from './interaction.js'

/** Where the authorization server ends sessions. Of its own making: applications end them at `end_session_endpoint`. */
export const END_SESSION_PATH = '/demo/end-session'

/** So many sessions, the last that tokens were issued in, can be ended. */
const MAX_SESSIONS = 1000

/** The sessions that access tokens were issued in. */
export interface TokenSessions {
  /** What an access token says of its session: `sid`, which a logout token names as well. */
  claimsFor(token: AccessToken | ClientCredentials): { sid: string } | undefined
  /**
   * Ends the session of this `sid`, or all of them, as a sign-out of the user does: the clients that want to know are
   * told by a logout token, and nothing that came of the session can be exchanged or renewed.
   *
   * @see {@link https://openid.net/specs/openid-connect-backchannel-1_0.html OpenID Connect Back-Channel Logout 1.0}
   */
  end(provider: Provider, sid?: string): Promise<Ended>
}

interface Ended {
  readonly sessions: number
  /** Why logout tokens were not taken. Nobody sends them again. */
  readonly failures: readonly string[]
}

export function createTokenSessions(): TokenSessions {
  /** The server's own id of a session, by what the client's tokens call it. */
  const uids = new LRUCache<string, string>({ max: MAX_SESSIONS })
  return {
    claimsFor(token) {
      // A client that asks for itself has no session.
      if (!('sid' in token) || token.sid === undefined || token.sessionUid === undefined) return undefined
      uids.set(token.sid, token.sessionUid)
      return { sid: token.sid }
    },
    async end(provider, sid) {
      const ended = new Set<string>()
      const failures: string[] = []
      for (const [known, uid] of [...uids.entries()].filter(([known]) => sid === undefined || known === sid)) {
        uids.delete(known)
        const session = await provider.Session.findByUid(uid)
        if (session === undefined) continue
        ended.add(uid)
        failures.push(...(await tellClients(provider, session)))
        await session.destroy()
      }
      return { sessions: ended.size, failures }
    },
  }
}

type Session = NonNullable<Awaited<ReturnType<Provider['Session']['findByUid']>>>

/** What a client of oidc-provider can do, and its types leave out. */
interface LogoutClient {
  backchannelLogout(subject: string, sid: string): Promise<void>
}

async function tellClients(provider: Provider, session: Session): Promise<string[]> {
  const failures: string[] = []
  for (const clientId of Object.keys(session.authorizations ?? {})) {
    const client = await provider.Client.find(clientId)
    const sid = session.sidFor(clientId)
    if (client?.backchannelLogoutUri === undefined || sid === undefined) continue
    await (client as unknown as LogoutClient)
      .backchannelLogout(session.accountId as string, sid)
      .catch((error: Error) => failures.push(error.message))
  }
  return failures
}

export interface EndSessionOptions {
  readonly sessions: TokenSessions
  /** The `sid` of an access token of this server, `undefined` for one without a session; rejects any other. */
  sidOf(token: string): Promise<string | undefined>
}

/**
 * `POST /demo/end-session` ends the session of the access token in the Authorization header; without one, every session
 * that tokens were issued in. It has answered when the clients have.
 */
export function serveEndSession(provider: Provider, { sessions, sidOf }: EndSessionOptions): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== END_SESSION_PATH) return next()
    ctx.set('Cache-Control', 'no-store')
    const refuse = (status: number, error: string, description: string) => {
      ctx.status = status
      ctx.body = { error, error_description: description }
    }
    if (ctx.method !== 'POST') {
      ctx.set('Allow', 'POST')
      return refuse(405, 'invalid_request', 'Sessions are ended by POST')
    }
    // A page that somebody opens on this machine can post here without being asked; its browser says so.
    if (ctx.get('Origin') !== '') return refuse(403, 'access_denied', 'Sessions are ended from the command line')
    const header = ctx.get('Authorization')
    let sid: string | undefined
    if (header !== '') {
      try {
        sid = await sidOf(header.replace(/^Bearer +/i, ''))
      } catch {
        return refuse(401, 'invalid_token', 'It is no access token of this server')
      }
      if (sid === undefined) return refuse(400, 'invalid_request', 'The token was issued to a client, in no session')
    }
    const ended = await sessions.end(provider, sid)
    if (ended.failures.length === 0) ctx.body = { ended: ended.sessions }
    else refuse(502, 'logout_not_delivered', `${ended.sessions} ended, and not told of: ${ended.failures.join('; ')}`)
  }
}
