import { afterEach, expect, test, vi } from 'vitest'
import { checkVocabulary, isScope, readVocabulary } from '../../src/config/vocabulary.js'
import { DOCUMENTED_SCOPES } from '../../src/core/scope.js'

afterEach(() => void vi.unstubAllEnvs())

test('VANTAGE_SCOPES lists further scopes', () => {
  expect(readVocabulary({}, { VANTAGE_SCOPES: 'a:b, c  d' })).toEqual([...DOCUMENTED_SCOPES, 'a:b', 'c', 'd'])
  expect(readVocabulary({}, {})).toEqual(DOCUMENTED_SCOPES)
  expect(() => readVocabulary({}, { VANTAGE_SCOPES: 'a"b' })).toThrow(/^VANTAGE_SCOPES/)
})

test('the vocabulary is the documented scopes and those that are added, once each', () => {
  expect(readVocabulary()).toEqual(DOCUMENTED_SCOPES)
  expect(readVocabulary({ scopes: ['jobs:read', 'own:one', 'own:one'] })).toEqual([...DOCUMENTED_SCOPES, 'own:one'])
  expect(() => readVocabulary({ scopes: ['two words'] })).toThrow(/^scopes must hold scope tokens .* not "two words"/)
  expect(() => readVocabulary({ scopes: 'own:one' as never })).toThrow(/^scopes must be a list of scopes/)
})

test.each(['false', '0', ' false '])('VANTAGE_DOCUMENTED_SCOPES=%s takes the documented scopes out', (text) => {
  const env = { VANTAGE_DOCUMENTED_SCOPES: text, VANTAGE_SCOPES: 'a:b' }
  expect(readVocabulary({}, env)).toEqual(['a:b'])
  expect(readVocabulary({ scopes: ['jobs:read'] }, env)).toEqual(['jobs:read'])
  expect(readVocabulary({ documentedScopes: true }, env)).toEqual([...DOCUMENTED_SCOPES, 'a:b'])
})

test.each([undefined, '', 'true', '1'])('VANTAGE_DOCUMENTED_SCOPES=%s leaves them in', (text) => {
  expect(readVocabulary({}, { VANTAGE_DOCUMENTED_SCOPES: text })).toEqual(DOCUMENTED_SCOPES)
})

test.each([
  [
    'an unknown word',
    {},
    { VANTAGE_DOCUMENTED_SCOPES: 'no' },
    /^VANTAGE_DOCUMENTED_SCOPES must be true, 1, false or 0$/,
  ],
  ['no scope by variable', {}, { VANTAGE_DOCUMENTED_SCOPES: '0' }, /^VANTAGE_DOCUMENTED_SCOPES .* leaves none; name/],
  ['no scope by option', { documentedScopes: false }, {}, /^documentedScopes .* name your own in the option scopes or/],
  ['an empty list', { documentedScopes: false, scopes: [] }, { VANTAGE_SCOPES: 'a:b' }, /^documentedScopes .* leaves/],
])('%s is refused', (_, options, env, message) => {
  expect(() => readVocabulary(options, env)).toThrow(TypeError)
  expect(() => readVocabulary(options, env)).toThrow(message)
})

test('isScope tells scopes of the vocabulary from other texts', () => {
  expect(isScope('jobs:read')).toBe(true)
  expect(['jobs:raed', '', 'toString', undefined, ['jobs:read']].filter(isScope)).toEqual([])
  expect(isScope('reports:read')).toBe(false)
  expect(isScope('reports:read', { scopes: ['reports:read'] })).toBe(true)
  expect(isScope('jobs:read', { scopes: ['reports:read'], documentedScopes: false })).toBe(false)
  vi.stubEnv('VANTAGE_SCOPES', 'reports:read')
  vi.stubEnv('VANTAGE_DOCUMENTED_SCOPES', 'false')
  expect(['reports:read', 'jobs:read'].filter(isScope)).toEqual(['reports:read'])
  expect(() => isScope('jobs:read', { documented: false } as never)).toThrow(/^unknown option of isScope\(\)/)
})

test('the scopes of a key are known ones, at least one, without duplicates and in their order', () => {
  expect(checkVocabulary(['b', 'a', 'b'], ['a', 'b'], 'scopes')).toEqual(['b', 'a'])
  expect(() => checkVocabulary([], ['a', 'b'], 'scopes')).toThrow('scopes must name at least one scope; valid are a, b')
  expect(() => checkVocabulary(['c'], ['a', 'b'], 'scopes')).toThrow(
    'scopes must be known scopes, not "c"; valid are a, b',
  )
})
