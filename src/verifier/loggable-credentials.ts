import { looksLikeApiKey, parseApiKey } from '../api-key/format.js'
import { parseAuthorization } from '../core/credentials.js'
import type { RefusedCredential } from '../core/errors.js'
import type { Issuer } from '../token/issuer/issuer.js'
import { type Issuers, parseAccessToken } from '../token/unverified-token.js'

/** What the errors of refusals tell of credentials. Made once where many share it: an attack is many refusals. */
export interface LoggableCredentials {
  /** Of an access token, by its issuer; `undefined` for one that is not configured. */
  token(issuer: Issuer | undefined): RefusedCredential
  /** Of an API key, by its id; `undefined` for one that is not well-formed. */
  key(id: string | undefined): RefusedCredential
  /** Of a request's header lines, read anew. For refusals that are made where nothing else is known. Never throws. */
  line(authorization: unknown): RefusedCredential | undefined
}

export function createLoggableCredentials(issuers: Issuers): LoggableCredentials {
  const anyToken: RefusedCredential = Object.freeze({ kind: 'access_token' })
  const anyKey: RefusedCredential = Object.freeze({ kind: 'api_key' })
  const tokens = new Map(Array.from(issuers.values(), ({ policy: { issuer } }) => [issuer, tokenOf(issuer)]))

  /** One that the application has told of is as good as configured. */
  function token(issuer: Issuer | undefined): RefusedCredential {
    return issuer === undefined ? anyToken : (tokens.get(issuer.policy.issuer) ?? tokenOf(issuer.policy.issuer))
  }

  function key(id: string | undefined): RefusedCredential {
    return id === undefined ? anyKey : Object.freeze({ kind: 'api_key', keyId: id })
  }

  function keyIdOf(text: string): string | undefined {
    const parsed = parseApiKey(text)
    return typeof parsed === 'string' ? undefined : parsed.id
  }

  /** One that is too long is not looked at but for its beginning. */
  function ofUnread(line: string): RefusedCredential | undefined {
    const [, beginning] = /^bearer +([^ ]{1,4})/i.exec(line) ?? []
    if (beginning === undefined) return undefined
    return looksLikeApiKey(beginning) ? anyKey : anyToken
  }

  return {
    token,
    key,

    line(authorization) {
      try {
        const credential = parseAuthorization(authorization as string | readonly string[] | undefined)
        if (credential.kind === 'malformed') return ofUnread(String(authorization))
        if (credential.kind !== 'bearer') return undefined
        const { token: text } = credential
        return looksLikeApiKey(text) ? key(keyIdOf(text)) : token(parseAccessToken(text, issuers).issuer)
      } catch {
        // The application may have given anything at all.
        return undefined
      }
    },
  }
}

function tokenOf(issuer: string): RefusedCredential {
  return Object.freeze({ kind: 'access_token', issuer })
}
