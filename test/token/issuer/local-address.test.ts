import { expect, test } from 'vitest'
import { isLinkLocal, isLoopback } from '../../../src/token/issuer/local-address.js'

test.each([
  ['http://localhost.', true],
  ['http://LOCALHOST', true],
  ['http://2130706433', true],
  ['http://0x7f.1', true],
  ['http://0.0.0.0', true],
  ['http://[::]', true],
  ['http://[::ffff:127.0.0.1]', true],
  ['http://[::ffff:127.255.0.0]', true],
  ['http://[0:0:0:0:0:0:0:1]', true],
  ['http://localhost.example', false],
  ['http://128.0.0.1', false],
  ['http://[::ffff:8.8.8.8]', false],
  // Their halves are written 7f0 and 7f: what begins like 127/8 need not be in it.
  ['http://[::ffff:7.240.0.1]', false],
  ['http://[::ffff:0.127.0.1]', false],
  ['http://[::ffff:7fff]', false],
  ['http://notlocalhost', false],
])('isLoopback(%s) is %s', (url, expected) => {
  expect(isLoopback(new URL(url))).toBe(expected)
})

test.each([
  ['http://169.254.169.254', true],
  ['http://169.254.0.0.', true],
  ['http://2852039166', true],
  ['http://0xa9fea9fe', true],
  ['http://0251.0376.1', true],
  ['http://169.254.43518', true],
  ['http://１６９.254.1.1', true],
  ['http://[fe80::1]', true],
  ['http://[FE80:0:0::1]', true],
  ['http://[febf:ffff::1]', true],
  ['http://[::ffff:169.254.169.254]', true],
  ['http://[0:0:0:0:0:ffff:a9fe:0]', true],
  ['http://[::169.254.169.254]', true],
  ['http://[::ffff:0:169.254.169.254]', true],
  ['http://[64:ff9b::169.254.169.254]', true],
  ['http://169.253.255.255', false],
  ['http://169.255.0.0', false],
  ['http://168.254.1.1', false],
  ['http://169.254.1.1.example', false],
  ['http://[fec0::1]', false],
  ['http://[fe7f::1]', false],
  ['http://[fe8::1]', false],
  ['http://[2001:db8::a9fe:1]', false],
  ['http://[::ffff:8.8.8.8]', false],
  ['http://fe80.example', false],
])('isLinkLocal(%s) is %s', (url, expected) => {
  expect(isLinkLocal(new URL(url))).toBe(expected)
})
