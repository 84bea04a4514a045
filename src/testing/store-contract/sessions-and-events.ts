import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { StoredTokenEvent, StoredTokenRevocation, TokenNames } from '../../store/contract.js'
import { DAY, NOW, sampleRevocation, TOKEN_NAMES, tokenOf } from './samples.js'
import { type Suite, watch } from './suite.js'

/** Of all tokens of a session, unless values say otherwise. */
function ofSession(id: string, values: Partial<StoredTokenRevocation> = {}): StoredTokenRevocation {
  return sampleRevocation(id, { subject: null, sessionId: 'sid', issuedBefore: null, ...values })
}

/** As an event of an issuer asks for it. */
function byEvent(id: string, values: Partial<StoredTokenRevocation> = {}): StoredTokenRevocation {
  return ofSession(id, { createdBy: 'receiver:https://issuer.example', ...values })
}

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

function sampleEvent(name: string, values: Partial<StoredTokenEvent> = {}): StoredTokenEvent {
  const sender = digestOf('https://issuer.example')
  return { digest: digestOf(name), sender, createdAt: NOW, endsAt: NOW + 365 * DAY, ...values }
}

const idsOf = (revocations: readonly StoredTokenRevocation[]) => revocations.map(({ id }) => id).sort()

/** Revocations of sessions, and addTokenRevocationsOnce. */
export function testSessionsAndEvents({ describe, testWith }: Suite): void {
  const tokens = ['addTokenRevocation', 'tokenRevocations'] as const
  const once = ['addTokenRevocationsOnce', 'tokenRevocations'] as const

  describe('revocations of sessions', () => {
    testWith(
      tokens,
      'come back as they were added, and so do those of subjects without a session',
      async ({ store }) => {
        const all = [
          ofSession('always'),
          ofSession('before', { sessionId: 'other', issuedBefore: NOW }),
          sampleRevocation('without', { withoutSession: true }),
        ]
        for (const one of all) await store.addTokenRevocation(one)
        const found = [...(await store.tokenRevocations(NOW))].sort((a, b) => (a.id < b.id ? -1 : 1))
        assert.deepEqual(found, all)
      },
    )

    testWith(tokens, 'give way to one that does all that they do', async ({ store }) => {
      const endsAt = Date.now() + 365 * DAY
      const add = (one: StoredTokenRevocation) => store.addTokenRevocation({ ...one, endsAt })
      const ids = async () => idsOf(await store.tokenRevocations(NOW))
      await add(ofSession('early', { issuedBefore: NOW - 1 }))
      await add(ofSession('late', { issuedBefore: NOW }))
      await add(sampleRevocation('same text', { subject: 'sid' }))
      assert.deepEqual(await ids(), ['late', 'same text'])
      await add(ofSession('always'))
      assert.deepEqual(await ids(), ['always', 'same text'])
      // It does not do all that the other one does, and so takes nothing away.
      await add(ofSession('later', { issuedBefore: NOW + DAY }))
      assert.deepEqual(await ids(), ['always', 'later', 'same text'])
      await add(ofSession('again'))
      assert.deepEqual(await ids(), ['again', 'same text'])

      await add(sampleRevocation('without', { withoutSession: true }))
      await add(sampleRevocation('without, again', { withoutSession: true }))
      assert.deepEqual(await ids(), ['again', 'same text', 'without, again'])
      await add(sampleRevocation('all'))
      assert.deepEqual(await ids(), ['again', 'all', 'same text'])
      await add(sampleRevocation('without, later', { withoutSession: true, issuedBefore: NOW }))
      assert.deepEqual(await ids(), ['again', 'all', 'same text', 'without, later'])
    })

    testWith(
      [...tokens, 'findTokenRevocations'],
      'are found by the session of a token, and by each of its subjects',
      async ({ store }) => {
        await store.addTokenRevocation(ofSession('session'))
        await store.addTokenRevocation(sampleRevocation('first'))
        await store.addTokenRevocation(sampleRevocation('second', { subject: 'alias' }))
        await store.addTokenRevocation(sampleRevocation('without', { subject: 'alias', withoutSession: true }))
        const find = async (names: Partial<TokenNames>) => idsOf(await store.findTokenRevocations(tokenOf(names)))
        assert.deepEqual(await find({ sessionId: 'sid' }), ['session'])
        assert.deepEqual(await find({ sessionId: 'another', tokenId: 'sid', clientId: 'sid', subject: 'sid' }), [])
        assert.deepEqual(await find({ issuer: 'https://b.example', sessionId: 'sid' }), [])
        const subjects = ['user_123', 'alias']
        assert.deepEqual(await find({ subject: 'user_123', subjects }), ['first', 'second', 'without'])
        assert.deepEqual(await find({ subject: 'user_123', subjects, sessionId: 'x' }), ['first', 'second'])
        assert.deepEqual(await find({ subject: 'y', subjects: ['y', 'alias'], sessionId: 'sid' }), [
          'second',
          'session',
        ])
      },
    )

    for (const [what, name] of TOKEN_NAMES) {
      testWith(tokens, `name what a token can hold: ${what}`, async ({ store }) => {
        const all = [
          ofSession('a', { sessionId: name }),
          sampleRevocation('b', { subject: name, withoutSession: true }),
        ]
        for (const one of all) await store.addTokenRevocation(one)
        const read = [...(await store.tokenRevocations(NOW))].sort((a, b) => (a.id < b.id ? -1 : 1))
        assert.deepEqual(read, all)
        const find = async (names: Partial<TokenNames>) => store.findTokenRevocations?.(tokenOf(names))
        assert.deepEqual((await find({ sessionId: name })) ?? [all[0]], [all[0]])
        assert.deepEqual((await find({ subjects: ['y', name] })) ?? [all[1]], [all[1]])
        assert.deepEqual((await find({ sessionId: `${name}x`, subjects: ['y', `${name}x`] })) ?? [], [])
      })
    }

    testWith([...tokens, 'readAudit'], 'are in the audit trail with what they name', async ({ store }) => {
      await store.addTokenRevocation(ofSession('a', { sessionId: 's "1"\u0000' }))
      await store.addTokenRevocation(sampleRevocation('b', { withoutSession: true, issuedBefore: NOW }))
      const details = (await store.readAudit({ limit: 9 })).map(({ detail }) => JSON.parse(detail ?? ''))
      const issuer = 'https://issuer.example'
      assert.deepEqual(details, [
        { issuer, subject: 'user_123', withoutSession: true, issuedBefore: '2026-11-25T12:00:00.000Z' },
        { issuer, sessionId: 's "1"\u0000' },
      ])
    })
  })

  describe('an event', () => {
    testWith([...once, 'addTokenRevocation'], 'is acted upon once', async ({ store }) => {
      const all = [
        byEvent('a'),
        byEvent('b', { sessionId: null, subject: 'user_123', issuedBefore: Date.now() - DAY, withoutSession: true }),
      ]
      assert.equal(await store.addTokenRevocationsOnce(sampleEvent('1'), all), true)
      const read = async () => [...(await store.tokenRevocations(NOW))].sort((a, b) => (a.id < b.id ? -1 : 1))
      assert.deepEqual(await read(), all)
      const later = byEvent('c', { sessionId: 'later' })
      assert.equal(await store.addTokenRevocationsOnce(sampleEvent('1', { createdAt: NOW + 1 }), [later]), false)
      assert.deepEqual(await read(), all)
      assert.equal(await store.addTokenRevocationsOnce(sampleEvent('2'), [later]), true)
      assert.deepEqual(await read(), [...all, later])
    })

    testWith(once, 'may ask for no revocation, and is noted all the same', async ({ store }) => {
      assert.equal(await store.addTokenRevocationsOnce(sampleEvent('1'), []), true)
      assert.equal(await store.addTokenRevocationsOnce(sampleEvent('1'), [byEvent('a')]), false)
      assert.deepEqual(await store.tokenRevocations(NOW), [])
    })

    testWith(once, 'is written with all of its revocations, or not at all', async ({ store }) => {
      await store.addTokenRevocationsOnce(sampleEvent('1'), [byEvent('a')])
      const two = [byEvent('b', { sessionId: 'b' }), byEvent('a', { sessionId: 'c' })]
      // The second one has an id that is taken.
      await assert.rejects(store.addTokenRevocationsOnce(sampleEvent('2'), two))
      assert.deepEqual(idsOf(await store.tokenRevocations(NOW)), ['a'])
      // Nor was the event noted: its sender repeats it.
      assert.equal(await store.addTokenRevocationsOnce(sampleEvent('2'), [byEvent('b')]), true)
    })

    testWith(once, 'that replaces what is in force leaves that alone where it fails', async ({ store }) => {
      const endsAt = Date.now() + 365 * DAY
      await store.addTokenRevocationsOnce(sampleEvent('1'), [byEvent('a', { endsAt })])
      const two = [byEvent('b', { endsAt }), byEvent('b', { sessionId: 'c', endsAt })]
      await assert.rejects(store.addTokenRevocationsOnce(sampleEvent('2'), two))
      assert.deepEqual(idsOf(await store.tokenRevocations(NOW)), ['a'])
      await store.addTokenRevocationsOnce(sampleEvent('2'), two.slice(0, 1))
      assert.deepEqual(idsOf(await store.tokenRevocations(NOW)), ['b'])
    })

    testWith(once, 'is known until it ends', async ({ store }) => {
      const brief = sampleEvent('1', { endsAt: NOW + 1 })
      assert.equal(await store.addTokenRevocationsOnce(brief, []), true)
      assert.equal(await store.addTokenRevocationsOnce(brief, []), false)
      assert.equal(await store.addTokenRevocationsOnce({ ...brief, createdAt: NOW + 1, endsAt: NOW + DAY }, []), true)
      assert.equal(await store.addTokenRevocationsOnce({ ...brief, createdAt: NOW + 2 }, []), false)
    })

    testWith(once, 'is forgotten no earlier where a clock runs ahead', async ({ store }) => {
      const now = Date.now()
      const event = sampleEvent('1', { createdAt: now, endsAt: now + DAY })
      assert.equal(await store.addTokenRevocationsOnce(event, []), true)
      const ahead = sampleEvent('2', { createdAt: now + 11 * DAY, endsAt: now + 12 * DAY })
      assert.equal(await store.addTokenRevocationsOnce(ahead, []), true)
      assert.equal(await store.addTokenRevocationsOnce({ ...event, createdAt: now + 11 * DAY }, []), false)
    })

    testWith(once, 'that comes several times at the same moment is written once', async ({ store, another }) => {
      const second = await another()
      const deliveries = Array.from({ length: 20 }, (_, i) => {
        const via = i % 2 === 0 ? store : second
        return via
          .addTokenRevocationsOnce(sampleEvent('1'), [byEvent(`r${i}`, { sessionId: `s${i}` })])
          .then(async (added) => {
            // Whoever is told that it was there already finds what it has asked for.
            if (!added) assert.equal((await via.tokenRevocations(NOW)).length, 1)
            return added
          })
      })
      const added = (await Promise.all(deliveries)).filter((one) => one)
      assert.equal(added.length, 1)
      assert.equal((await store.tokenRevocations(NOW)).length, 1)
    })

    testWith([...once, 'readAudit'], 'is in the audit trail by its revocations alone', async ({ store }) => {
      await store.addTokenRevocationsOnce(sampleEvent('1'), [])
      await store.addTokenRevocationsOnce(sampleEvent('2'), [byEvent('a', { reason: 'logout' })])
      await store.addTokenRevocationsOnce(sampleEvent('2'), [byEvent('b')])
      const entries = await store.readAudit({ limit: 9 })
      assert.deepEqual(
        entries.map(({ action, actor, reason }) => [action, actor, reason]),
        [['revoke_tokens', 'receiver:https://issuer.example', 'logout']],
      )
    })

    testWith([...once, 'watch'], 'is told to watchers, with each of its revocations', async ({ store, another }) => {
      const writer = await another()
      const { changes, until } = await watch(store)
      const all = [byEvent('a'), byEvent('b', { sessionId: 'other' })]
      await writer.addTokenRevocationsOnce(sampleEvent('1'), all)
      const told = () => changes.flatMap((change) => ('tokens' in change && change.added ? [change.added] : []))
      const untold = () => changes.some((change) => 'tokens' in change && !change.added && !change.removed)
      // A store need not say which one was added.
      await until(() => untold() || told().length >= all.length)
      if (!untold()) assert.deepEqual(idsOf([...new Map(told().map((one) => [one.id, one])).values()]), ['a', 'b'])
      if (!untold())
        assert.deepEqual(
          told().find(({ id }) => id === 'b'),
          all[1],
        )
    })
  })
}
