import {
  type AnyAuthError,
  createVerifier,
  type DecisionEvent,
  InsufficientScopeError,
  UnavailableError,
} from 'vantage-auth'
import { afterEach, describe, expect, test } from 'vitest'
import type { Answer } from '../../src/http/answers.js'
import {
  authorize,
  authTest,
  type Guard,
  guardsAs,
  requireAnyScope,
  requireKind,
  requireScope,
} from '../../src/http/guards.js'
import { follow, type Verdict } from '../../src/http/middleware.js'
import { getAuth } from '../../src/http/outcome.js'
import { decisions as observeDecisions } from '../support/decisions.js'
import { actions, enter, guardMiddleware, type Request } from '../support/portable.js'
import { forbidden, invalid, keys, missing, options } from '../support/requests.js'

async function accepted(given = {}): Promise<Request> {
  const request: Request = { headers: { authorization: `Bearer ${keys.read}` } }
  expect(await enter(request, { ...options, ...given })).toBe(request)
  return request
}

const endings: (() => unknown)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
})

/** What telemetry is told from now on. */
function decisions(): DecisionEvent[] {
  const { events, end } = observeDecisions()
  endings.push(end)
  return events
}

describe('requireScope and requireAnyScope', () => {
  test.each([
    [[]],
    [['']],
    [['jobs:read clusters:read']],
    [['jobs:read,clusters:read']],
    [['"']],
    [[['jobs:read']]],
    [[undefined]],
  ])('refuse %j when the route is defined', (scopes) => {
    expect(() => requireScope(...(scopes as ['jobs:read']))).toThrow(TypeError)
    expect(() => requireAnyScope(...(scopes as ['jobs:read']))).toThrow(TypeError)
  })

  test.each([[null], [7], [10n], [Symbol('hush')]])('show nothing but the type of %s', (scope) => {
    for (const guard of [requireScope, requireAnyScope]) {
      expect(() => guard(scope as never)).toThrow(new RegExp(`, not ${scope === null ? 'null' : typeof scope};`))
    }
  })

  test('look at the Auth of the mount, and answer with its realm', async () => {
    const request = await accepted({ realm: 'own' })
    request.auth = { ...getAuth(request), scopes: ['teams:read'] }
    const refused = guardMiddleware(requireAnyScope('teams:read', 'teams:write'))(request, actions)
    expect(refused).toMatchObject({ status: 403 })
    expect((refused as Answer).headers['WWW-Authenticate']).toMatch(
      /^Bearer realm="own", .*, scope="teams:read teams:write"$/,
    )
    expect(guardMiddleware(requireScope('jobs:read', 'clusters:read'))(request, actions)).toBe('passed')
  })

  test('look at each list of scopes, and again at one that the verifier of an application has changed', async () => {
    const guard = guardMiddleware(requireScope('jobs:read'))
    const enough = ['jobs:read']
    const acceptedWith = async (scopes: string[]) => {
      const auth = { ...getAuth(await accepted()), scopes }
      const verifier = { ...createVerifier(options), authenticate: () => auth }
      const request: Request = { headers: {} }
      expect(await enter(request, { verifier })).toBe(request)
      return request
    }
    const request = await acceptedWith(enough)
    expect(guard(request, actions)).toBe('passed')
    enough.length = 0
    expect(guard(request, actions)).toMatchObject({ status: 403 })
    expect(guard(await acceptedWith(Object.freeze(['jobs:read']) as string[]), actions)).toBe('passed')
    expect(guard(await acceptedWith(Object.freeze(['jobs:write']) as string[]), actions)).toMatchObject({ status: 403 })

    // A table of roles that looks like a frozen list.
    let role = 'reader'
    class Granted extends Array<string> {
      override includes(scope: string): boolean {
        return role === 'reader' && scope === 'jobs:read'
      }
    }
    const byRole = await acceptedWith(Object.freeze(new Granted('-')) as string[])
    expect(guard(byRole, actions)).toBe('passed')
    role = 'none'
    expect(guard(byRole, actions)).toMatchObject({ status: 403 })
  })
})

