import { expect, test } from 'vitest'
import { formatRoute, parseRoute, type Route } from '../../console/page/routes.js'

const ID = '4dcF0m3vXq2T'
const ROUTES: readonly Route[] = [
  { view: 'list' },
  { view: 'generate' },
  { view: 'usage' },
  { view: 'audit' },
  { view: 'key', id: ID },
  { view: 'rotate', id: ID },
  { view: 'revoke', id: ID },
]

test.each(ROUTES)('finds the way back to %j', (route) => {
  expect(parseRoute(formatRoute(route))).toEqual(route)
})

test('takes no fragment for the list', () => {
  expect(parseRoute('')).toEqual({ view: 'list' })
})

test.each([
  `#/keys/vak_live_${ID}${'y'.repeat(49)}`,
  `#/keys/${ID}${'y'.repeat(49)}`,
  '#/keys/../session',
  `#/keys/${ID}/delete`,
  '#/keys/',
  '#/constructor',
])('knows no view for %s', (fragment) => {
  expect(parseRoute(fragment)).toEqual({ view: 'unknown' })
})
