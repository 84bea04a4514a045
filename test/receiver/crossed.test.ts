import { afterEach, describe, expect, test } from 'vitest'
import {
  createProvider,
  createWorld,
  LOGOUT_EVENT,
  NOW,
  PROVIDER,
  type Provider,
  postEvent,
  postForm,
  postRevocation,
  type World,
} from '../support/providers.js'
import { compact, encode, hmacSigner } from '../support/tokens.js'

let world: World
afterEach(() => world.close())

const DOORS = { form: postForm, event: postEvent, json: postRevocation }
type Door = keyof typeof DOORS
const REFUSED = { form: 400, event: 400, json: 401 }
const TAKEN = { form: 200, event: 202, json: 204 }

/** Everything that a provider signs, and the doors where it is taken. */
const TOKENS: readonly (readonly [name: string, mint: (provider: Provider) => string, doors: readonly Door[]])[] = [
  ['a logout token', (p) => p.logoutToken(), ['form']],
  ['a logout token of application/logout+jwt', (p) => p.logoutToken({}, { typ: 'application/logout+jwt' }), ['form']],
  ['a logout token of LOGOUT+JWT', (p) => p.logoutToken({}, { typ: 'LOGOUT+JWT' }), ['form']],
  ['a logout token of typ JWT', (p) => p.logoutToken({}, { typ: 'JWT' }), ['form']],
  ['a logout token without typ', (p) => p.logoutToken({}, { typ: undefined }), ['form']],
  ['a logout token of typ null', (p) => p.logoutToken({}, { typ: null }), []],
  ['a logout token with a nonce', (p) => p.logoutToken({ nonce: 'n' }), []],
  ['a logout token with a nonce of null', (p) => p.logoutToken({ nonce: null }), []],
  ['a logout token of another event', (p) => p.logoutToken({ events: { 'https://other.example': {} } }), []],
  ['a logout token whose event is null', (p) => p.logoutToken({ events: { [LOGOUT_EVENT]: null } }), []],
  ['a logout token whose event is a list', (p) => p.logoutToken({ events: { [LOGOUT_EVENT]: [] } }), []],
  ['a logout token whose events are a list', (p) => p.logoutToken({ events: [LOGOUT_EVENT] }), []],
  ['a security event', (p) => p.securityEvent(), ['event']],
  [
    'a security event of APPLICATION/SECEVENT+JWT',
    (p) => p.securityEvent({}, { typ: 'APPLICATION/SECEVENT+JWT' }),
    ['event'],
  ],
  ['a security event of typ JWT', (p) => p.securityEvent({}, { typ: 'JWT' }), []],
  ['a security event without typ', (p) => p.securityEvent({}, { typ: undefined }), []],
  ['a security event with a nonce', (p) => p.securityEvent({ nonce: 'n' }), []],
  ['a revocation token', (p) => p.revocationToken(), ['json']],
  ['a revocation token of typ JWT', (p) => p.revocationToken({}, { typ: 'JWT' }), []],
  ['a revocation token without typ', (p) => p.revocationToken({}, { typ: undefined }), []],
  ['an ID token', (p) => p.idToken(), []],
  ['an ID token without nonce', (p) => p.idToken({ nonce: undefined }), []],
  ['an ID token without typ', (p) => p.idToken({ nonce: undefined }, { typ: undefined }), []],
  ['an access token', (p) => p.mint({ sid: 's1' }), []],
  ['an access token of typ JWT', (p) => p.mint({ sid: 's1' }, { typ: 'JWT' }), []],
  ['a client assertion', (p) => p.mint({ events: undefined }, { typ: 'client-authentication+jwt' }), []],
  ['an API key', () => 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8', []],
]

describe.each(Object.keys(DOORS) as Door[])('at the door for %s', (door) => {
  test.each(TOKENS)('%s', async (name, mint, doors) => {
    world = createWorld()
    const { status } = await world.receiver.handle(DOORS[door](mint(world.provider)))
    const isTaken = doors.includes(door)
    // A good token of another kind is a wrong request, and no wrong credential.
    const refused = name === 'an API key' ? REFUSED[door] : 400
    expect(status).toBe(isTaken ? TAKEN[door] : refused)
    expect((await world.keyring.tokenRevocations()).length > 0).toBe(isTaken)
  })
})

/** A good token of the door, changed in what makes it the provider's. */
const GOOD: Readonly<Record<Door, (provider: Provider, claims?: object, header?: object) => string>> = {
  form: (p, claims, header) => p.logoutToken({ ...claims }, { ...header }),
  event: (p, claims, header) => p.securityEvent({ ...claims }, { ...header }),
  json: (p, claims, header) => p.revocationToken({ ...claims }, { ...header }),
}

type Forgery = (good: (claims?: object, header?: object) => string, provider: Provider, other: Provider) => string

function withHeader(token: string, header: object): string {
  return [encode({ ...header }), ...token.split('.').slice(1)].join('.')
}

const FORGERIES: readonly (readonly [name: string, reason: string, forge: Forgery])[] = [
  ['another signature', 'signature', (good) => good().slice(0, -8).concat('AAAAAAAA')],
  ['no signature', 'signature', (good) => good().replace(/\.[^.]*$/, '.')],
  [
    'other claims under its signature',
    'signature',
    (good) => {
      const [header, , signature] = good().split('.')
      return [header, good({ jti: 'other' }).split('.')[1], signature].join('.')
    },
  ],
  ['alg none', 'algorithm', (good) => withHeader(good({}, { alg: 'none' }), { typ: typOf(good()), alg: 'none' })],
  [
    'a public key as secret of HS256',
    'algorithm',
    (good, provider) =>
      compact(
        { typ: typOf(good()), alg: 'HS256', kid: provider.kid },
        claimsOf(good()),
        hmacSigner('HS256', provider.publicKey.export({ type: 'spki', format: 'pem' })),
      ),
  ],
  [
    'a key of its own',
    'signature',
    (good, provider) => {
      const forged = createProvider({ kid: provider.kid })
      return forged.mintRaw({
        header: { typ: typOf(good()), alg: forged.alg, kid: forged.kid },
        payload: claimsOf(good()),
      })
    },
  ],
  ['an unknown kid', 'key', (good) => good({}, { kid: 'other' })],
  ['a kid that is no string', 'key', (good) => good({}, { kid: 7 })],
  [
    'the key of another configured issuer',
    'key',
    (good, _, other) =>
      other.mintRaw({ header: { typ: typOf(good()), alg: other.alg, kid: other.kid }, payload: claimsOf(good()) }),
  ],
  [
    'the kid of its issuer and the key of another configured one',
    'signature',
    (good, provider, other) =>
      other.mintRaw({ header: { typ: typOf(good()), alg: other.alg, kid: provider.kid }, payload: claimsOf(good()) }),
  ],
  ['an issuer that is not configured', 'issuer', (good) => good({ iss: 'https://evil.example' })],
  ['a slash after its issuer', 'issuer', (good) => good({ iss: `${PROVIDER}/` })],
  ['a list of issuers', 'issuer', (good) => good({ iss: [PROVIDER] })],
  ['no issuer', 'issuer', (good) => good({ iss: undefined })],
  ['crit', 'malformed', (good) => good({}, { crit: ['exp'] })],
  ['b64', 'malformed', (good) => good({}, { b64: false })],
  [
    'a key in its header',
    'signature',
    (good, provider) => {
      const forged = createProvider({ kid: provider.kid })
      const jwk = forged.jwks.keys[0]
      return forged.mintRaw({
        header: { typ: typOf(good()), alg: forged.alg, jwk, kid: forged.kid },
        payload: claimsOf(good()),
      })
    },
  ],
  ['four parts', 'malformed', (good) => `${good()}.x`],
  ['padding', 'malformed', (good) => `${good()}=`],
  ['a line break', 'malformed', (good) => `${good()}\n`],
]

function typOf(token: string): unknown {
  return (JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString()) as { typ: unknown }).typ
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as Record<string, unknown>
}

