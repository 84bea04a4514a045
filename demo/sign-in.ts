import { LRUCache } from 'lru-cache'
import * as client from 'openid-client'
import type { DemoClient } from './authorization-server.js'

export interface SignInOptions {
  /** The authorization server, which is up. */
  readonly issuer: string
  readonly client: DemoClient
  /** Where the authorization server sends the browser back to. */
  readonly redirectUri: string
}

/** Signs users in at the authorization server: the authorization code flow with PKCE, state and nonce. */
export interface SignIn {
  /** Begins. The browser keeps `ticket` in a cookie, and goes to `url`. */
  begin(returnTo: string): Promise<{ readonly ticket: string; readonly url: URL }>
  /**
   * Ends what this browser began; a ticket counts once.
   *
   * @param query of the request to the redirect URI
   * @returns `undefined` when the ticket is none, the user declined, or the answer fails a check
   */
  finish(
    ticket: string | undefined,
    query: string,
  ): Promise<{ readonly account: string; readonly returnTo: string } | undefined>
}

/** How long somebody may take on the page of the authorization server. */
export const SIGN_IN_LIFE_MS = 600_000
const MAX_PENDING = 1000

interface Pending {
  readonly verifier: string
  readonly nonce: string
  readonly returnTo: string
}

/** @throws when the metadata of the authorization server cannot be had */
export async function createSignIn({ issuer, client: self, redirectUri }: SignInOptions): Promise<SignIn> {
  const config = await client.discovery(new URL(issuer), self.clientId, self.clientSecret, undefined, {
    // Without TLS between the two, the signature of the ID token has to be verified.
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
  })
  // Who may begin is anybody: the oldest give way.
  const pending = new LRUCache<string, Pending>({ max: MAX_PENDING, ttl: SIGN_IN_LIFE_MS })
  return {
    async begin(returnTo) {
      const verifier = client.randomPKCECodeVerifier()
      const nonce = client.randomNonce()
      // The ticket is the state: an answer counts only in the browser that asked.
      const ticket = client.randomState()
      pending.set(ticket, { verifier, nonce, returnTo })
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: 'openid',
        state: ticket,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      return { ticket, url }
    },
    async finish(ticket, query) {
      const begun = ticket === undefined ? undefined : pending.get(ticket)
      if (ticket === undefined || begun === undefined) return undefined
      pending.delete(ticket)
      const answer = new URL(redirectUri)
      answer.search = query
      try {
        const tokens = await client.authorizationCodeGrant(config, answer, {
          expectedState: ticket,
          expectedNonce: begun.nonce,
          pkceCodeVerifier: begun.verifier,
          idTokenExpected: true,
        })
        return { account: tokens.claims()?.sub as string, returnTo: begun.returnTo }
      } catch {
        return undefined
      }
    },
  }
}
