import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createNextRun } from '../../src/verifier/next-run.js'

function setUp() {
  const runs: { resolve(value: string): void; reject(error: Error): void }[] = []
  const next = createNextRun((begin) => {
    begin()
    return new Promise<string>((resolve, reject) => void runs.push({ resolve, reject }))
  })
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

test('who asks while a run waits for its turn shares it, also its failure; who asks then gets another', async () => {
  const turns: { begin(): void; resolve(value: string): void; reject(error: Error): void }[] = []
  const next = createNextRun(
    (begin) => new Promise<string>((resolve, reject) => void turns.push({ begin, resolve, reject })),
  )
  const early = next()
  await nextTurn()
  const sharing = next()
  turns[0]?.begin()
  const late = next()
  turns[0]?.resolve('first')
  expect([await early, await sharing]).toEqual(['first', 'first'])
  await nextTurn()
  turns[1]?.reject(new Error('never had its turn'))
  await expect(late).rejects.toThrow('never had its turn')
  const another = next()
  await nextTurn()
  turns[2]?.resolve('third')
  expect(await another).toBe('third')
})
