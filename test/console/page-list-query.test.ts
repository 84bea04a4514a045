import { expect, test } from 'vitest'
import { EVERYTHING, isNarrowed, nextSort, toQuery } from '../../console/page/list-query.js'

test('asks for the newest keys with their uses when nothing was chosen', () => {
  expect(toQuery(EVERYTHING)).toEqual({ sort: '-created', usage: 30, limit: 100 })
})

test('asks for what was chosen, and for the page in view', () => {
  const choice = { ...EVERYTHING, search: ' ci ', state: 'active', unused: true, expiring: true, replacedInUse: true }
  expect(toQuery({ ...choice, pages: ['one', 'two'] })).toEqual({
    search: 'ci',
    state: 'active',
    unusedFor: '90d',
    expiringWithin: '30d',
    supersededInUse: true,
    sort: '-created',
    usage: 30,
    limit: 100,
    cursor: 'two',
  })
})

test('tells an empty list from one that filters have emptied', () => {
  expect(isNarrowed(EVERYTHING)).toBe(false)
  expect(isNarrowed({ ...EVERYTHING, search: ' ' })).toBe(false)
  expect(isNarrowed({ ...EVERYTHING, search: 'ci' })).toBe(true)
  expect(isNarrowed({ ...EVERYTHING, replacedInUse: true })).toBe(true)
})

test('turns the order of a column at the second time', () => {
  expect(nextSort('-created', 'name')).toBe('name')
  expect(nextSort('name', 'name')).toBe('-name')
  expect(nextSort('name', 'lastUsed')).toBe('-lastUsed')
  expect(nextSort('-lastUsed', 'lastUsed')).toBe('lastUsed')
  expect(nextSort('-created', 'expires')).toBe('expires')
})
