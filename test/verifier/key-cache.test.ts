import { describe, expect, test } from 'vitest'
import { createCaches } from '../../src/verifier/caches.js'
import type { KeyCache } from '../../src/verifier/key-cache.js'
import { keyEntry, keysIn, NOW } from '../support/cache-entries.js'

const create = () => createCaches({ maxEntries: 3, maxBytes: 1000, ttlMs: 1000 }).keys

describe('a key', () => {
  test('is served up to its TTL', () => {
    const cache = create()
    const entry = keyEntry('k')
    cache.set(entry)
    expect([cache.get('k', 'd', NOW), cache.get('k', 'd', NOW + 999)]).toEqual([entry, entry])
    expect(cache.get('k', 'd', NOW + 1000)).toBeUndefined()
  })

  test('is served up to its own end, when that is earlier', () => {
    const cache = create()
    cache.set(keyEntry('k', {}, NOW + 10))
    expect(cache.get('k', 'd', NOW + 9)).toBeDefined()
    expect(cache.get('k', 'd', NOW + 10)).toBeUndefined()
  })

  test('is not served by a clock that was set back', () => {
    const cache = create()
    cache.set(keyEntry('k'))
    expect(cache.get('k', 'd', NOW - 1)).toBeUndefined()
  })

  test('is what was last confirmed also past its TTL', () => {
    const cache = create()
    const entry = keyEntry('k')
    cache.set(entry)
    expect(cache.get('k', 'd', NOW + 5000)).toBeUndefined()
    expect(cache.lastConfirmed('k', 'd')).toBe(entry)
    cache.delete('k', 'd')
    expect(cache.lastConfirmed('k', 'd')).toBeUndefined()
  })

  test('is served to nobody who has the id of the key and not the key, and cannot be dropped by them', () => {
    const cache = create()
    cache.set(keyEntry('k'))
    expect([cache.get('k', 'other', NOW), cache.lastConfirmed('k', 'other')]).toEqual([undefined, undefined])
    cache.delete('k', 'other')
    expect(keysIn(cache, 'k')).toEqual(['k'])
  })
})

describe('a change', () => {
  function filled(): KeyCache {
    const cache = create()
    cache.set(keyEntry('one'))
    cache.set(keyEntry('two'))
    return cache
  }

  test('of one key drops that one', () => {
    const cache = filled()
    cache.forget({ id: 'one' })
    cache.forget({ id: 'three' })
    expect(keysIn(cache, 'one', 'two')).toEqual(['two'])
    expect(cache.lastConfirmed('one', 'd')).toBeUndefined()
  })

  test('of all keys drops all of them', () => {
    const cache = filled()
    cache.forget({ all: true })
    expect(keysIn(cache, 'one', 'two')).toEqual([])
    expect(cache.lastConfirmed('one', 'd')).toBeUndefined()
  })

  test('finds a key that was confirmed again', () => {
    const cache = filled()
    cache.set(keyEntry('one'))
    cache.forget({ id: 'one' })
    expect(keysIn(cache, 'one')).toEqual([])
  })

  test('leaves nothing of a key whose secret was replaced under the same id', () => {
    const cache = filled()
    cache.set(keyEntry('one', { digest: 'new' }))
    expect([cache.get('one', 'd', NOW), cache.get('one', 'new', NOW)?.digest]).toEqual([undefined, 'new'])
    cache.forget({ id: 'one' })
    expect(cache.get('one', 'new', NOW)).toBeUndefined()
  })
})
