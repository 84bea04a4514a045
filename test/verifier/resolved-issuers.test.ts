import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { IssuerOptions, VerifierOptions } from '../../src/config/options.js'
import { entra } from '../../src/presets/entra.js'
import { isAskable } from '../../src/verifier/resolved-issuers.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { A, entryOf, START, setUp } from '../support/resolving.js'
import { createTestIssuer, type TestIssuer } from '../support/tokens.js'

const SECOND = 1000

describe('an issuer that the application tells of', () => {
  test.each([
    ['at once', (entry: IssuerOptions) => entry],
    ['later', (entry: IssuerOptions) => Promise.resolve(entry)],
    // biome-ignore lint/suspicious/noThenProperty: what an application could answer
    ['as something with then', (entry: IssuerOptions) => ({ then: (give: (value: unknown) => void) => give(entry) })],
  ])('is asked for once and then known: %s', async (_, give) => {
    const { outcome, asked, issuerOf, verifier } = setUp(() => give(entryOf(issuer)))
    const issuer = issuerOf()
    const token = issuer.mint()
    expect(await outcome(token)).toBe('accepted')
    expect(await outcome(token)).toBe('accepted')
    expect(await outcome(issuer.mint())).toBe('accepted')
    expect(asked).toEqual([A])
    // What is cached needs no promise, as with a configured one.
    expect(verifier.authenticate({ authorization: `Bearer ${token}` })).toMatchObject({ issuer: A })
  })

  test('is the one tenant of an entry, as presets for many tenants write it', async () => {
    const tid = '11111111-2222-3333-4444-555555555555'
    const { outcome, issuerOf, verifier, clock } = setUp(
      (iss) => iss === issuer.issuer && { ...entra({ tenants: [tid], audience: 'api' }), jwks: issuer.jwks },
      { issuerTtlSeconds: 60 },
    )
    const issuer = issuerOf(`https://login.microsoftonline.com/${tid}/v2.0`)
    const claims = { aud: 'api', oid: 'user', azp: 'app' }
    const token = issuer.mint({ ...claims, tid })
    expect(await outcome(token)).toBe('accepted')
    expect(await outcome(issuer.mint({ ...claims, tid: 'another' }))).toBe('401 claims')
    // The same answer again is the same issuer: what is cached stays.
    clock.now += 61 * SECOND
    expect(await outcome(issuer.mint({ ...claims, tid }))).toBe('accepted')
    expect(verifier.authenticate({ authorization: `Bearer ${token}` })).toMatchObject({ tenant: tid, subject: 'user' })
  })

  test('is one of those that are configured besides, of which nobody is asked', async () => {
    const configured = createTestIssuer({ issuer: 'https://b.example', clock: () => START })
    const { outcome, asked, issuerOf } = setUp(() => entryOf(issuer), { issuer: [entryOf(configured)] })
    const issuer = issuerOf()
    expect(await outcome(configured.mint())).toBe('accepted')
    expect(await outcome(configured.mint({ aud: 'x' }))).toBe('401 audience')
    expect(asked).toEqual([])
    expect(await outcome(issuer.mint())).toBe('accepted')
    expect(await outcome(issuer.mint({ iss: 'https://b.example' }))).toBe('401 signature')
  })

  test('has a policy of its own, and the profile of one may be lenient', async () => {
    const lenient = 'https://lenient.example'
    const { outcome, issuerOf } = setUp((iss) =>
      iss === A ? entryOf(a) : entryOf(b, { profile: 'lenient', audience: 'reports' }),
    )
    const [a, b] = [issuerOf(), issuerOf(lenient)]
    expect(await outcome(a.mint({}, { typ: 'JWT' }))).toBe('401 type')
    expect(await outcome(b.mint({ aud: 'reports' }, { typ: 'JWT' }))).toBe('accepted')
    expect(await outcome(b.mint())).toBe('401 audience')
    expect(await outcome(b.mint({ aud: 'reports' }, { typ: 'logout+jwt' }))).toBe('401 type')
  })

  test('that has keys elsewhere is fetched from by its own fetch', async () => {
    const urls: string[] = []
    const { outcome, issuerOf } = setUp(() => ({
      issuer: A,
      fetch: async (url: URL) => {
        urls.push(url.href)
        return Response.json(url.pathname === '/keys' ? issuer.jwks : { issuer: A, jwks_uri: 'https://a.example/keys' })
      },
    }))
    const issuer = issuerOf()
    expect(await outcome(issuer.mint())).toBe('accepted')
    expect(urls).toEqual(['https://a.example/.well-known/oauth-authorization-server/tenant', 'https://a.example/keys'])
  })

  test('may be told of in a log by its name, and one that is not accepted may not', async () => {
    const { verifier, issuerOf, clock } = setUp((iss) => (iss === A ? entryOf(issuer) : undefined))
    const issuer = issuerOf()
    const credentialOf = async (token: string) => {
      const decision = (async () => verifier.authenticate({ authorization: `Bearer ${token}` }))()
      return await decision.catch((error) => error.credential)
    }
    expect(await credentialOf(issuer.mint({ aud: 'x' }))).toEqual({ kind: 'access_token', issuer: A })
    expect(await credentialOf(issuerOf('https://evil.example').mint())).toEqual({ kind: 'access_token' })
    clock.now += 400 * SECOND
    expect(await credentialOf(issuer.mint({ aud: 'x' }))).toEqual({ kind: 'access_token', issuer: A })
  })
})

