import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  ask,
  askNow,
  causeOf,
  HOUR,
  json,
  keyOf,
  MINUTE,
  old,
  readiness,
  SECOND,
  START,
  serve,
  settled,
  setUp,
  setUpFetch,
  silence,
  status,
  successor,
  third,
} from './issuer-world.js'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('an outage', () => {
  test('the last good set serves until keySetMaxStaleSeconds after it was fetched', async () => {
    const { issuer, clock, down } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    expect(serve(issuer, key, clock)).toBe('stale')
    clock.now = START + HOUR - 1
    expect(await ask(issuer)).toBe('found')
    expect(serve(issuer, key, clock)).toBe('stale')
    clock.now = START + HOUR
    expect(serve(issuer, key, clock)).toBeUndefined()
    expect(await ask(issuer)).toMatch('unavailable')
  })

  test('the age counts from the fetch, not from a failure or an answer since', async () => {
    const { issuer, clock, answers, ended } = await setUp({ keySetMaxStaleSeconds: 900 })
    const key = await keyOf(issuer)
    answers.set('/jwks', status(500))
    let attempts = 1
    // Further apart than the longest back-off: each question starts an attempt.
    for (let seconds = 480; seconds < 900; seconds += 31) {
      clock.now = START + seconds * SECOND
      expect(await ask(issuer)).toBe('found')
      await ended(++attempts)
    }
    clock.now = START + 900 * SECOND - 1
    expect(serve(issuer, key, clock)).toBe('stale')
    clock.now = START + 900 * SECOND
    expect(serve(issuer, key, clock)).toBeUndefined()
  })

  test('one request waits for an attempt that hangs; meanwhile the stale set serves all others at once', async () => {
    const { issuer, clock, answers, down, fetches } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    answers.set('/jwks', silence)
    clock.now += 2 * SECOND
    expect(serve(issuer, key, clock)).toBeUndefined()
    const waiting = ask(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(3))
    expect(askNow(issuer)).toBe('found')
    expect(serve(issuer, key, clock)).toBe('stale')
    expect(fetches()).toBe(3)
    expect(await waiting).toBe('found')
  })

  test.each([
    ['half a minute', 10 * MINUTE + 29 * SECOND],
    ['long', 50 * MINUTE],
  ])('a failure of %s ago is no outage of now: a key that was withdrawn since is found out', async (_, later) => {
    const { issuer, clock, keys, down, ended } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 10 * MINUTE - SECOND
    expect(askNow(issuer)).toBe('found')
    await ended(2)
    keys(successor)
    clock.now = START + later
    expect(serve(issuer, key, clock)).toBeUndefined()
    expect(await ask(issuer)).toBe('none')
  })

  test('it ends with the first good fetch', async () => {
    const { issuer, clock, keys, down } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 2 * HOUR
    expect(await ask(issuer)).toMatch('unavailable')
    keys(old)
    clock.now += 2 * SECOND
    expect(await ask(issuer)).toBe('found')
    expect(serve(issuer, key, clock)).toBe('fresh')
  })

  test.each([
    [0, [1, 2, 4, 8, 16, 20, 20]],
    [0.999999, [1.5, 3, 6, 12, 24, 30, 30]],
  ])('failed fetches back off from 1 s to 30 s; jitter of %d', async (random, delays) => {
    vi.spyOn(Math, 'random').mockReturnValue(random)
    const { issuer, clock, fetches, down } = await setUp()
    down()
    expect(await ask(issuer)).toBe(`unavailable ${Math.ceil(delays[0] as number)}`)
    for (const [index, delay] of delays.entries()) {
      clock.now += delay * SECOND - 2
      expect(await ask(issuer)).toBe('unavailable 1')
      expect(fetches()).toBe(index + 1)
      clock.now += 2
      expect(await ask(issuer)).toBe(`unavailable ${Math.ceil(delays[index + 1] ?? (delay as number))}`)
      expect(fetches()).toBe(index + 2)
    }
  })

  test('refreshes in the background back off too, and a good one ends it', async () => {
    const { issuer, clock, fetches, down, keys, ended } = await setUp()
    await ask(issuer)
    down()
    clock.now = START + 8 * MINUTE
    expect(askNow(issuer)).toBe('found')
    await ended(2)
    for (let times = 0; times < 5; times++) expect(askNow(issuer)).toBe('found')
    await settled()
    expect(fetches()).toBe(2)
    clock.now += 2 * SECOND
    askNow(issuer)
    await ended(3)
    keys(old)
    clock.now += 3 * SECOND
    askNow(issuer)
    await ended(4)
    expect(issuer.generation).toBe(2)
    // The next failure is the first again: 1 s, not 4.
    down()
    clock.now += 10 * MINUTE
    await ask(issuer)
    await ended(5)
    clock.now += 1.5 * SECOND
    await ask(issuer)
    await ended(6)
  })

  test('ready() tries, tells what is missing, and is ready for good once a set was loaded', async () => {
    const { issuer, clock, url, down, keys, fetches } = await setUp()
    down()
    expect(await readiness(issuer)).toMatch(/^issuer http.*\/jwks is out of reach: /)
    expect(await readiness(issuer)).toContain(url)
    await expect(issuer.ready()).rejects.toMatchObject({ cause: { message: expect.stringContaining('out of reach') } })
    keys(old)
    expect(await readiness(issuer)).toContain('out of reach')
    clock.now += 2 * SECOND
    expect(await readiness(issuer)).toBe('ready')
    down()
    clock.now += 2 * HOUR
    expect(await readiness(issuer)).toBe('ready')
    expect(fetches()).toBe(2)
  })

  test('ready() tries again as soon as the back-off has ended', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, keys } = await setUp()
    down()
    expect(await readiness(issuer)).toContain('out of reach')
    keys(old)
    clock.now += SECOND - 1
    expect(await readiness(issuer)).toContain('out of reach')
    clock.now += 1
    expect(await readiness(issuer)).toBe('ready')
  })

  test('a set that serves in it is refreshed as soon as the back-off has ended', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, fetches, ended } = await setUp()
    await ask(issuer)
    down()
    clock.now = START + 9 * MINUTE
    askNow(issuer)
    await ended(2)
    clock.now += SECOND - 1
    askNow(issuer)
    await settled()
    expect(fetches()).toBe(2)
    clock.now += 1
    askNow(issuer)
    await ended(3)
  })

  test.each([
    [-1, 'stale'],
    [0, undefined],
  ])('%d ms after the next attempt is permitted, an old set is %s', async (later, freshness) => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, ended } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 599 * SECOND + 1
    askNow(issuer)
    await ended(2)
    clock.now += SECOND + later
    expect(serve(issuer, key, clock)).toBe(freshness)
  })

  test('is what its answers give as the cause', async () => {
    const { issuer, clock, url, down } = await setUp()
    await ask(issuer)
    await ask(issuer, 'nobody')
    const waiting = Array.from({ length: 1000 }, () => ask(issuer, 'nobody'))
    expect(await causeOf(issuer, 'nobody else')).toBe(`issuer ${url}: too many requests wait for an unknown key`)
    await Promise.all(waiting)
    down()
    clock.now += 2 * HOUR
    expect(await causeOf(issuer)).toContain('/jwks is out of reach')
    issuer.close()
    expect(await causeOf(issuer)).toBe('the verifier is closed')
  })

  test('ready() joins a fetch under way', async () => {
    const { issuer, asked } = await setUp()
    const first = ask(issuer)
    expect(await readiness(issuer)).toBe('ready')
    expect(await first).toBe('found')
    expect(asked).toHaveLength(2)
  })
})

