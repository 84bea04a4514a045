import { describe, expect, test, vi } from 'vitest'
import {
  ask,
  askNow,
  json,
  keyOf,
  MINUTE,
  old,
  SECOND,
  START,
  serve,
  settled,
  setUp,
  successor,
} from './issuer-world.js'

describe('freshness', () => {
  test('many first questions share one fetch', async () => {
    const { issuer, asked, metadataPath } = await setUp()
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(issuer)))
    expect(new Set(answers)).toEqual(new Set(['found']))
    expect(asked).toEqual([metadataPath, '/jwks'])
  })

  test('a set serves for 10 minutes, from 8 on with a refresh in the background', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    clock.now = START + 8 * MINUTE - 1
    expect(askNow(issuer)).toBe('found')
    await settled()
    expect(fetches()).toBe(1)
    clock.now = START + 8 * MINUTE
    expect(askNow(issuer)).toBe('found')
    expect(askNow(issuer)).toBe('found')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(fetches()).toBe(2)
    // The age of the new set counts from its own fetch.
    clock.now = START + 16 * MINUTE - 1
    expect(askNow(issuer)).toBe('found')
    await settled()
    expect(fetches()).toBe(2)
  })

  test('what a cache serves starts the refresh too', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    clock.now = START + 8 * MINUTE - 1
    expect(serve(issuer, key, clock)).toBe('fresh')
    await settled()
    expect(fetches()).toBe(1)
    clock.now = START + 8 * MINUTE
    expect(serve(issuer, key, clock)).toBe('fresh')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(serve(issuer, key, clock)).toBe('fresh')
  })

  test('the question whether it serves starts no fetch', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    clock.now = START + 9 * MINUTE
    expect(issuer.serves(key, clock.now)).toBe('fresh')
    await settled()
    expect(fetches()).toBe(1)
    issuer.refreshIfDue(clock.now)
    issuer.refreshIfDue(clock.now)
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(fetches()).toBe(2)
  })

  test('a refresh in the background is for a set that still serves: an older one is fetched by who needs it', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    clock.now = START + 10 * MINUTE
    issuer.refreshIfDue(clock.now)
    await settled()
    expect(fetches()).toBe(1)
  })

  test('a set of 10 minutes is not served unasked: a withdrawn key is found out', async () => {
    const { issuer, clock, keys } = await setUp()
    const key = await keyOf(issuer)
    keys(successor)
    clock.now = START + 10 * MINUTE - 1
    expect(serve(issuer, key, clock)).toBe('fresh')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(serve(issuer, key, clock)).toBe(false)
    clock.now += 10 * MINUTE
    const [found] = await issuer.keysFor('ES256', 'new')
    expect(found && serve(issuer, found, clock)).toBe('fresh')
  })

  test('after 10 minutes the next question waits for the fetch', async () => {
    const { issuer, clock, keys } = await setUp()
    const key = await keyOf(issuer)
    keys(successor)
    clock.now = START + 10 * MINUTE
    expect(serve(issuer, key, clock)).toBe(false)
    expect(() => askNow(issuer)).toThrow('waited for')
    expect(await ask(issuer, 'new')).toBe('found')
  })

  test('an empty set withdraws nothing: what the last keys verified is served until they are too old', async () => {
    const { issuer, clock, keys, ended, fetches } = await setUp()
    const key = await keyOf(issuer)
    keys()
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    await ended(2)
    expect(serve(issuer, key, clock)).toBe('stale')
    // It backs off, like from any failed fetch.
    expect(askNow(issuer)).toBe('found')
    expect(fetches()).toBe(2)
    clock.now = START + 60 * MINUTE
    expect(serve(issuer, key, clock)).toBe(false)
    expect(await ask(issuer)).toMatch('unavailable')
    clock.now += MINUTE
    keys(old)
    expect(await ask(issuer)).toBe('found')
  })

  test('a withdrawn key ends what it verified, a kept one does not', async () => {
    const { issuer, clock, keys } = await setUp()
    keys(old, successor)
    const [withdrawn, kept] = [await keyOf(issuer), (await issuer.keysFor('ES256', 'new'))[0] as never]
    keys(successor)
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer, 'new')).toBe('found')
    expect(serve(issuer, withdrawn, clock)).toBe(false)
    expect(serve(issuer, kept, clock)).toBe('fresh')
  })

  test('keySetMaxStaleSeconds below 600 shortens freshness as well', async () => {
    const { issuer, clock, fetches, down, ended } = await setUp({ keySetMaxStaleSeconds: 100 })
    const key = await keyOf(issuer)
    clock.now = START + 80 * SECOND - 1
    expect(serve(issuer, key, clock)).toBe('fresh')
    await settled()
    expect(fetches()).toBe(1)
    clock.now = START + 80 * SECOND
    expect(serve(issuer, key, clock)).toBe('fresh')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    down()
    clock.now = START + 180 * SECOND - 1
    expect(askNow(issuer)).toBe('found')
    await ended(3)
    clock.now = START + 180 * SECOND
    expect(serve(issuer, key, clock)).toBe(false)
    expect(await ask(issuer)).toMatch('unavailable')
  })

  test('whoever waited for a set gets it, however long the fetch took', async () => {
    const { issuer, clock, answers } = await setUp({ keySetMaxStaleSeconds: 1 })
    answers.set('/jwks', (response, request) => {
      clock.now += 2 * SECOND
      json({ keys: [old] })(response, request)
    })
    expect(await ask(issuer)).toBe('found')
  })
})
