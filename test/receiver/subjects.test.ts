import { afterEach, describe, expect, test } from 'vitest'
import { ofProcess } from '../../src/core/of-process.js'
import {
  CAEP,
  createWorld,
  NOW,
  PROVIDER,
  postEvent,
  postForm,
  RISC,
  SSF,
  USER,
  type World,
} from '../support/providers.js'

let world: World
afterEach(() => world.close())

const AT = NOW - 10
const OTHER = 'https://other.example'

type Expected = Record<string, unknown>

const user = (over: Expected = {}): Expected => ({ issuer: PROVIDER, subject: 'u1', ...over })
const session = (over: Expected = {}): Expected => ({ issuer: PROVIDER, sessionId: 's1', ...over })
const SESSION = { format: 'opaque', id: 's1' }
/** That an event means more tokens than it selects. */
const PART: Expected = {}
const EMAIL = { format: 'email', email: 'u1@example.com' }

/** Selected by the event, and nothing but it: names and issuer, without the instant that all have. */
async function selected(): Promise<Expected[]> {
  const list = await world.keyring.tokenRevocations()
  return list
    .map(({ issuer, subject, sessionId, withoutSession, tokenId }) => ({
      issuer,
      ...(sessionId !== null && { sessionId }),
      ...(subject !== null && { subject }),
      ...(withoutSession && { withoutSession }),
      ...(tokenId !== null && { tokenId }),
    }))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

async function push(claims: Record<string, unknown>): Promise<number> {
  return (await world.receiver.handle(postEvent(world.provider.securityEvent(claims)))).status
}

type Outcome = Expected[] | 'subject' | 'subject_issuer' | 'unselectable'

/** A subject, what `session-revoked` selects by it, and what the events of an account do where that differs. */
const SUBJECTS: readonly (readonly [name: string, subject: unknown, bySession: Outcome, byAccount?: Outcome])[] = [
  ['iss_sub', USER, [user()]],
  ['iss_sub of an issuer that it may name', { ...USER, iss: OTHER }, [user({ issuer: OTHER })]],
  ['iss_sub of another issuer', { ...USER, iss: 'https://victim.example' }, 'subject_issuer'],
  ['iss_sub with a slash more', { ...USER, iss: `${PROVIDER}/` }, 'subject_issuer'],
  ['iss_sub without iss', { ...USER, iss: undefined }, 'subject'],
  ['iss_sub with an empty sub', { ...USER, sub: '' }, 'subject'],
  ['iss_sub with a sub of another type', { ...USER, sub: 1 }, 'subject'],
  ['opaque', { format: 'opaque', id: 'u1' }, [user()]],
  ['opaque without id', { format: 'opaque' }, 'subject'],
  ['jwt_id', { format: 'jwt_id', iss: PROVIDER, jti: 't1' }, [{ issuer: PROVIDER, tokenId: 't1' }]],
  ['jwt_id of another issuer', { format: 'jwt_id', iss: 'https://victim.example', jti: 't1' }, 'subject_issuer'],
  ['jwt_id without jti', { format: 'jwt_id', iss: PROVIDER }, 'subject'],
  [
    'user and session',
    { format: 'complex', user: USER, session: SESSION },
    [session(), user({ withoutSession: true })],
    [user()],
  ],
  [
    'user and session without format',
    { user: USER, session: SESSION },
    [session(), user({ withoutSession: true })],
    [user()],
  ],
  [
    'user and session, each of an issuer that it may name',
    { format: 'complex', user: { ...USER, iss: OTHER }, session: { format: 'iss_sub', iss: OTHER, sub: 's1' } },
    [session({ issuer: OTHER }), user({ issuer: OTHER, withoutSession: true })],
    [user({ issuer: OTHER })],
  ],
  ['session', { format: 'complex', session: SESSION }, [session()], [session(), PART]],
  ['user', { format: 'complex', user: USER }, [user()]],
  ['user and device', { format: 'complex', user: USER, device: { format: 'opaque', id: 'd' } }, [user()]],
  ['user by e-mail, and session', { format: 'complex', user: EMAIL, session: SESSION }, [session()], [session(), PART]],
  ['user, and session by what never selects', { format: 'complex', user: USER, session: EMAIL }, [user()]],
  [
    'user of another issuer, and session',
    { format: 'complex', user: { ...USER, iss: 'https://victim.example' }, session: SESSION },
    'subject_issuer',
  ],
  [
    'user, and session of another issuer',
    { format: 'complex', user: USER, session: { ...USER, iss: 'https://victim.example' } },
    'subject_issuer',
  ],
  ['user that is a text', { format: 'complex', user: 'u1', session: SESSION }, 'subject'],
  ['user without format', { format: 'complex', user: { iss: PROVIDER, sub: 'u1' } }, 'subject'],
  ['tenant alone', { format: 'complex', tenant: { format: 'opaque', id: 't' } }, 'unselectable'],
  ['complex of nothing', { format: 'complex' }, 'unselectable'],
  ['e-mail', EMAIL, 'unselectable'],
  ['phone number', { format: 'phone_number', phone_number: '+12065550100' }, 'unselectable'],
  ['account', { format: 'account', uri: 'acct:u1@example.com' }, 'unselectable'],
  ['did', { format: 'did', url: 'did:example:123456' }, 'unselectable'],
  ['uri', { format: 'uri', uri: 'https://user.example.com/' }, 'unselectable'],
  ['aliases', { format: 'aliases', identifiers: [USER, EMAIL] }, 'unselectable'],
  ['a format that is not known', { format: 'constructor', id: 'u1' }, 'unselectable'],
  ['no format', { iss: PROVIDER, sub: 'u1' }, 'subject'],
  ['a text', 'u1', 'subject'],
  ['a list', [USER], 'subject'],
  ['null', null, 'subject'],
  ['nothing', undefined, 'subject'],
]

const EVENTS = [
  [`${CAEP}session-revoked`, {}],
  [`${CAEP}credential-change`, { credential_type: 'password', change_type: 'update' }],
  [`${RISC}account-disabled`, { reason: 'hijacking' }],
  [`${RISC}account-purged`, {}],
] as const

describe.each(EVENTS)('%s', (type, payload) => {
  describe.each(['sub_id', 'subject'])('by %s', (place) => {
    test.each(SUBJECTS)('%s', async (_, subject, bySession, byAccount = bySession) => {
      world = createWorld({ sender: { subjectIssuers: OTHER } })
      const event = { ...payload, event_timestamp: AT, ...(place === 'subject' && { subject }) }
      const status = await push({ sub_id: place === 'sub_id' ? subject : undefined, events: { [type]: event } })
      const expected = (type.endsWith('session-revoked') ? bySession : byAccount) as Outcome
      if (typeof expected === 'string') {
        expect(await selected()).toEqual([])
        expect(world.events).toMatchObject([{ reason: expected }])
        expect(status).toBe(expected === 'unselectable' ? 202 : 400)
      } else {
        expect(await selected()).toEqual(expected.filter((one) => one !== PART))
        expect(status).toBe(202)
        const reason = expected.includes(PART) ? 'unselectable' : undefined
        expect(world.events).toMatchObject([{ outcome: 'revoked', reason }])
      }
    })
  })
})

test('sub_id counts before the subject in an event', async () => {
  world = createWorld()
  await push({ events: { [`${RISC}account-purged`]: { subject: { ...USER, sub: 'other' } } } })
  expect(await selected()).toEqual([user()])
})

test('a subject of an issuer that the sender may not name is access_denied', async () => {
  world = createWorld()
  const token = world.provider.securityEvent({ sub_id: { ...USER, iss: OTHER } })
  const answer = await world.receiver.handle(postEvent(token))
  expect([answer.status, JSON.parse(answer.body)]).toEqual([
    400,
    { err: 'access_denied', description: 'The issuer may not name subjects of that issuer' },
  ])
})

describe("access tokens of other issuers that name the sender's own subjects", () => {
  const [A, B] = ['https://idp.example/oauth2/a', 'https://idp.example/oauth2/b']
  const each = (...over: Expected[]) => over.flatMap((one) => [A, B].map((issuer) => ({ ...one, issuer })))
  const sorted = (list: Expected[]) => list.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

  test.each<[string, unknown, Expected[]]>([
    ['iss_sub', USER, each(user())],
    ['opaque', { format: 'opaque', id: 'u1' }, each(user())],
    ['user and session', { user: USER, session: SESSION }, each(session(), user({ withoutSession: true }))],
    ['jwt_id', { format: 'jwt_id', iss: PROVIDER, jti: 't1' }, each({ tokenId: 't1' })],
    ['a subject of one of them', { ...USER, iss: A }, [user({ issuer: A })]],
    ['a subject of another issuer', { ...USER, iss: OTHER }, [user({ issuer: OTHER })]],
  ])('are ended by %s', async (_, sub_id, expected) => {
    world = createWorld({ sender: { tokenIssuers: [A as string, B as string, A as string], subjectIssuers: OTHER } })
    expect(await push({ sub_id })).toBe(202)
    expect(sorted(await selected())).toEqual(sorted(expected.map((one) => JSON.parse(JSON.stringify(one)) as Expected)))
  })

  test('are ended by a logout token, once', async () => {
    world = createWorld({ sender: { tokenIssuers: [A as string, B as string] } })
    const request = postForm(world.provider.logoutToken())
    for (const status of [200, 200]) expect((await world.receiver.handle(request)).status).toBe(status)
    expect(sorted(await selected())).toEqual(sorted(each(session(), user({ withoutSession: true }))))
    expect(world.events.map(({ outcome, revocations }) => [outcome, revocations])).toEqual([
      ['revoked', 4],
      ['repeated', 0],
    ])
  })

  test('as many as are taken, by all events of one token at once', async () => {
    const tokenIssuers = Array.from({ length: 10 }, (_, i) => `${PROVIDER}/${i}`)
    world = createWorld({ sender: { tokenIssuers } })
    const events = Object.fromEntries(EVENTS.map(([type, payload]) => [type, payload]))
    expect(await push({ sub_id: { user: USER, session: SESSION }, events })).toBe(202)
    expect(world.events).toMatchObject([{ outcome: 'revoked', revocations: 50 }])
  })
})

describe('events that revoke nothing are 202', () => {
  test.each<[string, object]>([
    [`${CAEP}credential-change`, { credential_type: 'pin', change_type: 'create' }],
    [`${CAEP}token-claims-change`, {}],
    [`${CAEP}assurance-level-change`, {}],
    [`${RISC}account-enabled`, {}],
    [`${SSF}verification`, { state: 'x' }],
    [`${SSF}stream-updated`, { status: 'paused' }],
    ['https://unknown.example/event', {}],
    ['http://schemas.openid.net/event/backchannel-logout', {}],
    ['__proto__', {}],
  ])('%s', async (type, payload) => {
    world = createWorld()
    const events = JSON.parse(`{${JSON.stringify(type)}:${JSON.stringify(payload)}}`) as object
    // The subject of an event that nobody acts on is nobody's concern.
    expect(await push({ sub_id: undefined, events })).toBe(202)
    expect(await selected()).toEqual([])
    expect(world.events).toMatchObject([{ outcome: 'nothing', reason: 'event', revocations: 0 }])
  })

  test.each([{}, { change_type: 1 }, { change_type: null }])(
    'but a credential-change that says not what changed is 400: %j',
    async (payload) => {
      world = createWorld()
      expect(await push({ events: { [`${CAEP}credential-change`]: payload } })).toBe(400)
      expect(world.events).toMatchObject([{ reason: 'event' }])
    },
  )
})

describe('several events of one token', () => {
  test('are written together', async () => {
    world = createWorld()
    const events = {
      [`${CAEP}session-revoked`]: { subject: { format: 'complex', session: SESSION } },
      [`${SSF}verification`]: {},
      [`${RISC}account-disabled`]: { subject: USER },
    }
    expect(await push({ sub_id: undefined, events })).toBe(202)
    expect(await selected()).toEqual([session(), user()])
    expect(world.events).toMatchObject([{ outcome: 'revoked', revocations: 2 }])
    const [one] = await world.keyring.tokenRevocations()
    expect(one?.reason).toBe('session-revoked, account-disabled')
  })

  test('are refused together', async () => {
    world = createWorld()
    const events = {
      [`${CAEP}session-revoked`]: { subject: USER },
      [`${RISC}account-disabled`]: { subject: { ...USER, iss: OTHER } },
    }
    expect(await push({ sub_id: undefined, events })).toBe(400)
    expect(await selected()).toEqual([])
  })

  test('one that never selects does not keep the other from doing so', async () => {
    world = createWorld()
    const events = { [`${CAEP}session-revoked`]: { subject: EMAIL }, [`${RISC}account-disabled`]: { subject: USER } }
    expect(await push({ sub_id: undefined, events })).toBe(202)
    expect(await selected()).toEqual([user()])
  })
})

test('that a subject selects nothing is said once, and by telemetry each time', async () => {
  // Node emits warnings on a later tick: first those of other tests.
  await new Promise(setImmediate)
  const warnings: Error[] = []
  const listen = (warning: Error) => warnings.push(warning)
  process.on('warning', listen)
  // What other tests of this process were warned of.
  ofProcess('said', () => new Set<string>()).clear()
  world = createWorld()
  for (let i = 0; i < 3; i++) await push({ sub_id: EMAIL })
  await new Promise(setImmediate)
  process.removeListener('warning', listen)
  expect(warnings).toMatchObject([{ code: 'VANTAGE_SUBJECT_UNSELECTABLE' }])
  expect(warnings.map(({ message }) => message).join()).not.toContain('u1@')
  expect(world.events.map(({ outcome, reason }) => [outcome, reason])).toEqual(
    Array.from({ length: 3 }, () => ['nothing', 'unselectable']),
  )
})
