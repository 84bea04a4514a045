import { expect, test } from 'vitest'
import { isLoopback } from '../../../src/token/issuer/loopback.js'

test.each([
  ['http://localhost.', true],
  ['http://LOCALHOST', true],
  ['http://2130706433', true],
  ['http://0x7f.1', true],
  ['http://0.0.0.0', true],
  ['http://[::]', true],
  ['http://[::ffff:127.0.0.1]', true],
  ['http://[0:0:0:0:0:0:0:1]', true],
  ['http://localhost.example', false],
  ['http://128.0.0.1', false],
  ['http://[::ffff:8.8.8.8]', false],
  ['http://notlocalhost', false],
])('isLoopback(%s) is %s', (url, expected) => {
  expect(isLoopback(new URL(url))).toBe(expected)
})
