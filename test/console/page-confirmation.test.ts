import { expect, test } from 'vitest'
import { confirms } from '../../console/page/confirmation.js'

const id = 'Cvr9ZyvaWKKY'

test.each([
  ['the name', 'CI runner', 'CI runner', true],
  ['the name with spaces around', ' CI runner ', 'CI runner', true],
  ['the last four characters of the id', 'WKKY', 'CI runner', true],
  ['the last four characters of a key without a name', 'WKKY', null, true],
  ['the name in another case', 'ci runner', 'CI runner', false],
  ['the last four in another case', 'wkky', null, false],
  ['less than four characters', 'KKY', null, false],
  ['part of the name', 'CI', 'CI runner', false],
  ['nothing', '', 'CI runner', false],
  ['spaces, for a key whose name is spaces', '  ', '  ', false],
  ['the word null, for a key without a name', 'null', null, false],
  ['a composed letter for a decomposed one', 'caf\u00e9', 'cafe\u0301', true],
])('%s', (_what, typed, name, expected) => {
  expect(confirms(typed, { id, name })).toBe(expected)
})
