import { expect, test } from 'vitest'
import { toJson } from '../../src/cli/json.js'

const OBEYED = [
  '\u0007',
  '\u001b[2J',
  '\u007f',
  '\u0080',
  '\u009b2J',
  '\u009f',
  '\u00ad',
  '\u200b',
  '\u202e',
  '\u2028',
  '\u2029',
  '\ufeff',
  '\u{e0041}',
]

test.each(OBEYED)('JSON shows a terminal no %j, and says the same', (character) => {
  const value = { [`a${character}`]: [`${character}b${character}`] }
  for (const indent of [undefined, 2]) {
    const json = toJson(value, indent)
    expect(json.replaceAll('\n', '')).toMatch(/^[\x20-\x7e]*$/)
    expect(JSON.parse(json)).toEqual(value)
  }
})

test('JSON leaves all other characters as they are', () => {
  const value = { name: 'Zoë "日本" 😀 \\u202e é' }
  expect(toJson(value)).toBe(JSON.stringify(value))
})
