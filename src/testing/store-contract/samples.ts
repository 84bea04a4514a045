import type { StoredKey } from '../../store/contract.js'

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
