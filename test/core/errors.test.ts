import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  type AnyAuthError,
  AuthError,
  InsufficientAuthenticationError,
  InsufficientScopeError,
  InvalidRequestError,
  InvalidTokenError,
  isAuthError,
  KeyNotFoundError,
  KeyStateError,
  KeyStoreError,
  MissingCredentialsError,
  type RefusalReason,
  UnavailableError,
} from '../../src/core/errors.js'

const INVALID_TOKEN = 'error="invalid_token", error_description="The access token provided is invalid"'

/** Each answer of the API: class, code, status, body and headers. */
const answers: {
  error: () => AnyAuthError
  name: string
  code: string
  reason: RefusalReason
  status: number
  body: string
  headers: Record<string, string>
}[] = [
  {
    error: () => new MissingCredentialsError('vantage'),
    name: 'MissingCredentialsError',
    code: 'ERR_VANTAGE_CREDENTIALS_MISSING',
    reason: 'missing',
    status: 401,
    body: '{"error":"invalid_token","error_description":"The access token provided is invalid"}',
    headers: { 'Cache-Control': 'no-store', 'WWW-Authenticate': 'Bearer realm="vantage"' },
  },
  {
    error: () => new InvalidTokenError('vantage', 'signature'),
    name: 'InvalidTokenError',
    code: 'ERR_VANTAGE_TOKEN_INVALID',
    reason: 'signature',
    status: 401,
    body: '{"error":"invalid_token","error_description":"The access token provided is invalid"}',
    headers: { 'Cache-Control': 'no-store', 'WWW-Authenticate': `Bearer realm="vantage", ${INVALID_TOKEN}` },
  },
  {
    error: () => new InvalidRequestError('vantage'),
    name: 'InvalidRequestError',
    code: 'ERR_VANTAGE_REQUEST_INVALID',
    reason: 'repeated',
    status: 400,
    body: '{"error":"invalid_request","error_description":"The request is malformed"}',
    headers: {
      'Cache-Control': 'no-store',
      'WWW-Authenticate':
        'Bearer realm="vantage", error="invalid_request", error_description="The request is malformed"',
    },
  },
  {
    error: () => new InsufficientScopeError('vantage', ['jobs:write', 'jobs:read']),
    name: 'InsufficientScopeError',
    code: 'ERR_VANTAGE_SCOPE_INSUFFICIENT',
    reason: 'scope',
    status: 403,
    body: '{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided"}',
    headers: {
      'Cache-Control': 'no-store',
      'WWW-Authenticate':
        'Bearer realm="vantage", error="insufficient_scope", error_description="The request requires higher privileges than provided", scope="jobs:write jobs:read"',
    },
  },
  {
    error: () => new InsufficientAuthenticationError('vantage', { acrValues: ['phr', 'mfa'], maxAgeSeconds: 60 }),
    name: 'InsufficientAuthenticationError',
    code: 'ERR_VANTAGE_AUTHENTICATION_INSUFFICIENT',
    reason: 'authentication',
    status: 401,
    body: '{"error":"insufficient_user_authentication","error_description":"The request requires a different or more recent authentication"}',
    headers: {
      'Cache-Control': 'no-store',
      'WWW-Authenticate':
        'Bearer realm="vantage", error="insufficient_user_authentication", error_description="The request requires a different or more recent authentication", acr_values="phr mfa", max_age="60"',
    },
  },
  {
    error: () => new UnavailableError(new Error('canary'), 7001),
    name: 'UnavailableError',
    code: 'ERR_VANTAGE_UNAVAILABLE',
    reason: 'unavailable',
    status: 503,
    body: '{"error":"temporarily_unavailable","error_description":"The credentials cannot be verified at the moment"}',
    headers: { 'Cache-Control': 'no-store', 'Retry-After': '8' },
  },
]

