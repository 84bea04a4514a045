import assert from 'node:assert/strict'
import type { StoredAuditEntry, StoredTokenRevocation } from '../../store/contract.js'
import { DAY, NOW, sampleKey, TODAY } from './samples.js'
import { type StoreWith, type Suite, watch } from './suite.js'

function sampleRevocation(id: string, values: Partial<StoredTokenRevocation> = {}): StoredTokenRevocation {
  return {
    id,
    issuer: 'https://issuer.example',
    tokenId: null,
    subject: 'user_123',
    clientId: null,
    issuedBefore: NOW - 5,
    createdAt: NOW,
    createdBy: null,
    reason: null,
    endsAt: NOW + DAY,
    ...values,
  }
}

/** addTokenRevocation, tokenRevocations and readAudit. */
export function testTokensAndAudit({ describe, testWith }: Suite): void {
  const tokens = ['addTokenRevocation', 'tokenRevocations'] as const

  describe('revocations of tokens', () => {
    testWith(tokens, 'come back as they were added, until they end', async ({ store }) => {
      const all = [
        sampleRevocation('a', { createdBy: 'ops', reason: 'Größe "日本" \' 🚀' }),
        sampleRevocation('b', { tokenId: 'jti', subject: null, issuedBefore: null, endsAt: NOW + 1 }),
        sampleRevocation('c', { subject: null, clientId: 'client' }),
      ]
      for (const one of all) await store.addTokenRevocation(one)
      const read = async (now: number) =>
        [...(await store.tokenRevocations(now))].sort((a, b) => (a.id < b.id ? -1 : 1))
      assert.deepEqual(await read(NOW), all)
      assert.deepEqual(
        (await read(NOW + 1)).map(({ id }) => id),
        ['a', 'c'],
      )
      assert.deepEqual(await read(NOW + DAY), [])
    })

    testWith(tokens, 'that have ended are dropped by the next one', async ({ store }) => {
      await store.addTokenRevocation(sampleRevocation('a', { endsAt: NOW + 1 }))
      await store.addTokenRevocation(sampleRevocation('b', { createdAt: NOW + 1 }))
      assert.deepEqual(
        (await store.tokenRevocations(0)).map(({ id }) => id),
        ['b'],
      )
    })

    testWith([...tokens, 'watch'], 'are told to watchers, as no change of a key', async ({ store, another }) => {
      const writer = await another()
      const { changes, hear } = await watch(store)
      await writer.addTokenRevocation(sampleRevocation('a'))
      await hear(1)
      assert.deepEqual(
        changes.map(({ at: _, ...change }) => change),
        [{ tokens: true }],
      )
    })
  })

  describe('the audit trail', () => {
    const nothing = { keyId: null, successorId: null, actor: null, reason: null, detail: null }

    async function readEntries(store: StoreWith<'readAudit'>): Promise<Omit<StoredAuditEntry, 'seq' | 'at'>[]> {
      return (await store.readAudit({ limit: 10 })).map(({ seq: _, at: __, ...entry }) => entry)
    }

    testWith(
      ['readAudit'],
      'tells of creation, rotation and revocation, newest first, and of nothing that was not done',
      async ({ store }) => {
        const key = sampleKey({ createdBy: 'ann' })
        const successor = sampleKey({ createdBy: 'bob', replaces: key.id })
        const next = { ...key, expiresAt: NOW + DAY, replacedBy: successor.id }
        const revoked = { ...next, revokedAt: NOW, revokedBy: 'eve', revokedReason: 'leaked' }
        await store.insert(key)
        await store.insert(key).catch(() => {})
        await store.update(key, next, successor)
        await store.update(key, revoked)
        await store.update(next, revoked)
        await store.addUsage([{ id: key.id, day: TODAY, count: 1, lastUsedAt: NOW }])
        assert.deepEqual(await readEntries(store), [
          { ...nothing, action: 'revoke', keyId: key.id, actor: 'eve', reason: 'leaked' },
          { ...nothing, action: 'rotate', keyId: key.id, successorId: successor.id, actor: 'bob' },
          { ...nothing, action: 'create', keyId: key.id, actor: 'ann' },
        ])
        const [newest, second] = await store.readAudit({ limit: 2 })
        assert.ok(newest && second && newest.seq > second.seq, 'seq grows with each entry')
        // The clock of a store need not be that of this process.
        assert.ok(Math.abs(newest.at - Date.now()) < 60_000, 'an entry says when it was made')
      },
    )

    testWith([...tokens, 'readAudit'], 'tells which tokens were revoked', async ({ store }) => {
      await store.insert(sampleKey())
      await store.addTokenRevocation(
        sampleRevocation('r', {
          subject: null,
          clientId: 'cli "1"',
          issuedBefore: NOW + 7,
          createdBy: 'sam',
          reason: 'gone',
        }),
      )
      const [entry] = await readEntries(store)
      assert.deepEqual(
        { ...entry, detail: null },
        { ...nothing, action: 'revoke_tokens', actor: 'sam', reason: 'gone' },
      )
      assert.deepEqual(JSON.parse(entry?.detail ?? ''), {
        issuer: 'https://issuer.example',
        clientId: 'cli "1"',
        issuedBefore: '2026-11-25T12:00:00.007Z',
      })
    })

    testWith(['readAudit'], 'can be read by key and by page', async ({ store }) => {
      const first = sampleKey()
      const second = sampleKey()
      const third = sampleKey()
      for (const key of [first, second, third]) await store.insert(key)
      const successor = sampleKey({ replaces: first.id })
      await store.update(first, { ...first, replacedBy: successor.id }, successor)
      const actions = async (keyId: string) => (await store.readAudit({ keyId, limit: 10 })).map(({ action }) => action)
      assert.deepEqual(await actions(first.id), ['rotate', 'create'])
      assert.deepEqual(await actions(successor.id), ['rotate'])
      assert.deepEqual(await actions('unknown'), [])
      const [newest, ...others] = await store.readAudit({ limit: 3 })
      assert.deepEqual(
        others.map(({ keyId }) => keyId),
        [third.id, second.id],
      )
      assert.deepEqual(await store.readAudit({ limit: 2, before: newest?.seq ?? 0 }), others)
    })
  })
}
