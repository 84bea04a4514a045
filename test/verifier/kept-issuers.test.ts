import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { IssuerOptions, VerifierOptions } from '../../src/config/options.js'
import { ofProcess } from '../../src/core/of-process.js'
import { createKeptIssuers } from '../../src/verifier/kept-issuers.js'
import { A, setUp } from '../support/resolving.js'
import type { TestIssuer } from '../support/tokens.js'

const [a, b, c, d] = [{ a: 1 }, { b: 1 }, { c: 1 }, { d: 1 }]

function keptOf(kept: ReturnType<typeof createKeptIssuers<object>>): string {
  return ['a', 'b', 'c', 'd'].filter((name) => kept.get(name) !== undefined).join('')
}

const NAMES = Array.from({ length: 6 }, (_, n) => `https://t${n}.example`)

// The first of all: it is told once in the life of the process.
test('a process warning says once that customers are more than maxIssuers', async () => {
  const warnings: (Error & { code?: string })[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const { outcome, issuers } = world(1, NAMES)
  for (const issuer of issuers.values()) expect(await outcome(issuer.mint())).toBe('accepted')
  await vi.waitFor(() => expect(warnings).not.toEqual([]))
  expect(warnings).toEqual([expect.objectContaining({ code: 'VANTAGE_ISSUERS_DROPPED' })])
  expect(warnings[0]?.message).toContain('maxIssuers, now 1,')
})

describe('of what is kept', () => {
  test('the oldest without a verified token goes first, however often it is looked for', () => {
    const kept = createKeptIssuers<object>(3)
    for (const [name, one] of Object.entries({ a, b, c })) kept.set(name, one)
    kept.noteUse('b', b)
    kept.get('a')
    kept.set('d', d)
    expect(keptOf(kept)).toBe('bcd')
    expect(['b', 'c'].map(kept.isProven)).toEqual([true, false])
  })

  test('one without a verified token takes nothing from those that have one', () => {
    const kept = createKeptIssuers<object>(2)
    for (const [name, one] of Object.entries({ a, b })) {
      kept.set(name, one)
      kept.noteUse(name, one)
    }
    kept.set('c', c)
    expect(keptOf(kept)).toBe('abc')
    kept.set('d', d)
    expect(keptOf(kept)).toBe('abd')
  })

  test('the one that was unused longest makes room for another with a verified token', () => {
    const kept = createKeptIssuers<object>(2)
    for (const [name, one] of Object.entries({ a, b })) {
      kept.set(name, one)
      kept.noteUse(name, one)
    }
    kept.noteUse('a', a)
    kept.set('c', c)
    kept.noteUse('c', c)
    expect(keptOf(kept)).toBe('ac')
  })

  test('one that had to go is back with its verified token, unless another has its place', () => {
    const kept = createKeptIssuers<object>(1)
    kept.set('a', a)
    kept.set('b', b)
    kept.noteUse('a', a)
    expect(kept.get('a')).toBe(a)
    kept.set('c', c)
    kept.set('c', d)
    kept.noteUse('c', c)
    expect([kept.get('c'), kept.isProven('c')]).toEqual([d, false])
  })
})

test('what is not kept any more is told of, once, and what is proven is kept', () => {
  const dropped: string[] = []
  const kept = createKeptIssuers<{ name: string }>(1, ({ name }) => dropped.push(name))
  const add = (iss: string, name: string, isProven: boolean) => {
    const one = { name }
    kept.set(iss, one)
    if (isProven) kept.noteUse(iss, one)
  }
  add('a', 'stranger', false)
  add('b', 'next stranger', false)
  expect(dropped.splice(0)).toEqual(['stranger'])
  add('b', 'renewed stranger', true)
  expect(dropped.splice(0)).toEqual(['next stranger'])
  add('b', 'renewed', false)
  expect(dropped.splice(0)).toEqual(['renewed stranger'])
  add('c', 'unused no longer', true)
  expect(dropped.splice(0)).toEqual(['renewed'])
  kept.delete('c')
  expect(dropped.splice(0)).toEqual(['unused no longer'])
  add('d', 'proven', true)
  add('e', 'unproven', false)
  kept.clear()
  expect(dropped).toEqual(['proven', 'unproven'])
})

/** Issuers with keys of their own at a URL, which answers when the test says so. */
function world(maxIssuers: number, names: readonly string[], options: VerifierOptions = {}) {
  const issuers = new Map<string, TestIssuer>()
  const fetched: string[] = []
  const gate: { wait: Promise<void> | undefined } = { wait: undefined }
  const fetch = async (url: string | URL | Request) => {
    const { origin } = new URL(String(url))
    fetched.push(origin)
    await gate.wait
    return Response.json((issuers.get(origin) as TestIssuer).jwks)
  }
  const answers = { now: (iss: string): IssuerOptions | undefined => ({ issuer: iss, jwksUri: `${iss}/jwks`, fetch }) }
  const up = setUp((iss) => (issuers.has(iss) ? answers.now(iss) : undefined), {
    maxIssuers,
    issuerTtlSeconds: 60,
    ...options,
  })
  for (const name of names) issuers.set(name, up.issuerOf(name))
  const [first] = names
  /** Anybody's: without a signature that holds. */
  const unsigned = (iss: string) =>
    `${(issuers.get(iss) as TestIssuer).mint().split('.').slice(0, 2).join('.')}.${Buffer.alloc(64).toString('base64url')}`
  const close = () => {
    let open: () => void = () => {}
    gate.wait = new Promise((resolve) => (open = resolve))
    return () => {
      gate.wait = undefined
      open()
    }
  }
  return {
    ...up,
    fetched,
    fetch,
    gate,
    answers,
    unsigned,
    close,
    first: issuers.get(first as string) as TestIssuer,
    issuers,
  }
}

/** A token of the first issuer is under way while tokens without a good signature name all the others. */
async function floodWhileUnderWay({ outcome, unsigned, first, close, asked }: ReturnType<typeof world>): Promise<void> {
  const open = close()
  const valid = outcome(first.mint())
  const flood = NAMES.slice(1).map((iss) => outcome(unsigned(iss)))
  await vi.waitFor(() => expect(asked).toHaveLength(NAMES.length))
  open()
  expect(await valid).toBe('accepted')
  expect(new Set(await Promise.all(flood))).toEqual(new Set(['401 signature']))
}

describe('tokens without a good signature', () => {
  test('never drop an issuer whose tokens were verified', async () => {
    const { outcome, unsigned, first, asked, fetched } = world(2, NAMES)
    const token = first.mint()
    expect(await outcome(token)).toBe('accepted')
    for (const iss of [...NAMES.slice(1), ...NAMES.slice(1)]) expect(await outcome(unsigned(iss))).toBe('401 signature')
    expect(await outcome(token)).toBe('accepted')
    expect(await outcome(first.mint())).toBe('accepted')
    for (const list of [asked, fetched]) expect(list.filter((iss) => iss === first.issuer)).toHaveLength(1)
  })

  test('never drop what the application has told of in the place of such an issuer', async () => {
    const { outcome, unsigned, first, asked, answers, clock } = world(2, NAMES)
    expect(await outcome(first.mint())).toBe('accepted')
    const { now } = answers
    answers.now = (iss) => ({ ...(now(iss) as IssuerOptions), ...(iss === first.issuer && { audience: 'x' }) })
    clock.now += 60_000
    expect(await outcome(first.mint())).toBe('401 audience')
    for (const iss of NAMES.slice(1)) expect(await outcome(unsigned(iss))).toBe('401 signature')
    expect(await outcome(first.mint({ aud: 'x' }))).toBe('accepted')
    expect(asked.filter((iss) => iss === first.issuer)).toHaveLength(2)
  })

  test('neither does one whose claims are refused, nor a cached refusal', async () => {
    const { outcome, first, asked, issuers } = world(1, NAMES)
    const token = first.mint()
    await outcome(token)
    for (const iss of NAMES.slice(1)) {
      const bad = issuers.get(iss)?.mint({ aud: 'x' }) as string
      expect([await outcome(bad), await outcome(bad)]).toEqual(['401 audience', '401 audience'])
    }
    expect(await outcome(token)).toBe('accepted')
    expect(asked.filter((iss) => iss === first.issuer)).toHaveLength(1)
  })

  test('end nothing that is under way, and what was verified then is kept', async () => {
    const up = world(1, NAMES)
    const { outcome, first, asked } = up
    await floodWhileUnderWay(up)
    expect(await outcome(first.mint())).toBe('accepted')
    expect(asked).toHaveLength(NAMES.length)
  })
})

describe('outages', () => {
  const known = ofProcess('outages', () => new Map())

  test('are kept in mind of the issuers that are kept, and of none after close()', async () => {
    const before = known.size
    const { outcome, unsigned, issuers, verifier } = world(2, NAMES, { outageNotices: true })
    for (const [iss, issuer] of issuers) {
      expect(await outcome(unsigned(iss))).toBe('401 signature')
      expect(await outcome(issuer.mint())).toBe('accepted')
      // Two of each: its key set, and its metadata.
      expect(known.size - before).toBeLessThanOrEqual(2 * 2)
    }
    await verifier.close()
    expect(known.size).toBe(before)
  })

  test('of an issuer that had to go, and is back with its verified token, are told of', async () => {
    const lines: string[] = []
    vi.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0)
    onTestFinished(() => void vi.restoreAllMocks())
    const up = world(1, NAMES, { outageNotices: true })
    const { outcome, first, gate, clock } = up
    await floodWhileUnderWay(up)
    gate.wait = Promise.reject(new Error('down'))
    gate.wait.catch(() => {})
    clock.now += 600_000
    await outcome(first.mint())
    expect(lines).toEqual([expect.stringContaining(`issuer ${first.issuer} failed: `)])
  })
})

