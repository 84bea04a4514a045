import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { sampleKey } from './samples.js'
import { type StoreWith, type Suite, watch } from './suite.js'

/** Long enough for any store: a service that follows answers at once. */
const LIMIT_MS = 5000

/** askServices. */
export function testServices({ describe, testWith }: Suite): void {
  describe('askServices', () => {
    testWith(
      ['watch', 'askServices'],
      'finds each service that follows, and nobody who only looks',
      async ({ store, another }) => {
        const asker = await another()
        asker.watch(() => {}, 'observer')
        assert.deepEqual(await asker.askServices(LIMIT_MS), [])
        await watch(store)
        const services = await asker.askServices(LIMIT_MS)
        assert.equal(services.length, 1)
        for (const { host, pid, applicationName, since, heardOf, answeredAfterMs } of services) {
          assert.ok(answeredAfterMs !== null && answeredAfterMs >= 0, 'it has answered')
          assert.ok(since !== null && Math.abs(since - Date.now()) < 60_000, 'since is an instant, in milliseconds')
          for (const text of [host, applicationName, heardOf]) assert.ok(text === null || typeof text === 'string')
          assert.ok(pid === null || Number.isInteger(pid))
        }
      },
    )

    testWith(
      ['watch', 'askServices'],
      'is answered by a service that has told its listeners what was written before',
      async ({ store, another }) => {
        const asker = await another()
        const { ids } = await watch(store)
        const before = sampleKey()
        await asker.insert(before)
        assert.equal((await asker.askServices(LIMIT_MS)).length, 1)
        assert.deepEqual(ids(), [before.id])
        const meanwhile = sampleKey()
        await asker.askServices(LIMIT_MS, asker.insert(meanwhile))
        assert.deepEqual(ids(), [before.id, meanwhile.id])
      },
    )

    testWith(['askServices'], 'rejects with what the writing rejects with', async ({ store }) => {
      const fault = new Error('nothing was written')
      const writing = Promise.reject(fault)
      writing.catch(() => {})
      await assert.rejects(store.askServices(LIMIT_MS, writing), (error) => error === fault)
    })

    testWith(['watch', 'askServices'], 'no longer finds a service whose feed is closed', async ({ store, another }) => {
      const asker = await another()
      const { feed } = await watch(store)
      assert.equal((await asker.askServices(LIMIT_MS)).length, 1)
      await feed.close()
      await untilNobodyFollows(asker)
    })

    testWith(['askServices'], 'rejects once the store is closed', async ({ store }) => {
      await store.close()
      await assert.rejects(store.askServices(LIMIT_MS), Error)
    })
  })
}

/** What a server has of a connection may be there for a moment longer. */
async function untilNobodyFollows(store: StoreWith<'askServices'>): Promise<void> {
  const limit = performance.now() + 10_000
  while ((await store.askServices(1000)).length > 0) {
    assert.ok(performance.now() < limit, 'a service is still found 10 s after its feed was closed')
    await delay(20)
  }
}