describe('requireKind', () => {
  test('passes its kind, and refuses another with the documented 401 and the reason kind', async () => {
    const heard: AnyAuthError[] = []
    const request = await accepted({ realm: 'own', onError: (error: AnyAuthError) => heard.push(error) })
    expect(guardMiddleware(requireKind('api_key'))(request, actions)).toBe('passed')
    const events = decisions()
    const answer = guardMiddleware(requireKind('access_token'))(request, actions) as Answer
    expect(answer).toMatchObject({ status: 401, body: invalid().body })
    expect(answer.headers['WWW-Authenticate']).toMatch(/^Bearer realm="own", error="invalid_token"/)
    const credential = { kind: 'api_key', keyId: keys.read.slice(9, 21) }
    expect(heard).toMatchObject([{ code: 'ERR_VANTAGE_TOKEN_INVALID', reason: 'kind', credential }])
    expect(events).toMatchObject([{ outcome: 'token_invalid', reason: 'kind', decidedBy: 'guard', ...credential }])
  })

  test.each([[undefined], ['key'], ['API_KEY'], [['api_key']], [null]])('takes no %j', (kind) => {
    expect(() => requireKind(kind as 'api_key')).toThrow(/^requireKind\(\) takes 'api_key' or 'access_token'/)
  })
})

describe('authorize', () => {
  const throwing = () => {
    throw new Error('hush')
  }
  const wrong = {
    status: 500,
    statusCode: 500,
    expose: false,
    message: expect.stringMatching(/^the check of authorize\('owns-job'\)/),
  }

  test('passes a request of which the rule says true, at once or later', async () => {
    const request = await accepted()
    const seen: unknown[] = []
    const rule = authorize('owns-job', (...given: unknown[]) => seen.push(...given) > 0)
    expect(guardMiddleware(rule)(request, actions)).toBe('passed')
    expect(seen).toEqual([getAuth(request), request])
    expect(await guardMiddleware(authorize('owns-job', async () => true))(request, actions)).toBe('passed')
  })

  test.each([
    ['at once', () => false],
    ['later', async () => false],
  ])('refuses where it says false %s, with a 403 that no scope lifts', async (_, check) => {
    const heard: AnyAuthError[] = []
    const request = await accepted({ realm: 'own', onError: (error: AnyAuthError) => heard.push(error) })
    const events = decisions()
    const answer = (await guardMiddleware(authorize('owns-job', check))(request, actions)) as Answer
    expect(answer.status).toBe(403)
    expect(answer.body).toBe(forbidden('x').body)
    expect(answer.headers['WWW-Authenticate']).toBe(
      'Bearer realm="own", error="insufficient_scope", error_description="The request requires higher privileges than provided"',
    )
    const refusal = { reason: 'rule', rule: 'owns-job' }
    expect(heard).toMatchObject([{ ...refusal, code: 'ERR_VANTAGE_SCOPE_INSUFFICIENT', required: [] }])
    expect(events).toMatchObject([{ ...refusal, outcome: 'scope_insufficient', decidedBy: 'guard', kind: 'api_key' }])
  })

  test.each<[string, () => unknown]>([
    ['undefined', () => undefined],
    ['1', () => 1],
    ['a text', () => 'true'],
    ['an object', () => ({})],
    ['a promise of 1', async () => 1],
    ['a promise of nothing', async () => {}],
    ['a promise that never settles', () => new Promise(() => {})],
    [
      'a throw',
      () => {
        throw new Error('hush')
      },
    ],
    ['a rejection', () => Promise.reject(new Error('hush'))],
    ['a rejection with nothing', () => Promise.reject(undefined)],
    [
      'a refusal that is thrown',
      () => {
        throw new InsufficientScopeError('x', ['jobs:read'])
      },
    ],
    [
      'an outage that is thrown',
      async () => {
        throw new UnavailableError(new Error('hush'))
      },
    ],
    ['an object whose then throws', () => Object.defineProperty({}, 'then', { get: throwing })],
    ['a promise-like that throws', () => Object.defineProperty({}, 'then', { value: throwing })],
  ])('is a 500 of a fixed text for %s, and no decision', async (_, check) => {
    const heard: unknown[] = []
    const request = await accepted({ timeoutMs: 20, onError: (error: AnyAuthError) => heard.push(error) })
    const events = decisions()
    const error = await guardMiddleware(authorize('owns-job', check as () => boolean))(request, actions)
    expect(error).toMatchObject(wrong)
    expect((error as Error).message).not.toContain('hush')
    expect([heard, events]).toEqual([[], []])
  })

  test('changes nothing by an answer that comes late', async () => {
    const request = await accepted({ timeoutMs: 20 })
    for (const late of [
      () => true,
      () => {
        throw new Error('late')
      },
    ]) {
      let answer = () => {}
      const waiting = new Promise<boolean>((resolve, reject) => {
        answer = () => {
          try {
            resolve(late())
          } catch (error) {
            reject(error)
          }
        }
      })
      const done: string[] = []
      const counting = { ...actions, next: () => done.push('next'), fail: () => done.push('fail') }
      await guardMiddleware(authorize('owns-job', () => waiting))(request, counting)
      answer()
      await new Promise(setImmediate)
      expect(done).toEqual(['fail'])
    }
  })

  test('is not asked where the request has no Auth, which is 401', async () => {
    const request: Request = {}
    await enter(request, { ...options, optional: true })
    let asked = false
    const rule = authorize('owns-job', () => {
      asked = true
      return true
    })
    expect(guardMiddleware(rule)(request, actions)).toMatchObject({ status: 401, body: missing().body })
    expect(asked).toBe(false)
  })

  test.each([[''], ['x'.repeat(65)], ['owns job'], ['owns/job'], ['ö'], ['a\n'], [undefined], [7], [['a']]])(
    'takes no %j for a name',
    (name) => {
      expect(() => authorize(name as string, () => true)).toThrow(/^authorize\(\) takes a name of 1 to 64/)
    },
  )

  test('takes the longest name, and no rule that is no function', () => {
    expect(authorize(`${'x'.repeat(59)}_.:-9`, () => true).name).toContain('xxx_.:-9')
    expect(() => authorize('a', true as never)).toThrow(/^authorize\('a'\) needs a function/)
  })
})

