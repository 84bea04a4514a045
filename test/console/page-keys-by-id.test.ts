import { afterEach, expect, test, vi } from 'vitest'
import { fetchKeys } from '../../console/page/keys-by-id.js'

afterEach(() => vi.unstubAllGlobals())

const idOf = (index: number) => `key${String(index).padStart(9, '0')}`

/** A server that has some keys, newest first: what it was asked, and what was told of its answers. */
async function look(ids: readonly string[], has: readonly string[]) {
  const asked: string[] = []
  const told: string[] = []
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path)
    if (path.startsWith('api/keys?'))
      return Response.json({ keys: has.slice(0, 100).map((id) => ({ id })), cursor: null })
    const id = path.slice('api/keys/'.length)
    return has.includes(id) ? Response.json({ id }) : Response.json({}, { status: 404 })
  })
  await fetchKeys(ids, new AbortController().signal, (records) => told.push(...records.map(({ id }) => id)))
  return { asked, told }
}

test('a few keys are asked for one by one, and one that is gone is absent', async () => {
  const { asked, told } = await look([idOf(1), idOf(2)], [idOf(1)])
  expect(asked).toEqual([`api/keys/${idOf(1)}`, `api/keys/${idOf(2)}`])
  expect(told).toEqual([idOf(1)])
})

test('many new keys are one request', async () => {
  const ids = Array.from({ length: 100 }, (_, index) => idOf(index))
  const { asked, told } = await look(ids, ids)
  expect(asked).toEqual(['api/keys?sort=-created&limit=100'])
  expect(told).toEqual(ids)
})

test('of many old keys twenty are asked for', async () => {
  const ids = Array.from({ length: 101 }, (_, index) => idOf(index))
  const newer = Array.from({ length: 100 }, (_, index) => idOf(1000 + index))
  const { asked, told } = await look(ids, [...newer, ...ids])
  expect(asked).toHaveLength(21)
  expect(told).toHaveLength(20)
})
