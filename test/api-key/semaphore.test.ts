import { expect, test } from 'vitest'
import { createPlaces } from '../../src/api-key/places.js'
import { turn } from '../support/stored-keys.js'

async function enterAll(count: number, ...holders: string[]) {
  const places = createPlaces<string>(count)
  const inside: string[] = []
  for (const holder of holders) void places.enter(holder).then(() => inside.push(holder))
  await turn()
  return { places, inside }
}

test('as many as there are places enter at once, and the others in their order as places get free', async () => {
  const { places, inside } = await enterAll(2, 'a', 'b', 'c', 'd')
  expect([inside, places.waiting]).toEqual([['a', 'b'], 2])
  places.leave('b')
  await turn()
  expect(inside).toEqual(['a', 'b', 'c'])
  places.leave('a')
  await turn()
  expect([inside, places.waiting]).toEqual([['a', 'b', 'c', 'd'], 0])
})

test('who gives up waiting is passed over and takes no place', async () => {
  const { places, inside } = await enterAll(1, 'a', 'b', 'c')
  places.leave('b')
  places.leave('a')
  await turn()
  expect([inside, places.waiting]).toEqual([['a', 'c'], 0])
})

test('to leave twice frees one place', async () => {
  const { places, inside } = await enterAll(1, 'a', 'b', 'c')
  places.leave('a')
  places.leave('a')
  await turn()
  expect(inside).toEqual(['a', 'b'])
})

test('one that may go is sent away while it waits; who is inside or may not go stays', async () => {
  const places = createPlaces<string>(1)
  const admitted = Promise.all(['a', 'b', 'c', 'd'].map((holder) => places.enter(holder)))
  expect(places.sendOneAway((holder) => holder === 'a')).toBe(false)
  expect(places.sendOneAway((holder) => holder === 'c')).toBe(true)
  expect(places.waiting).toBe(2)
  places.leave('a')
  places.leave('b')
  expect(await admitted).toEqual([true, true, false, true])
})

test('which of them is sent away is left to chance', () => {
  const gone = new Set<string>()
  for (let i = 0; i < 200; i++) {
    const places = createPlaces<string>(1)
    for (const holder of ['a', 'b', 'c']) void places.enter(holder).then((admitted) => admitted || gone.add(holder))
    places.sendOneAway((holder) => gone.add(holder).size > 0)
  }
  expect(gone).toEqual(new Set(['b', 'c']))
})
