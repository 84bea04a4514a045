import { expect, test } from 'vitest'
import { type Challenge, formatChallenge } from '../../src/core/challenge.js'

test.each<[Challenge, string]>([
  [{ realm: 'vantage' }, 'Bearer realm="vantage"'],
  [{ realm: "it's a realm" }, 'Bearer realm="it\'s a realm"'],
  [{ realm: 'r', error: 'invalid_token' }, 'Bearer realm="r", error="invalid_token"'],
  [
    { realm: 'r', error: 'invalid_token', description: 'It is wrong' },
    'Bearer realm="r", error="invalid_token", error_description="It is wrong"',
  ],
  [
    { realm: 'r', error: 'insufficient_scope', description: 'More', scope: ['b', 'a'] },
    'Bearer realm="r", error="insufficient_scope", error_description="More", scope="b a"',
  ],
  [
    { scope: ['a'], description: 'd', error: 'e', realm: 'r' },
    'Bearer realm="r", error="e", error_description="d", scope="a"',
  ],
])('%j is written as %s', (challenge, header) => {
  expect(formatChallenge(challenge)).toBe(header)
})
