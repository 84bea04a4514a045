import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createGathering, type KeyNews } from '../../console/page/live.js'

const at = '2026-11-25T12:00:00.000Z'
let hidden = false
let delivered: KeyNews[] = []

beforeEach(() => {
  hidden = false
  delivered = []
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const gathering = () =>
  createGathering(
    (news) => delivered.push(news),
    () => hidden,
  )

test('makes one call of many events, with the last one of each key', () => {
  const gather = gathering()
  gather.add({ type: 'created', id: 'a', at, state: 'active' })
  gather.add({ type: 'revoked', id: 'a', at, state: 'revoked' })
  gather.add({ type: 'first-use', id: 'b', at, state: 'active' })
  expect(delivered).toEqual([])
  vi.runAllTimers()
  expect(delivered).toEqual([
    {
      keys: new Map([
        ['a', 'revoked'],
        ['b', 'first-use'],
      ]),
      everything: false,
    },
  ])
})

test('waits while nobody looks, and delivers when somebody does', () => {
  const gather = gathering()
  hidden = true
  gather.add({ type: 'reload' })
  vi.runAllTimers()
  expect(delivered).toEqual([])
  hidden = false
  gather.flush()
  expect(delivered).toEqual([{ keys: new Map(), everything: true }])
  gather.flush()
  expect(delivered).toHaveLength(1)
})

test('keeps no endless list: beyond a thousand keys everything is to be read again', () => {
  const gather = gathering()
  for (let i = 0; i <= 1000; i++) gather.add({ type: 'changed', id: `${i}`, at, state: 'active' })
  vi.runAllTimers()
  expect(delivered).toEqual([{ keys: new Map(), everything: true }])
})

test('delivers nothing after close', () => {
  const gather = gathering()
  gather.add({ type: 'reload' })
  gather.close()
  vi.runAllTimers()
  expect(delivered).toEqual([])
})
