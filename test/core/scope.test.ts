import { describe, expect, test } from 'vitest'
import {
  checkScopes,
  createScopeReader,
  DOCUMENTED_SCOPES,
  grantsAll,
  grantsAny,
  hasScope,
  isScopeToken,
  parseScopeClaim,
  type Scope,
} from '../../src/core/scope.js'

const of = (...scopes: string[]) => ({ scopes })

test('has the eight scopes of the documentation, in its order', () => {
  expect(DOCUMENTED_SCOPES).toEqual([
    'jobs:read',
    'jobs:write',
    'clusters:read',
    'clusters:write',
    'storage:read',
    'storage:write',
    'teams:read',
    'teams:write',
  ])
  expect(Object.isFrozen(DOCUMENTED_SCOPES)).toBe(true)
})

describe('hasScope', () => {
  test('is true when all scopes are granted, and only then', () => {
    const auth = of('jobs:read', 'clusters:read')
    expect(hasScope(auth, 'jobs:read')).toBe(true)
    expect(hasScope(auth, 'clusters:read', 'jobs:read')).toBe(true)
    expect(hasScope(auth, 'jobs:read', 'jobs:write')).toBe(false)
    expect(hasScope(of(), 'jobs:read')).toBe(false)
  })

  test.each([
    ['jobs:write', 'jobs:read'],
    ['jobs:read', 'jobs:write'],
    ['jobs', 'jobs:read'],
    ['jobs:read:all', 'jobs:read'],
    ['jobs:*', 'jobs:read'],
    ['*', 'jobs:read'],
    ['JOBS:READ', 'jobs:read'],
    ['jobs:read ', 'jobs:read'],
    ['jobs:read jobs:write', 'jobs:read'],
  ] as [string, Scope][])('%j does not grant %j', (granted, required) => {
    expect(hasScope(of(granted), required)).toBe(false)
  })

  test.each<[string, unknown[]]>([
    ['none', []],
    ['an empty string', ['']],
    ['a space', ['jobs:read jobs:write']],
    ['a comma', ['jobs:read,jobs:write']],
    ['a quote', ['jobs:"read"']],
    ['a backslash', ['jobs\\read']],
    ['a control character', ['jobs:read\n']],
    ['a letter outside ASCII', ['jobs:réad']],
    ['an array', [['jobs:read']]],
    ['a number', [1]],
    ['undefined', [undefined]],
    ['null', [null]],
    ['a good one and a wrong one', ['jobs:read', '']],
    ['a symbol', [Symbol('jobs:read')]],
  ])('throws a TypeError for %s', (_, scopes) => {
    expect(() => hasScope(of('jobs:read', ''), ...(scopes as [Scope]))).toThrow(TypeError)
    expect(() => hasScope(of('jobs:read', ''), ...(scopes as [Scope]))).toThrow(/^hasScope\(\) (needs|takes)/)
  })

  test('is not led astray by names of properties', () => {
    for (const name of ['__proto__', 'constructor', 'length', 'toString']) {
      expect(hasScope(of('jobs:read'), name as Scope)).toBe(false)
      expect(hasScope(of(name), name as Scope)).toBe(true)
    }
  })
})

test('grants all, or any, of the required scopes', () => {
  expect(grantsAll(['a', 'b'], ['b', 'a'])).toBe(true)
  expect(grantsAll(['a'], ['a', 'b'])).toBe(false)
  expect(grantsAny(['a'], ['b', 'a'])).toBe(true)
  expect(grantsAny(['c'], ['a', 'b'])).toBe(false)
  expect(grantsAny([], ['a'])).toBe(false)
})

describe('checkScopes', () => {
  test('returns a frozen copy', () => {
    const given = ['jobs:read', 'jobs:write']
    const checked = checkScopes('requireScope', given)
    given[0] = 'teams:write'
    expect(checked).toEqual(['jobs:read', 'jobs:write'])
    expect(Object.isFrozen(checked)).toBe(true)
  })

  test('names the caller and the cure', () => {
    expect(() => checkScopes('requireScope', [])).toThrow(
      "requireScope() needs at least one scope, for example requireScope('jobs:read')",
    )
    expect(() => checkScopes('requireScope', [['a', 'b']])).toThrow(/as separate arguments, not as an array/)
    expect(() => checkScopes('requireAnyScope', ['a b'])).toThrow(/^requireAnyScope\(\) takes scope tokens .*not "a b"/)
    expect(() => checkScopes('requireScope', [undefined])).toThrow(/not undefined/)
  })
})

test('takes as a scope token what RFC 6749 §3.3 does, less the comma', () => {
  const taken = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter(isScopeToken)
  const expected = Array.from({ length: 0x7e - 0x20 }, (_, n) => String.fromCharCode(0x21 + n))
  expect(taken).toEqual(expected.filter((character) => !'",\\'.includes(character)))
  for (const value of ['', 'a b', 1, null, undefined, ['a'], {}]) expect(isScopeToken(value)).toBe(false)
})

describe('parseScopeClaim', () => {
  test.each<[unknown, string[]]>([
    ['', []],
    [' , ', []],
    ['a', ['a']],
    ['a b', ['a', 'b']],
    ['a,b', ['a', 'b']],
    ['a, b ,c', ['a', 'b', 'c']],
    ['b a b', ['b', 'a']],
    ['a\tb', ['a\tb']],
    [[], []],
    [
      ['a', 'b', 'a'],
      ['a', 'b'],
    ],
    [
      ['a b', 'c,d'],
      ['a b', 'c,d'],
    ],
    ['__proto__ constructor', ['__proto__', 'constructor']],
  ])('reads %j as %j', (claim, scopes) => {
    expect(parseScopeClaim(claim)).toEqual(scopes)
    expect(Object.isFrozen(parseScopeClaim(claim))).toBe(true)
  })

  test.each<[unknown, string[]]>([
    ['a b', ['a', 'b']],
    ['x,a', ['x,a']],
    [' x,a  b, ,', ['x,a', 'b,', ',']],
    [
      ['x,a', 'b c'],
      ['x,a', 'b c'],
    ],
  ])('reads %j as %j where spaces alone separate', (claim, scopes) => {
    expect(parseScopeClaim(claim, 'space')).toEqual(scopes)
  })

  test.each([undefined, null, 1, true, {}, { 0: 'a', length: 1 }, [1], ['a', null], [['a']], [undefined]])(
    'does not read %j',
    (claim) => {
      expect(parseScopeClaim(claim)).toBeUndefined()
    },
  )
})

describe('createScopeReader', () => {
  const counted = () => {
    const texts: string[] = []
    const read = createScopeReader((text) => {
      texts.push(text)
      return parseScopeClaim(text)
    })
    return { texts, read }
  }

  test('reads a text once, and shares its list', () => {
    const { texts, read } = counted()
    expect(read('a b')).toEqual(['a', 'b'])
    expect(read('a b')).toBe(read('a b'))
    expect(read('a,b')).toEqual(['a', 'b'])
    expect(read('__proto__')).toEqual(['__proto__'])
    expect(texts).toEqual(['a b', 'a,b', '__proto__'])
  })

  test('keeps no long text, and a thousand at most', () => {
    const { texts, read } = counted()
    for (const text of ['x'.repeat(256), 'x'.repeat(256), 'y'.repeat(257), 'y'.repeat(257)]) read(text)
    expect(texts.map(({ length }) => length)).toEqual([256, 257, 257])
    for (let n = 0; n < 999; n++) read(String(n))
    read('0')
    expect(texts).toHaveLength(1002)
    read('one more')
    read('0')
    expect(texts).toHaveLength(1004)
  })
})
