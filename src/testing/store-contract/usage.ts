import assert from 'node:assert/strict'
import { DAY, HOUR, NOW, sampleKey, TODAY, YESTERDAY } from './samples.js'
import type { Suite } from './suite.js'

/** addUsage and readUsage. */
export function testUsage({ describe, test }: Suite): void {
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
  })
}
