import { type AnyAuthError, type Auth, createVerifier, isAuthError, type Verifier } from 'vantage-auth'
import { describe, expect, test } from 'vitest'
import {
  answerTo,
  authTestAnswer,
  createGuard,
  createMount,
  type Exits,
  findAuth,
  getAuth,
  type MountOptions,
} from '../../src/http/mount.js'
import { invalid, keys, options, token } from '../support/requests.js'

interface Request {
  rawHeaders?: string[]
  headers?: { authorization?: string }
  auth?: Auth | undefined
}

function mountOf(given: MountOptions<Request> = options) {
  return createMount<Request>(given, (request, auth) => {
    request.auth = auth
  })
}

/** Says which exit was taken, and with what. */
const exits: Exits<unknown> = {
  pass: () => 'passed',
  answer: (answer) => answer,
  fail: (error) => error,
}

/** Enters a request: the request itself where it passed; else the answer, or the error that was forwarded. */
async function enter(request: Request, given?: MountOptions<Request>): Promise<unknown> {
  const outcome = await mountOf(given).enter(request, request, exits)
  return outcome === 'passed' ? request : outcome
}

const authorization = `Bearer ${token}`

describe('createMount', () => {
  const shared = createVerifier(options)
  const wrong: [string, unknown, RegExp][] = [
    ['null', null, /takes an object of options/],
    ['a string', 'optional', /takes an object of options/],
    ['an unknown option', { audiance: 'x' }, /audiance/],
    ['optional that is no boolean', { optional: 1 }, /^optional must be true or false/],
    ['forwardErrors that is no boolean', { forwardErrors: 'yes' }, /^forwardErrors must be true or false/],
    ['skip that is no function', { skip: true }, /^skip must be a function/],
    ['skip that is null', { skip: null }, /^skip must be a function/],
    ['onError that is no function', { onError: {} }, /^onError must be a function/],
    ['verifier that is null', { verifier: null }, /^verifier must come from createVerifier\(\)/],
    ['verifier that is the options of one', { verifier: options }, /^verifier must come from createVerifier\(\)/],
    ['verifier without describe()', { verifier: { authenticate() {}, close() {} } }, /no describe\(\)/],
    ['verifier and options of another', { verifier: shared, realm: 'own' }, /^realm cannot be combined with verifier/],
  ]

  test.each(wrong)('refuses at start %s', (_, given, message) => {
    expect(() => mountOf(given as MountOptions<Request>)).toThrow(TypeError)
    expect(() => mountOf(given as MountOptions<Request>)).toThrow(message)
  })

  test('takes options that are undefined for absent', () => {
    const given = {
      optional: undefined,
      skip: undefined,
      onError: undefined,
      forwardErrors: undefined,
      realm: undefined,
    }
    const mount = mountOf({ ...given, verifier: shared } as MountOptions<Request>)
    expect([mount.verifier, mount.realm, mount.forwardErrors]).toEqual([shared, 'vantage', false])
  })

  test('closes the verifier that it made, and no shared one', async () => {
    const own = mountOf()
    await own.close()
    expect(() => own.verifier.authenticate({ authorization })).toThrow('cannot be verified at the moment')
    await mountOf({ verifier: shared }).close()
    expect(await shared.authenticate({ authorization })).toMatchObject({ subject: 'user_123' })
  })
})

describe('the Authorization header lines', () => {
  const entered = { auth: { subject: 'user_123' } }
  const requests: [string, Request, object][] = [
    ['of rawHeaders', { rawHeaders: ['Host', 'x', 'Authorization', authorization] }, entered],
    [
      'of rawHeaders, whatever headers say',
      { rawHeaders: ['authorization', authorization], headers: { authorization: 'Basic eDp5' } },
      entered,
    ],
    ['of headers, where there are no rawHeaders', { headers: { authorization } }, entered],
    ['of headers, where rawHeaders are empty', { rawHeaders: [], headers: { authorization } }, entered],
    ['as a list in headers', { headers: { authorization: [authorization, authorization] as never } }, { status: 400 }],
    [
      'twice in rawHeaders',
      { rawHeaders: ['a', 'b', 'Authorization', authorization, 'AUTHORIZATION', authorization] },
      { status: 400 },
    ],
    [
      'in a value of another header',
      { rawHeaders: ['X-Header', 'Authorization', 'Authorization', authorization] },
      entered,
    ],
    ['nowhere', { rawHeaders: ['Host', 'x'], headers: {} }, { status: 401 }],
    ['of a request without headers', {}, { status: 401 }],
  ]

  test.each(requests)('are read %s', async (_, request, outcome) => {
    expect(await enter(request)).toMatchObject(outcome)
  })
})

describe('a verifier of the application', () => {
  const auth = { kind: 'api_key', subject: 'own', scopes: [], expiresAt: null, tenant: null, keyId: 'k', name: null }
  const answering = (answer: () => unknown): MountOptions<Request> => ({
    verifier: { ...createVerifier(options), authenticate: answer as Verifier['authenticate'] },
  })
  // biome-ignore lint/suspicious/noThenProperty: a promise of another library
  const thenable = (settle: Promise<unknown>) => ({ then: settle.then.bind(settle) })

  test('may answer with any thenable', async () => {
    const mount = mountOf(answering(() => thenable(Promise.resolve(auth))))
    const request: Request = {}
    const entering = mount.enter(request, request, exits)
    expect(entering).toBeInstanceOf(Promise)
    expect(findAuth(request)).toBeUndefined()
    expect(await entering).toBe('passed')
    expect(getAuth(request)).toBe(auth)
  })

  test('may reject with one', async () => {
    const failure = new Error('hush')
    const given = answering(() => thenable(Promise.reject(failure)))
    expect(await enter({}, { ...given, forwardErrors: true })).toMatchObject({ status: 503, cause: failure })
    expect(await enter({}, given)).toMatchObject({ status: 503, body: expect.not.stringContaining('hush') })
  })

  test.each([
    [undefined],
    [null],
    [true],
    ['own'],
    [{}],
    [[]],
    [{ ...auth, kind: 'root' }],
    [{ ...auth, subject: undefined }],
    [{ ...auth, scopes: 'jobs:read' }],
  ])('opens nothing with %j', async (answer) => {
    for (const given of [
      answering(() => answer),
      answering(async () => answer),
      answering(() => thenable(Promise.resolve(answer))),
    ]) {
      for (const optional of [false, true]) {
        const request: Request = {}
        const failure = await enter(request, { ...given, optional })
        expect(failure).toMatchObject({ status: 500, message: expect.stringContaining('no Auth') })
        expect(isAuthError(failure)).toBe(false)
        expect(findAuth(request)).toBeUndefined()
      }
    }
  })
})

