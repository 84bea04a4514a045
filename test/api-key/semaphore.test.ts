import { expect, test } from 'vitest'
import { createSemaphore } from '../../src/api-key/semaphore.js'
import { turn } from '../support/stored-keys.js'

async function enterAll(count: number, ...holders: string[]) {
  const semaphore = createSemaphore<string>(count)
  const inside: string[] = []
  for (const holder of holders) void semaphore.enter(holder).then(() => inside.push(holder))
  await turn()
  return { semaphore, inside }
}

test('as many as there are places enter at once, and the others in their order as places get free', async () => {
  const { semaphore, inside } = await enterAll(2, 'a', 'b', 'c', 'd')
  expect([inside, semaphore.waiting]).toEqual([['a', 'b'], 2])
  semaphore.leave('b')
  await turn()
  expect(inside).toEqual(['a', 'b', 'c'])
  semaphore.leave('a')
  await turn()
  expect([inside, semaphore.waiting]).toEqual([['a', 'b', 'c', 'd'], 0])
})

test('who is preferred comes first, in order, and of the others the newest', async () => {
  const preferred = new Set(['d', 'f'])
  const semaphore = createSemaphore<string>(1, (holder) => preferred.has(holder))
  const inside: string[] = []
  for (const holder of 'abcdefg') void semaphore.enter(holder).then(() => inside.push(holder))
  await turn()
  // Who is preferred is asked when a place gets free.
  preferred.add('b')
  for (let i = 0; i < 6; i++) {
    semaphore.leave(inside.at(-1) as string)
    await turn()
  }
  expect(inside.join('')).toBe('abdfgec')
})

test('who has waited for its limit is sent away, and takes no place', async () => {
  const semaphore = createSemaphore<string>(1)
  expect(await semaphore.enter('a', 1)).toBe(true)
  const patient = semaphore.enter('c')
  expect(await semaphore.enter('b', 1)).toBe(false)
  expect(semaphore.waiting).toBe(1)
  semaphore.leave('a')
  expect([await patient, semaphore.waiting]).toEqual([true, 0])
})

test('who gives up waiting is passed over and takes no place', async () => {
  const { semaphore, inside } = await enterAll(1, 'a', 'b', 'c')
  semaphore.leave('b')
  semaphore.leave('a')
  await turn()
  expect([inside, semaphore.waiting]).toEqual([['a', 'c'], 0])
})

test('to leave twice frees one place', async () => {
  const { semaphore, inside } = await enterAll(1, 'a', 'b', 'c')
  semaphore.leave('a')
  semaphore.leave('a')
  await turn()
  expect(inside).toEqual(['a', 'b'])
})

test('one that may go is sent away while it waits; who is inside or may not go stays', async () => {
  const semaphore = createSemaphore<string>(1)
  const admitted = Promise.all(['a', 'b', 'c', 'd'].map((holder) => semaphore.enter(holder)))
  expect(semaphore.sendOneAway((holder) => holder === 'a')).toBe(false)
  expect(semaphore.sendOneAway((holder) => holder === 'c')).toBe(true)
  expect(semaphore.waiting).toBe(2)
  semaphore.leave('a')
  semaphore.leave('b')
  expect(await admitted).toEqual([true, true, false, true])
})

test('which of them is sent away is left to chance', () => {
  const gone = new Set<string>()
  for (let i = 0; i < 200; i++) {
    const semaphore = createSemaphore<string>(1)
    for (const holder of ['a', 'b', 'c']) void semaphore.enter(holder).then((admitted) => admitted || gone.add(holder))
    semaphore.sendOneAway((holder) => gone.add(holder).size > 0)
  }
  expect(gone).toEqual(new Set(['b', 'c']))
})
