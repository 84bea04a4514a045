import { createAccessTokenAuth, createApiKeyAuth } from '../../src/core/auth.js'
import { sinceStart } from '../../src/core/duration.js'
import type { KeyCache, KeyEntry } from '../../src/verifier/key-cache.js'
import type { TokenCache, TokenEntry } from '../../src/verifier/token-cache.js'

/** The instant at which the entries below are confirmed. */
export const NOW = 1_000_000

/** An entry of a key whose digest is `d`, without an end. */
export function keyEntry(keyId: string, over: Partial<KeyEntry> = {}, expiresAt: number | null = null): KeyEntry {
  const auth = createApiKeyAuth({ subject: 'u', scopes: [], tenant: null, keyId, name: null }, expiresAt)
  return { auth, digest: 'd', confirmedAt: sinceStart(NOW), epoch: 1, bytes: 1, ...over }
}

export function tokenEntry(over: Partial<TokenEntry> = {}): TokenEntry {
  const values = {
    subject: 'u',
    scopes: [],
    tenant: null,
    issuer: 'i',
    clientId: null,
    tokenId: null,
    sessionId: null,
    claims: {},
  }
  const auth = createAccessTokenAuth(values)
  return {
    auth,
    issuer: {} as never,
    key: {} as never,
    confirmedAt: sinceStart(NOW),
    endsAt: NOW / 1000 + 1e6,
    bytes: 1,
    ...over,
  }
}

/** Which of the tokens with these digests are served. */
export function tokensIn(cache: TokenCache, ...digests: string[]): string[] {
  return digests.filter((digest) => cache.get(digest, NOW) !== undefined)
}

/** Which of the keys with these ids are served to whoever presents the whole key. */
export function keysIn(cache: KeyCache, ...ids: string[]): string[] {
  return ids.filter((id) => cache.get(id, 'd', NOW) !== undefined)
}