describe.each(answers)('$name', ({ error: create, name, code, reason, status, body, headers }) => {
  const error = create()

  test('is the documented answer', () => {
    expect(error).toMatchObject({ name, code, status, statusCode: status, headers, expose: true })
    expect(JSON.stringify(error)).toBe(body)
    expect(error.message).toBe(JSON.parse(body).error_description)
    expect((error.constructor as unknown as { code: string }).code).toBe(code)
  })

  test('has the reason and the credential as properties of its own, which no client is told', () => {
    expect(Object.keys(error)).toEqual(expect.arrayContaining(['reason', 'credential']))
    expect(error.reason).toBe(reason)
    expect(error.credential).toBeUndefined()
  })

  test('is an AuthError and an Error', () => {
    expect(error).toBeInstanceOf(AuthError)
    expect(error).toBeInstanceOf(Error)
    expect(isAuthError(error)).toBe(true)
  })

  test('carries no stack, and leaves the stacks of others alone', () => {
    const before = Error.stackTraceLimit
    expect(create().stack).toBe(`${name}: ${error.message}`)
    expect(Error.stackTraceLimit).toBe(before)
    expect(new Error('x').stack).toContain('errors.test.ts')
  })

  test('may be written to by a framework without marking the next one', () => {
    const first = create()
    first.status = first.statusCode = 418
    first.headers['WWW-Authenticate'] = 'x'
    first.expose = false
    expect(create()).toMatchObject({ status, statusCode: status, headers, expose: true })
  })

  test('says nothing of its cause in what goes to a client', () => {
    expect(`${JSON.stringify(error)}${error.message}${JSON.stringify(error.headers)}`).not.toContain('canary')
  })
})

test.each([
  [undefined, '1'],
  [0, '1'],
  [-5000, '1'],
  [1, '1'],
  [1000, '1'],
  [1001, '2'],
  [29_999, '30'],
  [30_000, '30'],
  [30_001, '30'],
  [9e9, '30'],
])('a wait of %j ms is answered in whole seconds from 1 to 30: %s', (ms, seconds) => {
  expect(new UnavailableError(new Error('x'), ms).headers['Retry-After']).toBe(seconds)
})

test('keeps the reason, the scopes and the cause for those who look', () => {
  const cause = new Error('down')
  expect(new InvalidTokenError('r', 'audience').reason).toBe('audience')
  const required = ['a']
  const error = new InsufficientScopeError('r', required)
  required.push('b')
  expect(error.required).toEqual(['a'])
  expect(Object.isFrozen(error.required)).toBe(true)
  expect(new UnavailableError(cause).cause).toBe(cause)
  expect('cause' in new InvalidTokenError('r', 'audience')).toBe(false)
})

test('keeps what it is told of the credential, frozen and out of the body', () => {
  const credential = { kind: 'api_key', keyId: 'Cvr9ZyvaWKKY' } as const
  for (const error of [
    new InvalidTokenError('r', 'kind', { ...credential }),
    new InsufficientScopeError('r', ['a'], { ...credential }),
    new UnavailableError(new Error('x'), 0, { ...credential }),
  ]) {
    expect(error.credential).toEqual(credential)
    expect(Object.isFrozen(error.credential)).toBe(true)
    expect(inspect(error)).toContain('Cvr9ZyvaWKKY')
    expect(JSON.stringify(error)).not.toContain('Cvr9ZyvaWKKY')
  }
})

test('of a rule names the rule, and no scope that would let the request through', () => {
  const error = new InsufficientScopeError('r', [], { kind: 'api_key' }, 'owns-job')
  expect(error).toMatchObject({ status: 403, reason: 'rule', rule: 'owns-job', required: [] })
  expect(error.headers['WWW-Authenticate']).toBe(
    'Bearer realm="r", error="insufficient_scope", error_description="The request requires higher privileges than provided"',
  )
  expect(new InsufficientScopeError('r', ['a'])).toMatchObject({ reason: 'scope', rule: undefined })
})

test('writes the realm into every challenge', () => {
  for (const error of [
    new MissingCredentialsError('jobs'),
    new InvalidTokenError('jobs', 'key'),
    new InvalidRequestError('jobs'),
    new InsufficientScopeError('jobs', ['a']),
  ]) {
    expect(error.headers['WWW-Authenticate']).toMatch(/^Bearer realm="jobs"/)
  }
})

test('recognises an error of the other module format by its brand, and nothing else', () => {
  expect(isAuthError({ [Symbol.for('vantage-auth.AuthError')]: true })).toBe(true)
  for (const value of [
    undefined,
    null,
    1,
    'x',
    {},
    new Error('x'),
    new KeyStoreError('x'),
    { code: 'ERR_VANTAGE_UNAVAILABLE' },
  ]) {
    expect(isAuthError(value)).toBe(false)
  }
})

