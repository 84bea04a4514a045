import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  apiKeyHint,
  containsApiKey,
  digestApiKey,
  fingerprint,
  generateApiKey,
  idOf,
  KEY_PREFIXES,
  looksLikeApiKey,
  parseApiKey,
} from '../../src/api-key/format.js'
import { ENVIRONMENTS } from '../../src/core/environments.js'
import { readVectors } from '../support/vectors.js'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** What scanners of source code are told to look for. */
const SCANNER = /\bvak_(?:live|test)_[0-9A-Za-z]{61}\b/g
const VECTOR = 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8'

/** The checksum written once more, by long division from the left. */
function checksumOf(body: string): string {
  const crc = crc32(body)
  return [5, 4, 3, 2, 1, 0].map((place) => BASE62[Math.floor(crc / 62 ** place) % 62]).join('')
}

/** A key with a right checksum, whatever else is in it. */
const keyWith = (body: string) => body + checksumOf(body)

describe('the published test vector', () => {
  test('parses', () => {
    expect(parseApiKey(VECTOR)).toEqual({ environment: 'live', id: 'Cvr9ZyvaWKKY' })
  })

  test('has the published checksum and digest', () => {
    expect(crc32(VECTOR.slice(0, 64)).toString(16)).toBe('3918661e')
    expect(checksumOf(VECTOR.slice(0, 64))).toBe(VECTOR.slice(64))
    expect(digestApiKey(VECTOR)).toBe('sha256:2770faefe2fae2272068d40851b4370a584864ebb56938a1c15ec0e6e5cc41a1')
  })
})

describe('the format', () => {
  test.each(readVectors<{ name: string; key: string; parsed: unknown }>('api-keys'))('$name', ({ key, parsed }) => {
    expect(parseApiKey(key)).toEqual(parsed)
  })

  test('refuses every mistyped character, and every two that changed places', () => {
    for (let index = 9; index < VECTOR.length; index++) {
      const mistyped = [...BASE62].filter((other) => other !== VECTOR[index])
      const parsed = mistyped.map((other) => parseApiKey(VECTOR.slice(0, index) + other + VECTOR.slice(index + 1)))
      expect(new Set(parsed)).toEqual(new Set(['checksum']))
      const [a, b] = [VECTOR[index - 1], VECTOR[index]]
      if (index > 9 && a !== b) {
        expect(parseApiKey(VECTOR.slice(0, index - 1) + b + a + VECTOR.slice(index + 1))).toBe('checksum')
      }
    }
  })

  test('refuses every length but its own', () => {
    for (let length = 0; length < VECTOR.length; length++) {
      expect(parseApiKey(VECTOR.slice(0, length))).toBe('malformed')
    }
    expect(parseApiKey(`${VECTOR}0`)).toBe('malformed')
    expect(parseApiKey(VECTOR + VECTOR)).toBe('malformed')
  })

  test('pads a small checksum with zeros', () => {
    // 62^5 is a fifth of all checksums: such a body is soon found.
    for (let n = 0; ; n++) {
      const body = `vak_test_${String(n).padStart(55, '0')}`
      if (crc32(body) >= 62 ** 5) continue
      expect(checksumOf(body)[0]).toBe('0')
      expect(parseApiKey(keyWith(body))).toEqual({ environment: 'test', id: '000000000000' })
      break
    }
  })

  test.each([
    ['vak_live_', true],
    ['vak_', true],
    [VECTOR, true],
    ['VAK_live_', false],
    [' vak_live_', false],
    ['vak-live-', false],
    ['eyJhbGciOiJFUzI1NiJ9.e30.', false],
    ['', false],
  ])('%s claims to be a key: %s', (text, claims) => {
    expect(looksLikeApiKey(text)).toBe(claims)
  })

  test('is found by the scanner pattern in text, and nothing shorter or longer is', () => {
    expect(`Authorization: Bearer ${VECTOR}\n`.match(SCANNER)).toEqual([VECTOR])
    expect(`{"key":"${VECTOR}","x":1}`.match(SCANNER)).toEqual([VECTOR])
    expect(`${VECTOR}x`.match(SCANNER)).toBeNull()
    expect(VECTOR.slice(0, -1).match(SCANNER)).toBeNull()
    expect(`x${VECTOR}`.match(SCANNER)).toBeNull()
  })

  test('shows no more than its id in a hint', () => {
    expect(apiKeyHint('live', 'Cvr9ZyvaWKKY')).toBe('vak_live_Cvr9ZyvaWKKY…')
  })
})

