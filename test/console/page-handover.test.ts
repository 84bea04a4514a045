import { expect, test } from 'vitest'
import type { KeyJson } from '../../console/api-types.js'
import { verdictOf } from '../../console/page/handover.js'

const ROTATED_AT = '2026-11-25T12:00:00.000Z'
const BEFORE = '2026-11-25T11:59:00.000Z'
const AFTER = '2026-11-25T12:01:00.000Z'

function key(given: Partial<KeyJson>): KeyJson {
  return {
    id: 'Cvr9ZyvaWKKY',
    hint: 'vak_live_Cvr9ZyvaWKKY…',
    name: 'CI',
    subject: 'user_123',
    tenant: 'acme',
    environment: 'live',
    scopes: ['jobs:read'],
    state: 'superseded',
    createdAt: '2026-01-01T00:00:00.000Z',
    createdBy: null,
    expiresAt: null,
    lastUsedAt: null,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    replaces: null,
    replacedBy: null,
    ...given,
  }
}

test.each([
  ['waiting', 'neither was used', null, null],
  ['waiting', 'the old one was used before the rotation', BEFORE, null],
  ['moved', 'only the new one was used', null, AFTER],
  ['moved', 'the old one was used before, the new one after the rotation', BEFORE, AFTER],
  ['old-used', 'only the old one was used', AFTER, null],
  ['old-used', 'both were used', AFTER, AFTER],
] as const)('%s: %s', (verdict, _what, oldUse, newUse) => {
  const successor = key({ state: 'active', createdAt: ROTATED_AT, lastUsedAt: newUse })
  expect(verdictOf(key({ lastUsedAt: oldUse }), successor)).toBe(verdict)
})

test.each(['expired', 'revoked'] as const)('ended: the old key is %s, whatever it was used for', (state) => {
  const successor = key({ state: 'active', createdAt: ROTATED_AT })
  expect(verdictOf(key({ state, lastUsedAt: AFTER }), successor)).toBe('ended')
})
