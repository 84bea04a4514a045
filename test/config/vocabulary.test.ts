import { expect, test } from 'vitest'
import { checkVocabulary, environmentScopes, readVocabulary } from '../../src/config/vocabulary.js'
import { DOCUMENTED_SCOPES } from '../../src/core/scope.js'

test('VANTAGE_SCOPES lists further scopes', () => {
  expect(environmentScopes({ VANTAGE_SCOPES: 'a:b, c  d' })).toEqual(['a:b', 'c', 'd'])
  expect(environmentScopes({})).toEqual([])
  expect(() => environmentScopes({ VANTAGE_SCOPES: 'a"b' })).toThrow(/^VANTAGE_SCOPES/)
})

test('the vocabulary is the documented scopes and those that are added, once each', () => {
  expect(readVocabulary()).toEqual(DOCUMENTED_SCOPES)
  expect(readVocabulary(['jobs:read', 'own:one', 'own:one'])).toEqual([...DOCUMENTED_SCOPES, 'own:one'])
  expect(() => readVocabulary(['two words'])).toThrow(/^scopes must hold scope tokens .* not "two words"/)
  expect(() => readVocabulary('own:one' as never)).toThrow(/^scopes must be a list of scopes/)
})

test('the scopes of a key are known ones, at least one, without duplicates and in their order', () => {
  expect(checkVocabulary(['b', 'a', 'b'], ['a', 'b'], 'scopes')).toEqual(['b', 'a'])
  expect(() => checkVocabulary([], ['a', 'b'], 'scopes')).toThrow('scopes must name at least one scope; valid are a, b')
  expect(() => checkVocabulary(['c'], ['a', 'b'], 'scopes')).toThrow(
    'scopes must be known scopes, not "c"; valid are a, b',
  )
})
