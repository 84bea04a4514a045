import assert from 'node:assert/strict'
import type { StoredAuditEntry, StoredTokenRevocation, TokenNames } from '../../store/contract.js'
import { DAY, NOW, sampleKey, sampleRevocation, TODAY, TOKEN_NAMES, tokenOf } from './samples.js'
import { type StoreWith, type Suite, watch } from './suite.js'

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

    testWith([...tokens, 'readAudit'], 'give way to one that does all that they do', async ({ store }) => {
      const ids = async () => (await store.tokenRevocations(NOW)).map(({ id }) => id).sort()
      const [single, client] = [
        { subject: null, issuedBefore: null },
        { subject: null, clientId: 'user_123' },
      ]
      const endsAt = Date.now() + 365 * DAY
      const add = (id: string, values: Partial<StoredTokenRevocation>) =>
        store.addTokenRevocation(sampleRevocation(id, { endsAt, ...values }))
      await add('first', {})
      await add('earlier', { issuedBefore: NOW - 6, endsAt: endsAt + 1 })
      await add('shorter', { issuedBefore: NOW, endsAt: endsAt - 1 })
      await add('other issuer', { issuer: 'https://b.example' })
      await add('client', client)
      await add('token', { ...single, tokenId: 'user_123\u0000' })
      await add('token as written', { ...single, tokenId: '"user_123\\u0000"' })
      const apart = ['client', 'other issuer', 'token', 'token as written']
      assert.deepEqual(await ids(), [...apart, 'earlier', 'first', 'shorter'].sort())
      await add('again', { issuedBefore: NOW })
      assert.deepEqual(await ids(), [...apart, 'again', 'earlier'].sort())
      await add('all', { issuedBefore: NOW + 1, endsAt: endsAt + 1 })
      await add('token again', { ...single, tokenId: 'user_123\u0000' })
      assert.deepEqual(await ids(), ['all', 'client', 'other issuer', 'token again', 'token as written'])
      const actions = (await store.readAudit({ limit: 100 })).map(({ action }) => action)
      assert.deepEqual(actions, Array(10).fill('revoke_tokens'))
    })

    testWith(
      [...tokens, 'findTokenRevocations'],
      'are found by each name that a token has, and are of its issuer alone',
      async ({ store }) => {
        const group = { tokenId: null, subject: null, clientId: null }
        await store.addTokenRevocation(sampleRevocation('jti', { ...group, tokenId: 'x', issuedBefore: null }))
        await store.addTokenRevocation(sampleRevocation('subject', { ...group, subject: 'x' }))
        await store.addTokenRevocation(sampleRevocation('client', { ...group, clientId: 'x' }))
        await store.addTokenRevocation(sampleRevocation('again', { ...group, clientId: 'x', issuedBefore: NOW - 9 }))
        await store.addTokenRevocation(
          sampleRevocation('other', { ...group, issuer: 'https://b.example', subject: 'x' }),
        )
        const find = async (names: Partial<TokenNames>) => {
          const token = tokenOf(names)
          return (await store.findTokenRevocations(token)).map(({ id }) => id).sort()
        }
        assert.deepEqual(await find({ tokenId: 'x', clientId: 'y' }), ['jti'])
        assert.deepEqual(await find({ subject: 'x' }), ['subject'])
        assert.deepEqual(await find({ clientId: 'x' }), ['again', 'client'])
        assert.deepEqual(await find({ tokenId: 'x', subject: 'x', clientId: 'x' }), [
          'again',
          'client',
          'jti',
          'subject',
        ])
        assert.deepEqual(await find({ issuer: 'https://b.example', tokenId: 'x', subject: 'x' }), ['other'])
        assert.deepEqual(await find({ issuer: 'https://c.example', tokenId: 'x', subject: 'x' }), [])
        const [found] = await store.findTokenRevocations(tokenOf({ tokenId: 'x' }))
        assert.deepEqual(found, sampleRevocation('jti', { ...group, tokenId: 'x', issuedBefore: null }))
      },
    )

    for (const [what, name] of TOKEN_NAMES) {
      testWith(tokens, `name what a token can hold: ${what}`, async ({ store }) => {
        const group = { subject: null, issuedBefore: null }
        const all = [
          sampleRevocation('a', { ...group, tokenId: name }),
          sampleRevocation('b', { ...group, clientId: name, issuedBefore: NOW }),
          sampleRevocation('c', { subject: name }),
        ]
        for (const one of all) await store.addTokenRevocation(one)
        const read = [...(await store.tokenRevocations(NOW))].sort((a, b) => (a.id < b.id ? -1 : 1))
        assert.deepEqual(read, all)
        const token = tokenOf({ tokenId: name })
        assert.deepEqual((await store.findTokenRevocations?.(token)) ?? [all[0]], [all[0]])
        assert.deepEqual((await store.findTokenRevocations?.({ ...token, tokenId: `${name}x` })) ?? [], [])
      })
    }

    testWith([...tokens, 'watch'], 'are told to watchers, as no change of a key', async ({ store, another }) => {
      const writer = await another()
      const { changes, until } = await watch(store)
      const added = sampleRevocation('a')
      await writer.addTokenRevocation(added)
      await until(() => changes.length > 0)
      // A store need not say which one was added.
      for (const { at: _, ...change } of changes) assert.deepEqual({ added, ...change }, { tokens: true, added })
    })
  })

  describe('the audit trail', () => {
    const nothing = {
      keyId: null,
      successorId: null,
      actor: null,
      reason: null,
      detail: null,
      subject: 'user_123',
      tenant: null,
    }

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

    testWith(['readAudit'], 'tells of an edit: by whom, what is left, and not the old name', async ({ store }) => {
      const key = sampleKey({ scopes: ['jobs:read', 'jobs:write'], name: 'old "name"' })
      const fewer = { ...key, scopes: ['jobs:write'] }
      const renamed = { ...fewer, name: 'Größe "日本"' }
      const nameless = { ...renamed, scopes: [...renamed.scopes], name: null }
      await store.insert(key)
      await store.update(key, fewer, undefined, 'ann')
      await store.update(key, { ...key, name: 'lost' }, undefined, 'eve')
      await store.update(fewer, renamed, undefined, null)
      await store.update(renamed, nameless, undefined, 'bob')
      await store.update(nameless, nameless, undefined, 'eve')
      const entries = await readEntries(store)
      assert.deepEqual(
        entries.slice(0, -1).map((entry) => ({ ...entry, detail: JSON.parse(entry.detail ?? 'null') })),
        [
          { ...nothing, action: 'edited', keyId: key.id, actor: 'bob', detail: { name: null } },
          { ...nothing, action: 'edited', keyId: key.id, actor: null, detail: { name: 'Größe "日本"' } },
          {
            ...nothing,
            action: 'edited',
            keyId: key.id,
            actor: 'ann',
            detail: { scopesBefore: 'jobs:read jobs:write', scopes: 'jobs:write' },
          },
        ],
      )
    })

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
        { ...nothing, subject: null, action: 'revoke_tokens', actor: 'sam', reason: 'gone' },
      )
      assert.deepEqual(JSON.parse(entry?.detail ?? ''), {
        issuer: 'https://issuer.example',
        clientId: 'cli "1"',
        issuedBefore: '2026-11-25T12:00:00.007Z',
      })
    })

    testWith(['readAudit'], 'can be read by the subject and the tenant of the key', async ({ store }) => {
      const keys = [
        sampleKey({ tenant: 'acme', subject: 'ann' }),
        sampleKey({ tenant: 'globex', subject: 'ann' }),
        sampleKey({ tenant: 'acme', subject: 'bob' }),
        sampleKey({ subject: 'bob' }),
      ]
      const [first, second, third, fourth] = keys.map(({ id }) => id)
      for (const key of keys) await store.insert(key)
      for (const key of keys) await store.update(key, { ...key, revokedAt: NOW })
      const read = async (query: { tenant?: string; subject?: string; before?: number; limit?: number }) =>
        (await store.readAudit({ limit: 10, ...query })).map(({ keyId }) => keyId)
      assert.deepEqual(await read({ tenant: 'acme' }), [third, first, third, first])
      assert.deepEqual(await read({ subject: 'bob' }), [fourth, third, fourth, third])
      assert.deepEqual(await read({ tenant: 'globex', subject: 'ann' }), [second, second])
      assert.deepEqual(await read({ tenant: 'globex', subject: 'bob' }), [])
      const [newest] = await store.readAudit({ tenant: 'acme', limit: 1 })
      assert.deepEqual([newest?.tenant, newest?.subject], ['acme', 'bob'])
      assert.deepEqual(await read({ tenant: 'acme', before: newest?.seq ?? 0, limit: 2 }), [first, third])
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
      assert.deepEqual(await store.readAudit({ limit: 9, after: others[0]?.seq ?? 0 }), [newest])
      assert.deepEqual(await store.readAudit({ limit: 9, after: newest?.seq ?? 0 }), [])
    })
  })
}