describe('the application is not asked', () => {
  const good = [
    'https://a.example',
    'https://a.example/',
    'https://A.example/Path',
    'https://a.example:8443/x',
    'https://a.example./x',
    'https://[2001:db8::1]/x',
    'https://10.0.0.1/x@y',
    'http://localhost:3000/x',
    'http://127.0.0.1/x',
    'https://2130706433/x',
    'https://a.example:/x',
    'https://a.example:443/x',
    'https://a.example/%2e%2e/b',
    'https://a.example/b/./c',
    'https://a.example/../b',
    'HTTPS://a.example',
    `https://a.example/${'x'.repeat(494)}`,
  ]
  const bad = [
    '',
    'a.example',
    'http://a.example',
    'http://169.254.169.254/',
    'http://localhost.example/',
    'ftp://a.example',
    'spiffe://a.example/x',
    'https:a.example',
    'https:///a.example',
    'https:\\\\a.example',
    'https://a.example\\@evil.example',
    'https://user@a.example',
    'https://user:secret@a.example',
    'https://@a.example',
    'https://a.example?x',
    'https://a.example/?',
    'https://a.example/#',
    'https://a.example/x y',
    ' https://a.example',
    'https://a.example\n',
    'https://a.exa\tmple',
    'https://ä.example',
    'https://a.example/ä',
    'https://a.example/\u202e',
    'https://a.example/{tenantid}',
    'https://a.example:99999/',
    'https://a.example:8a/',
    `https://a.example/${'x'.repeat(495)}`,
  ]

  test.each(good)('where it could be: %j', (iss) => expect(isAskable(iss)).toBe(true))

  test.each(bad)('of %j, which is refused at once', async (iss) => {
    const { outcome, asked, issuerOf } = setUp(() => undefined)
    expect(await outcome(issuerOf().mint({ iss }))).toBe('401 issuer')
    expect(asked).toEqual([])
  })

  test.each([undefined, null, 7, [A], { toString: A }])('of %j, which is no text', async (iss) => {
    const { outcome, asked, issuerOf } = setUp(() => undefined)
    expect(await outcome(issuerOf().mint({ iss }))).toBe('401 issuer')
    expect(asked).toEqual([])
  })

  test('of a token that is refused by its header', async () => {
    const { outcome, asked, issuerOf } = setUp(() => undefined)
    const issuer = issuerOf()
    expect(await outcome(issuer.mint({}, { typ: 'logout+jwt' }))).toBe('401 type')
    expect(await outcome(issuer.mint({}, { typ: 'JOSE' }))).toBe('401 type')
    expect(await outcome(issuer.mint({}, { alg: 'none' }))).toBe('401 algorithm')
    expect(asked).toEqual([])
  })
})

describe('an issuer that is not accepted', () => {
  test('is refused, fetched from by nobody, and asked for again after 30 seconds', async () => {
    const fetched: unknown[] = []
    const { outcome, asked, clock, issuerOf } = setUp(() => answer, {
      fetch: async (url) => {
        fetched.push(url)
        throw new Error('no')
      },
    })
    let answer: IssuerOptions | undefined
    const issuer = issuerOf()
    const token = issuer.mint()
    expect(await outcome(token)).toBe('401 issuer')
    answer = entryOf(issuer)
    clock.now += 29 * SECOND
    expect(await outcome(token)).toBe('401 issuer')
    expect(await outcome(issuer.mint())).toBe('401 issuer')
    expect(asked).toEqual([A])
    clock.now += SECOND
    expect(await outcome(token)).toBe('accepted')
    expect([asked, fetched]).toEqual([[A, A], []])
  })

  test.each(['__proto__', 'constructor', 'hasOwnProperty'])('may have the path %s', async (path) => {
    const { outcome, issuerOf } = setUp(() => undefined)
    expect(await outcome(issuerOf().mint({ iss: `https://a.example/${path}` }))).toBe('401 issuer')
  })
})

