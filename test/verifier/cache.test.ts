import { describe, expect, test } from 'vitest'
import { createAccessTokenAuth, createApiKeyAuth } from '../../src/core/auth.js'
import type { Reason } from '../../src/core/errors.js'
import {
  type CredentialCache,
  createCredentialCache,
  isWithin,
  type KeyEntry,
  noCache,
  type Refusal,
  type TokenEntry,
} from '../../src/verifier/cache.js'

const NOW = 1_000_000
const BOUNDS = { maxEntries: 3, maxBytes: 1000, ttlMs: 1000 }

function keyEntry(keyId: string, over: Partial<KeyEntry> = {}, expiresAt: number | null = null): KeyEntry {
  const auth = createApiKeyAuth({ subject: 'u', scopes: [], tenant: null, keyId, name: null }, expiresAt)
  return { auth, digest: 'd', confirmedAt: NOW, epoch: 1, ...over }
}

function tokenEntry(over: Partial<TokenEntry> = {}): TokenEntry {
  const values = { subject: 'u', scopes: [], tenant: null, issuer: 'i', clientId: null, tokenId: null, claims: {} }
  const auth = createAccessTokenAuth(values)
  return { auth, issuer: {} as never, key: {} as never, confirmedAt: NOW, endsAt: NOW + 1e9, ...over }
}

function refusal(reason: Reason, over: Partial<Refusal> = {}): Refusal {
  return { reason, origin: undefined, generation: undefined, refusedAt: NOW, ...over }
}

/** Which of the tokens with these digests are served. */
function tokensIn(cache: CredentialCache, ...digests: string[]): string[] {
  return digests.filter((digest) => cache.token(digest, NOW) !== undefined)
}

/** Which of the keys with these ids are served to whoever presents the whole key. */
function keysIn(cache: CredentialCache, ...ids: string[]): string[] {
  return ids.filter((id) => cache.key(id, 'd', NOW) !== undefined)
}

