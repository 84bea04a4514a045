import { inspect } from 'node:util'
import { type AnyAuthError, isAuthError } from 'vantage-auth'
import { expect, test } from 'vitest'
import { answerTo } from '../../src/http/answers.js'
import { askSkip, tellOnError } from '../../src/http/hooks.js'
import { enter } from '../support/portable.js'
import { options } from '../support/requests.js'

async function refusal(): Promise<AnyAuthError> {
  const refused = await enter({ headers: { authorization: 'Bearer x' } }, { ...options, forwardErrors: true })
  return refused as AnyAuthError
}

test('gives onError what says the same as the refusal', async () => {
  const error = await refusal()
  const heard: AnyAuthError[] = []
  tellOnError((seen) => heard.push(seen), error, {})
  const [seen] = heard as [AnyAuthError]
  expect(isAuthError(seen)).toBe(true)
  expect(seen).toBeInstanceOf(error.constructor)
  expect(seen).not.toBe(error)
  expect(seen).toEqual(error)
  expect(seen).toMatchObject({ code: error.code, reason: 'malformed', status: 401, statusCode: 401, expose: true })
  expect(seen.message).toBe(error.message)
  expect(answerTo(seen)).toEqual(answerTo(error))
  expect(Object.keys(seen)).toEqual(Object.keys(error))
  expect(inspect(seen)).toContain('InvalidTokenError: The access token provided is invalid')
})

test('leaves the refusal as it was, whatever onError does to it, now or later', async () => {
  const error = await refusal()
  const before = answerTo(error)
  const meddle = (seen: AnyAuthError) => {
    seen.headers['WWW-Authenticate'] = 'Basic'
    Object.assign(seen, { status: 200, statusCode: 200, message: 'welcome', expose: false, headers: {} })
    Object.freeze(seen)
  }
  tellOnError(meddle, error, {})
  const later: (() => void)[] = []
  tellOnError((seen) => later.push(() => meddle(seen)), error, {})
  for (const run of later) run()
  expect(later).toHaveLength(1)
  expect(answerTo(error)).toEqual(before)
  expect(error).toMatchObject({ status: 401, statusCode: 401, expose: true })
  expect(Object.isFrozen(error)).toBe(false)
})

test('gives skip the request, and takes its boolean', () => {
  const request = { path: '/healthz' }
  expect(askSkip((seen) => seen === request, request)).toBe(true)
  expect(askSkip((seen) => seen !== request, request)).toBe(false)
})

test.each([[undefined], [1], ['true'], [Promise.resolve(true)]])(
  'takes no other answer of skip for a yes: %s',
  (answer) => {
    expect(() => askSkip(() => answer as never, {})).toThrow('must return true or false, synchronously')
  },
)
