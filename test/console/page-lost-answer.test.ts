import { expect, test } from 'vitest'
import type { KeyJson } from '../../console/api-types.js'
import { possiblyMade } from '../../console/page/lost-answer.js'

const SENT = Date.parse('2026-11-25T12:00:00.000Z')
const LOST: KeyJson = {
  id: '4dcF0m3vXq2T',
  hint: 'vak_live_4dcF0m3vXq2T…',
  name: 'Nightly export',
  subject: 'ada',
  tenant: 'acme',
  environment: 'live',
  scopes: ['jobs:read'],
  state: 'active',
  createdAt: '2026-11-25T12:00:01.000Z',
  createdBy: 'ada',
  expiresAt: null,
  lastUsedAt: null,
  revokedAt: null,
  revokedBy: null,
  revokedReason: null,
  replaces: null,
  replacedBy: null,
}

test('finds the key that a request without an answer has made', () => {
  expect(possiblyMade([LOST], 'Nightly export', SENT)).toEqual([LOST])
  expect(possiblyMade([{ ...LOST, name: null }], null, SENT)).toHaveLength(1)
})

test.each<[string, Partial<KeyJson>]>([
  ['of another name', { name: 'Nightly export 2' }],
  ['without a name', { name: null }],
  ['that was used', { lastUsedAt: '2026-11-25T12:00:02.000Z' }],
  ['that is revoked', { state: 'revoked' }],
  ['from before', { createdAt: '2026-11-25T11:58:59.000Z' }],
])('suspects no key %s', (_, change) => {
  expect(possiblyMade([{ ...LOST, ...change }], 'Nightly export', SENT)).toEqual([])
})
