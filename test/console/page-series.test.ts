import { expect, test } from 'vitest'
import { axisEnd, fillDays, sparkPath } from '../../console/page/parts/series.js'

test('fills days without uses, in UTC, with today last', () => {
  const now = Date.parse('2026-03-01T00:30:00Z')
  expect(fillDays([{ day: '2026-02-28', count: 7 }], 3, now)).toEqual([
    { day: '2026-02-27', count: 0 },
    { day: '2026-02-28', count: 7 },
    { day: '2026-03-01', count: 0 },
  ])
})

test.each([
  [0, 2],
  [1, 2],
  [3, 4],
  [7, 8],
  [10, 10],
  [13, 20],
  [99, 100],
  [1001, 2000],
])('an axis for at most %i uses ends at %i', (highest, end) => {
  expect(axisEnd(highest)).toBe(end)
})

test('draws a bar for each day with uses, none for a day without, and a visible one for a single use among many', () => {
  expect(sparkPath([0, 1, 1000], 3, 20)).toBe('M4.5 20V18M7.5 20V0')
  expect(sparkPath([0, 0], 3, 20)).toBe('')
})
