import assert from 'node:assert/strict'
import { NOW, sampleKey, TODAY } from './samples.js'
import { type Suite, watch } from './suite.js'

/** watch, and the feed that it returns. */
export function testFeeds({ describe, testWith }: Suite): void {
  describe('watch', () => {
    testWith(['watch'], 'tells of a key that is added, changed, or gets a successor', async ({ store }) => {
      const { changes, ids, hear, until } = await watch(store)
      const key = sampleKey()
      const successor = sampleKey()
      await store.insert(key)
      await hear(1)
      const at = changes[0]?.at
      // The clock of a store need not be that of this process.
      assert.ok(at === undefined || Math.abs(at - Date.now()) < 60_000, 'a change says when it was made, or nothing')
      await store.update(key, { ...key, revokedAt: NOW }, successor)
      await hear(2)
      assert.deepEqual(ids(), [key.id, successor.id])
      await until(() => changes.filter((change) => 'id' in change && change.id === key.id).length > 1)
    })

    testWith(
      ['watch'],
      'tells nothing of what was before, of usage, of a lost race, or of a rejected key',
      async ({ store }) => {
        const key = sampleKey()
        await store.insert(key)
        const { ids, hear } = await watch(store)
        await store.addUsage([{ id: key.id, day: TODAY, count: 1, lastUsedAt: NOW }])
        await store.update({ ...key, revokedAt: NOW }, key)
        await store.insert(key).catch(() => {})
        const marker = sampleKey()
        await store.insert(marker)
        await hear(1)
        assert.deepEqual(ids(), [marker.id])
      },
    )

    testWith(['watch'], 'tells every watcher, and none after its feed is closed', async ({ store }) => {
      const one = await watch(store)
      const other = await watch(store)
      const first = sampleKey()
      const second = sampleKey()
      await store.insert(first)
      await one.hear(1)
      await other.hear(1)
      await one.feed.close()
      await one.feed.close()
      assert.equal(one.feed.state, 'down')
      await store.insert(second)
      await other.hear(2)
      assert.deepEqual(one.ids(), [first.id])
      assert.deepEqual(other.ids(), [first.id, second.id])
    })

    testWith(['watch'], 'tells of what another store on the same keys wrote', async ({ store, another }) => {
      const writer = await another()
      const { ids, hear } = await watch(store)
      const key = sampleKey()
      await writer.insert(key)
      await hear(1)
      assert.deepEqual(ids(), [key.id])
      assert.deepEqual(await store.find(key.id), key)
    })

    testWith(['watch'], 'is down once the store is closed', async ({ store }) => {
      const { feed } = await watch(store)
      await store.close()
      assert.equal(feed.state, 'down')
      feed.poll?.()
      assert.equal(feed.state, 'down')
    })
  })
}
