import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createOutageNotices, type OutageNotices } from '../../src/core/outage-notices.js'
import { createStoreNotices } from '../../src/verifier/store-notices.js'
import { createOwnStore } from '../support/stored-keys.js'

let now: number
let lines: string[]
let notices: OutageNotices

beforeEach(() => {
  now = 1000
  lines = []
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  notices = createOutageNotices((line) => lines.push(line))
})
afterEach(() => {
  notices.close()
  vi.restoreAllMocks()
})

const label = 'postgres://svc@db.example:5432/keys'
const configured = () => createStoreNotices(notices, { store: createOwnStore(), owned: true, label })
const gone = new Error('gone')

describe('a change feed', () => {
  test('that is down for ten seconds is told of, and when it is back', () => {
    const { noteFeed } = configured()
    noteFeed(true)
    noteFeed(false)
    now += 9999
    noteFeed(false)
    expect(lines).toEqual([])
    now += 1
    noteFeed(false)
    noteFeed(true)
    expect(lines).toEqual([
      expect.stringMatching(
        /^change feed of the key store postgres:\/\/svc@db\.example:5432\/keys failed: changes are not heard/,
      ),
      expect.stringMatching(/ is back after /),
    ])
  })

  test('that comes back within ten seconds is not told of', () => {
    const { noteFeed } = configured()
    for (let i = 0; i < 10; i++) {
      noteFeed(false)
      now += 9000
      noteFeed(true)
    }
    expect(lines).toEqual([])
  })

  test('is no outage of its own while look-ups fail, and has ten seconds after them', () => {
    const { noteFeed, lookUps } = configured()
    lookUps.failed(gone)
    for (let i = 0; i < 5; i++) {
      noteFeed(false)
      now += 10_000
    }
    lookUps.answered()
    noteFeed(false)
    now += 9000
    noteFeed(false)
    expect(lines).toEqual([`key store ${label} failed: gone`, `key store ${label} is back after 50 s`])
  })
})

describe('the writing of usage', () => {
  test('that fails twice while look-ups succeed is told of', () => {
    const { usage } = configured()
    usage.failed(gone)
    expect(lines).toEqual([])
    usage.failed(gone)
    usage.answered()
    expect(lines).toEqual([
      `writing of usage to the key store ${label} failed: gone`,
      expect.stringMatching(/ is back after /),
    ])
  })

  test('that fails now and then, or in an outage of the store, is not told of', () => {
    const { usage, lookUps } = configured()
    for (let i = 0; i < 3; i++) {
      usage.failed(gone)
      usage.answered()
    }
    lookUps.failed(gone)
    for (let i = 0; i < 3; i++) usage.failed(gone)
    expect(lines).toEqual([`key store ${label} failed: gone`])
  })
})

test('two stores of an application that say the same of themselves are two; one store is one', () => {
  const [one, two] = [createOwnStore(), createOwnStore()]
  for (const store of [one, two, one]) {
    createStoreNotices(notices, { store, owned: false, label: 'a KeyStore of the application' }).lookUps.failed(gone)
  }
  expect(lines).toEqual(Array(2).fill('key store of the application failed: gone'))
})
