import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  ask,
  askNow,
  json,
  MINUTE,
  old,
  SECOND,
  START,
  settled,
  setUp,
  setUpFetch,
  status,
  successor,
  turn,
} from './issuer-world.js'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('an unknown kid', () => {
  test('is fetched at once: a rotation is noticed by its first token', async () => {
    const { issuer, keys, fetches } = await setUp()
    await ask(issuer)
    keys(old, successor)
    expect(await ask(issuer, 'new')).toBe('found')
    expect(fetches()).toBe(2)
  })

  test('is refused when a fetch begun after its arrival lacks it', async () => {
    const { issuer, fetches } = await setUp()
    await ask(issuer)
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(fetches()).toBe(2)
  })

  test('is refused by the first load that it started itself', async () => {
    const { issuer, fetches } = await setUp()
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(fetches()).toBe(1)
  })

  test('is fetched at most once in 0.8 of timeoutMs, and who comes earlier is answered by the next set', async () => {
    const { issuer, clock, fetches } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    clock.now += MINUTE
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(fetches()).toBe(2)
    clock.now += 1600 - 300
    const waiting = [ask(issuer, 'nobody'), ask(issuer, 'another')]
    await settled()
    expect(fetches()).toBe(2)
    expect(await Promise.all(waiting)).toEqual(['none', 'none'])
    expect(fetches()).toBe(3)
    clock.now += 1600
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(fetches()).toBe(4)
  })

  test.each([
    [900, 1000],
    [1250, 1000],
    [1251, 1001],
    [3000, 2400],
    [6250, 5000],
    [60_000, 5000],
  ])('waits at most the gap between two fetches: with timeoutMs %d for %d ms', async (timeoutMs, gap) => {
    const { issuer } = setUpFetch(
      async ({ pathname }) =>
        Response.json(
          pathname === '/jwks'
            ? { keys: [old] }
            : { issuer: 'https://issuer.example', jwks_uri: 'https://issuer.example/jwks' },
        ),
      { timeoutMs },
    )
    await ask(issuer)
    expect(await ask(issuer, 'nobody')).toBe('none')
    const waits: unknown[] = []
    const { setTimeout: set } = globalThis
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((...args: Parameters<typeof set>) => {
      waits.push(args[1])
      return set(...args)
    }) as typeof set)
    const waiting = ask(issuer, 'nobody')
    await turn()
    issuer.close()
    expect(await waiting).toMatch('unavailable')
    expect(waits).toContain(gap)
  })

  test('waits for the next permitted fetch, which may bring the key', async () => {
    const { issuer, clock, keys, fetches } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    expect(await ask(issuer, 'nobody')).toBe('none')
    keys(old, successor)
    clock.now += 1600 - 100
    const waiting = ask(issuer, 'new')
    await settled()
    expect(fetches()).toBe(2)
    expect(await waiting).toBe('found')
    expect(fetches()).toBe(3)
  })

  test('is refused, and never unavailable, in a flood of random ones while the issuer is up', async () => {
    const { issuer, fetches } = await setUp({ timeoutMs: 1250, clock: Date.now })
    await ask(issuer)
    const begunAt = performance.now()
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, async (_, client) => {
        const own: string[] = []
        for (let round = 0; round < 3; round++) {
          await new Promise((resolve) => setTimeout(resolve, client * 5))
          own.push(await ask(issuer, `random ${client} ${round}`))
        }
        return own
      }),
    )
    expect(new Set(outcomes.flat())).toEqual(new Set(['none']))
    expect(askNow(issuer)).toBe('found')
    // The first load, the first of them at once, and one in each second.
    expect(fetches()).toBeGreaterThan(3)
    expect(fetches()).toBeLessThanOrEqual(2 + Math.floor((performance.now() - begunAt) / 1000))
  }, 60_000)

  test('all that wait share the next fetch', async () => {
    const { issuer, clock, keys, fetches } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    keys(old, successor)
    clock.now += 1600 - 100
    const answers = await Promise.all([
      ...Array.from({ length: 50 }, () => ask(issuer, 'new')),
      ...Array.from({ length: 50 }, (_, index) => ask(issuer, `nobody ${index}`)),
    ])
    expect(answers).toEqual([...Array(50).fill('found'), ...Array(50).fill('none')])
    expect(fetches()).toBe(3)
  })

  test('is unavailable when the fetch fails that it waited for: it does not wait twice', async () => {
    const { issuer, clock, answers, fetches } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    answers.set('/jwks', status(500))
    clock.now += 1600 - 100
    expect(await ask(issuer, 'nobody')).toBe('unavailable 2')
    expect(fetches()).toBe(3)
  })

  test('waits for its own fetch also when one for another cause has been under way for long', async () => {
    const { issuer, clock, answers, keys, fetches } = await setUp({ timeoutMs: 10_000, keySetMaxStaleSeconds: 5 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    clock.now += 4 * SECOND
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(3))
    const waiting = ask(issuer, 'new')
    await settled()
    clock.now += 900
    keys(old, successor)
    release()
    expect(await waiting).toBe('found')
    expect(fetches()).toBe(4)
  })

  test('is not decided by a fetch for another cause that began while it waited for its own', async () => {
    const { issuer, clock, answers, keys, fetches } = await setUp({ timeoutMs: 10_000, keySetMaxStaleSeconds: 5 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    clock.now += 4 * SECOND - 1
    const first = ask(issuer, 'new')
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    clock.now += 1
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(3))
    const second = ask(issuer, 'new')
    await new Promise((resolve) => setTimeout(resolve, 1200))
    keys(old, successor)
    release()
    expect(await Promise.all([first, second])).toEqual(['found', 'found'])
    expect(fetches()).toBe(4)
  })

  test('is refused by the fetch that it waited for, also when others have begun the next one already', async () => {
    const { issuer, clock, answers, fetches } = await setUp({ timeoutMs: 10_000 })
    await ask(issuer)
    const held: (() => void)[] = []
    answers.set('/jwks', (response, request) => void held.push(() => json({ keys: [old] })(response, request)))
    const first = ask(issuer, 'nobody')
    await vi.waitFor(() => expect(fetches()).toBe(2))
    const second = ask(issuer, 'another')
    // The fetch takes longer than the gap, so that the next one is permitted as soon as it ends.
    clock.now += 6 * SECOND
    held.shift()?.()
    await vi.waitFor(() => expect(fetches()).toBe(3))
    expect(await Promise.race([first, settled().then(() => 'waits for the next one')])).toBe('none')
    held.shift()?.()
    expect(await second).toBe('none')
    expect(fetches()).toBe(3)
  })

  test('does not try again when its own fetch fails, even if there were time', async () => {
    const { issuer, down, fetches } = await setUp({ timeoutMs: 8000 })
    await ask(issuer)
    down()
    expect(await ask(issuer, 'new')).toBe('unavailable 5')
    expect(fetches()).toBe(2)
  })

  test('fetches for other causes do not count', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    clock.now += 8 * MINUTE
    askNow(issuer)
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(fetches()).toBe(3)
  })

  test('is not refused for a fetch that began before it came', async () => {
    const { issuer, clock, answers, keys, fetches } = await setUp()
    await ask(issuer)
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    clock.now += 8 * MINUTE
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(2))
    const found = ask(issuer, 'new')
    const none = ask(issuer, 'nobody')
    await settled()
    expect(fetches()).toBe(2)
    keys(old, successor)
    release()
    expect(await Promise.all([found, none])).toEqual(['found', 'none'])
    expect(fetches()).toBe(3)
  })

  test('is found by a fetch that began before it came', async () => {
    const { issuer, clock, answers, fetches } = await setUp()
    await ask(issuer)
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old, successor] })(response, request)
    })
    clock.now += 8 * MINUTE
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(2))
    const found = ask(issuer, 'new')
    release()
    expect(await found).toBe('found')
    expect(fetches()).toBe(2)
  })

  test('is unavailable, not refused, when its fetch fails; known keys go on', async () => {
    const { issuer, clock, down, keys, fetches } = await setUp()
    await ask(issuer)
    down()
    expect(await ask(issuer, 'new')).toBe('unavailable 3')
    expect(askNow(issuer)).toBe('found')
    keys(old, successor)
    clock.now += 5 * SECOND
    expect(await ask(issuer, 'new')).toBe('found')
    expect(fetches()).toBe(3)
  })

  test('does not fetch within a back-off that another fetch began', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, keys, fetches, ended } = await setUp({ timeoutMs: 900 })
    await ask(issuer)
    down()
    clock.now = START + 8 * MINUTE
    askNow(issuer)
    await ended(2)
    keys(old, successor)
    expect(await ask(issuer, 'new')).toBe('unavailable 1')
    expect(fetches()).toBe(2)
    clock.now += SECOND
    expect(await ask(issuer, 'new')).toBe('found')
  })

  test('does not fetch when another fetch failed while it waited', async () => {
    const { issuer, clock, down, fetches } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    clock.now = START + 8 * MINUTE - 1
    await ask(issuer, 'nobody')
    const generation = issuer.generation
    clock.now = START + 16 * MINUTE - 2 - 100
    await ask(issuer, 'nobody')
    expect(issuer.generation).toBe(generation + 1)
    clock.now += 1600 - 200
    const waiting = ask(issuer, 'new')
    down()
    clock.now += 9 * MINUTE
    askNow(issuer)
    expect(await waiting).toMatch('unavailable')
    expect(fetches()).toBe(4)
  })

  /** A token of an unknown key waits for the next permitted fetch, 200 ms away, in an outage that has begun. */
  async function waitInOutage() {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const world = await setUp()
    const { issuer, clock, down, ended } = world
    await ask(issuer)
    down()
    clock.now = START + 8 * MINUTE
    askNow(issuer)
    await ended(2)
    clock.now += SECOND - 200
    const waiting = ask(issuer, 'new')
    await turn()
    return { ...world, waiting }
  }

  test('does not wait for a second time when another fetch failed while it waited', async () => {
    const { issuer, clock, keys, fetches, ended, waiting } = await waitInOutage()
    clock.now += 200
    askNow(issuer)
    await ended(3)
    keys(old, successor)
    expect(await waiting).toBe('unavailable 2')
    expect(fetches()).toBe(3)
  })

  test('is fetched still when another fetch ended the outage while it waited', async () => {
    const { issuer, clock, keys, fetches, ended, waiting } = await waitInOutage()
    keys(old)
    clock.now += 200
    askNow(issuer)
    await ended(3)
    keys(old, successor)
    expect(await waiting).toBe('found')
    expect(fetches()).toBe(4)
  })

  test('at most 1000 wait; known keys are not in their way', async () => {
    const { issuer, answers, fetches } = await setUp()
    await ask(issuer)
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    const waiting = Array.from({ length: 1000 }, (_, index) => ask(issuer, `nobody ${index}`))
    await vi.waitFor(() => expect(fetches()).toBe(2))
    expect(await ask(issuer, 'one more')).toBe('unavailable 3')
    expect(askNow(issuer)).toBe('found')
    release()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['none']))
    expect(fetches()).toBe(2)
    const { length } = await Promise.all(Array.from({ length: 1000 }, () => ask(issuer, 'nobody')))
    expect(length).toBe(1000)
  })

  test('places are free again after a wait', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    for (let round = 0; round < 3; round++) {
      clock.now += 5 * SECOND
      const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(issuer, 'nobody')))
      expect(new Set(answers)).toEqual(new Set(['none']))
    }
    expect(fetches()).toBe(4)
  })

  test('in an outage it is unavailable, and starts no more fetches than anybody else', async () => {
    const { issuer, clock, down, fetches } = await setUp({ timeoutMs: 900 })
    await ask(issuer)
    down()
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    for (let times = 0; times < 20; times++) expect(await ask(issuer, `nobody ${times}`)).toMatch('unavailable')
    expect(fetches()).toBe(2)
  })

  test('a known kid that does not fit the algorithm, and a token without kid, start no fetch', async () => {
    const { issuer, keys, fetches } = await setUp()
    keys(old, successor)
    await ask(issuer)
    expect(issuer.keysFor('RS256', 'old')).toEqual([])
    expect(issuer.keysFor('ES256', undefined)).toEqual([])
    await settled()
    expect(fetches()).toBe(1)
  })

  test.each(['__proto__', 'constructor', '', 'x'.repeat(8000)])(
    'of hostile text is one like any other',
    async (kid) => {
      const { issuer } = await setUp()
      await ask(issuer)
      expect(await ask(issuer, kid)).toBe('none')
    },
  )
})
