import { afterEach, describe, expect, test } from 'vitest'
import {
  createWorld,
  LOGOUT_EVENT,
  NOW,
  type Provider,
  postEvent,
  postForm,
  postRevocation,
  type World,
} from '../support/providers.js'

let world: World
afterEach(() => world.close())

type Over = Record<string, unknown>
const KINDS = {
  'a logout token': (p: Provider, over: Over) => postForm(p.logoutToken(over)),
  'a security event': (p: Provider, over: Over) => postEvent(p.securityEvent(over)),
  'a revocation token': (p: Provider, over: Over) => postRevocation(p.revocationToken(over)),
}
type KindName = keyof typeof KINDS
const ALL = Object.keys(KINDS) as KindName[]
const TOLERANCE = 5

/** One claim changed, and what becomes of the token: the reason of its refusal, or that it is taken. */
const ROWS: readonly (readonly [kinds: readonly KindName[], over: Over, outcome: string])[] = [
  [ALL, {}, 'taken'],
  [ALL, { aud: ['other', 'client-1'] }, 'taken'],
  [ALL, { aud: 'other' }, 'audience'],
  [ALL, { aud: ['other'] }, 'audience'],
  [ALL, { aud: [] }, 'audience'],
  [ALL, { aud: undefined }, 'audience'],
  [ALL, { aud: 7 }, 'claims'],
  [ALL, { aud: { 'client-1': true } }, 'claims'],
  [ALL, { aud: ['client-1', 7] }, 'claims'],
  [ALL, { aud: null }, 'claims'],
  [ALL, { iat: undefined }, 'claims'],
  [ALL, { iat: String(NOW) }, 'claims'],
  [ALL, { iat: -1 }, 'claims'],
  [ALL, { iat: 1e20 }, 'claims'],
  [ALL, { iat: null }, 'claims'],
  [ALL, { iat: NOW + TOLERANCE }, 'taken'],
  [ALL, { iat: NOW + TOLERANCE + 1 }, 'not_active'],
  [ALL, { iat: NOW * 1000 }, 'claims'],
  [ALL, { nbf: 0 }, 'taken'],
  [ALL, { nbf: NOW + TOLERANCE + 1 }, 'not_active'],
  [ALL, { nbf: 'now' }, 'claims'],
  [ALL, { jti: undefined }, 'claims'],
  [ALL, { jti: '' }, 'claims'],
  [ALL, { jti: 7 }, 'claims'],
  [ALL, { jti: null }, 'claims'],
  [ALL, { jti: '\u0000\ud800' }, 'taken'],
  [ALL, { exp: NOW - TOLERANCE + 1 }, 'taken'],
  [ALL, { exp: NOW - TOLERANCE }, 'expired'],
  [ALL, { exp: 0 }, 'expired'],
  [ALL, { exp: 'later' }, 'claims'],
  [ALL, { exp: null }, 'claims'],
  [ALL, { exp: NOW + 10 * 365 * 86_400 }, 'taken'],
  [ALL, { nonce: '' }, 'type'],
  [['a revocation token'], { exp: undefined }, 'claims'],
  [['a security event'], { exp: undefined }, 'taken'],
  [['a security event'], { iat: NOW - 40 * 86_400 }, 'taken'],
  [['a logout token'], { exp: undefined }, 'taken'],
  [['a logout token'], { exp: undefined, iat: NOW - 120 - TOLERANCE }, 'taken'],
  [['a logout token'], { exp: undefined, iat: NOW - 121 - TOLERANCE }, 'too_old'],
  [['a logout token'], { iat: NOW - 3600, exp: NOW + 1 }, 'taken'],
  [['a logout token'], { iat: 7 }, 'claims'],
  [['a logout token'], { sub: undefined, sid: undefined }, 'subject'],
  [['a logout token'], { sub: '' }, 'subject'],
  [['a logout token'], { sub: 7 }, 'subject'],
  [['a logout token'], { sub: null }, 'subject'],
  [['a logout token'], { sid: ['s1'] }, 'subject'],
  [['a logout token'], { sid: null }, 'subject'],
  [['a logout token'], { sub: 'x'.repeat(8193) }, 'subject'],
  // Text that may not be stored: it holds an API key.
  [['a logout token'], { sub: 'Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8' }, 'subject'],
  [['a logout token'], { events: undefined }, 'event'],
  [['a logout token'], { events: { [LOGOUT_EVENT]: 'x' } }, 'event'],
  [['a logout token'], { events: { [LOGOUT_EVENT]: { event_timestamp: 'x' } } }, 'claims'],
  [['a security event'], { events: undefined }, 'event'],
  [['a security event'], { events: {} }, 'event'],
  [['a security event'], { events: [] }, 'event'],
  [['a security event'], { events: { 'https://unknown.example': null } }, 'event'],
  [
    ['a security event'],
    { toe: 'x', events: { 'https://schemas.openid.net/secevent/risc/event-type/account-purged': {} } },
    'claims',
  ],
]

