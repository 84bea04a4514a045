import { describe, expect, test } from 'vitest'
import { nameOf } from '../../console/page/parts/key-name.js'

const HINT = 'vak_live_4dcF0m3vXq2T'

describe('what a key is called', () => {
  test.each(['Nightly', '⠿', 'مفتاح', '🗝️'])('is its name: %s', (name) => {
    expect(nameOf({ name, hint: HINT })).toBe(name)
  })

  test.each([
    ['no name', null],
    ['blanks', '  \u00a0'],
    ['marks of direction', '\u202e\u200f'],
    ['Hangul fillers', '\u3164\u115f\u1160\uffa0'],
    ['a Braille pattern without dots', '\u2800'],
    ['variation selectors and tags', '\ufe0f\u{e0041}'],
  ])('is its hint where the name shows nothing: %s', (_, name) => {
    expect(nameOf({ name, hint: HINT })).toBe(HINT)
  })
})