describe('a clock that jumps', () => {
  test('set back it neither ends a set nor makes it young again', async () => {
    const steady = vi.spyOn(performance, 'now')
    const { issuer, clock, fetches } = await setUp()
    steady.mockReturnValue(5000)
    const key = await keyOf(issuer)
    clock.now -= HOUR
    expect(serve(issuer, key, clock)).toBe('fresh')
    expect(askNow(issuer)).toBe('found')
    steady.mockReturnValue(5000 + 10 * MINUTE)
    expect(serve(issuer, key, clock)).toBeUndefined()
    expect(fetches()).toBe(1)
  })

  test('set forward it asks for a new set', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    clock.now += 24 * HOUR
    expect(serve(issuer, key, clock)).toBeUndefined()
    expect(await ask(issuer)).toBe('found')
    expect(fetches()).toBe(2)
  })

  test('set back it keeps nobody from joining a fetch under way', async () => {
    const { issuer, clock, answers, down, fetches } = await setUp()
    down()
    expect(await ask(issuer)).toMatch('unavailable')
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    clock.now += 2 * SECOND
    const first = ask(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(2))
    clock.now -= 2 * SECOND
    const second = ask(issuer)
    release()
    expect(await Promise.all([first, second])).toEqual(['found', 'found'])
  })

  test('set back it does not prolong a back-off', async () => {
    const { issuer, clock, down, keys } = await setUp()
    down()
    expect(await ask(issuer)).toMatch('unavailable')
    keys(old)
    clock.now -= HOUR
    expect(await ask(issuer)).toBe('found')
  })

  test('set back after an outage it does not bring the back-off back', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, keys } = await setUp()
    down()
    for (const delay of [0, 1, 2, 4, 8, 16]) {
      clock.now += delay * SECOND
      expect(await ask(issuer)).toMatch('unavailable')
    }
    keys(old)
    clock.now += 20 * SECOND
    expect(await ask(issuer)).toBe('found')
    clock.now -= 15 * SECOND
    expect(await ask(issuer, 'nobody')).toBe('none')
  })

  test('set back it does not prolong the gap between fetches for unknown kids', async () => {
    const { issuer, clock, keys } = await setUp()
    await ask(issuer)
    expect(await ask(issuer, 'nobody')).toBe('none')
    keys(old, successor)
    clock.now -= HOUR
    expect(await ask(issuer, 'new')).toBe('found')
  })

  test('that throws while a request waits for an unknown kid leaves nothing rejected behind', async () => {
    const clock = { now: START, broken: false }
    const { issuer, answers, keys, fetches } = await setUp({
      timeoutMs: 2000,
      clock: () => {
        if (clock.broken) throw new Error('broken')
        return clock.now
      },
    })
    await ask(issuer)
    await ask(issuer, 'nobody')
    // It waits 100 ms for the gap to end, and then for another fetch, whose failure the clock cannot date.
    clock.now += 4900
    const waiting = issuer.keysFor('ES256', 'new')
    let fail = () => {}
    answers.set('/jwks', (response) => {
      fail = () => void response.destroy()
    })
    clock.now += 9 * MINUTE
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(3))
    await new Promise((resolve) => setTimeout(resolve, 200))
    clock.broken = true
    fail()
    await expect(waiting).rejects.toThrow('the clock option threw')

    clock.broken = false
    keys(old)
    askNow(issuer)
    await vi.waitFor(() => expect(issuer.generation).toBe(3))
    expect(await ask(issuer, 'nobody')).toBe('none')
  })

  test('set back while a request waits, it waits no longer', async () => {
    const { issuer, clock, keys } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    clock.now += 5 * SECOND - 200
    const waiting = ask(issuer, 'new')
    keys(old, successor)
    clock.now -= HOUR
    expect(await waiting).toBe('found')
  })
})