describe('a verified credential', () => {
  test('is served up to its TTL', () => {
    const cache = createCredentialCache(BOUNDS)
    const [token, key] = [tokenEntry(), keyEntry('k')]
    cache.setToken('t', token, 10)
    cache.setKey(key, 10)
    expect([cache.token('t', NOW), cache.key('k', 'd', NOW)]).toEqual([token, key])
    expect([cache.token('t', NOW + 999), cache.key('k', 'd', NOW + 999)]).toEqual([token, key])
    expect([cache.token('t', NOW + 1000), cache.key('k', 'd', NOW + 1000)]).toEqual([undefined, undefined])
  })

  test('is served up to its own end, when that is earlier', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.setToken('t', tokenEntry({ endsAt: NOW + 10 }), 10)
    cache.setKey(keyEntry('k', {}, NOW + 10), 10)
    expect([cache.token('t', NOW + 9), cache.key('k', 'd', NOW + 9)]).not.toContain(undefined)
    expect([cache.token('t', NOW + 10), cache.key('k', 'd', NOW + 10)]).toEqual([undefined, undefined])
  })

  test('is not served by a clock that was set back, nor by one that is none', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.setToken('t', tokenEntry(), 10)
    expect(cache.token('t', NOW - 1)).toBeUndefined()
    expect(cache.token('t', Number.NaN)).toBeUndefined()
  })

  test('is what was last confirmed also past its TTL', () => {
    const cache = createCredentialCache(BOUNDS)
    const entry = keyEntry('k')
    cache.setKey(entry, 10)
    expect(cache.key('k', 'd', NOW + 5000)).toBeUndefined()
    expect(cache.lastConfirmed('k', 'd')).toBe(entry)
    cache.deleteKey('k', 'd')
    expect(cache.lastConfirmed('k', 'd')).toBeUndefined()
  })

  test('is served to nobody who has the id of the key and not the key, and cannot be dropped by them', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.setKey(keyEntry('k'), 10)
    expect([cache.key('k', 'other', NOW), cache.lastConfirmed('k', 'other')]).toEqual([undefined, undefined])
    cache.deleteKey('k', 'other')
    expect(keysIn(cache, 'k')).toEqual(['k'])
  })

  test('of one kind is not found as the other', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.setKey(keyEntry('k'), 10)
    cache.setToken('t', tokenEntry(), 10)
    expect([cache.token('k', NOW), cache.key('t', 'd', NOW), cache.key('t', 't', NOW)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
})

describe('the bounds', () => {
  test('of entries drop the least recently used', () => {
    const cache = createCredentialCache(BOUNDS)
    for (const digest of ['a', 'b', 'c']) cache.setToken(digest, tokenEntry(), 1)
    cache.token('a', NOW)
    cache.setToken('d', tokenEntry(), 1)
    expect(tokensIn(cache, 'a', 'b', 'c', 'd')).toEqual(['a', 'c', 'd'])
  })

  test('of bytes drop the least recently used', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.setToken('a', tokenEntry(), 500)
    cache.setToken('b', tokenEntry(), 500)
    cache.setKey(keyEntry('k'), 1)
    expect([...tokensIn(cache, 'a', 'b'), ...keysIn(cache, 'k')]).toEqual(['b', 'k'])
  })

  test('keep nothing that is larger than all of it, and drop nothing else for it', () => {
    const cache = createCredentialCache(BOUNDS)
    cache.setToken('a', tokenEntry(), 500)
    cache.setKey(keyEntry('k'), 1001)
    cache.setToken('b', tokenEntry(), 1001)
    expect([...tokensIn(cache, 'a', 'b'), ...keysIn(cache, 'k')]).toEqual(['a'])
  })

  test('hold for ten thousand credentials', () => {
    const cache = createCredentialCache({ maxEntries: 100, maxBytes: 1e6, ttlMs: 1000 })
    const ids = Array.from({ length: 10_000 }, (_, i) => `k${i}`)
    for (const id of ids) cache.setKey(keyEntry(id), 70)
    expect(keysIn(cache, ...ids)).toEqual(ids.slice(-100))
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
  function filled(): CredentialCache {
    const cache = createCredentialCache(BOUNDS)
    cache.setKey(keyEntry('one'), 1)
    cache.setKey(keyEntry('two'), 1)
    cache.setToken('t', tokenEntry(), 1)
    return cache
  }

  test('of one key drops that one, and no token', () => {
    const cache = filled()
    cache.forget({ id: 'one' })
    cache.forget({ id: 'three' })
    expect([...keysIn(cache, 'one', 'two'), ...tokensIn(cache, 't')]).toEqual(['two', 't'])
    expect(cache.lastConfirmed('one', 'd')).toBeUndefined()
  })

  test('of all keys drops all of them, and no token', () => {
    const cache = filled()
    cache.forget({ all: true })
    expect([...keysIn(cache, 'one', 'two'), ...tokensIn(cache, 't')]).toEqual(['t'])
    expect(cache.lastConfirmed('one', 'd')).toBeUndefined()
  })

  test('finds a key that was confirmed again', () => {
    const cache = filled()
    cache.setKey(keyEntry('one'), 1)
    cache.forget({ id: 'one' })
    expect(keysIn(cache, 'one')).toEqual([])
  })

  test('leaves nothing of a key whose secret was replaced under the same id', () => {
    const cache = filled()
    cache.setKey(keyEntry('one', { digest: 'new' }), 1)
    expect([cache.key('one', 'd', NOW), cache.key('one', 'new', NOW)?.digest]).toEqual([undefined, 'new'])
    cache.forget({ id: 'one' })
    expect(cache.key('one', 'new', NOW)).toBeUndefined()
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
  noCache.setToken('t', tokenEntry(), 1)
  noCache.setKey(keyEntry('k'), 1)
  noCache.refuse('d', refusal('expired'))
  noCache.forget({ all: true })
  noCache.deleteKey('k', 'd')
  expect([...tokensIn(noCache, 't'), ...keysIn(noCache, 'k')]).toEqual([])
  expect([noCache.lastConfirmed('k', 'd'), noCache.refusal('d', NOW)]).toEqual([undefined, undefined])
})