describe('what is no answer is 503', () => {
  const issuer = createTestIssuer({ issuer: A, clock: () => START })
  const answers: [string, () => unknown, string][] = [
    ['null', () => null, 'must be an entry'],
    ['false', () => false, 'must be an entry'],
    ['a text', () => A, 'must be an entry'],
    ['a list', () => [entryOf(issuer)], 'must be an entry'],
    ['an entry of another issuer', () => ({ ...entryOf(issuer), issuer: `${A}/` }), 'issuer must be the one'],
    ['an entry without issuer', () => ({ jwks: issuer.jwks }), 'issuer must be the one'],
    ['an entry that inherits', () => Object.create(entryOf(issuer)), 'is inherited'],
    ['an unknown option', () => ({ ...entryOf(issuer), audiences: 'x' }), 'audiences'],
    ['a wrong option', () => ({ ...entryOf(issuer), profile: 'lax' }), 'profile'],
    ['a tenant without a place', () => ({ ...entryOf(issuer), tenants: ['a'] }), 'issuer must have {tenantid}'],
    ['a place without a tenant', () => ({ ...entryOf(issuer), required: { tid: '{tenantid}' } }), 'tenants is missing'],
    ['another tenant', () => ({ issuer: 'https://{tenantid}.example', tenants: ['x'] }), 'issuer must be the one'],
    [
      'several tenants',
      () => ({ issuer: 'https://{tenantid}.example', tenants: ['a', 'x'] }),
      'must be the one tenant',
    ],
    ['a trust domain', () => ({ trustDomain: 'acme.org', jwks: issuer.jwks }), 'trustDomain is for'],
    [
      'a throw',
      () => {
        throw new Error('down')
      },
      'down',
    ],
    ['a rejection', () => Promise.reject(new Error('down')), 'down'],
    ['a rejection with nothing', () => Promise.reject(undefined), 'no reason given'],
    ['a promise of null', () => Promise.resolve(null), 'must be an entry'],
    ['silence', () => new Promise(() => {}), 'no answer within 40 ms'],
    [
      'a then that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: what an application could answer
        then() {
          throw new Error('strange')
        },
      }),
      'strange',
    ],
  ]

  test.each(answers)('%s', async (_, answer, message) => {
    const { outcome, asked } = setUp(answer, { timeoutMs: 40 })
    const token = issuer.mint()
    expect(await outcome(token)).toMatch(/^503 /)
    expect(await outcome(token)).toContain(message)
    // Nobody knows, so it is asked each time.
    expect(asked).toEqual([A, A])
  })

  test('and it is told of on standard error, once, and when it is back', async () => {
    const lines: string[] = []
    vi.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0)
    onTestFinished(() => void vi.restoreAllMocks())
    let works = false
    const { outcome } = setUp(() => (works ? entryOf(issuer) : null), { outageNotices: true })
    await outcome(issuer.mint())
    await outcome(issuer.mint())
    works = true
    expect(await outcome(issuer.mint())).toBe('accepted')
    expect(lines).toEqual([
      expect.stringMatching(
        /^vantage-auth: resolveIssuer of the application, asked for https:\/\/a\.example\/tenant, failed: .*must be an entry/,
      ),
      expect.stringMatching(
        /^vantage-auth: resolveIssuer of the application, asked for https:\/\/a\.example\/tenant, is back/,
      ),
    ])
  })
})

