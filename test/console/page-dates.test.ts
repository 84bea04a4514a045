import { expect, test } from 'vitest'
import { formatRelative, formatUtc } from '../../console/page/dates.js'

const AT = '2026-11-25T12:00:00.000Z'
const MINUTE = 60_000
const at = Date.parse(AT)

test.each([
  [20_000, 'now'],
  [5 * MINUTE, '5 minutes ago'],
  [3 * 60 * MINUTE, '3 hours ago'],
  [24 * 60 * MINUTE, 'yesterday'],
  [30 * 24 * 60 * MINUTE, '30 days ago'],
  [-48 * 60 * MINUTE, 'in 2 days'],
])('%d ms later says %s', (later, text) => {
  expect(formatRelative(AT, at + later)).toBe(text)
})

test('says the date of what is long ago', () => {
  expect(formatRelative(AT, at + 31 * 24 * 60 * MINUTE)).toMatch(/^Nov 2[456], 2026$/)
})

test('says an instant in UTC to the second', () => {
  expect(formatUtc(AT)).toBe('2026-11-25 12:00:00 UTC')
})