describe('a guard of any kind', () => {
  /** What a guard by tenant would be. */
  const tenant = (check: Guard['check']) => guardMiddleware({ name: "requireTenant('acme')", check })

  test('is given the Auth, the request and how the mount refuses', async () => {
    const request = await accepted({ realm: 'own' })
    const seen: unknown[] = []
    const guard = tenant((...given) => {
      seen.push(...given)
      return 'pass'
    })
    expect(guard(request, actions)).toBe('passed')
    expect(seen).toMatchObject([
      getAuth(request),
      request,
      { realm: 'own', timeoutMs: 3000, time: { clockToleranceSeconds: 5 } },
    ])
  })

  test.each([
    ['at once', (verdict: Verdict) => verdict],
    ['later', async (verdict: Verdict) => verdict],
    [
      'by a throw',
      (verdict: Verdict) => {
        throw verdict
      },
    ],
    ['by a rejection', (verdict: Verdict) => Promise.reject(verdict)],
  ])('may refuse %s, and onError and telemetry hear of it', async (_, give) => {
    const heard: AnyAuthError[] = []
    const request = await accepted({ onError: (error: AnyAuthError) => heard.push(error) })
    const refusals = [new InsufficientScopeError('own', ['teams:read']), new UnavailableError(new Error('no tenants'))]
    for (const refusal of refusals) {
      const events = decisions()
      expect(await tenant(() => give(refusal))(request, actions)).toMatchObject({ status: refusal.status })
      expect(heard.splice(0)).toEqual([refusal])
      const outcome = refusal.status === 403 ? 'scope_insufficient' : 'unavailable'
      expect(events).toMatchObject([{ outcome, decidedBy: 'guard', kind: 'api_key', keyId: keys.read.slice(9, 21) }])
    }
  })

  test('is heard of at each request where it refuses with one error always', async () => {
    const refusal = new InsufficientScopeError('own', ['teams:read'])
    const guard = tenant(() => refusal)
    const [first, second] = [await accepted(), await accepted()]
    const events = decisions()
    for (const request of [first, second]) guard(request, actions)
    expect(events).toMatchObject([{ outcome: 'scope_insufficient' }, { outcome: 'scope_insufficient' }])
  })

  test('passes on the refusal of a verifier, which telemetry hears of once', async () => {
    const request = await accepted()
    const verifier = createVerifier(options)
    endings.push(() => verifier.close())
    const events = decisions()
    const asking = tenant(async (): Promise<Verdict> => {
      await verifier.authenticate({ authorization: 'Bearer x' })
      return 'pass'
    })
    expect(await asking(request, actions)).toMatchObject({ status: 401 })
    expect(events).toMatchObject([{ outcome: 'token_invalid', decidedBy: 'verifier' }])
  })

  test('passes later where its verdict takes time', async () => {
    const passed = tenant(async (): Promise<Verdict> => 'pass')(await accepted(), actions)
    expect(passed).toBeInstanceOf(Promise)
    expect(await passed).toBe('passed')
  })

  test('gives the framework what its check throws by mistake, which is no decision', async () => {
    const mistake = new RangeError('out of paper')
    const request = await accepted()
    const events = decisions()
    const failing = tenant(() => {
      throw mistake
    })
    expect(failing(request, actions)).toBe(mistake)
    expect(await tenant(() => Promise.reject(mistake))(request, actions)).toBe(mistake)
    expect(events).toEqual([])
  })

  test('answers 401 without asking where the request has no Auth', async () => {
    const request: Request = {}
    await enter(request, { ...options, optional: true })
    const asked = tenant(() => {
      throw new Error('asked')
    })
    const events = decisions()
    expect(asked(request, actions)).toMatchObject({ status: 401, body: missing().body })
    expect(events).toMatchObject([{ outcome: 'credentials_missing', decidedBy: 'guard', kind: undefined }])
  })

  test('is a mistake that names the guard where no mount ran before', () => {
    const message = (guard: Guard) => (guardMiddleware(guard)({}, actions) as Error).message
    const cure = 'ran without vantageAuth(): mount the middleware before the route'
    expect(message(requireScope('jobs:read', 'jobs:write'))).toBe(`requireScope('jobs:read', 'jobs:write') ${cure}`)
    expect(message(authTest())).toBe(`authTest() ${cure}`)
  })
})

test.each<[string, (...given: never[]) => unknown]>([
  ['requireScope', requireScope],
  ['requireAnyScope', requireAnyScope],
  ['authTest', authTest],
  ['requireKind', requireKind],
  ['authorize', authorize],
])('%s that a framework calls itself says so, and nothing of the request', (name, guard) => {
  const request = { headers: { authorization: 'Bearer hush' }, toJSON: () => 'hush', toString: () => 'hush' }
  for (const given of [[request], [request, {}], [request, {}, () => {}]] as never[][]) {
    expect(() => guard(...given)).toThrow(TypeError)
    expect(() => guard(...given)).toThrow(new RegExp(`^${name} was passed without being called(?!.*hush)`))
  }
})

test('guardsAs keeps the arguments of a guard, and checks them when the route is defined', async () => {
  const guard = guardsAs((middleware) => (request: object) => follow(middleware(request), actions))
  const exported = guard(requireScope)
  expect(() => exported('' as 'jobs:read')).toThrow(TypeError)
  expect(exported('jobs:read')(await accepted())).toBe('passed')
  expect(exported('jobs:write')(await accepted())).toMatchObject({ status: 403 })
})
