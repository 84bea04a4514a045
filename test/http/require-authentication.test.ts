import { createVerifier, type DecisionEvent, InsufficientAuthenticationError } from 'vantage-auth'
import { describe, expect, test } from 'vitest'
import type { Answer } from '../../src/http/answers.js'
import { requireAuthentication } from '../../src/http/guards.js'
import type { AuthenticationOptions } from '../../src/http/require-authentication.js'
import { decisions } from '../support/decisions.js'
import { actions, enter, guardMiddleware, type Request } from '../support/portable.js'
import { insufficientAuthentication, keys, missing } from '../support/requests.js'
import { createTestIssuer } from '../support/tokens.js'

/** Instant of the checks, in seconds since the epoch. */
const NOW = 2_000_000_000
const time = { now: NOW * 1000 }
const clock = () => time.now
const issuer = createTestIssuer({ clock })
const options = { ...issuer.options, keys: false as const, clock, clockToleranceSeconds: 5 }

/** What a guard does with a request that came with these claims: `passed`, the answer, or what was forwarded. */
async function judge(
  demand: AuthenticationOptions,
  claims: Record<string, unknown>,
  given: object = {},
): Promise<unknown> {
  const request: Request = { headers: { authorization: `Bearer ${issuer.mint(claims)}` } }
  expect(await enter(request, { ...options, ...given })).toBe(request)
  return guardMiddleware(requireAuthentication(demand))(request, actions)
}

async function statusOf(demand: AuthenticationOptions, claims: Record<string, unknown>): Promise<number | 'passed'> {
  const answer = await judge(demand, claims)
  return answer === 'passed' ? 'passed' : (answer as Answer).status
}

describe('acr', () => {
  test.each<[acr: string | string[], claim: unknown, outcome: 'passed' | 401]>([
    ['mfa', 'mfa', 'passed'],
    [['phr', 'mfa'], 'mfa', 'passed'],
    [['phr', 'mfa'], 'phr', 'passed'],
    ['mfa', 'pwd', 401],
    ['mfa', 'MFA', 401],
    ['mfa', 'mfa phr', 401],
    ['mfa', undefined, 401],
    ['mfa', '', 401],
    ['mfa', ['mfa'], 401],
    ['1', 1, 401],
    ['null', null, 401],
  ])('%j: a token with %j is %s', async (acr, claim, outcome) => {
    expect(await statusOf({ acr }, { acr: claim })).toBe(outcome)
  })

  test('is one of a list, and what is done to the list afterwards changes nothing', async () => {
    const acr = ['phr']
    const guard = requireAuthentication({ acr })
    acr.push('pwd')
    const request: Request = { headers: { authorization: `Bearer ${issuer.mint({ acr: 'pwd' })}` } }
    await enter(request, options)
    expect(guardMiddleware(guard)(request, actions)).toMatchObject({ status: 401 })
  })
})

