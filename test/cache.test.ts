import { describe, expect, test } from 'vitest'
import { createAccessTokenAuth, createApiKeyAuth } from '../src/auth.js'
import { createCredentialCache, isWithin, type KeyEntry, noCache, type Refusal, type TokenEntry } from '../src/cache.js'
import type { Reason } from '../src/errors.js'

const NOW = 1_000_000
const BOUNDS = { maxEntries: 3, maxBytes: 1000, ttlMs: 1000 }

function keyEntry(keyId: string, over: Partial<KeyEntry> = {}): KeyEntry {
  const auth = createApiKeyAuth({ subject: 'u', scopes: [], tenant: null, keyId, name: null }, null)
  return { kind: 'api_key', auth, confirmedAt: NOW, endsAt: Number.POSITIVE_INFINITY, epoch: 1, ...over }
}

function tokenEntry(over: Partial<TokenEntry> = {}): TokenEntry {
  const values = { subject: 'u', scopes: [], tenant: null, issuer: 'i', clientId: null, tokenId: null, claims: {} }
  const auth = createAccessTokenAuth(values, NOW)
  return {
    kind: 'access_token',
    auth,
    issuer: {} as never,
    key: {} as never,
    confirmedAt: NOW,
    endsAt: NOW + 1e9,
    ...over,
  }
}

function refusal(reason: Reason, over: Partial<Refusal> = {}): Refusal {
  return { reason, origin: undefined, generation: undefined, refusedAt: NOW, ...over }
}

describe('a verified credential', () => {
  test('is served up to its TTL', () => {
    const cache = createCredentialCache(BOUNDS)
    const entry = tokenEntry()
    cache.set('d', entry, 10)
    expect(cache.get('d', NOW)).toBe(entry)
    expect(cache.get('d', NOW + 999)).toBe(entry)
    expect(cache.get('d', NOW + 1000)).toBeUndefined()
  })

  test('is served up to its own end, when that is earlier', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.set('d', keyEntry('k', { endsAt: NOW + 10 }), 10)
    expect(cache.get('d', NOW + 9)).toBeDefined()
    expect(cache.get('d', NOW + 10)).toBeUndefined()
  })

  test('is not served by a clock that was set back, nor by one that is none', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.set('d', tokenEntry(), 10)
    expect(cache.get('d', NOW - 1)).toBeUndefined()
    expect(cache.get('d', Number.NaN)).toBeUndefined()
  })

  test('is what was last confirmed also past its TTL', () => {
    const cache = createCredentialCache(BOUNDS)
    const entry = keyEntry('k')
    cache.set('d', entry, 10)
    expect(cache.get('d', NOW + 5000)).toBeUndefined()
    expect(cache.lastConfirmed('d')).toBe(entry)
    cache.delete('d')
    expect(cache.lastConfirmed('d')).toBeUndefined()
  })
})

describe('the bounds', () => {
  test('of entries drop the least recently used', () => {
    const cache = createCredentialCache(BOUNDS)
    for (const digest of ['a', 'b', 'c']) cache.set(digest, tokenEntry(), 1)
    cache.get('a', NOW)
    cache.set('d', tokenEntry(), 1)
    expect(['a', 'b', 'c', 'd'].map((digest) => cache.get(digest, NOW) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ])
  })

  test('of bytes drop the least recently used', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.set('a', tokenEntry(), 500)
    cache.set('b', tokenEntry(), 500)
    cache.set('c', tokenEntry(), 1)
    expect(['a', 'b', 'c'].map((digest) => cache.get(digest, NOW) !== undefined)).toEqual([false, true, true])
  })

  test('keep nothing that is larger than all of it, and drop nothing else for it', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.set('a', tokenEntry(), 500)
    cache.set('b', keyEntry('k'), 1001)
    expect(cache.get('a', NOW)).toBeDefined()
    expect(cache.get('b', NOW)).toBeUndefined()
  })

  test('hold for ten thousand credentials, and leave no key behind to be found by its id', () => {
    const cache = createCredentialCache({ maxEntries: 100, maxBytes: 1e6, ttlMs: 1000 })
    for (let i = 0; i < 10_000; i++) cache.set(`d${i}`, keyEntry(`k${i}`), 70)
    let kept = 0
    for (let i = 0; i < 10_000; i++) if (cache.get(`d${i}`, NOW)) kept++
    expect(kept).toBe(100)
    cache.forget({ id: 'k0' })
    cache.forget({ all: true })
    expect(cache.get('d9999', NOW)).toBeUndefined()
  })

  test('of refusals are 5 000 entries and 5 seconds', () => {
    const cache = createCredentialCache(BOUNDS)
    for (let i = 0; i <= 5000; i++) cache.refuse(`d${i}`, refusal('expired'))
    expect(cache.refusal('d0', NOW)).toBeUndefined()
    expect(cache.refusal('d1', NOW)).toBeDefined()
    expect(cache.refusal('d5000', NOW + 4999)).toBeDefined()
    expect(cache.refusal('d5000', NOW + 5000)).toBeUndefined()
    // It was dropped then, and does not come back.
    expect(cache.refusal('d5000', NOW)).toBeUndefined()
    expect(cache.refusal('d1', NOW - 1)).toBeUndefined()
  })
})

