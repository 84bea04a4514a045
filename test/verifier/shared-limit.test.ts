import { expect, test } from 'vitest'
import { type Caches, createCaches } from '../../src/verifier/caches.js'
import { keyEntry, keysIn, NOW, tokenEntry, tokensIn } from '../support/cache-entries.js'

const BOUNDS = { maxEntries: 3, maxBytes: 1000, ttlMs: 1000 }

test('of too many entries the least recently used is dropped', () => {
  const { tokens } = createCaches(BOUNDS)
  for (const digest of ['a', 'b', 'c']) tokens.set(digest, tokenEntry())
  tokens.get('a', NOW)
  tokens.set('d', tokenEntry())
  expect(tokensIn(tokens, 'a', 'b', 'c', 'd')).toEqual(['a', 'c', 'd'])
})

test('of too many bytes the least recently used is dropped', () => {
  const { tokens, keys } = createCaches(BOUNDS)
  tokens.set('a', tokenEntry({ bytes: 500 }))
  tokens.set('b', tokenEntry({ bytes: 500 }))
  keys.set(keyEntry('k'))
  expect([...tokensIn(tokens, 'a', 'b'), ...keysIn(keys, 'k')]).toEqual(['b', 'k'])
})

test('what is larger than all of the room is not kept, and drops nothing else', () => {
  const { tokens, keys } = createCaches(BOUNDS)
  tokens.set('a', tokenEntry({ bytes: 500 }))
  keys.set(keyEntry('k', { bytes: 1001 }))
  tokens.set('b', tokenEntry({ bytes: 1001 }))
  expect([...tokensIn(tokens, 'a', 'b'), ...keysIn(keys, 'k')]).toEqual(['a'])
})

test('either kind may use all of the room', () => {
  const ids = Array.from({ length: 10_000 }, (_, i) => `k${i}`)
  const { tokens, keys } = createCaches({ maxEntries: 100, maxBytes: 1e6, ttlMs: 1000 })
  for (const id of ids) keys.set(keyEntry(id, { bytes: 70 }))
  expect(keysIn(keys, ...ids)).toEqual(ids.slice(-100))
  const others = createCaches({ maxEntries: 100, maxBytes: 1e6, ttlMs: 1000 })
  for (const id of ids) others.tokens.set(id, tokenEntry({ bytes: 700 }))
  expect(tokensIn(others.tokens, ...ids)).toEqual(ids.slice(-100))
  expect(tokensIn(tokens, ...ids)).toEqual([])
})

test('the bounds hold for both kinds together, whatever comes in which order', () => {
  const { tokens, keys } = createCaches({ maxEntries: 50, maxBytes: 10_000, ttlMs: 1000 })
  const names = Array.from({ length: 500 }, (_, i) => `n${i}`)
  for (const [i, name] of names.entries()) {
    // Sizes from 1 to 997, in an order that repeats late.
    const bytes = 1 + ((i * 331) % 997)
    if ((i * 7) % 5 < 2) keys.set(keyEntry(name, { bytes }))
    else tokens.set(name, tokenEntry({ bytes }))
    const [tokensKept, keysKept] = [tokensIn(tokens, ...names), keysIn(keys, ...names)]
    const size =
      tokensKept.reduce((sum, kept) => sum + (tokens.get(kept, NOW)?.bytes ?? 0), 0) +
      keysKept.reduce((sum, kept) => sum + (keys.get(kept, 'd', NOW)?.bytes ?? 0), 0)
    expect(tokensKept.length + keysKept.length).toBeLessThanOrEqual(50)
    expect(size).toBeLessThanOrEqual(10_000)
    expect([...tokensKept, ...keysKept]).toContain(name)
  }
})

test('many tokens do not drive out a few keys', () => {
  const { tokens, keys } = createCaches({ maxEntries: 10, maxBytes: 1e6, ttlMs: 1000 })
  for (const id of ['a', 'b', 'c']) keys.set(keyEntry(id, { bytes: 70 }))
  for (let i = 0; i < 1000; i++) tokens.set(`t${i}`, tokenEntry({ bytes: 700 }))
  expect(keysIn(keys, 'a', 'b', 'c')).toEqual(['a', 'b', 'c'])
})

test('a large credential that was just added stays, and smaller ones of the other kind make room', () => {
  const { tokens, keys } = createCaches({ maxEntries: 10, maxBytes: 1000, ttlMs: 1000 })
  for (const id of ['a', 'b', 'c']) keys.set(keyEntry(id, { bytes: 200 }))
  tokens.set('t', tokenEntry({ bytes: 700 }))
  expect([...tokensIn(tokens, 't'), ...keysIn(keys, 'a', 'b', 'c')]).toEqual(['t', 'c'])
})

test.each<[string, (caches: Caches) => void]>([
  ['is replaced', ({ keys }) => keys.set(keyEntry('a', { bytes: 100 }))],
  ['is refused now', ({ keys }) => keys.delete('a', 'd')],
  ['a change names', ({ keys }) => keys.forget({ id: 'a' })],
  ['a change of all keys drops', ({ keys }) => keys.forget({ all: true })],
  ['is too large now', ({ keys }) => keys.set(keyEntry('a', { bytes: 1001 }))],
])('what %s takes no room any more', (_, drop) => {
  const caches = createCaches({ ...BOUNDS, maxEntries: 10 })
  const { tokens, keys } = caches
  for (let round = 0; round < 20; round++) {
    keys.set(keyEntry('a', { bytes: 500 }))
    drop(caches)
  }
  for (const digest of ['b', 'c', 'd']) tokens.set(digest, tokenEntry({ bytes: 300 }))
  expect(tokensIn(tokens, 'b', 'c', 'd')).toEqual(['b', 'c', 'd'])
})

test('the same entry, set again, takes its room once', () => {
  const { tokens } = createCaches(BOUNDS)
  const entry = tokenEntry({ bytes: 400 })
  for (let round = 0; round < 20; round++) tokens.set('a', entry)
  tokens.set('b', tokenEntry({ bytes: 600 }))
  expect(tokensIn(tokens, 'a', 'b')).toEqual(['a', 'b'])
})
