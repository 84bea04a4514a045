import { expect, test } from 'vitest'
import { formatChoice } from '../../src/core/choice.js'

test('alternatives are written as an English sentence has them', () => {
  expect(formatChoice(['a'])).toBe('a')
  expect(formatChoice(['a', 'b'])).toBe('a or b')
  expect(formatChoice(['a', 'b', 'c'])).toBe('a, b, or c')
})
