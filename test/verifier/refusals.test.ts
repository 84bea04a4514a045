import { expect, test } from 'vitest'
import type { Reason } from '../../src/core/errors.js'
import { createRefusals, type Refusal } from '../../src/verifier/refusals.js'

const NOW = 1_000_000

function refusal(reason: Reason, over: Partial<Refusal> = {}): Refusal {
  return {
    reason,
    credential: { kind: 'access_token' },
    basis: undefined,
    generation: undefined,
    refusedAt: NOW,
    ...over,
  }
}

test.each(['signature', 'type', 'issuer', 'audience', 'expired', 'claims', 'revoked', 'unknown'] as const)(
  'a refusal for %s is remembered',
  (reason) => {
    const refusals = createRefusals()
    refusals.add('d', refusal(reason))
    expect(refusals.get('d', NOW)?.reason).toBe(reason)
  },
)

test.each([
  'malformed',
  'checksum',
  'environment',
  'algorithm',
  'key',
  'not_active',
  'too_old',
  'sender_constrained',
] as const)('a refusal for %s is found anew each time', (reason) => {
  const refusals = createRefusals()
  refusals.add('d', refusal(reason))
  expect(refusals.get('d', NOW)).toBeUndefined()
})

test('a refusal stands as long as its basis has not changed', () => {
  const refusals = createRefusals()
  const basis = { generation: 7 }
  refusals.add('d', refusal('signature', { basis, generation: 7 }))
  refusals.add('old', refusal('signature', { basis, generation: 6 }))
  expect(refusals.get('d', NOW)).toBeDefined()
  expect(refusals.get('old', NOW)).toBeUndefined()
  basis.generation = 8
  expect(refusals.get('d', NOW)).toBeUndefined()
})

test('5 000 refusals are remembered, each for 5 seconds', () => {
  const refusals = createRefusals()
  for (let i = 0; i <= 5000; i++) refusals.add(`d${i}`, refusal('expired'))
  expect(refusals.get('d0', NOW)).toBeUndefined()
  expect(refusals.get('d1', NOW)).toBeDefined()
  expect(refusals.get('d5000', NOW + 4999)).toBeDefined()
  expect(refusals.get('d5000', NOW + 5000)).toBeUndefined()
  // It was dropped then, and does not come back.
  expect(refusals.get('d5000', NOW)).toBeUndefined()
  expect(refusals.get('d1', NOW - 1)).toBeUndefined()
})