test.each([
  [KeyStoreError, 'KeyStoreError', 'ERR_VANTAGE_KEY_STORE'],
  [KeyNotFoundError, 'KeyNotFoundError', 'ERR_VANTAGE_KEY_NOT_FOUND'],
  [KeyStateError, 'KeyStateError', 'ERR_VANTAGE_KEY_STATE'],
] as const)('%o is %s with the code %s', (KeyError, name, code) => {
  const error = new KeyError('message')
  expect(error).toMatchObject({ name, code, message: 'message' })
  expect(KeyError.code).toBe(code)
  expect(error.stack).toContain('errors.test.ts')
  expect(inspect(error)).toContain(code)
})

test('is made where the intrinsics are frozen, without a stack, and leaves the stacks of others alone', () => {
  const errors = fileURLToPath(new URL('../../src/core/errors.ts', import.meta.url))
  const program = `
    const { InvalidTokenError, UnavailableError } = await import(${JSON.stringify(errors)})
    const refusal = new InvalidTokenError('vantage', 'key')
    const outage = new UnavailableError(new Error('down'))
    console.log(JSON.stringify([
      Object.isFrozen(Error), refusal.stack, refusal.status, outage.stack, outage.cause.message, Error.stackTraceLimit
    ]))`
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--frozen-intrinsics', '--import', 'tsx', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  )
  expect(stdout, stderr).not.toBe('')
  expect(JSON.parse(stdout)).toEqual([
    true,
    'InvalidTokenError: The access token provided is invalid',
    401,
    'UnavailableError: The credentials cannot be verified at the moment',
    'down',
    10,
  ])
})

test('puts the limit of stack traces back when its construction throws', () => {
  const before = Error.stackTraceLimit
  const newTarget = new Proxy(InvalidTokenError, {
    get() {
      throw new Error('no prototype')
    },
  })
  expect(() => Reflect.construct(InvalidTokenError, ['vantage', 'key'], newTarget)).toThrow('no prototype')
  const after = Error.stackTraceLimit
  Error.stackTraceLimit = before
  expect(after).toBe(before)
})

test('refusals of two realms in turn each name their own, and nobody shares headers', () => {
  const refusals = ['', 'one', 'two', 'one', 'two'].map((realm) => new InvalidTokenError(realm, 'unknown'))
  expect(refusals.map(({ headers }) => headers['WWW-Authenticate'])).toEqual(
    ['', 'one', 'two', 'one', 'two'].map((realm) => `Bearer realm="${realm}", ${INVALID_TOKEN}`),
  )
  for (const [i, { headers }] of refusals.entries()) headers['X-Of'] = String(i)
  expect(refusals.map(({ headers }) => headers['X-Of'])).toEqual(['0', '1', '2', '3', '4'])
})

test('has these members of its own, and those of an Error are not enumerable', () => {
  const error = new InvalidTokenError('vantage', 'unknown', { kind: 'api_key' })
  const own = Object.entries(Object.getOwnPropertyDescriptors(error))
  const shown = ['status', 'statusCode', 'headers', 'expose', 'credential', 'code', 'reason']
  expect(
    own
      .filter(([, { enumerable }]) => enumerable)
      .map(([name]) => name)
      .toSorted(),
  ).toEqual(shown.toSorted())
  expect(own.filter(([, { enumerable }]) => !enumerable).map(([name]) => name)).toEqual(['stack', 'message'])
  expect(Object.getOwnPropertySymbols(error)).toEqual([])
  expect(own.every(([name, { writable }]) => writable || name === 'stack')).toBe(true)
})

test('an InsufficientAuthenticationError has a copy of what is demanded, and names only that', () => {
  const acrValues = ['mfa']
  const error = new InsufficientAuthenticationError('vantage', { acrValues })
  acrValues.push('pwd')
  expect([error.acrValues, error.maxAgeSeconds]).toEqual([['mfa'], undefined])
  expect(error.headers['WWW-Authenticate']).toMatch(/authentication", acr_values="mfa"$/)
  const byAge = new InsufficientAuthenticationError('vantage', { maxAgeSeconds: 0 })
  expect([byAge.acrValues, byAge.maxAgeSeconds]).toEqual([[], 0])
  expect(byAge.headers['WWW-Authenticate']).toMatch(/authentication", max_age="0"$/)
})
