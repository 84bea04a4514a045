import { afterEach, expect, test } from 'vitest'
import { isInProcess, markInProcess } from '../../../src/token/issuer/in-process-fetch.js'

const IN_PROCESS = Symbol.for('vantage-auth.in-process-fetch')
afterEach(() => {
  Reflect.deleteProperty(Function.prototype, IN_PROCESS)
})

test('a fetch that was marked is in this process, and no other', () => {
  expect(isInProcess(markInProcess(async () => new Response()))).toBe(true)
  expect(isInProcess(globalThis.fetch)).toBe(false)
})

test('a mark on the prototype of functions exempts nobody from the gap', () => {
  Object.defineProperty(Function.prototype, IN_PROCESS, { value: true, configurable: true })
  expect(isInProcess(globalThis.fetch)).toBe(false)
})
