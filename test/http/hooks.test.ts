import type { AnyAuthError } from 'vantage-auth'
import { expect, test } from 'vitest'
import { answerTo } from '../../src/http/answers.js'
import { askSkip, tellOnError } from '../../src/http/hooks.js'
import { enter } from '../support/portable.js'
import { options } from '../support/requests.js'

async function refusal(): Promise<AnyAuthError> {
  const refused = await enter({ headers: { authorization: 'Bearer x' } }, { ...options, forwardErrors: true })
  return refused as AnyAuthError
}

test('forwards the refusal as it was, whatever onError does to it', async () => {
  const error = await refusal()
  const before = { ...answerTo(error) }
  const meddle = (seen: AnyAuthError) => {
    seen.headers['WWW-Authenticate'] = 'Basic'
    Object.assign(seen, { status: 200, statusCode: 200, message: 'welcome', expose: false })
  }
  expect(tellOnError(meddle, error, {})).toBe(error)
  expect(answerTo(error)).toEqual(before)
  expect(error).toMatchObject({ status: 401, statusCode: 401, expose: true })
  expect(Object.keys(error)).not.toContain('message')
})

test('forwards a mistake where onError froze the error', async () => {
  expect(tellOnError(Object.freeze, await refusal(), {})).toMatchObject({
    status: 500,
    message: expect.stringContaining('onError'),
  })
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
