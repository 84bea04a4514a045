import { isAuthError } from 'vantage-auth'
import { expect, test } from 'vitest'
import { MountError } from '../../src/http/mount-error.js'

test('a mistake of the application is a 500 for every framework, and no refusal', () => {
  const cause = new Error('hush')
  const mistake = new MountError('a fixed sentence', { cause })
  expect(mistake).toMatchObject({ name: 'MountError', status: 500, statusCode: 500, expose: false, cause })
  expect(isAuthError(mistake)).toBe(false)
})