describe('after issuerTtlSeconds', () => {
  const given = (options: VerifierOptions = {}) => {
    const said: { now: () => unknown } = { now: () => undefined }
    const world = setUp(() => said.now(), { issuerTtlSeconds: 60, ...options })
    const issuer = world.issuerOf()
    said.now = () => entryOf(issuer)
    return { ...world, issuer, say: (now: () => unknown) => (said.now = now) }
  }

  test('it is asked again, and before that it is not', async () => {
    const { outcome, clock, asked, issuer } = given()
    const token = issuer.mint()
    await outcome(token)
    clock.now += 59 * SECOND
    expect(await outcome(token)).toBe('accepted')
    expect(asked).toHaveLength(1)
    clock.now += SECOND
    expect(await outcome(token)).toBe('accepted')
    expect(asked).toHaveLength(2)
    clock.now += 59 * SECOND
    await outcome(token)
    expect(asked).toHaveLength(2)
  })

  test('a refusal ends the issuer and its cached tokens', async () => {
    const { outcome, clock, issuer, say } = given()
    const token = issuer.mint()
    await outcome(token)
    say(() => undefined)
    clock.now += 60 * SECOND
    expect(await outcome(token)).toBe('401 issuer')
    expect(await outcome(issuer.mint())).toBe('401 issuer')
    say(() => entryOf(issuer, { audience: 'reports' }))
    clock.now += 30 * SECOND
    // It was accepted before, and what comes back is another issuer.
    expect(await outcome(token)).toBe('401 audience')
  })

  test('no answer is 503, for cached tokens too, and the issuer is kept for the next answer', async () => {
    const { outcome, clock, issuer, say } = given()
    const token = issuer.mint()
    await outcome(token)
    say(() => {
      throw new Error('down')
    })
    clock.now += 60 * SECOND
    expect(await outcome(token)).toBe('503 resolveIssuer, asked for https://a.example/tenant: down')
    expect(await outcome(issuer.mint())).toBe('503 resolveIssuer, asked for https://a.example/tenant: down')
    say(() => Promise.resolve(entryOf(issuer)))
    expect(await outcome(token)).toBe('accepted')
  })

  test('the same entry keeps the key set, and another one takes its place', async () => {
    const fetches: string[] = []
    const fetch = async (url: string | URL | Request) => {
      fetches.push(String(url))
      return Response.json(issuer.jwks)
    }
    const { outcome, clock, issuer, say } = given({ fetch })
    const entry = { issuer: A, jwksUri: 'https://a.example/jwks' }
    say(() => ({ ...entry }))
    const token = issuer.mint()
    await outcome(token)
    clock.now += 60 * SECOND
    expect(await outcome(token)).toBe('accepted')
    expect(fetches).toHaveLength(1)
    say(() => ({ ...entry, audience: 'reports' }))
    clock.now += 60 * SECOND
    expect(await outcome(token)).toBe('401 audience')
    expect(await outcome(issuer.mint({ aud: 'reports' }))).toBe('accepted')
    expect(fetches).toHaveLength(2)
    say(() => ({ ...entry, audience: 'reports', fetch }))
    clock.now += 60 * SECOND
    expect(await outcome(issuer.mint({ aud: 'reports' }))).toBe('accepted')
    expect(fetches).toHaveLength(3)
  })

  test('what was refused by the old entry is looked at again by the new one', async () => {
    const { outcome, clock, issuer, say } = given({ issuerTtlSeconds: 1 })
    const token = issuer.mint({ aud: 'reports' })
    expect(await outcome(token)).toBe('401 audience')
    say(() => entryOf(issuer, { audience: 'reports' }))
    clock.now += SECOND
    await outcome(issuer.mint())
    expect(await outcome(token)).toBe('accepted')
  })

  test('a clock that is set back prolongs nothing', async () => {
    const { outcome, clock, issuer, asked } = given({ issuerTtlSeconds: 1 })
    await outcome(issuer.mint())
    clock.now -= 3600 * SECOND
    await vi.waitFor(async () => {
      await outcome(issuer.mint({ exp: START / 1000 + 600 }))
      expect(asked.length).toBeGreaterThan(1)
    }, 5000)
  })
})

