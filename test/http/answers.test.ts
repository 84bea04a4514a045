import type { Auth } from 'vantage-auth'
import { expect, test } from 'vitest'
import { type Answer, authTestAnswer } from '../../src/http/answers.js'
import { enter } from '../support/portable.js'
import { invalid } from '../support/requests.js'

test('a refusal is answered with the documented bytes and their length', async () => {
  const { status, headers, body } = (await enter({ headers: { authorization: 'Bearer x' } })) as Answer
  expect({ status, headers: lowerCase(headers), body }).toEqual(invalid())
})

test.each([
  [new Date(1_735_689_599_999), '"2024-12-31T23:59:59Z"'],
  [null, 'null'],
])('the self-test gives whole seconds: %s', (expiresAt, text) => {
  const { body } = authTestAnswer({ subject: 'ü', scopes: ['jobs:read'], expiresAt } as unknown as Auth)
  expect(body).toBe(`{"authenticated":true,"user_id":"ü","scopes":["jobs:read"],"expires_at":${text}}`)
})

test('the length of an answer counts bytes, not characters', () => {
  const { headers, body } = authTestAnswer({ subject: 'ü', scopes: [], expiresAt: null } as unknown as Auth)
  expect(headers['Content-Length']).toBe(String(body.length + 1))
})

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
