import assert from 'node:assert/strict'
import type { KeyQuery, KeyStore, StoredKey } from '../../store/contract.js'
import { DAY, HOUR, NOW, sampleKey, TODAY } from './samples.js'
import type { Suite } from './suite.js'

async function list(store: KeyStore, query: Partial<KeyQuery>): Promise<string[]> {
  return (await store.list({ now: NOW, limit: 100, ...query })).map((key) => key.id)
}

async function insertAll(store: KeyStore, keys: Record<string, Partial<StoredKey>>): Promise<void> {
  for (const [id, values] of Object.entries(keys)) await store.insert(sampleKey({ id, ...values }))
}

/** list: its order, and each filter. */
export function testLists({ describe, test }: Suite): void {
  describe('list', () => {
    test('gives the newest first, and of one instant the greater id', async ({ store }) => {
      await insertAll(store, { b: {}, d: {}, old: { createdAt: NOW - 1 }, new: { createdAt: NOW + 1 }, a: {}, B: {} })
      assert.deepEqual(await list(store, {}), ['new', 'd', 'b', 'a', 'B', 'old'])
      assert.deepEqual(await list(store, { limit: 2 }), ['new', 'd'])
    })

    test('gives every field, and the last use', async ({ store }) => {
      const key = sampleKey({ tenant: 'acme', name: 'n', createdBy: 'ops' })
      await store.insert(key)
      assert.deepEqual(await store.list({ now: NOW, limit: 1 }), [{ ...key, lastUsedAt: null }])
      await store.addUsage([{ id: key.id, day: TODAY, count: 1, lastUsedAt: NOW + 7 }])
      assert.deepEqual(await store.list({ now: NOW, limit: 1 }), [{ ...key, lastUsedAt: NOW + 7 }])
    })

    test('filters by id, subject and tenant', async ({ store }) => {
      await insertAll(store, {
        a: { subject: 'ann' },
        b: { subject: 'bob', tenant: 'acme' },
        c: { subject: 'ann', tenant: 'acme' },
      })
      assert.deepEqual(await list(store, { id: 'b' }), ['b'])
      assert.deepEqual(await list(store, { id: 'x' }), [])
      assert.deepEqual(await list(store, { subject: 'ann' }), ['c', 'a'])
      assert.deepEqual(await list(store, { tenant: 'acme' }), ['c', 'b'])
      assert.deepEqual(await list(store, { subject: 'ann', tenant: 'acme' }), ['c'])
      assert.deepEqual(await list(store, { id: 'b', subject: 'ann' }), [])
    })

    test('filters by state: revocation outranks expiry, and expiry outranks replacement', async ({ store }) => {
      await insertAll(store, {
        active: {},
        endless: { expiresAt: null },
        lastMoment: { expiresAt: NOW + 1 },
        superseded: { replacedBy: 'x' },
        supersededEndless: { replacedBy: 'x', expiresAt: null },
        expired: { expiresAt: NOW },
        expiredReplaced: { expiresAt: NOW - 1, replacedBy: 'x' },
        revoked: { revokedAt: NOW - 1 },
        revokedExpired: { revokedAt: NOW - 1, expiresAt: NOW - 1, replacedBy: 'x' },
      })
      assert.deepEqual(await list(store, { state: 'active' }), ['lastMoment', 'endless', 'active'])
      assert.deepEqual(await list(store, { state: 'superseded' }), ['supersededEndless', 'superseded'])
      assert.deepEqual(await list(store, { state: 'expired' }), ['expiredReplaced', 'expired'])
      assert.deepEqual(await list(store, { state: 'revoked' }), ['revokedExpired', 'revoked'])
      const later = await list(store, { state: 'expired', now: NOW + 1 })
      assert.deepEqual(later, ['lastMoment', 'expiredReplaced', 'expired'])
    })

    test('filters keys that were not used since an instant, and existed before it', async ({ store }) => {
      const old = { createdAt: NOW - 100 * DAY }
      await insertAll(store, { never: old, before: old, at: old, after: old, young: { createdAt: NOW - DAY } })
      const since = NOW - 30 * DAY
      await store.addUsage([
        { id: 'before', day: '2026-10-26', count: 1, lastUsedAt: since - 1 },
        { id: 'at', day: '2026-10-26', count: 1, lastUsedAt: since },
        { id: 'after', day: '2026-10-26', count: 1, lastUsedAt: since - 1 },
        { id: 'after', day: '2026-10-27', count: 1, lastUsedAt: since + DAY },
      ])
      assert.deepEqual(await list(store, { unusedSince: since }), ['never', 'before'])
    })

    test('filters keys that are accepted and will have expired at an instant', async ({ store }) => {
      await insertAll(store, {
        endless: { expiresAt: null },
        past: { expiresAt: NOW },
        soon: { expiresAt: NOW + 1 },
        at: { expiresAt: NOW + 30 * DAY },
        revoked: { expiresAt: NOW + 1, revokedAt: NOW },
        superseded: { expiresAt: NOW + 2, replacedBy: 'x' },
      })
      assert.deepEqual(await list(store, { expiringBefore: NOW + 30 * DAY }), ['superseded', 'soon'])
    })

    test('filters keys that were created before an instant', async ({ store }) => {
      await insertAll(store, { old: { createdAt: NOW - 1 }, young: {} })
      assert.deepEqual(await list(store, { createdBefore: NOW }), ['old'])
    })

    test('filters keys that are superseded, and were used since', async ({ store }) => {
      const rotated: readonly (readonly [id: string, usedAt: number, values: Partial<StoredKey>])[] = [
        ['inUse', NOW, {}],
        ['before', NOW - 1, {}],
        ['ended', NOW, { expiresAt: NOW + HOUR }],
        ['revoked', NOW, { revokedAt: NOW }],
      ]
      for (const [id, , values] of rotated) {
        const successor = sampleKey({ replaces: id })
        const key = sampleKey({ id, createdAt: NOW - DAY })
        await store.insert(key)
        await store.update(key, { ...key, replacedBy: successor.id, ...values }, successor)
      }
      await store.insert(sampleKey({ id: 'single' }))
      const used = [...rotated, ['single', NOW] as const]
      await store.addUsage(used.map(([id, lastUsedAt]) => ({ id, day: TODAY, count: 1, lastUsedAt })))
      assert.deepEqual(await list(store, { now: NOW + HOUR, supersededInUse: true }), ['inUse'])
    })

    test('gives every key once over pages of any length, also where instants are equal', async ({ store }) => {
      for (let i = 0; i < 23; i++) await store.insert(sampleKey({ createdAt: NOW + Math.floor(i / 5) }))
      const all = await list(store, {})
      assert.equal(all.length, 23)
      for (const limit of [1, 4, 23]) {
        const seen: string[] = []
        for (let after: KeyQuery['after']; ; ) {
          const page = await store.list({ now: NOW, limit, ...(after && { after }) })
          seen.push(...page.map((key) => key.id))
          const last = page.at(-1)
          if (last === undefined) break
          // A store that ignores `after` would give the same page for ever.
          assert.ok(seen.length <= all.length, 'list() gives keys again that came before query.after')
          after = { createdAt: last.createdAt, id: last.id }
        }
        assert.deepEqual(seen, all)
      }
    })

    test('combines filters with a place in the list', async ({ store }) => {
      await insertAll(store, {
        a: { subject: 'ann' },
        b: { subject: 'bob' },
        c: { subject: 'ann' },
        d: { subject: 'ann' },
      })
      const page = await list(store, { subject: 'ann', after: { createdAt: NOW, id: 'd' }, limit: 1 })
      assert.deepEqual(page, ['c'])
    })
  })
}
