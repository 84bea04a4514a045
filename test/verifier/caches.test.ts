import { expect, test } from 'vitest'
import { createCaches } from '../../src/verifier/caches.js'
import { keyEntry, keysIn, NOW, tokenEntry, tokensIn } from '../support/cache-entries.js'

const BOUNDS = { maxEntries: 3, maxBytes: 1000, ttlMs: 1000 }

test('a credential of one kind is not found as the other', () => {
  const { tokens, keys } = createCaches(BOUNDS)
  keys.set(keyEntry('k'))
  tokens.set('t', tokenEntry())
  expect([tokens.get('k', NOW), keys.get('t', 'd', NOW), keys.get('t', 't', NOW)]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('a change of all keys drops no token', () => {
  const { tokens, keys } = createCaches(BOUNDS)
  keys.set(keyEntry('k'))
  tokens.set('t', tokenEntry())
  keys.forget({ all: true })
  expect([...keysIn(keys, 'k'), ...tokensIn(tokens, 't')]).toEqual(['t'])
})
