import { isAuthError, MissingCredentialsError } from 'vantage-auth'
import { expect, test } from 'vitest'
import { requireScope } from '../../src/http/guards.js'
import { findAuth, getAuth } from '../../src/http/outcome.js'
import { actions, enter, guardMiddleware, type Request } from '../support/portable.js'
import { options, token } from '../support/requests.js'

const authorization = `Bearer ${token}`

test('a request has no Auth where no mount ran; getAuth says so with an ordinary error', () => {
  expect(findAuth({})).toBeUndefined()
  expect(() => getAuth({})).toThrow('getAuth() ran without vantageAuth(): mount the middleware before the route')
  try {
    getAuth({})
  } catch (error) {
    expect(isAuthError(error)).toBe(false)
  }
})

test('the place where handlers look is never read', () => {
  expect(findAuth({ auth: { kind: 'api_key', subject: 'root', scopes: [] } })).toBeUndefined()
})

test('a request keeps the outcome of the mount that ran last', async () => {
  const request: Request = { headers: { authorization } }
  await enter(request)
  expect(getAuth(request).subject).toBe('user_123')
  await enter(request, { ...options, skip: () => true, realm: 'second' })
  expect(request.auth).toBeUndefined()
  expect(guardMiddleware(requireScope('jobs:read'))(request, actions)).toMatchObject({
    status: 401,
    headers: { 'WWW-Authenticate': 'Bearer realm="second"' },
  })
})

test('a refused request has no Auth', async () => {
  const request: Request = { headers: { authorization: 'Bearer x' } }
  expect(await enter(request)).toMatchObject({ status: 401 })
  expect(findAuth(request)).toBeUndefined()
  expect(() => getAuth(request)).toThrow(MissingCredentialsError)
})

test.each([[undefined], [null], ['GET /']])(
  'getAuth and findAuth say that they were called without the request: %j',
  (given) => {
    for (const find of [getAuth, findAuth]) {
      expect(() => find(given as never)).toThrow(TypeError)
      expect(() => find(given as never)).toThrow(`${find.name}() was called without the request`)
    }
  },
)

test.each([[[{}]], [[() => {}]], [[{}, () => {}]]])(
  'getAuth and findAuth say that a framework called them',
  (others) => {
    for (const find of [getAuth, findAuth]) {
      expect(() => find({}, ...(others as never[]))).toThrow(`${find.name} was passed without being called`)
    }
  },
)