describe('maxAgeSeconds', () => {
  test.each<[maxAgeSeconds: number, authTime: unknown, outcome: 'passed' | 401]>([
    [60, NOW, 'passed'],
    [60, NOW - 65, 'passed'],
    [60, NOW - 65.5, 401],
    [60, NOW - 66, 401],
    [0, NOW - 5, 'passed'],
    [0, NOW - 6, 401],
    // From the future, beyond the tolerance.
    [60, NOW + 5, 'passed'],
    [60, NOW + 6, 401],
    [31_536_000, NOW + 1e9, 401],
    [60, undefined, 401],
    [60, null, 401],
    [60, String(NOW), 401],
    [60, [NOW], 401],
    [60, true, 401],
    [60, -1, 401],
    // In milliseconds.
    [60, NOW * 1000, 401],
  ])('%j: a token with auth_time %j is %s', async (maxAgeSeconds, auth_time, outcome) => {
    expect(await statusOf({ maxAgeSeconds }, { auth_time })).toBe(outcome)
  })

  test('is asked of each request, also where the token comes out of the cache', async () => {
    const verifier = createVerifier(options)
    const guard = guardMiddleware(requireAuthentication({ maxAgeSeconds: 60 }))
    const authorization = `Bearer ${issuer.mint({ auth_time: NOW })}`
    const ask = async () => {
      const request: Request = { headers: { authorization } }
      await enter(request, { verifier })
      return guard(request, actions)
    }
    expect(await ask()).toBe('passed')
    time.now += 65_000
    expect(await ask()).toBe('passed')
    time.now += 1000
    expect(await ask()).toMatchObject({ status: 401 })
    time.now = NOW * 1000
    await verifier.close()
  })

  test('cannot be decided, and so is 503, where the clock throws or says nothing', async () => {
    const request: Request = { headers: { authorization: `Bearer ${issuer.mint({ auth_time: NOW })}` } }
    const broken = { throws: false, now: NOW * 1000 }
    const verifier = createVerifier({
      ...options,
      clock: () => {
        if (broken.throws) throw new Error('hush')
        return broken.now
      },
    })
    await enter(request, { verifier })
    const guard = guardMiddleware(requireAuthentication({ maxAgeSeconds: 60 }))
    expect(guard(request, actions)).toBe('passed')
    broken.now = Number.NaN
    expect(guard(request, actions)).toMatchObject({ status: 503 })
    broken.throws = true
    expect(guard(request, actions)).toMatchObject({ status: 503 })
    expect(JSON.stringify(guard(request, actions))).not.toContain('hush')
    await verifier.close()
  })

  test("goes by the system's clock, and by the tolerance that it describes, behind an own verifier", async () => {
    const inner = createVerifier({ ...issuer.options, keys: false, clockToleranceSeconds: 30 })
    const [description, now] = [inner.describe(), Date.now()]
    const accepted = (authTime: unknown) => ({
      kind: 'access_token',
      subject: 's',
      scopes: [],
      issuer: 'https://own.example',
      authTime,
    })
    const guard = guardMiddleware(requireAuthentication({ maxAgeSeconds: 60 }))
    const ask = async (authTime: unknown, describe = () => description) => {
      const request: Request = { headers: {} }
      const verifier = { ...inner, describe, authenticate: () => accepted(authTime) as never }
      await enter(request, { verifier })
      const outcome = await guard(request, actions)
      return outcome === 'passed' ? outcome : (outcome as Answer).status
    }
    expect(await ask(new Date(now - 80_000))).toBe('passed')
    expect(await ask(new Date(now - 100_000))).toBe(401)
    expect(await ask(new Date(now - 80_000), () => ({ realm: 'own' }) as never)).toBe(401)
    expect(await ask(new Date(Number.NaN))).toBe(401)
    expect(await ask(now)).toBe(401)
    expect(await ask(undefined)).toBe(401)
    await inner.close()
  })
})

describe('a refusal', () => {
  test('names what was demanded, and nothing else', async () => {
    const lowerCase = (answer: unknown) => {
      const { status, headers, body } = answer as Answer
      const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
      return { status, headers: Object.fromEntries(entries), body }
    }
    const both = { acr: ['a', 'b', 'a'], maxAgeSeconds: 60 }
    expect(lowerCase(await judge(both, {}))).toEqual(insufficientAuthentication('acr_values="a b", max_age="60"'))
    expect(lowerCase(await judge({ acr: 'mfa' }, { acr: 'pwd' }))).toEqual(
      insufficientAuthentication('acr_values="mfa"'),
    )
    expect(lowerCase(await judge({ maxAgeSeconds: 0 }, {}))).toEqual(insufficientAuthentication('max_age="0"'))
  })

  test('has a class, a code and a reason, and reaches onError and telemetry', async () => {
    const heard: unknown[] = []
    const { events, end } = decisions()
    await judge(
      { acr: 'mfa', maxAgeSeconds: 60 },
      { auth_time: NOW },
      { onError: (error: unknown) => heard.push(error) },
    )
    end()
    expect(heard).toEqual([
      expect.objectContaining({
        code: 'ERR_VANTAGE_AUTHENTICATION_INSUFFICIENT',
        reason: 'authentication',
        cause: 'the token has no acr',
        status: 401,
        acrValues: ['mfa'],
        maxAgeSeconds: 60,
        credential: { kind: 'access_token', issuer: issuer.issuer },
      }),
    ])
    expect(heard[0]).toBeInstanceOf(InsufficientAuthenticationError)
    expect(events.filter(({ decidedBy }: DecisionEvent) => decidedBy === 'guard')).toMatchObject([
      { outcome: 'authentication_insufficient', reason: 'authentication', kind: 'access_token', issuer: issuer.issuer },
    ])
  })

  test('is what an API key gets, whatever is demanded', async () => {
    for (const demand of [{ acr: 'mfa' }, { maxAgeSeconds: 31_536_000 }]) {
      const request: Request = { headers: { authorization: `Bearer ${keys.read}` } }
      await enter(request)
      expect(guardMiddleware(requireAuthentication(demand))(request, actions)).toMatchObject({ status: 401 })
    }
  })

  test('of a request without a credential is the one for that', async () => {
    const request: Request = { headers: {} }
    await enter(request, { ...options, optional: true })
    const { status, body } = (await guardMiddleware(requireAuthentication({ acr: 'mfa' }))(request, actions)) as Answer
    expect({ status, body }).toEqual({ status: missing().status, body: missing().body })
  })
})

