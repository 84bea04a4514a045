import { expect, test } from 'vitest'
import { DEFAULT_ENVIRONMENT, ENVIRONMENTS, isEnvironment } from '../../src/core/environments.js'

test('the names are lower-case letters, since they are part of keys, and live is the default', () => {
  for (const name of ENVIRONMENTS) expect(name).toMatch(/^[a-z]+$/)
  expect(DEFAULT_ENVIRONMENT).toBe('live')
})

test('anything else is no environment', () => {
  expect(ENVIRONMENTS.every(isEnvironment)).toBe(true)
  expect(['', 'LIVE', 'elsewhere', null, undefined, 0, ['live']].some(isEnvironment)).toBe(false)
})
