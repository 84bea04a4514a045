import { describe, expect, test } from 'vitest'
import { MAX_CREDENTIAL_BYTES, parseAuthorization } from '../../src/core/credentials.js'
import { readVectors } from '../support/vectors.js'

/** Authorization header lines, and what they hold. */
interface Vector {
  lines: string | string[]
  kind: 'none' | 'repeated' | 'malformed' | 'bearer'
  token?: string
}

test.each(readVectors<Vector>('authorization'))('$lines is $kind', ({ lines, kind, token }) => {
  expect(parseAuthorization(lines)).toEqual(token === undefined ? { kind } : { kind, token })
})

test('finds no credential where there is no header', () => {
  expect(parseAuthorization(undefined)).toEqual({ kind: 'none' })
  expect(parseAuthorization([])).toEqual({ kind: 'none' })
})

describe('the length of a credential', () => {
  const longest = 'x'.repeat(MAX_CREDENTIAL_BYTES)

  test('is 8192 bytes at most', () => {
    expect(MAX_CREDENTIAL_BYTES).toBe(8192)
    expect(parseAuthorization(`Bearer ${longest}`)).toEqual({ kind: 'bearer', token: longest })
    expect(parseAuthorization(`Bearer ${longest}x`)).toEqual({ kind: 'malformed' })
  })

  test('does not count the spaces before it', () => {
    expect(parseAuthorization(`Bearer${' '.repeat(1000)}${longest}`)).toEqual({ kind: 'bearer', token: longest })
  })
})

test('takes every spelling of the scheme by capitals alone', () => {
  for (let mask = 0; mask < 64; mask++) {
    const scheme = [...'bearer'].map((letter, i) => (mask & (1 << i) ? letter.toUpperCase() : letter)).join('')
    expect(parseAuthorization(`${scheme} t`)).toEqual({ kind: 'bearer', token: 't' })
  }
})
