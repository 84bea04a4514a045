import { expect, test } from 'vitest'
import { createCaches } from '../../src/verifier/caches.js'
import { NOW, tokenEntry } from '../support/cache-entries.js'

const create = () => createCaches({ maxEntries: 3, maxBytes: 1000, ttlMs: 1000 }).tokens

test('a token is served up to its TTL', () => {
  const cache = create()
  const entry = tokenEntry()
  cache.set('t', entry)
  expect([cache.get('t', NOW), cache.get('t', NOW + 999)]).toEqual([entry, entry])
  expect(cache.get('t', NOW + 1000)).toBeUndefined()
})

test('a token is served up to its own end, when that is earlier', () => {
  const cache = create()
  cache.set('t', tokenEntry({ endsAt: (NOW + 10) / 1000 }))
  expect(cache.get('t', NOW + 9)).toBeDefined()
  expect(cache.get('t', NOW + 10)).toBeUndefined()
})

test('a token is not served by a clock that was set back, nor by one that is none', () => {
  const cache = create()
  cache.set('t', tokenEntry())
  expect(cache.get('t', NOW - 1)).toBeUndefined()
  expect(cache.get('t', Number.NaN)).toBeUndefined()
})

test('another token is not found', () => {
  const cache = create()
  cache.set('t', tokenEntry())
  expect(cache.get('u', NOW)).toBeUndefined()
})