describe('bounds', () => {
  test('one question about an issuer is under way at a time', async () => {
    let answer: (entry: unknown) => void = () => {}
    const { outcome, asked, issuerOf } = setUp(() => new Promise((resolve) => (answer = resolve)))
    const issuer = issuerOf()
    const outcomes = Array.from({ length: 50 }, () => outcome(issuer.mint()))
    answer(entryOf(issuer))
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['accepted']))
    expect(asked).toEqual([A])
  })

  test('at most 100 questions are under way, and what is beyond is 503 and no outage', async () => {
    const warnings: unknown[] = []
    const note = (warning: Error) => warnings.push(warning.message)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const answers: ((entry: unknown) => void)[] = []
    const { outcome, asked, issuerOf } = setUp(() => new Promise((resolve) => answers.push(resolve)))
    const issuer = issuerOf()
    const flood = Array.from({ length: 100 }, (_, n) => outcome(issuer.mint({ iss: `https://x${n}.example` })))
    expect(await outcome(issuer.mint())).toBe('503 resolveIssuer: too many questions')
    expect(asked).toHaveLength(100)
    for (const answer of answers) answer(undefined)
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['401 issuer']))
    const last = outcome(issuer.mint())
    answers[100]?.(entryOf(issuer))
    expect(await last).toBe('accepted')
    expect(warnings).toEqual([])
  })

  test('answers that are there at once are not among them', async () => {
    const { outcome, issuerOf } = setUp((iss) => entryOf(issuers.get(iss) as TestIssuer))
    const issuers = new Map(
      Array.from({ length: 150 }, (_, n) => issuerOf(`https://x${n}.example`)).map((one) => [one.issuer, one]),
    )
    const outcomes = await Promise.all(Array.from(issuers.values(), (one) => outcome(one.mint())))
    expect(new Set(outcomes)).toEqual(new Set(['accepted']))
  })

  test('at most maxIssuers are kept, and the one unused longest goes with its tokens', async () => {
    const names = ['https://a.example', 'https://b.example', 'https://c.example']
    const { outcome, asked, issuerOf } = setUp((iss) => entryOf(issuers[names.indexOf(iss)] as TestIssuer), {
      maxIssuers: 2,
    })
    const issuers = names.map((name) => issuerOf(name))
    const [a, b, c] = issuers.map((one) => one.mint()) as [string, string, string]
    for (const token of [a, b, a, c]) expect(await outcome(token)).toBe('accepted')
    expect(asked).toEqual(names)
    // A hit of the cache was a use of a, so b has gone.
    await outcome(a)
    expect(asked).toHaveLength(3)
    await outcome(b)
    expect(asked).toEqual([...names, 'https://b.example'])
  })
})

describe('close()', () => {
  test('ends questions, and an answer that comes later makes no issuer', async () => {
    let answer: (entry: unknown) => void = () => {}
    const { outcome, verifier, issuerOf } = setUp(() => new Promise((resolve) => (answer = resolve)), {
      timeoutMs: 60_000,
    })
    const issuer = issuerOf()
    const waiting = outcome(issuer.mint())
    await verifier.close()
    expect(await waiting).toBe('503 the verifier is closed')
    answer(entryOf(issuer))
    expect(await outcome(issuer.mint())).toBe('503 the verifier is closed')
  })

  test('ends the fetch of an issuer that was told of', async () => {
    let aborted = false
    let begun = false
    const { outcome, verifier, issuerOf } = setUp(() => ({ issuer: A, jwksUri: 'https://a.example/jwks' }), {
      timeoutMs: 60_000,
      fetch: (_, init) =>
        new Promise((_, reject) => {
          begun = true
          init?.signal?.addEventListener('abort', () => {
            aborted = true
            reject(new Error('aborted'))
          })
        }),
    })
    const waiting = outcome(issuerOf().mint())
    await vi.waitFor(() => expect(begun).toBe(true))
    await verifier.close()
    expect(await waiting).toMatch(/^503/)
    expect(aborted).toBe(true)
  })
})

test('describe() and ready() are of the configured issuers, and say that the application is asked', async () => {
  const { verifier } = setUp(() => undefined, { maxIssuers: 7 })
  expect(verifier.describe()).toMatchObject({
    issuers: [],
    resolveIssuer: true,
    issuerTtlSeconds: 300,
    maxIssuers: 7,
  })
  await verifier.ready()
})

test.each([
  [{ resolveIssuer: 'x' }, 'resolveIssuer must be a function'],
  [{ resolveIssuer: null }, 'resolveIssuer must be a function'],
  [{ issuerTtlSeconds: 0 }, 'issuerTtlSeconds must be a number from 1 to 86400'],
  [{ maxIssuers: 0 }, 'maxIssuers must be a number from 1 to 100000'],
  [{ maxIssuers: 1.5 }, 'maxIssuers must be a whole number from 1 to 100000'],
  [{ maxIssuers: 5 }, 'maxIssuers is for issuers of resolveIssuer'],
  [{ issuerTtlSeconds: 5, resolveIssuer: undefined }, 'issuerTtlSeconds is for issuers of resolveIssuer'],
])('%j is refused at start', (options, message) => {
  expect(() => createVerifier({ keys: false, ...options } as never)).toThrow(message)
})
