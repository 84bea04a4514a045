import assert from 'node:assert/strict'
import type { KeyOrder, KeyQuery, KeyStore, StoredKey } from '../../store/contract.js'
import { DAY, HOUR, NOW, sampleKey, TODAY, YESTERDAY } from './samples.js'
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

    test('sorts by each property, in both directions, and of equal values by id', async ({ store }) => {
      await insertAll(store, {
        a: { createdAt: NOW - 2, expiresAt: null, name: 'beta' },
        b: { createdAt: NOW - 1, expiresAt: NOW + 1, name: 'Alpha' },
        c: { createdAt: NOW - 3, expiresAt: NOW + 9, name: null },
        d: { createdAt: NOW - 1, expiresAt: null, name: 'Éclair' },
        e: { createdAt: NOW - 4, expiresAt: NOW + 1, name: 'alpha 🚀' },
        f: { createdAt: NOW - 5, expiresAt: NOW + 2, name: 'alpha \uffee' },
      })
      await store.addUsage([
        { id: 'a', day: YESTERDAY, count: 1, lastUsedAt: NOW - DAY },
        { id: 'a', day: TODAY, count: 1, lastUsedAt: NOW - 5 },
        { id: 'd', day: TODAY, count: 1, lastUsedAt: NOW },
        { id: 'e', day: TODAY, count: 1, lastUsedAt: NOW - 5 },
        { id: 'f', day: YESTERDAY, count: 1, lastUsedAt: NOW - DAY + 1 },
      ])
      const orders: readonly (readonly [KeyOrder['by'], string])[] = [
        ['createdAt', 'fecabd'],
        ['expiresAt', 'befcad'],
        ['lastUsedAt', 'bcfaed'],
        ['name', 'cbfead'],
      ]
      for (const [by, expected] of orders) {
        const ascending = (await list(store, { sort: { by, descending: false } })).join('')
        assert.equal(ascending, expected, by)
        const descending = (await list(store, { sort: { by, descending: true } })).reverse().join('')
        assert.equal(descending, expected, by)
        for (const isDescending of [false, true]) {
          const sort = { by, descending: isDescending }
          let paged = ''
          for (let after: KeyQuery['after']; ; ) {
            const [key] = await store.list({ now: NOW, limit: 1, sort, ...(after && { after }) })
            if (key === undefined) break
            paged += key.id
            assert.ok(paged.length <= expected.length, `list() by ${by} gives keys again that came before query.after`)
            after = { id: key.id, createdAt: key.createdAt, [by]: key[by] }
          }
          assert.equal(paged, isDescending ? [...expected].reverse().join('') : expected, `pages by ${by}`)
        }
      }
    })

    test('sorts and pages by names of any length', async ({ store }) => {
      const long = 'N'.repeat(300)
      await insertAll(store, { a: { name: `${long}b` }, b: { name: `${long}a` }, c: { name: 'n' } })
      const sort = { by: 'name', descending: false } as const
      assert.deepEqual(await list(store, { sort }), ['c', 'a', 'b'])
      const after = { id: 'a', createdAt: NOW, name: 'N'.repeat(256) }
      assert.deepEqual(await list(store, { sort, after }), ['b'])
    })

    const searches: readonly (readonly [search: string, found: readonly string[]])[] = [
      ['nightly', ['a']],
      ['NIGHTLY (B', ['a']],
      ['müller', ['b', 'c']],
      ['MÜLLER', ['b', 'c']],
      ['straße', ['c']],
      ['дом', ['d']],
      ['100%', ['e']],
      ['_', ['a', 'b', 'c', 'd', 'e']],
      ['100_', []],
      ['*', ['d']],
      ['?', []],
      ['[x]', ['e']],
      ['[', ['e']],
      [']^-\\', ['e']],
      ['.', ['a']],
      ['(', ['a']],
      ['a|b', []],
      ["'; --", []],
      ['vak_test_d', ['d']],
      ['VAK_LIVE_', ['a', 'b', 'c', 'e']],
      ['user_123', ['a']],
      ['night vak', []],
      ['🚀', ['b']],
      ['\u{212a}_live', ['a', 'b', 'c', 'e']],
      ['vak_live_a…', []],
    ]

    test('searches name, subject and hint, in any case, and takes no character for another', async ({ store }) => {
      await insertAll(store, {
        a: { name: 'Nightly (build) 1.0' },
        b: { name: 'Jürgen MÜLLER 🚀', subject: 's' },
        c: { name: 'Straße', subject: 'müller' },
        d: { name: 'Мой ДОМ *', subject: 's', environment: 'test' },
        e: { name: '100% [x]^ ]^-\\', subject: 's' },
      })
      for (const [search, found] of searches) {
        assert.deepEqual((await list(store, { search })).reverse(), found, search)
      }
      assert.deepEqual(await list(store, { search: 'müller', subject: 's' }), ['b'])
    })

    test('adds the uses of each day, where it is asked', async ({ store }) => {
      await insertAll(store, { a: {}, b: {} })
      await store.addUsage([
        { id: 'a', day: '2026-11-01', count: 9, lastUsedAt: NOW - 24 * DAY },
        { id: 'a', day: YESTERDAY, count: 3, lastUsedAt: NOW - DAY },
        { id: 'a', day: TODAY, count: 1, lastUsedAt: NOW },
      ])
      const usage = async (usageSince: string) =>
        (await store.list({ now: NOW, limit: 9, usageSince })).map((key) => [key.id, key.usage])
      const [yesterday, today] = [
        { day: YESTERDAY, count: 3 },
        { day: TODAY, count: 1 },
      ]
      assert.deepEqual(await usage(YESTERDAY), [
        ['b', []],
        ['a', [yesterday, today]],
      ])
      assert.deepEqual(await usage(TODAY), [
        ['b', []],
        ['a', [today]],
      ])
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