describe('each claim by itself', () => {
  const cases = ROWS.flatMap(([kinds, over, outcome]) =>
    kinds.map(
      (kind) =>
        [
          kind,
          JSON.stringify(over, (_, value: unknown) => value ?? String(value)).slice(0, 90),
          outcome,
          over,
        ] as const,
    ),
  )
  test.each(cases)('%s with %s is %s', async (kind, _, outcome, over) => {
    world = createWorld()
    await world.receiver.handle(KINDS[kind](world.provider, over))
    const [event] = world.events
    expect(event?.outcome === 'revoked' ? 'taken' : event?.reason).toBe(outcome)
    expect((await world.keyring.tokenRevocations()).length > 0).toBe(outcome === 'taken')
  })
})

describe('what ends with the token is remembered as long', () => {
  test.each<[KindName, Over, number]>([
    ['a logout token', { exp: NOW + 60 }, 60 + TOLERANCE],
    ['a logout token', { exp: undefined }, 120 + TOLERANCE],
    ['a logout token', { exp: NOW + 10 * 365 * 86_400 }, 365 * 86_400],
    ['a security event', {}, 86_400],
    ['a security event', { exp: NOW + 60 }, 86_400],
    ['a revocation token', { exp: NOW + 60 }, 60 + TOLERANCE],
  ])('%s with %o', async (kind, over, seconds) => {
    world = createWorld()
    const ends: number[] = []
    const { keyring } = world
    const revokeTokensOnce: typeof keyring.revokeTokensOnce = (event, ...others) => {
      ends.push(Number(event.keepUntil))
      return keyring.revokeTokensOnce(event, ...others)
    }
    await world.close()
    world = createWorld({ keyring: Object.defineProperties({ ...keyring, revokeTokensOnce }, symbolsOf(keyring)) })
    await world.receiver.handle(KINDS[kind](world.provider, over))
    expect(ends).toEqual([(NOW + seconds) * 1000])
  })
})

/** The brand of a keyring, which a spread leaves out. */
function symbolsOf(object: object): PropertyDescriptorMap {
  return Object.fromEntries(
    Object.getOwnPropertySymbols(object).map((symbol) => [symbol, { value: true }]),
  ) as PropertyDescriptorMap
}

describe('what is revoked was issued until the event', () => {
  const RISC_EVENT = 'https://schemas.openid.net/secevent/risc/event-type/account-disabled'
  test.each<[string, Over, number]>([
    ['its event_timestamp', { toe: NOW - 50, events: { [RISC_EVENT]: { event_timestamp: NOW - 100 } } }, NOW - 100],
    ['its toe', { toe: NOW - 50, events: { [RISC_EVENT]: {} } }, NOW - 50],
    ['its iat', { iat: NOW - 20, events: { [RISC_EVENT]: {} } }, NOW - 20],
    ['a part of a second', { toe: NOW - 50.0001, events: { [RISC_EVENT]: {} } }, NOW - 50.001],
    ['milliseconds, as drafts had them', { events: { [RISC_EVENT]: { event_timestamp: (NOW - 7) * 1000 } } }, NOW - 7],
    ['its iat, where its toe says later', { iat: NOW - 20, toe: NOW - 1, events: { [RISC_EVENT]: {} } }, NOW - 20],
    [
      'its iat, where its event_timestamp says later',
      { iat: NOW - 20, events: { [RISC_EVENT]: { event_timestamp: (NOW + 86_400) * 1000 } } },
      NOW - 20,
    ],
    // Of an issuer whose clock runs ahead, the tokens of these seconds as well.
    ['its iat, where that runs ahead', { iat: NOW + 4, toe: NOW + 9_999, events: { [RISC_EVENT]: {} } }, NOW + 4],
  ])('by %s', async (_, over, until) => {
    world = createWorld()
    await world.receiver.handle(postEvent(world.provider.securityEvent(over)))
    const [one] = await world.keyring.tokenRevocations()
    expect(one?.issuedBefore?.getTime()).toBe(Math.round(until * 1000))
  })

  test.each([null, '1', -1, 5, 1e20, [], {}])('an event_timestamp of %j is 400', async (event_timestamp) => {
    world = createWorld()
    const events = { [RISC_EVENT]: { event_timestamp } }
    const { status } = await world.receiver.handle(postEvent(world.provider.securityEvent({ events })))
    expect([status, world.events[0]?.reason]).toEqual([400, 'claims'])
  })
})
