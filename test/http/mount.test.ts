import { type AnyAuthError, assertScope, createVerifier, isAuthError, type Verifier } from 'vantage-auth'
import { describe, expect, test } from 'vitest'
import { follow } from '../../src/http/middleware.js'
import type { MountOptions } from '../../src/http/mount.js'
import { findAuth, getAuth } from '../../src/http/outcome.js'
import { actions, enter, mountOf, type Request } from '../support/portable.js'
import { options, token } from '../support/requests.js'

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

  // Challenges quote the realm: before this check, the first refusal threw where it should have answered.
  test.each([
    ['nothing', undefined],
    ['no realm', {}],
    ['an empty realm', { realm: '' }],
    ['a realm that is no text', { realm: 7 }],
    ['a quote', { realm: 'a"b' }],
    ['a backslash', { realm: 'a\\b' }],
    ['a line break', { realm: 'a\r\nSet-Cookie: a=b' }],
    ['a letter beyond ASCII', { realm: 'straße' }],
    ['a promise', Promise.resolve({ realm: 'vantage' })],
  ])('refuses at start a verifier that describes %s', (_, described) => {
    const verifier = { ...shared, describe: () => described as never }
    expect(() => mountOf({ verifier })).toThrow(TypeError)
    expect(() => mountOf({ verifier })).toThrow(/^verifier must describe\(\) a realm of printable ASCII/)
  })

  test.each([
    ['optional', true],
    ['skip', () => true],
    ['onError', () => {}],
    ['forwardErrors', true],
    ['verifier', shared],
    ['keys', false],
    ['realm', 'own'],
  ])('refuses at start an inherited option, also where every object inherits it: %s', (name, value) => {
    const message = `option ${name} is inherited`
    expect(() => mountOf(Object.create({ [name]: value }))).toThrow(TypeError)
    expect(() => mountOf(Object.create({ [name]: value }))).toThrow(message)
    Object.defineProperty(Object.prototype, name, { value, configurable: true })
    try {
      expect(() => mountOf({})).toThrow(message)
    } finally {
      delete (Object.prototype as Record<string, unknown>)[name]
    }
  })

  test('names the mount options too where one is misspelt', () => {
    expect(() => mountOf({ Optional: true } as never)).toThrow('unknown option "Optional"; did you mean optional?')
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
    expect(mount).toMatchObject({ verifier: shared, settings: { realm: 'vantage', forwardErrors: false } })
  })

  test('closes the verifier that it made, and no shared one', async () => {
    const own = mountOf()
    await own.close()
    expect(() => own.verifier.authenticate({ authorization })).toThrow('cannot be verified at the moment')
    await mountOf({ verifier: shared }).close()
    expect(await shared.authenticate({ authorization })).toMatchObject({ subject: 'user_123' })
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
    const entering = follow(mount.middleware(request), actions)
    expect(entering).toBeInstanceOf(Promise)
    expect(findAuth(request)).toBeUndefined()
    expect(await entering).toBe('passed')
    expect(getAuth(request)).toBe(auth)
  })

  test('may reject with one', async () => {
    const failure = new Error('hush')
    const given = answering(() => thenable(Promise.reject(failure)))
    const mistake = { status: 500, message: expect.not.stringContaining('hush'), cause: failure }
    expect(await enter({}, { ...given, forwardErrors: true })).toMatchObject(mistake)
    expect(await enter({}, given)).toMatchObject(mistake)
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

test.each([
  ['another than the default', 'vantage', 'mine'],
  ['the default', 'theirs', 'vantage'],
])('assertScope() has the realm of a verifier of the application, as guards do: %s', async (_, inner, realm) => {
  const asked = createVerifier({ ...options, realm: inner })
  const verifier: Verifier = { ...asked, describe: () => ({ ...asked.describe(), realm }) }
  const request: Request = { rawHeaders: ['Authorization', authorization], headers: { authorization } }
  expect(await enter(request, { verifier })).toBe(request)
  const refused = new RegExp(`^Bearer realm="${realm}", error="insufficient_scope"`)
  try {
    assertScope(getAuth(request), 'teams:write')
    expect.unreachable()
  } catch (error) {
    expect((error as AnyAuthError).headers['WWW-Authenticate']).toMatch(refused)
  }
  await asked.close()
})
