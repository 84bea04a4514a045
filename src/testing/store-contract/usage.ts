import assert from 'node:assert/strict'
import { DAY, HOUR, NOW, sampleKey, TODAY, YESTERDAY } from './samples.js'
import type { Suite } from './suite.js'

/** addUsage and readUsage. */
export function testUsage({ describe, test, testWith }: Suite): void {
  describe('usage', () => {
    test('adds up by day, and the last use only moves forward', async ({ store }) => {
      const key = sampleKey()
      const { id } = key
      await store.insert(key)
      await store.addUsage([
        { id, day: YESTERDAY, count: 3, lastUsedAt: NOW - DAY },
        { id, day: TODAY, count: 2, lastUsedAt: NOW },
      ])
      await store.addUsage([{ id, day: TODAY, count: 5, lastUsedAt: NOW - HOUR }])
      const today = { day: TODAY, count: 7 }
      assert.deepEqual(await store.readUsage(id, YESTERDAY), { total: 10, days: [{ day: YESTERDAY, count: 3 }, today] })
      assert.deepEqual(await store.readUsage(id, TODAY), { total: 10, days: [today] })
      assert.equal((await store.list({ now: NOW, id, limit: 1 }))[0]?.lastUsedAt, NOW)
    })

    test('is ignored for ids that are not there, and counted for the others', async ({ store }) => {
      const key = sampleKey()
      await store.insert(key)
      await store.addUsage([])
      await store.addUsage([
        { id: 'gone', day: TODAY, count: 3, lastUsedAt: NOW },
        { id: key.id, day: TODAY, count: 1, lastUsedAt: NOW },
      ])
      assert.equal((await store.readUsage(key.id, '2026-01-01')).total, 1)
      assert.deepEqual(await store.readUsage('gone', '2026-01-01'), { total: 0, days: [] })
    })

    testWith(['firstUses'], 'tells which keys were used first on a day, or later', async ({ store }) => {
      for (const id of ['never', 'old', 'yesterday', 'today']) await store.insert(sampleKey({ id }))
      await store.addUsage([
        { id: 'old', day: '2026-11-01', count: 1, lastUsedAt: NOW - 24 * DAY },
        { id: 'old', day: TODAY, count: 1, lastUsedAt: NOW },
        { id: 'yesterday', day: YESTERDAY, count: 1, lastUsedAt: NOW - DAY },
        { id: 'yesterday', day: TODAY, count: 1, lastUsedAt: NOW },
        { id: 'today', day: TODAY, count: 1, lastUsedAt: NOW },
      ])
      assert.deepEqual([...(await store.firstUses(TODAY, 10))], ['today'])
      assert.deepEqual([...(await store.firstUses(YESTERDAY, 10))].sort(), ['today', 'yesterday'])
      assert.equal((await store.firstUses(YESTERDAY, 1)).length, 1)
    })

    testWith(
      ['readTotalUsage'],
      'of all keys that meet the query is added up by day, and by key',
      async ({ store }) => {
        const acme = { tenant: 'acme' }
        await store.insert(sampleKey({ id: 'a', ...acme }))
        await store.insert(sampleKey({ id: 'b', ...acme, subject: 'bob' }))
        await store.insert(sampleKey({ id: 'c', subject: 'bob' }))
        await store.insert(sampleKey({ id: 'd', ...acme }))
        await store.addUsage([
          { id: 'a', day: '2026-11-01', count: 100, lastUsedAt: NOW - 24 * DAY },
          { id: 'a', day: YESTERDAY, count: 3, lastUsedAt: NOW - DAY },
          { id: 'a', day: TODAY, count: 1, lastUsedAt: NOW },
          { id: 'b', day: TODAY, count: 4, lastUsedAt: NOW },
          { id: 'c', day: TODAY, count: 20, lastUsedAt: NOW },
        ])
        const query = { sinceDay: YESTERDAY, limit: 20 }
        const c = { id: 'c', count: 20 }
        const [a, b] = [
          { id: 'a', count: 4 },
          { id: 'b', count: 4 },
        ]
        const yesterday = { day: YESTERDAY, count: 3 }
        assert.deepEqual(await store.readTotalUsage(query), {
          days: [yesterday, { day: TODAY, count: 25 }],
          keys: [c, a, b],
        })
        assert.deepEqual((await store.readTotalUsage({ ...query, limit: 2 })).keys, [c, a])
        assert.deepEqual(await store.readTotalUsage({ ...query, tenant: 'acme' }), {
          days: [yesterday, { day: TODAY, count: 5 }],
          keys: [a, b],
        })
        assert.deepEqual(await store.readTotalUsage({ ...query, tenant: 'acme', subject: 'bob' }), {
          days: [{ day: TODAY, count: 4 }],
          keys: [b],
        })
        assert.deepEqual(await store.readTotalUsage({ ...query, tenant: 'globex' }), { days: [], keys: [] })
      },
    )
  })
}