describe('a token that is under way while', () => {
  const underWay = async (answer: (iss: string, fetch: unknown) => IssuerOptions | undefined) => {
    const up = world(10, [A.slice(0, -'/tenant'.length)])
    const { outcome, first, close, answers, clock, fetched, fetch } = up
    const open = close()
    const waiting = outcome(first.mint({ aud: ['https://api.vantage.omnivector.solutions', 'x'] }))
    await vi.waitFor(() => expect(fetched).toHaveLength(1))
    clock.now += 60_000
    answers.now = (iss) => answer(iss, fetch)
    const next = outcome(first.mint({ aud: 'other' }))
    await vi.waitFor(() => expect(up.asked).toHaveLength(2))
    open()
    return { ...up, waiting: await waiting, next: await next }
  }

  test('the issuer is refused is refused', async () => {
    expect(await underWay(() => undefined)).toMatchObject({ waiting: '401 issuer', next: '401 issuer' })
  })

  test('another takes the place of its issuer is decided by that one', async () => {
    const other = (iss: string, fetch: unknown) =>
      ({ issuer: iss, jwksUri: `${iss}/jwks`, fetch, audience: 'x' }) as IssuerOptions
    expect(await underWay(other)).toMatchObject({ waiting: 'accepted', next: '401 audience' })
    const strict = (iss: string, fetch: unknown) => ({ ...other(iss, fetch), audience: 'y' })
    expect(await underWay(strict)).toMatchObject({ waiting: '401 audience', next: '401 audience' })
  })

  test('a new fetch alone comes goes on, and that fetch asks from then on', async () => {
    const used: string[] = []
    const renewed = (iss: string, fetch: unknown): IssuerOptions => ({
      issuer: iss,
      jwksUri: `${iss}/jwks`,
      fetch: (...given) => {
        used.push('new')
        return (fetch as typeof globalThis.fetch)(...given)
      },
    })
    const { waiting, next, fetched, clock, outcome, first } = await underWay(renewed)
    expect([waiting, next, fetched.length, used]).toEqual(['accepted', '401 audience', 1, []])
    clock.now += 600_000
    expect(await outcome(first.mint())).toBe('accepted')
    expect([fetched.length, used]).toEqual([2, ['new']])
  })
})

test('fetch of an entry is unseen by the requests of other issuers', async () => {
  const seen: [string, string][] = []
  const issuers = new Map<string, TestIssuer>()
  const fetchOf = (who: string) => async (url: string | URL | Request) => {
    const { origin } = new URL(String(url))
    seen.push([who, origin])
    return Response.json((issuers.get(origin) as TestIssuer).jwks)
  }
  const [own, shared] = NAMES as [string, string]
  const { outcome, issuerOf } = setUp(
    (iss) => ({ issuer: iss, jwksUri: `${iss}/jwks`, ...(iss === own && { fetch: fetchOf('own') }) }),
    { fetch: fetchOf('shared') },
  )
  for (const iss of [own, shared]) issuers.set(iss, issuerOf(iss))
  for (const issuer of issuers.values()) expect(await outcome(issuer.mint())).toBe('accepted')
  expect(seen).toEqual([
    ['own', own],
    ['shared', shared],
  ])
})