describe('close', () => {
  test('ends a fetch under way and everybody that waits for it', async () => {
    const { issuer, answers, fetches } = await setUp({ timeoutMs: 60_000 })
    let hungUp: Promise<void> | undefined
    answers.set('/jwks', (response) => {
      hungUp = new Promise((resolve) => response.once('close', resolve))
    })
    const waiting = ask(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(1))
    issuer.close()
    expect(await waiting).toMatch('unavailable')
    await hungUp
    expect(await ask(issuer)).toMatch('unavailable')
    expect(await readiness(issuer)).toContain('closed')
    expect(fetches()).toBe(1)
  })

  test('is the reason that ready() gives for a fetch under way', async () => {
    const { issuer, answers, url, fetches } = await setUp({ timeoutMs: 60_000 })
    answers.set('/jwks', silence)
    const waiting = readiness(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(1))
    issuer.close()
    expect(await waiting).toBe(`issuer ${url}: ${url}/jwks: the verifier is closed`)
  })

  test('ends the wait of an unknown kid', async () => {
    const { issuer, clock, fetches } = await setUp({ timeoutMs: 60_000 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    clock.now += 100
    const waiting = ask(issuer, 'nobody')
    await settled()
    issuer.close()
    const patience = new Promise((resolve) => setTimeout(resolve, 2500, 'still waiting').unref())
    expect(await Promise.race([waiting, patience])).toMatch('unavailable')
    expect(fetches()).toBe(2)
  })

  test('is final also for keys that are known, and starts no refresh', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    issuer.close()
    issuer.close()
    expect(await ask(issuer)).toMatch('unavailable')
    clock.now += 9 * MINUTE
    serve(issuer, key, clock)
    await settled()
    expect(fetches()).toBe(1)
  })
})

test('a static key set is never fetched, never grows old, and knows no unknown kid', async () => {
  const fetch = vi.fn()
  const { issuer, clock } = setUpFetch(fetch, { issuer: 'https://issuer.example', jwks: { keys: [old, third] } })
  const key = await keyOf(issuer)
  clock.now += 1000 * HOUR
  expect(serve(issuer, key, clock)).toBe('fresh')
  expect(askNow(issuer, 'third')).toBe('found')
  expect(askNow(issuer, 'nobody')).toBe('none')
  expect(await readiness(issuer)).toBe('ready')
  issuer.close()
  expect(fetch).not.toHaveBeenCalled()
})

test('issuers are apart: the outage, the keys and the flood of one are not those of another', async () => {
  const [one, other] = [await setUp(), await setUp()]
  other.keys(successor)
  one.down()
  expect(await ask(one.issuer)).toMatch('unavailable')
  expect(await ask(other.issuer, 'new')).toBe('found')
  one.keys(old)
  one.clock.now += 2 * SECOND
  expect(await ask(one.issuer)).toBe('found')
  expect(await ask(other.issuer, 'old')).toBe('none')
  const waiting = ask(other.issuer, 'old')
  const fetches = other.fetches()
  expect(await ask(one.issuer, 'new')).toBe('none')
  expect(askNow(one.issuer)).toBe('found')
  expect(other.fetches()).toBe(fetches)
  expect(await waiting).toBe('none')
})
