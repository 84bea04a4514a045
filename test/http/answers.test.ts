import { type Auth, InsufficientScopeError, UnavailableError } from 'vantage-auth'
import { expect, test } from 'vitest'
import { type Answer, answerTo, authTestAnswer } from '../../src/http/answers.js'
import { enter } from '../support/portable.js'
import { invalid } from '../support/requests.js'

function auth(over: object): Auth {
  return { kind: 'api_key', keyId: 'k', name: null, subject: 'ü', scopes: [], tenant: null, expiresAt: null, ...over }
}

test('a refusal is answered with the documented bytes and their length', async () => {
  const { status, headers, body } = (await enter({ headers: { authorization: 'Bearer x' } })) as Answer
  expect({ status, headers: lowerCase(headers), body }).toEqual(invalid())
})

test.each([
  [new Date(1_735_689_599_999), '"2024-12-31T23:59:59Z"'],
  [null, 'null'],
])('the self-test gives whole seconds: %s', (expiresAt, text) => {
  const { body } = authTestAnswer(auth({ scopes: ['jobs:read'], expiresAt }))
  expect(body).toBe(`{"authenticated":true,"user_id":"ü","scopes":["jobs:read"],"expires_at":${text}}`)
})

test('the length of an answer counts bytes, not characters', () => {
  const { headers, body } = authTestAnswer(auth({ scopes: [] }))
  expect(headers['Content-Length']).toBe(String(body.length + 1))
})

test.each([undefined, null, new Error('x'), { status: 200, headers: {} }, 'ERR_VANTAGE_TOKEN_INVALID'])(
  'nothing but an AuthError has an answer: %s',
  (value) => {
    expect(() => answerTo(value as never)).toThrow(TypeError)
  },
)

test.each([undefined, null, {}, { subject: 'x', scopes: [] }, new Error('x')])(
  'nothing but an Auth has a self-test: %s',
  (value) => {
    expect(() => authTestAnswer(value as never)).toThrow(TypeError)
  },
)

test('an answer is its own: what is done to it changes neither the error nor the next answer', () => {
  const error = new InsufficientScopeError('vantage', ['jobs:read'])
  const first = answerTo(error)
  Object.assign(first.headers, { 'WWW-Authenticate': 'x' })
  expect(answerTo(error).headers['WWW-Authenticate']).toContain('scope="jobs:read"')
})

test('an outage is answered with the time to wait, and nothing of its cause', () => {
  const { status, headers, body } = answerTo(new UnavailableError(new Error('canary'), 5000))
  expect({ status, retryAfter: headers['Retry-After'] }).toEqual({ status: 503, retryAfter: '5' })
  expect(JSON.stringify(headers) + body).not.toContain('canary')
})

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