const SET_CODES: Readonly<Record<string, string>> = {
  signature: 'invalid_key',
  key: 'invalid_key',
  algorithm: 'invalid_key',
  issuer: 'invalid_issuer',
  malformed: 'invalid_request',
}

describe.each(Object.keys(DOORS) as Door[])('a forgery at the door for %s is refused', (door) => {
  test.each(FORGERIES)('%s', async (_, reason, forge) => {
    const other = createProvider({ issuer: 'https://other.example', kid: 'other-key' })
    world = createWorld({ others: [{ issuer: other.issuer, audience: 'client-1', jwks: other.jwks }] })
    const token = forge((claims, header) => GOOD[door](world.provider, claims, header), world.provider, other)
    const answer = await world.receiver.handle(DOORS[door](token))
    expect(world.events).toMatchObject([{ outcome: 'refused', reason, revocations: 0 }])
    expect(answer.status).toBe(REFUSED[door])
    if (door === 'event') expect((JSON.parse(answer.body) as { err: string }).err).toBe(SET_CODES[reason])
    expect(await world.keyring.tokenRevocations()).toEqual([])
  })
})

test('a token for the door next door is not taken by what stands in the body besides', async () => {
  world = createWorld()
  const { provider, receiver } = world
  const asBody = { sub_id: { format: 'iss_sub', iss: PROVIDER, sub: 'u1' }, logout_token: provider.logoutToken() }
  const { status } = await receiver.handle(postRevocation(provider.logoutToken({ exp: NOW + 60 }), asBody))
  expect(status).toBe(400)
  expect(await world.keyring.tokenRevocations()).toEqual([])
})
