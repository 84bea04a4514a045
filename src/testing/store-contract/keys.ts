import assert from 'node:assert/strict'
import type { StoredKey } from '../../store/contract.js'
import { DAY, NOW, sampleKey, TODAY } from './samples.js'
import type { Suite } from './suite.js'

/** find, insert, update, migrate and close. */
export function testKeys({ describe, test, testWith }: Suite): void {
  describe('find and insert', () => {
    test('give back every field of a key as it was inserted', async ({ store }) => {
      const full = sampleKey({
        subject: 'Größe "日本" \' 🚀',
        tenant: 'acme',
        name: 'nightly; DROP TABLE vantage_keys',
        environment: 'test',
        scopes: ['jobs:write', 'jobs:read', 'reports:read'],
        createdBy: 'ops',
        expiresAt: NOW + 1,
        revokedAt: NOW + 2,
        revokedBy: 'sec',
        revokedReason: 'leaked',
        replaces: 'before',
        replacedBy: 'after',
      })
      const bare = sampleKey({ expiresAt: null })
      await store.insert(full)
      await store.insert(bare)
      assert.deepEqual(await store.find(full.id), full)
      assert.deepEqual(await store.find(bare.id), bare)
    })

    test('find nothing under an unknown id, an empty one, or one in other letters', async ({ store }) => {
      await store.insert(sampleKey({ id: 'AbcdefGhijkl' }))
      assert.equal(await store.find('unknown'), undefined)
      assert.equal(await store.find(''), undefined)
      assert.equal(await store.find('abcdefghijkl'), undefined)
    })

    test('reject a second key of one id and keep the first', async ({ store }) => {
      const key = sampleKey()
      await store.insert(key)
      await assert.rejects(store.insert({ ...key, subject: 'intruder' }), Error)
      assert.deepEqual(await store.find(key.id), key)
    })

    test('keep a key as it was when the caller changes its object afterwards', async ({ store }) => {
      const scopes = ['jobs:read']
      const key = sampleKey({ scopes })
      await store.insert(key)
      scopes.push('teams:write')
      assert.deepEqual((await store.find(key.id))?.scopes, ['jobs:read'])
    })
  })

  describe('update', () => {
    test('replaces a key and adds its successor', async ({ store }) => {
      const key = sampleKey()
      const successor = sampleKey({ replaces: key.id })
      const next = { ...key, expiresAt: NOW + DAY, replacedBy: successor.id }
      await store.insert(key)
      assert.equal(await store.update(key, next, successor), true)
      assert.deepEqual(await store.find(key.id), next)
      assert.deepEqual(await store.find(successor.id), successor)
    })

    test('takes scopes away, and changes or clears a name', async ({ store }) => {
      const key = sampleKey({ scopes: ['jobs:read', 'jobs:write', 'teams:read'], name: 'first' })
      const fewer = { ...key, scopes: ['jobs:write'], name: 'second' }
      await store.insert(key)
      assert.equal(await store.update(key, fewer, undefined, 'ann'), true)
      assert.deepEqual(await store.find(key.id), fewer)
      assert.equal(await store.update(fewer, { ...fewer, name: null }, undefined, null), true)
      assert.deepEqual(await store.find(key.id), { ...fewer, name: null })
    })

    test('keeps who revoked a key, and why', async ({ store }) => {
      const key = sampleKey()
      const revoked = { ...key, revokedAt: NOW, revokedBy: 'sec', revokedReason: 'leaked' }
      await store.insert(key)
      assert.equal(await store.update(key, revoked), true)
      assert.deepEqual(await store.find(key.id), revoked)
      assert.deepEqual(await store.list({ now: NOW, id: key.id, limit: 1 }), [{ ...revoked, lastUsedAt: null }])
    })

    const changes: readonly (readonly [string, Partial<StoredKey>])[] = [
      ['list of scopes', { scopes: ['jobs:read'] }],
      ['order of scopes', { scopes: ['jobs:write', 'jobs:read'] }],
      ['digest', { digest: 'sha256:another' }],
      ['subject', { subject: 'another' }],
      ['tenant', { tenant: 'another' }],
      ['name', { name: 'another' }],
      ['environment', { environment: 'test' }],
      ['expiry', { expiresAt: NOW + 1 }],
      ['expiry, to none,', { expiresAt: null }],
      ['revocation', { revokedAt: NOW }],
      ['name of who revoked it', { revokedBy: 'another' }],
      ['successor', { replacedBy: 'another' }],
    ]
    for (const [what, change] of changes) {
      test(`writes nothing when the ${what} has changed in between`, async ({ store }) => {
        const key = sampleKey({ scopes: ['jobs:read', 'jobs:write'] })
        const changed = { ...key, ...change }
        const successor = sampleKey()
        await store.insert(key)
        assert.equal(await store.update(key, changed), true)
        assert.equal(await store.update(key, { ...key, revokedAt: NOW + 5 }, successor), false)
        assert.deepEqual(await store.find(key.id), changed)
        assert.equal(await store.find(successor.id), undefined)
      })
    }

    test('is done when it changes nothing, and adds the successor', async ({ store }) => {
      const key = sampleKey()
      const successor = sampleKey()
      await store.insert(key)
      assert.equal(await store.update(key, key, successor), true)
      assert.deepEqual(await store.find(key.id), key)
      assert.deepEqual(await store.find(successor.id), successor)
    })

    test('writes nothing for an unknown key', async ({ store }) => {
      const key = sampleKey()
      const successor = sampleKey()
      assert.equal(await store.update(key, { ...key, revokedAt: NOW }, successor), false)
      assert.equal(await store.find(key.id), undefined)
      assert.equal(await store.find(successor.id), undefined)
    })

    test('rejects and writes nothing when the id of the successor is taken', async ({ store }) => {
      const key = sampleKey()
      const taken = sampleKey()
      await store.insert(key)
      await store.insert(taken)
      await assert.rejects(
        store.update(key, { ...key, replacedBy: taken.id }, { ...taken, subject: 'intruder' }),
        Error,
      )
      assert.deepEqual(await store.find(key.id), key)
      assert.deepEqual(await store.find(taken.id), taken)
    })

    test('lets one of several updates at once win', async ({ store, another }) => {
      const key = sampleKey()
      await store.insert(key)
      const second = await another()
      const outcomes = await Promise.all(
        [store, second, store, second].map((one, i) => one.update(key, { ...key, replacedBy: `successor${i}` })),
      )
      assert.equal(outcomes.filter(Boolean).length, 1)
      assert.equal((await store.find(key.id))?.replacedBy, `successor${outcomes.indexOf(true)}`)
    })
  })

  describe('migrate', () => {
    testWith(['migrate'], 'comes to the same version however often it is called', async ({ store }) => {
      const key = sampleKey()
      await store.insert(key)
      assert.equal(await store.migrate(), await store.migrate())
      assert.deepEqual(await store.find(key.id), key)
    })
  })

  describe('checkSchema', () => {
    testWith(['checkSchema'], 'accepts what migrate has made, and rejects after close', async ({ store }) => {
      await store.checkSchema()
      await store.close()
      await assert.rejects(store.checkSchema(), Error)
    })
  })

  describe('close', () => {
    test('may be called again, and lets everything else reject', async ({ store }) => {
      const key = sampleKey()
      await store.insert(key)
      await store.close()
      await store.close()
      const calls: readonly (() => Promise<unknown>)[] = [
        () => store.find(key.id),
        () => store.insert(sampleKey()),
        () => store.update(key, key),
        () => store.list({ now: NOW, limit: 1 }),
        () => store.addUsage([]),
        () => store.readUsage(key.id, TODAY),
      ]
      for (const call of calls) await assert.rejects(call, Error)
    })

    test('may come before the first use', async ({ another }) => {
      const unused = await another()
      await unused.close()
      await assert.rejects(unused.find('x'), Error)
    })
  })
}