describe('a generated key', () => {
  const keys = Array.from({ length: 20_000 }, (_, n) => generateApiKey(n % 2 ? 'live' : 'test'))

  test('is of its format, and carries its id and environment', () => {
    const wrong = keys.filter(({ key, id }, n) => {
      const environment = n % 2 ? 'live' : 'test'
      const parsed = parseApiKey(key)
      const read = typeof parsed !== 'string' && parsed.id === id && parsed.environment === environment
      return !(read && key.startsWith(`vak_${environment}_${id}`) && key.match(SCANNER)?.[0] === key)
    })
    expect(wrong).toEqual([])
  })

  test('is never generated twice', () => {
    expect(new Set(keys.map(({ key }) => key)).size).toBe(keys.length)
    expect(new Set(keys.map(({ id }) => id)).size).toBe(keys.length)
    expect(new Set(keys.map(({ key }) => key.slice(21, 64))).size).toBe(keys.length)
  })

  test('has all characters alike, at every place', () => {
    // Chi-square with 61 degrees of freedom: 180 is passed once in 10^13 runs. Bytes taken modulo 62 without rejection
    // would make the first eight characters a quarter more frequent, and the sum of all places 7 000.
    const CRITICAL = 180
    const places = Array.from({ length: 55 }, (_, place) => keys.map(({ key }) => key[9 + place] as string))
    for (const place of places) expect(chiSquare(place)).toBeLessThan(CRITICAL)
    expect(chiSquare(places.flat())).toBeLessThan(CRITICAL)

    const biased = Array.from({ length: places.flat().length }, (_, n) => BASE62[(n % 256) % 62] as string)
    expect(chiSquare(biased)).toBeGreaterThan(7000)
  })

  test('says nothing of its secret by its id', () => {
    const same = keys.filter(({ key, id }) => key.slice(21, 64).includes(id.slice(0, 4)))
    expect(same.length).toBeLessThan(20)
  })

  function chiSquare(characters: string[]): number {
    const counts = new Map([...BASE62].map((character) => [character, 0]))
    for (const character of characters) counts.set(character, (counts.get(character) as number) + 1)
    const expected = characters.length / 62
    return [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  }
})

test('digests as any other SHA-256 does', () => {
  for (const text of ['', 'a', VECTOR, 'é€😀', 'x'.repeat(8192)]) {
    const digest = createHash('sha256').update(text).digest()
    expect(digestApiKey(text)).toBe(`sha256:${digest.toString('hex')}`)
    expect(fingerprint(text)).toBe(digest.toString('latin1'))
  }
})

test.each(ENVIRONMENTS)('%s has keys of its own, whose prefix, id and environment are read back', (environment) => {
  const { id, key } = generateApiKey(environment)
  expect(KEY_PREFIXES.filter((prefix) => key.startsWith(prefix))).toEqual([`vak_${environment}_`])
  expect(parseApiKey(key)).toEqual({ environment, id })
  expect(idOf(key)).toBe(id)
})

describe('a text', () => {
  const body = VECTOR.slice('vak_live_'.length)
  const testBody = keyWith(`vak_test_${'a'.repeat(55)}`).slice('vak_test_'.length)

  test.each([
    ['a key', VECTOR],
    ['a key within words', `leaked ${VECTOR}, by ann`],
    ['a key with a wrong checksum', `${VECTOR.slice(0, -1)}0`],
    ['a key of the environment test', keyWith(`vak_test_${'a'.repeat(55)}`)],
    ['a key without its prefix', `key:${body}!`],
    ['a key without its prefix, of the environment test', testBody],
    ['a key without its prefix among other letters', `abc${body}xyz`],
    ['a second key without its prefix', `${'x'.repeat(61)} ${body}`],
  ])('contains %s', (_, text) => {
    expect(containsApiKey(text)).toBe(true)
  })

  test.each([
    ['its id', 'Cvr9ZyvaWKKY'],
    ['its hint', apiKeyHint('live', 'Cvr9ZyvaWKKY')],
    ['a part of it', VECTOR.slice(0, -1)],
    ['61 letters and digits with another checksum', `${body.slice(0, -1)}0`],
    ['a hash', createHash('sha512').update(VECTOR).digest('hex')],
    ['8192 letters', 'x'.repeat(8192)],
  ])('contains no key when it has %s', (_, text) => {
    expect(containsApiKey(text)).toBe(false)
  })
})
