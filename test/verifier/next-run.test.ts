import { expect, test } from 'vitest'
import { createNextRun } from '../../src/verifier/next-run.js'

function setUp() {
  const runs: { resolve(value: string): void; reject(error: Error): void }[] = []
  const next = createNextRun(() => new Promise<string>((resolve, reject) => void runs.push({ resolve, reject })))
  return { runs, next }
}

test('who asks before a run begins shares it, and who asks while it is under way gets the one after it', async () => {
  const { runs, next } = setUp()
  const [a, b] = [next(), next()]
  await Promise.resolve()
  expect(runs).toHaveLength(1)
  const [c, d] = [next(), next()]
  await Promise.resolve()
  expect(runs).toHaveLength(1)
  runs[0]?.resolve('first')
  expect([await a, await b]).toEqual(['first', 'first'])
  await Promise.resolve()
  expect(runs).toHaveLength(2)
  runs[1]?.resolve('second')
  expect([await c, await d]).toEqual(['second', 'second'])
})

test('a run that fails is the failure of those who waited for it, and of nobody else', async () => {
  const { runs, next } = setUp()
  const first = next()
  await Promise.resolve()
  const second = next()
  runs[0]?.reject(new Error('down'))
  await expect(first).rejects.toThrow('down')
  await Promise.resolve()
  runs[1]?.resolve('up')
  expect(await second).toBe('up')
})
