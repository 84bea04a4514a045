import { expect, test } from 'vitest'
import { isWithin, parseDuration } from '../../src/core/duration.js'

test.each([
  ['15s', 15_000],
  ['30m', 1_800_000],
  ['24h', 86_400_000],
  ['90d', 7_776_000_000],
  [1, 1000],
  ['36500d', 3_153_600_000_000],
])('%j is %d ms', (value, ms) => {
  expect(parseDuration(value, 'overlap')).toBe(ms)
})

test.each([undefined, null, '', '15', '1.5h', '-1s', '1w', ' 1s', 1.5, Number.NaN, {}])(
  '%j is no duration',
  (value) => {
    expect(() => parseDuration(value, 'overlap')).toThrow(/^overlap must be a duration like '15s'/)
  },
)

test('what is too short or too long is refused, and the message names the bounds', () => {
  expect(() => parseDuration('0s', 'overlap')).toThrow('overlap must be between 1s and 36500d')
  expect(() => parseDuration('36501d', 'overlap')).toThrow('overlap must be between 1s and 36500d')
  expect(() => parseDuration(-1, 'overlap', 0)).toThrow('overlap must be between zero and 36500d')
  expect(parseDuration('0s', 'overlap', 0)).toBe(0)
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
