import { afterEach, expect, test, vi } from 'vitest'
import { createOutageNotices } from '../../src/core/outage-notices.js'
import { createResolverNotices, type ResolverNotices } from '../../src/verifier/resolver-notices.js'

let notices: ResolverNotices | undefined
const lines: string[] = []

function setUp(): ResolverNotices {
  lines.length = 0
  notices = createResolverNotices(() => createOutageNotices((line) => lines.push(line)))
  return notices
}

afterEach(() => {
  notices?.close()
  vi.restoreAllMocks()
})

const nameOf = (i: number) => `https://customer-${i}.example`
const DOWN = new Error('database is down')

test('each issuer has its own line, and is back by its own answer alone', () => {
  const { failed, answered } = setUp()
  failed(nameOf(1), DOWN)
  failed(nameOf(2), new TypeError('wrong entry'))
  failed(nameOf(1), DOWN)
  answered(nameOf(3))
  expect(lines).toEqual([
    'resolveIssuer of the application, asked for https://customer-1.example, failed: database is down',
    'resolveIssuer of the application, asked for https://customer-2.example, failed: wrong entry',
  ])
  answered(nameOf(2))
  expect(lines.slice(2)).toEqual([
    expect.stringMatching(/^resolveIssuer of the application, asked for https:\/\/customer-2\.example, is back after /),
  ])
})

test('the error names the issuer, and keeps what the application threw', () => {
  const error = setUp().failed(nameOf(1), DOWN)
  expect(error.message).toBe('resolveIssuer, asked for https://customer-1.example: database is down')
  expect(error.cause).toBe(DOWN)
})

test('a flood of invented issuers writes no more than 20 lines, until those are quiet for a minute', () => {
  const { failed } = setUp()
  const start = performance.now()
  const now = vi.spyOn(performance, 'now').mockReturnValue(start)
  for (let i = 0; i < 500; i++) failed(nameOf(i), DOWN)
  expect(lines).toHaveLength(20)
  now.mockReturnValue(start + 61_000)
  failed(nameOf(600), DOWN)
  expect(lines).toHaveLength(21)
})

test('shows no key that stands in a name', () => {
  const key = `vak_live_${'a'.repeat(50)}`
  const error = setUp().failed(`https://a.example/${key}`, DOWN)
  expect(lines.join() + error.message).not.toContain(key)
})