describe('a change', () => {
  test('of one key drops that one, and no token', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.set('a', keyEntry('one'), 1)
    cache.set('b', keyEntry('two'), 1)
    cache.set('c', tokenEntry(), 1)
    cache.forget({ id: 'one' })
    cache.forget({ id: 'three' })
    expect(['a', 'b', 'c'].map((digest) => cache.lastConfirmed(digest) !== undefined)).toEqual([false, true, true])
  })

  test('of all keys drops all of them, and no token', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.set('a', keyEntry('one'), 1)
    cache.set('b', keyEntry('two'), 1)
    cache.set('c', tokenEntry(), 1)
    cache.forget({ all: true })
    expect(['a', 'b', 'c'].map((digest) => cache.lastConfirmed(digest) !== undefined)).toEqual([false, false, true])
  })

  test('finds a key that was confirmed again', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.set('a', keyEntry('one'), 1)
    cache.set('a', keyEntry('one'), 1)
    cache.forget({ id: 'one' })
    expect(cache.lastConfirmed('a')).toBeUndefined()
  })

  test('finds a key whose secret was replaced under the same id', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.set('old', keyEntry('one'), 1)
    cache.set('new', keyEntry('one'), 1)
    cache.delete('old')
    cache.forget({ id: 'one' })
    expect(cache.lastConfirmed('new')).toBeUndefined()
  })
})

describe('a refusal', () => {
  test.each(['signature', 'type', 'issuer', 'audience', 'expired', 'claims', 'revoked', 'unknown'] as const)(
    'for %s is remembered',
    (reason) => {
      const cache = createCredentialCache(BOUNDS)
      cache.refuse('d', refusal(reason))
      expect(cache.refusal('d', NOW)?.reason).toBe(reason)
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
  ] as const)('for %s is found anew each time', (reason) => {
    const cache = createCredentialCache(BOUNDS)
    cache.refuse('d', refusal(reason))
    expect(cache.refusal('d', NOW)).toBeUndefined()
  })

  test('stands as long as what it rests upon has not changed', () => {
    const cache = createCredentialCache(BOUNDS)
    const origin = { generation: 7 }
    cache.refuse('d', refusal('signature', { origin, generation: 7 }))
    cache.refuse('old', refusal('signature', { origin, generation: 6 }))
    expect(cache.refusal('d', NOW)).toBeDefined()
    expect(cache.refusal('old', NOW)).toBeUndefined()
    origin.generation = 8
    expect(cache.refusal('d', NOW)).toBeUndefined()
  })
})

test('isWithin is exclusive of the end, and false for a clock that was set back or is none', () => {
  expect([99, 100, 109, 110, Number.NaN].map((now) => isWithin(100, now, 10))).toEqual([
    false,
    true,
    true,
    false,
    false,
  ])
  expect(isWithin(100, 100, 0)).toBe(false)
})

test('noCache keeps nothing', () => {
  noCache.set('d', tokenEntry(), 1)
  noCache.refuse('d', refusal('expired'))
  noCache.forget({ all: true })
  noCache.delete('d')
  expect([noCache.get('d', NOW), noCache.lastConfirmed('d'), noCache.refusal('d', NOW)]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})
