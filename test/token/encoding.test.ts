import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isCanonicalBase64url, MAX_TOKEN_BYTES } from '../../src/token/encoding.js'

/** RFC 4648 §5, character by character: the alphabet, no length of 4n + 1, and spare bits of zero. */
function isCanonical(text: string): boolean {
  const last = text.slice(-1)
  const spare = text.length % 4
  if (!/^[A-Za-z0-9_-]*$/.test(text) || spare === 1) return false
  return spare === 0 || (spare === 2 ? 'AQgw' : 'AEIMQUYcgkosw048').includes(last)
}

const unit = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...'AQgwEIMUYckos048bZz9-_') },
  // What a decoder may take for one of those: the other alphabet, padding, white space, and the same low byte.
  {
    weight: 1,
    arbitrary: fc.constantFrom('+', '/', '=', '.', ' ', '\n', '\0', 'Á', '\u0141', '\u{1F600}', '\uFF21', '\uD800'),
  },
)

test('base64url is canonical as RFC 4648 has it, and in no other spelling', () => {
  const found = { true: 0, false: 0 }
  const texts = fc.array(unit, { maxLength: 24 }).map((units) => units.join(''))
  for (const text of fc.sample(texts, { seed: 20_261_130, numRuns: 20_000 })) {
    expect(isCanonicalBase64url(text), JSON.stringify(text)).toBe(isCanonical(text))
    found[`${isCanonical(text)}`]++
  }
  expect(Math.min(found.true, found.false)).toBeGreaterThan(2000)
})

test('what decodes to more bytes than the longest token has is refused', () => {
  const longest = 'AAAA'.repeat(MAX_TOKEN_BYTES / 3)
  expect(isCanonicalBase64url(longest)).toBe(true)
  expect(isCanonicalBase64url(`${longest}AAAA`)).toBe(false)
  expect(isCanonicalBase64url(longest.repeat(2))).toBe(false)
})