describe('a request', () => {
  test('is without Auth where no mount ran: getAuth says so, as an ordinary error', () => {
    expect(findAuth({})).toBeUndefined()
    expect(() => getAuth({})).toThrow('getAuth() ran without vantageAuth(): mount the middleware before the route')
    try {
      getAuth({})
    } catch (error) {
      expect(isAuthError(error)).toBe(false)
    }
  })

  test('is not read by what lies where handlers look', () => {
    expect(findAuth({ auth: { kind: 'api_key', subject: 'root', scopes: [] } })).toBeUndefined()
  })

  test('keeps the Auth of the mount that ran last', async () => {
    const request: Request = { headers: { authorization } }
    await enter(request)
    expect(getAuth(request).subject).toBe('user_123')
    await enter(request, { ...options, skip: () => true, realm: 'second' })
    expect(request.auth).toBeUndefined()
    expect(createGuard('requireScope', ['jobs:read'])(request, exits)).toMatchObject({
      status: 401,
      headers: { 'WWW-Authenticate': 'Bearer realm="second"' },
    })
  })

  test('is not entered when it is refused', async () => {
    const request: Request = { headers: { authorization: 'Bearer x' } }
    expect(await enter(request)).toMatchObject({ status: 401 })
    expect(findAuth(request)).toBeUndefined()
    expect(() => getAuth(request)).toThrow('ran without vantageAuth()')
  })
})

describe('report', () => {
  async function refusal(): Promise<AnyAuthError> {
    return (await enter(
      { headers: { authorization: 'Bearer x' } },
      { ...options, forwardErrors: true },
    )) as AnyAuthError
  }

  test('returns the refusal as it was, whatever onError does to it', async () => {
    const error = await refusal()
    const before = { ...answerTo(error) }
    const mount = mountOf({
      ...options,
      onError: (seen) => {
        seen.headers['WWW-Authenticate'] = 'Basic'
        Object.assign(seen, { status: 200, statusCode: 200, message: 'welcome', expose: false })
      },
    })
    expect(mount.report(error, {})).toBe(error)
    expect(answerTo(error)).toEqual(before)
    expect(error).toMatchObject({ status: 401, statusCode: 401, expose: true })
    expect(Object.keys(error)).not.toContain('message')
  })

  test('returns a mistake where onError froze the error', async () => {
    const mount = mountOf({ ...options, onError: Object.freeze })
    expect(mount.report(await refusal(), {})).toMatchObject({
      status: 500,
      message: expect.stringContaining('onError'),
    })
  })
})

describe('answers', () => {
  test('hold the documented bytes and their length', async () => {
    const refused = await enter({ headers: { authorization: 'Bearer x' } })
    const { status, headers, body } = refused as ReturnType<typeof answerTo>
    expect({ status, headers: lowerCase(headers), body }).toEqual(invalid())
  })

  test.each([
    [new Date(1_735_689_599_999), '"2024-12-31T23:59:59Z"'],
    [null, 'null'],
  ])('of the self-test give whole seconds: %s', (expiresAt, text) => {
    const { body } = authTestAnswer({ subject: 'ü', scopes: ['jobs:read'], expiresAt } as unknown as Auth)
    expect(body).toBe(`{"authenticated":true,"user_id":"ü","scopes":["jobs:read"],"expires_at":${text}}`)
  })

  test('count bytes, not characters', () => {
    const { headers, body } = authTestAnswer({ subject: 'ü', scopes: [], expiresAt: null } as unknown as Auth)
    expect(headers['Content-Length']).toBe(String(body.length + 1))
  })
})

describe('createGuard', () => {
  test.each([
    [[]],
    [['']],
    [['jobs:read clusters:read']],
    [['jobs:read,clusters:read']],
    [['"']],
    [[['jobs:read']]],
    [[undefined]],
  ])('refuses %j when the route is defined', (scopes) => {
    expect(() => createGuard('requireScope', scopes)).toThrow(TypeError)
    expect(() => createGuard('requireAnyScope', scopes)).toThrow(TypeError)
  })

  test('looks at the Auth of the mount, and answers with its realm', async () => {
    const request: Request = { rawHeaders: ['Authorization', `Bearer ${keys.read}`] }
    await enter(request, { ...options, realm: 'own' })
    request.auth = { ...getAuth(request), scopes: ['teams:read'] }
    const refused = createGuard('requireAnyScope', ['teams:read', 'teams:write'])(request, exits)
    expect(refused).toMatchObject({ status: 403 })
    expect((refused as ReturnType<typeof answerTo>).headers['WWW-Authenticate']).toMatch(
      /^Bearer realm="own", .*, scope="teams:read teams:write"$/,
    )
    expect(createGuard('requireScope', ['jobs:read', 'clusters:read'])(request, exits)).toBe('passed')
  })
})

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
