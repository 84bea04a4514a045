import { afterEach, describe, expect, test } from 'vitest'
import type { KeyStore } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { outcomeOf } from '../support/outcome.js'
import {
  CONTENT_TYPES,
  createWorld,
  errorOf,
  NOW,
  PROVIDER,
  post,
  postEvent,
  postForm,
  postRevocation,
  type World,
} from '../support/providers.js'
import { createTestIssuer } from '../support/tokens.js'

let world: World
afterEach(() => world.close())

const NO_STORE = { 'Cache-Control': 'no-store' }
const AT_NOW = new Date(NOW * 1000)

/** What the keyring tells of each revocation that counts here. */
async function revoked(): Promise<object[]> {
  const list = await world.keyring.tokenRevocations()
  return list
    .map(({ issuer, subject, sessionId, withoutSession, tokenId, issuedBefore }) => ({
      issuer,
      issuedBefore,
      ...(subject !== null && { subject }),
      ...(sessionId !== null && { sessionId }),
      ...(withoutSession && { withoutSession }),
      ...(tokenId !== null && { tokenId }),
    }))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

describe('what is taken is written before it is answered', () => {
  test('a logout token with sid and sub: 200, tokens of the session, and those of the subject that tell none', async () => {
    world = createWorld()
    const answer = await world.receiver.handle(postForm(world.provider.logoutToken()))
    expect(answer).toEqual({ status: 200, headers: { 'Content-Length': '0', ...NO_STORE }, body: '' })
    expect(await revoked()).toEqual([
      { issuer: PROVIDER, issuedBefore: AT_NOW, sessionId: 's1' },
      { issuer: PROVIDER, issuedBefore: AT_NOW, subject: 'u1', withoutSession: true },
    ])
    const [one] = await world.keyring.tokenRevocations()
    expect(one).toMatchObject({ createdBy: `receiver:${PROVIDER}`, reason: 'back-channel logout' })
    // 30 days, the longest life of a token, and ten minutes.
    expect(one?.endsAt).toEqual(new Date(NOW * 1000 + 30 * 86_400_000 + 600_000))
    expect(world.events).toMatchObject([
      { outcome: 'revoked', reason: undefined, kind: 'logout_token', issuer: PROVIDER, revocations: 2 },
    ])
  })

  test('a logout token with one of them', async () => {
    world = createWorld({ sender: { tokenLife: '1h' } })
    await world.receiver.handle(postForm(world.provider.logoutToken({ sub: undefined })))
    await world.receiver.handle(postForm(world.provider.logoutToken({ sid: undefined })))
    expect(await revoked()).toEqual([
      { issuer: PROVIDER, issuedBefore: AT_NOW, sessionId: 's1' },
      { issuer: PROVIDER, issuedBefore: AT_NOW, subject: 'u1' },
    ])
    const [one] = await world.keyring.tokenRevocations()
    expect(one?.endsAt).toEqual(new Date(NOW * 1000 + 3_600_000 + 600_000))
  })

  test('a security event: 202', async () => {
    world = createWorld()
    const answer = await world.receiver.handle(postEvent(world.provider.securityEvent()))
    expect(answer).toEqual({ status: 202, headers: { 'Content-Length': '0', ...NO_STORE }, body: '' })
    expect(await revoked()).toEqual([{ issuer: PROVIDER, issuedBefore: new Date((NOW - 10) * 1000), subject: 'u1' }])
    expect(world.events).toMatchObject([{ outcome: 'revoked', kind: 'security_event', issuer: PROVIDER }])
  })

  test.each(['sub_id', 'subject'])('a Global Token Revocation by %s: 204', async (member) => {
    world = createWorld()
    const body = { [member]: { format: 'iss_sub', iss: PROVIDER, sub: 'u1' } }
    const answer = await world.receiver.handle(postRevocation(world.provider.revocationToken(), body))
    expect(answer).toEqual({ status: 204, headers: NO_STORE, body: '' })
    expect(await revoked()).toEqual([{ issuer: PROVIDER, issuedBefore: AT_NOW, subject: 'u1' }])
    expect(world.events).toMatchObject([{ outcome: 'revoked', kind: 'global_token_revocation' }])
  })

  test('and a verifier that had the token in its cache refuses it', async () => {
    world = createWorld()
    const { provider, store, receiver } = world
    const verifier = createVerifier({
      issuer: [{ issuer: PROVIDER, audience: 'api', jwks: provider.jwks }],
      keys: store,
      clock: () => world.time * 1000,
    })
    const accessToken = provider.mint({ aud: 'api', sub: 'u1', iat: NOW })
    expect(await outcomeOf(verifier, accessToken)).toBe('accepted')
    await receiver.handle(postForm(provider.logoutToken({ sid: undefined })))
    expect(await outcomeOf(verifier, accessToken)).toBe('revoked')
    // The user signs in again.
    world.time += 2
    expect(await outcomeOf(verifier, provider.mint({ aud: 'api', sub: 'u1', iat: world.time }))).toBe('accepted')
    await verifier.close()
  })
})

describe('a repetition', () => {
  test('of each kind is answered like the first time, and changes nothing', async () => {
    world = createWorld()
    const { provider, receiver, keyring } = world
    const requests = [
      postForm(provider.logoutToken()),
      postEvent(provider.securityEvent()),
      postRevocation(provider.revocationToken()),
    ]
    const first = await Promise.all(requests.map((request) => receiver.handle(request)))
    const written = await keyring.tokenRevocations()
    world.time += 60
    expect(await Promise.all(requests.map((request) => receiver.handle(request)))).toEqual(first)
    expect(await keyring.tokenRevocations()).toEqual(written)
    expect(world.events.slice(3)).toMatchObject(requests.map(() => ({ outcome: 'repeated', revocations: 0 })))
  })

  test('at the same time is written once', async () => {
    world = createWorld()
    const request = postForm(world.provider.logoutToken())
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.receiver.handle(request)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(world.events.filter(({ outcome }) => outcome === 'revoked')).toHaveLength(1)
    expect(world.events.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(19)
  })

  test('whose first answer was lost gets that answer', async () => {
    const store = memoryKeyStore()
    let fails = true
    // It commits, and its answer does not arrive.
    const flaky: KeyStore = {
      ...store,
      async addTokenRevocationsOnce(...given) {
        const isNew = await (store.addTokenRevocationsOnce as NonNullable<typeof store.addTokenRevocationsOnce>)(
          ...given,
        )
        if (fails) throw new Error('connection reset')
        return isNew
      },
    }
    world = createWorld({ store: flaky })
    const request = postEvent(world.provider.securityEvent())
    expect((await world.receiver.handle(request)).status).toBe(503)
    fails = false
    expect((await world.receiver.handle(request)).status).toBe(202)
    expect(world.events.map(({ outcome }) => outcome)).toEqual(['unavailable', 'repeated'])
    expect(await revoked()).toHaveLength(1)
  })

  test('of a security event from days ago revokes no later token', async () => {
    world = createWorld()
    const token = world.provider.securityEvent()
    await world.receiver.handle(postEvent(token))
    // Its id is forgotten by now.
    world.time += 3 * 86_400
    expect((await world.receiver.handle(postEvent(token))).status).toBe(202)
    const instants = (await revoked()).map((one) => (one as { issuedBefore: Date }).issuedBefore.getTime())
    expect(new Set(instants)).toEqual(new Set([(NOW - 10) * 1000]))
  })

  test('an id of one kind does not stand for that of another', async () => {
    world = createWorld()
    const { provider, receiver } = world
    await receiver.handle(postEvent(provider.securityEvent({ jti: 'same' })))
    await receiver.handle(postForm(provider.logoutToken({ jti: 'same' })))
    expect(world.events.map(({ outcome }) => outcome)).toEqual(['revoked', 'revoked'])
  })
})

describe('a request that is none of those', () => {
  test.each(['GET', 'HEAD', 'PUT', 'OPTIONS', 'DELETE', 'post'])('%s is 405', async (method) => {
    world = createWorld()
    const answer = await world.receiver.handle({ ...postForm(world.provider.logoutToken()), method })
    const body = '{"error":"invalid_request","error_description":"Only POST is taken here"}'
    expect(answer).toEqual({
      status: 405,
      headers: {
        'Content-Type': 'application/json; charset=utf-8',
        'Content-Length': String(body.length),
        ...NO_STORE,
        Allow: 'POST',
      },
      body,
    })
    expect(world.events).toMatchObject([{ outcome: 'refused', reason: 'method', kind: undefined }])
  })

  test.each(Object.values(CONTENT_TYPES))('a body that is too large is 413, as %s', async (contentType) => {
    world = createWorld()
    const answer = await world.receiver.handle({ ...post(contentType, ''), body: 'too large' })
    expect([answer.status, errorOf(answer)]).toEqual([
      413,
      { error: 'invalid_request', error_description: 'The body is longer than 16384 bytes' },
    ])
    expect(world.events).toMatchObject([{ outcome: 'refused', reason: 'size' }])
  })

  test.each([
    undefined,
    '',
    'text/plain',
    'application/jwt',
    'application/logout+jwt',
    'application/json, text/plain',
    '*/*',
  ])('another Content-Type is 415: %s', async (contentType) => {
    world = createWorld()
    const answer = await world.receiver.handle(post(contentType, world.provider.logoutToken()))
    expect([answer.status, answer.headers.Accept]).toEqual([
      415,
      'application/x-www-form-urlencoded, application/secevent+jwt, application/json',
    ])
    expect(world.events).toMatchObject([{ outcome: 'refused', reason: 'media_type' }])
  })

  test.each([
    'application/x-www-form-urlencoded; charset=utf-8',
    'Application/X-WWW-Form-Urlencoded',
    ' application/x-www-form-urlencoded ;q',
  ])('a Content-Type is read without case and parameters: %s', async (contentType) => {
    world = createWorld()
    const request = post(contentType, `logout_token=${world.provider.logoutToken()}&other=1`)
    expect((await world.receiver.handle(request)).status).toBe(200)
  })
})

describe('a token in the query or twice is 400', () => {
  const twice = (token: string) => [
    { ...postForm(token), query: true },
    { ...post(undefined, ''), query: true },
    { ...post('text/plain', ''), query: true },
    post(CONTENT_TYPES.form, `logout_token=${token}&logout_token=${token}`),
    post(CONTENT_TYPES.form, `logout_token=${token}&logout%5Ftoken=`),
    post(CONTENT_TYPES.form, `logout_token=${token}`, { authorization: `Bearer ${token}` }),
    post(CONTENT_TYPES.form, `logout_token=${token}`, { authorization: ['Basic YTpi', 'Basic YTpi'] }),
    post(CONTENT_TYPES.form, ''),
    post(CONTENT_TYPES.form, 'logout_token='),
    post(CONTENT_TYPES.form, `logout_token[a]=${token}`),
    post(CONTENT_TYPES.form, `LOGOUT_TOKEN=${token}`),
    post(CONTENT_TYPES.form, `id_token=${token}`),
  ]

  test('of a form', async () => {
    world = createWorld()
    for (const request of twice(world.provider.logoutToken())) {
      const answer = await world.receiver.handle(request)
      const body = '{"error":"invalid_request","error_description":"The request is malformed"}'
      expect(answer).toEqual({
        status: 400,
        headers: {
          'Content-Type': 'application/json; charset=utf-8',
          'Content-Length': String(body.length),
          ...NO_STORE,
        },
        body,
      })
    }
    expect(await revoked()).toEqual([])
    expect(new Set(world.events.map(({ reason }) => reason))).toEqual(new Set(['request']))
  })

  test('of a security event', async () => {
    world = createWorld()
    const token = world.provider.securityEvent()
    for (const request of [
      { ...postEvent(token), query: true },
      postEvent(token, ['Bearer a', 'Bearer a']),
      postEvent(''),
    ]) {
      const answer = await world.receiver.handle(request)
      const body = '{"err":"invalid_request","description":"The request is malformed"}'
      expect(answer).toEqual({
        status: 400,
        headers: {
          'Content-Type': 'application/json',
          'Content-Language': 'en',
          'Content-Length': String(body.length),
          ...NO_STORE,
        },
        body,
      })
    }
    expect(await revoked()).toEqual([])
  })

  test('of a Global Token Revocation', async () => {
    world = createWorld()
    const good = postRevocation(world.provider.revocationToken())
    const lines = good.headers.authorization as string
    for (const request of [
      { ...good, query: true },
      { ...good, headers: { ...good.headers, authorization: [lines, lines] } },
    ]) {
      const answer = await world.receiver.handle(request)
      expect([answer.status, errorOf(answer).error]).toEqual([400, 'invalid_request'])
    }
    expect(await revoked()).toEqual([])
  })
})

describe('Global Token Revocation', () => {
  test.each<[string, Parameters<typeof post>[2], string]>([
    ['no credential', {}, 'Bearer realm="acme"'],
    ['an empty header', { authorization: '' }, 'Bearer realm="acme"'],
    ['another scheme', { authorization: 'Basic YTpi' }, 'Bearer realm="acme"'],
    [
      'no token',
      { authorization: 'Bearer ' },
      'Bearer realm="acme", error="invalid_token", error_description="The access token provided is invalid"',
    ],
    [
      'no JWT',
      { authorization: 'Bearer x' },
      'Bearer realm="acme", error="invalid_token", error_description="The access token provided is invalid"',
    ],
  ])('without a good token is 401, whatever the body holds: %s', async (_, headers, challenge) => {
    world = createWorld({ options: { realm: 'acme' } })
    for (const body of ['{"sub_id":{}}', 'no json']) {
      const answer = await world.receiver.handle(post(CONTENT_TYPES.json, body, headers))
      expect([answer.status, answer.headers['WWW-Authenticate']]).toEqual([401, challenge])
      expect(answer.headers).toMatchObject(NO_STORE)
    }
  })

  test.each([
    '',
    'null',
    '[]',
    '"text"',
    '{',
    '{}',
    '{"sub_id":null}',
    '{"sub_id":"u1"}',
    '{"subject":[]}',
    '\uFEFF{"sub_id":{}}',
  ])('with a good token and a body that cannot be read is 400: %s', async (body) => {
    world = createWorld()
    const answer = await world.receiver.handle(postRevocation(world.provider.revocationToken(), body))
    expect([answer.status, errorOf(answer).error]).toEqual([400, 'invalid_request'])
    expect(world.events).toMatchObject([{ outcome: 'refused', issuer: PROVIDER }])
  })

  test('a body that is no UTF-8 is 400', async () => {
    world = createWorld()
    const good = postRevocation(world.provider.revocationToken())
    const body = Buffer.from(`{"sub_id":{"format":"iss_sub","iss":"${PROVIDER}","sub":"\xff"}}`, 'latin1')
    expect((await world.receiver.handle({ ...good, body })).status).toBe(400)
  })

  test.each(['email', 'phone_number'])('a subject by %s is not found: 404', async (format) => {
    world = createWorld()
    const body = { sub_id: { format, [format]: 'u1@example.com' } }
    const answer = await world.receiver.handle(postRevocation(world.provider.revocationToken(), body))
    expect([answer.status, errorOf(answer)]).toEqual([
      404,
      { error: 'subject_not_found', error_description: 'There is no such subject' },
    ])
    expect(world.events).toMatchObject([{ outcome: 'refused', reason: 'subject_unknown' }])
    expect(await revoked()).toEqual([])
  })

  test('by one token for another subject is no repetition', async () => {
    world = createWorld()
    const token = world.provider.revocationToken()
    const bodies = ['u1', 'u2', 'u1'].map((sub) => ({ sub_id: { format: 'iss_sub', iss: PROVIDER, sub } }))
    const answers = []
    for (const body of bodies) answers.push(await world.receiver.handle(postRevocation(token, body)))
    expect(answers.map(({ status }) => status)).toEqual([204, 204, 204])
    expect(world.events.map(({ outcome }) => outcome)).toEqual(['revoked', 'revoked', 'repeated'])
    expect(await revoked()).toEqual([
      { issuer: PROVIDER, issuedBefore: AT_NOW, subject: 'u1' },
      { issuer: PROVIDER, issuedBefore: AT_NOW, subject: 'u2' },
    ])
  })

  test('of a user who cannot be selected is not found, also where a session is named besides', async () => {
    world = createWorld()
    const user = { format: 'email', email: 'u1@example.com' }
    const sub_id = { format: 'complex', user, session: { format: 'opaque', id: 's1' } }
    expect((await world.receiver.handle(postRevocation(world.provider.revocationToken(), { sub_id }))).status).toBe(404)
    expect(await revoked()).toEqual([])
  })
})

test('nothing of a credential is in an answer, whatever is refused', async () => {
  world = createWorld({ sender: { authorization: 'Bearer stream-secret-0123456789' } })
  const { provider, receiver } = world
  const stranger = createTestIssuer({ issuer: 'https://secret-issuer.example' })
  const requests = [
    postForm(stranger.mint()),
    postForm(provider.logoutToken({ aud: 'secret-audience', sub: 'secret-subject' })),
    postEvent(provider.securityEvent({ jti: 7, sub: 'secret-subject' }), 'Bearer secret-header-0123456789'),
    postRevocation(stranger.mint({ sub: 'secret-subject' }), '{"secret":1}'),
  ]
  for (const request of requests) {
    expect(JSON.stringify(await receiver.handle(request))).not.toMatch(/secret/)
  }
  expect(JSON.stringify(world.events)).not.toMatch(/secret/)
})
