import { expect, test } from 'vitest'
import { followChanges } from '../../src/api-key/store-changes.js'
import type { KeyChange, TokenChange } from '../../src/store/contract.js'
import { createOwnStore } from '../support/stored-keys.js'

function setUp(watch = true) {
  const store = createOwnStore()
  const heard: KeyChange[] = []
  const ofTokens: TokenChange[] = []
  const changes = followChanges(
    store,
    watch ? (change) => void heard.push(change) : undefined,
    (change) => void ofTokens.push(change),
  )
  return { store, heard, ofTokens, changes }
}

test('the feed is followed from the first question on, with one listener', () => {
  const { store, heard, changes } = setUp()
  let watched = 0
  const watch = store.watch
  store.watch = (listener) => {
    watched++
    return watch?.(listener) ?? store.feed
  }
  expect(watched).toBe(0)
  expect(changes.currentEpoch()).toBe(changes.currentEpoch())
  expect(watched).toBe(1)
  store.announce({ id: 'x' })
  expect(heard).toEqual([{ id: 'x' }])
})

test('the feed is polled before each answer, so that what it brings counts', () => {
  const { store, heard, changes } = setUp()
  store.feed.poll = () => store.announce({ id: 'x' })
  changes.currentEpoch()
  changes.currentEpoch()
  expect(heard).toEqual([{ id: 'x' }, { id: 'x' }])
})

test('the epoch is undefined while the feed is down, and new once it is up again', () => {
  const { store, changes } = setUp()
  const before = changes.currentEpoch()
  store.feed.state = 'down'
  expect(changes.currentEpoch()).toBeUndefined()
  store.feed.state = 'polling'
  const after = changes.currentEpoch()
  expect(after).not.toBe(before)
  // Whether changes are pushed or polled for makes no difference to what is cached.
  store.feed.state = 'live'
  expect(changes.currentEpoch()).toBe(after)
})

test('a feed that throws is down', () => {
  const { store, changes } = setUp()
  changes.currentEpoch()
  store.feed.poll = () => {
    throw new Error('no')
  }
  expect(changes.currentEpoch()).toBeUndefined()
})

test('a store whose watch throws is not asked again and again', () => {
  const { store, changes } = setUp()
  let watched = 0
  store.watch = () => {
    watched++
    throw new Error('no')
  }
  for (let i = 0; i < 100; i++) expect(changes.currentEpoch()).toBeUndefined()
  expect(watched).toBe(1)
})

test('there is no epoch without a listener', () => {
  expect(setUp(false).changes.currentEpoch()).toBeUndefined()
})

test.each([
  ['of a key', { id: 'x' }, [{ id: 'x' }], []],
  ['of the revocations of tokens', { tokens: true }, [], [{ tokens: true }]],
  ['of one of them', { tokens: true, removed: 'r' }, [], [{ tokens: true, removed: 'r' }]],
  ['of everything', { all: true }, [{ all: true }], [{ tokens: true }]],
  ['that cannot be read', { id: 7 }, [{ all: true }], [{ tokens: true }]],
] as const)('a change %s is told to whom it concerns', (_, change, ofKeys, tokenChanges) => {
  const { store, heard, ofTokens, changes } = setUp()
  changes.currentEpoch()
  const { generation } = changes
  store.announce(change as KeyChange)
  expect(heard).toEqual(ofKeys)
  expect(ofTokens).toEqual(tokenChanges)
  expect(changes.generation - generation).toBe(ofKeys.length)
})

test('a new epoch of the feed is a new epoch and a new generation', () => {
  const { store, changes } = setUp()
  const epoch = changes.currentEpoch()
  const { generation } = changes
  store.feed.epoch++
  expect(changes.currentEpoch()).not.toBe(epoch)
  expect(changes.generation).toBe(generation + 1)
})

test('after close nothing is heard and there is no epoch', async () => {
  const { store, heard, changes } = setUp()
  let listener: (change: KeyChange) => void = () => {}
  const watch = store.watch
  store.watch = (given) => {
    listener = given
    return watch?.(given) ?? store.feed
  }
  changes.currentEpoch()
  await changes.close()
  listener({ all: true })
  expect(heard).toEqual([])
  expect(changes.currentEpoch()).toBeUndefined()
})
