import type { StoredKey, StoredTokenRevocation, TokenNames } from '../../store/contract.js'

export const NOW = Date.UTC(2026, 10, 25, 12)
export const TODAY = '2026-11-25'
export const YESTERDAY = '2026-11-24'
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

let created = 0

/** A key with an id of its own that is active at {@link NOW}. */
export function sampleKey(values: Partial<StoredKey> = {}): StoredKey {
  created++
  const id = `key${String(created).padStart(9, '0')}`
  return {
    id,
    digest: `sha256:${id}`,
    subject: 'user_123',
    tenant: null,
    name: null,
    environment: 'live',
    scopes: ['jobs:read'],
    createdAt: NOW,
    createdBy: null,
    expiresAt: NOW + 365 * DAY,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    replaces: null,
    replacedBy: null,
    ...values,
  }
}

export function sampleRevocation(id: string, values: Partial<StoredTokenRevocation> = {}): StoredTokenRevocation {
  return {
    id,
    issuer: 'https://issuer.example',
    tokenId: null,
    subject: 'user_123',
    clientId: null,
    sessionId: null,
    withoutSession: false,
    issuedBefore: NOW - 5,
    createdAt: NOW,
    createdBy: null,
    reason: null,
    endsAt: NOW + DAY,
    ...values,
  }
}

export function tokenOf(names: Partial<TokenNames>): TokenNames {
  const { subject = 'y' } = names
  const token = { issuer: 'https://issuer.example', tokenId: null, subject, subjects: [subject], clientId: null }
  return { ...token, sessionId: null, ...names }
}

// A token is JSON: it can hold any character, and halves of surrogate pairs.
export const TOKEN_NAMES: readonly (readonly [string, string])[] = [
  ['control characters', 'a\u0000b\n\u001b[2J\u202e'],
  ['half of a surrogate pair', '\ud800 and \udfff'],
  ['quotes and backslashes', `"\\u0000" \\ ' %_`],
  ['8 KiB', `${'日'.repeat(2730)}ab`],
]
