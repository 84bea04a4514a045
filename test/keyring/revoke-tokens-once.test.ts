import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { KeyStoreError } from '../../src/core/errors.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyStore, StoredTokenEvent } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'

const issuer = 'https://issuer.example'
const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 25, 12)
const event = { issuer, id: 'jti', keepUntil: NOW + DAY }
const session = { issuer, sessionId: 'sid' }

/** A keyring over a store in memory, and the events that the store was given. */
function setUp() {
  const store = memoryKeyStore()
  const events: StoredTokenEvent[] = []
  const addTokenRevocationsOnce: KeyStore['addTokenRevocationsOnce'] = async (given, ...rest) => {
    events.push(given)
    return (await store.addTokenRevocationsOnce?.(given, ...rest)) ?? false
  }
  return { keyring: createKeyring({ ...store, addTokenRevocationsOnce }, { clock: () => NOW }), events }
}

test('an event revokes once, by a receiver, and of its texts only a digest is stored', async () => {
  const { keyring, events } = setUp()
  const subject = { issuer, subject: 'u', issuedBefore: NOW, withoutSession: true }
  const options = { actor: `receiver:${issuer}`, reason: 'logout', tokenLife: '1h' } as const
  const first = await keyring.revokeTokensOnce(event, [session, subject], options)
  expect(first.repeated).toBe(false)
  expect(first.revocations).toMatchObject([
    { sessionId: 'sid', subject: null, withoutSession: false, issuedBefore: null, createdBy: options.actor },
    { sessionId: null, subject: 'u', withoutSession: true, issuedBefore: new Date(NOW), reason: 'logout' },
  ])
  expect(first.revocations.map(({ endsAt }) => endsAt.getTime())).toEqual(Array(2).fill(NOW + 3_600_000 + 600_000))
  const another = { issuer, sessionId: 'another' }
  expect(await keyring.revokeTokensOnce(event, [another], options)).toEqual({ repeated: true, revocations: [] })
  expect(await keyring.tokenRevocations()).toEqual(first.revocations)
  const digestOf = (...texts: string[]) => `sha256:${createHash('sha256').update(JSON.stringify(texts)).digest('hex')}`
  expect(events[0]).toEqual({
    digest: digestOf(issuer, 'jti'),
    sender: digestOf(issuer),
    createdAt: NOW,
    endsAt: NOW + DAY,
  })
})

test('events are told apart by issuer and id, whatever characters they have', async () => {
  const { keyring } = setUp()
  const ids = ['a', 'a\u0000', '\ud800', '\ud801', '\ufffd', '"', '日'.repeat(2730)]
  for (const id of ids) {
    for (const sender of [issuer, `${issuer}/`]) {
      const once = () => keyring.revokeTokensOnce({ issuer: sender, id, keepUntil: NOW + DAY }, [])
      expect((await once()).repeated).toBe(false)
      expect((await once()).repeated).toBe(true)
    }
  }
})

test('an event is kept for 366 days at most', async () => {
  const { keyring, events } = setUp()
  await keyring.revokeTokensOnce({ ...event, keepUntil: new Date(NOW + 999 * DAY) }, [])
  expect(events[0]?.endsAt).toBe(NOW + 366 * DAY)
})

test.each<[string, object, unknown, object, RegExp]>([
  ['no event', undefined as never, [], {}, /the event of revokeTokensOnce/],
  ['an event with another member', { ...event, jti: 'x' }, [], {}, /^jti/],
  ['an event without an id', { ...event, id: '' }, [], {}, /^id must/],
  ['an id that no token can hold', { ...event, id: 'x'.repeat(8193) }, [], {}, /^id must be a text of 1 to 8192 bytes/],
  ['an issuer that is no URL', { ...event, issuer: 'x' }, [], {}, /^issuer/],
  ['an end that is no instant', { ...event, keepUntil: Number.NaN }, [], {}, /^keepUntil/],
  ['what is no list', event, session, {}, /^selectors/],
  ['too many selectors', event, Array(101).fill(session), {}, /^selectors must be a list of 0 to 100/],
  ['a selector of nothing', event, [{ issuer }], {}, /^revokeTokensOnce\(\) takes one of tokenId/],
  [
    'withoutSession of a client',
    event,
    [{ issuer, clientId: 'c', issuedBefore: NOW, withoutSession: true }],
    {},
    /^withoutSession/,
  ],
  [
    'withoutSession that is no boolean',
    event,
    [{ issuer, subject: 'c', issuedBefore: NOW, withoutSession: 1 }],
    {},
    /^withoutSession/,
  ],
  ['the name of a person', event, [], { actor: 'ann' }, /^actor must be 'receiver'/],
  ['a name that only looks like a receiver', event, [], { actor: 'receivers' }, /^actor must be 'receiver'/],
  ['another option', event, [], { by: 'x' }, /^by/],
])('refuses %s, and notes nothing', async (_, given, selectors, options, message) => {
  const { keyring, events } = setUp()
  const call = () => keyring.revokeTokensOnce(given as never, selectors as never, options)
  await expect(call()).rejects.toThrow(TypeError)
  await expect(call()).rejects.toThrow(message)
  expect(events).toEqual([])
})

test('writes nothing when the time for it is over', async () => {
  const store = memoryKeyStore()
  const slow = createKeyring({ ...store, migrate: () => new Promise((resolve) => setTimeout(resolve, 20, 1)) })
  await expect(slow.revokeTokensOnce(event, [session], { timeoutMs: 1 })).rejects.toThrow(/^The time for this change/)
  expect(await store.tokenRevocations?.(0)).toEqual([])
})

test('says so where a store of the application cannot do it', async () => {
  const { addTokenRevocationsOnce: _, ...store } = memoryKeyStore()
  const keyring = createKeyring(store)
  await expect(keyring.revokeTokensOnce(event, [])).rejects.toThrow(KeyStoreError)
  await expect(keyring.revokeTokensOnce(event, [])).rejects.toThrow(/it has no addTokenRevocationsOnce\(\)/)
})