describe('is a mistake of the application, named when the route is defined:', () => {
  test.each<[given: unknown[], message: RegExp]>([
    [[], /^options of requireAuthentication\(\) must be an object with acr, maxAgeSeconds/],
    [[null], /^options of requireAuthentication/],
    [['mfa'], /^options of requireAuthentication/],
    [[{}], /^requireAuthentication\(\) needs acr or maxAgeSeconds/],
    [[{ acr: undefined, maxAgeSeconds: undefined }], /^requireAuthentication\(\) needs acr or maxAgeSeconds/],
    [[{ acr: 'mfa', maxAge: 5 }], /^unknown option of requireAuthentication\(\)/],
    [[{ maxageseconds: 5 }], /did you mean maxAgeSeconds\?/],
    [[Object.create({ acr: 'mfa' })], /is inherited/],
    [[{ acr: 'mfa' }, () => {}, () => {}], /^requireAuthentication was passed without being called/],
  ])('%j', (given, message) => {
    const declare = () => (requireAuthentication as (...given: unknown[]) => unknown)(...given)
    expect(declare).toThrow(TypeError)
    expect(declare).toThrow(message)
  })

  test.each([
    [''],
    [[]],
    ['a b'],
    ['a"b'],
    ['a\\b'],
    ['a\r\nb'],
    ['ü'],
    ['a\u007f'],
    [null],
    [7],
    [['mfa', '']],
    [['mfa', 7]],
    [[['mfa']]],
    ['x'.repeat(201)],
    [Array.from({ length: 21 }, (_, i) => `a${i}`)],
  ])('acr %j', (acr) => {
    expect(() => requireAuthentication({ acr } as never)).toThrow(TypeError)
    expect(() => requireAuthentication({ acr } as never)).toThrow(/^acr must be/)
  })

  test.each([[-1], [0.5], [Number.NaN], [Number.POSITIVE_INFINITY], ['60'], [null], [31_536_001], [60n], [[60]]])(
    'maxAgeSeconds %s',
    (maxAgeSeconds) => {
      expect(() => requireAuthentication({ maxAgeSeconds } as never)).toThrow(TypeError)
      expect(() => requireAuthentication({ maxAgeSeconds } as never)).toThrow(/^maxAgeSeconds must be/)
    },
  )

  test.each([1, undefined, 'mfa', ['mfa']])('a second argument: %j', (second) => {
    const given = requireAuthentication as (...given: unknown[]) => unknown
    expect(() => given({ acr: 'mfa' }, second)).toThrow(TypeError)
    expect(() => given({ acr: 'mfa' }, second)).toThrow('requireAuthentication() takes one object')
  })

  test('passed to a framework without being called, it shows nothing of the request', () => {
    const request = { headers: { authorization: 'Bearer canary' } }
    expect(() => (requireAuthentication as (...given: unknown[]) => unknown)(request, {}, () => {})).toThrow(
      /^requireAuthentication was passed without being called(?:.|\n)*write requireAuthentication\(\{ maxAgeSeconds: 300 \}\)$/,
    )
  })
})

test('takes the longest values and the longest list that it says', () => {
  const acr = Array.from({ length: 20 }, (_, i) => `${i}`.padStart(200, 'x'))
  expect(requireAuthentication({ acr, maxAgeSeconds: 31_536_000 }).name).toContain('requireAuthentication(')
})
