import { createKeyring, memoryKeyStore } from 'vantage-auth'
import { ALL_TENANTS, type ConsoleCaller } from 'vantage-auth/console'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { markByScope } from '../../console/preset.js'
import { ADA, ask, createConsole } from '../support/consoles.js'

const KEY = `vak_live_${'x'.repeat(61)}`

let written: string
beforeEach(() => {
  written = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += text
    return true
  })
})
afterEach(() => vi.restoreAllMocks())

/** Each trap throws what is untouchable itself. */
function untouchable(target: object): object {
  const fail = (): never => {
    throw untouchable(target)
  }
  return new Proxy(target, {
    get: fail,
    has: fail,
    getPrototypeOf: fail,
    ownKeys: fail,
    getOwnPropertyDescriptor: fail,
  })
}

describe('an authorize that does not say who is asking', () => {
  const wrong: [name: string, answer: unknown, told: RegExp][] = [
    ['null', null, /returned null: return undefined when nobody is signed in/],
    ['true', true, /returned a boolean: return undefined/],
    ['a text', 'ada', /returned a string: return undefined/],
    ['a list', [ADA], /returned a list: return undefined/],
    ['nothing at all', {}, /wrong actor/],
    ['no actor', { tenant: 'acme' }, /wrong actor/],
    ['an empty actor', { ...ADA, actor: '' }, /wrong actor/],
    ['an actor that is a number', { ...ADA, actor: 7 }, /wrong actor/],
    ['an actor with line breaks', { ...ADA, actor: 'a\nb' }, /wrong actor/],
    ['an actor that is a key', { ...ADA, actor: KEY }, /wrong actor/],
    ['no tenant', { actor: 'ada' }, /wrong tenant/],
    ['tenant null', { ...ADA, tenant: null }, /wrong tenant/],
    ['tenant undefined', { ...ADA, tenant: undefined }, /wrong tenant/],
    ['an empty tenant', { ...ADA, tenant: '' }, /wrong tenant/],
    ['another symbol for all tenants', { ...ADA, tenant: Symbol('vantage-auth.all-tenants') }, /wrong tenant/],
    ['tenants', { ...ADA, tenant: ['acme'] }, /wrong tenant/],
    ['subject null', { ...ADA, subject: null }, /wrong subject/],
    ['subject undefined', { ...ADA, subject: undefined }, /wrong subject/],
    ['an empty subject', { ...ADA, subject: '' }, /wrong subject/],
    ['a subject that is a number', { ...ADA, subject: 1 }, /wrong subject/],
    ['grantable null', { ...ADA, grantable: null }, /wrong grantable/],
    ['grantable undefined', { ...ADA, grantable: undefined }, /wrong grantable/],
    ['grantable as a text', { ...ADA, grantable: 'jobs:read' }, /wrong grantable/],
    ['grantable with a number', { ...ADA, grantable: ['jobs:read', 1] }, /wrong grantable/],
    ['notAfter as a number', { ...ADA, notAfter: 1 }, /wrong notAfter/],
    ['notAfter that is no instant', { ...ADA, notAfter: new Date(Number.NaN) }, /wrong notAfter/],
    ['notAfter before keys can end', { ...ADA, notAfter: new Date(-1) }, /wrong notAfter: .* 1970 to 9999/],
    ['notAfter after keys can end', { ...ADA, notAfter: new Date(8e15) }, /wrong notAfter/],
    [
      'notAfter with a time of its own',
      { ...ADA, notAfter: Object.assign(new Date(NaN), { getTime: () => 1 }) },
      /notAfter/,
    ],
    ['another member', { ...ADA, role: 'admin' }, /the member role, which there is not; it is none of actor, tenant/],
    [
      'a misspelt member',
      { ...ADA, Subjects: 'ada' },
      /the member Subjects, which there is not; did you mean subject\?/,
    ],
    ['a member whose name may be a key', { ...ADA, [KEY]: 1 }, /a member, which there is not/],
    ['an inherited member', Object.assign(Object.create({ subjects: 'ada' }), ADA), /did you mean subject\?/],
    ['a hidden member', Object.defineProperty({ ...ADA }, 'limit', { value: 1 }), /the member limit/],
  ]
  test.each(wrong)('%s: 500 for every request, and its log says why', async (_name, answer, told) => {
    const keyConsole = createConsole({ authorize: () => answer as ConsoleCaller })
    for (const path of ['/', '/api/keys', '/api/session', '/nothing']) {
      const { status, json } = await ask(keyConsole, path)
      expect([status, json]).toEqual([
        500,
        {
          error: 'server_error',
          error_description: 'The console cannot answer: whoever runs it finds the cause in its log',
        },
      ])
    }
    expect(written).toMatch(told)
    // However many requests there are, there is one line.
    expect(written.match(/\n/g)).toHaveLength(1)
    expect(written).not.toContain(KEY)
  })

  const failing: [name: string, authorize: () => never | Promise<never>][] = [
    [
      'throws',
      () => {
        throw new Error(`no session for ${KEY}`)
      },
    ],
    ['rejects', () => Promise.reject(new Error('no session'))],
    ['rejects with nothing', () => Promise.reject(undefined)],
    ['does not answer', () => new Promise<never>(() => {})],
    ['rejects with what throws when it is looked at', () => Promise.reject(untouchable(new Error()))],
    ['returns what throws when it is looked at', () => untouchable({}) as never],
    [
      'has a getter that throws such a thing',
      () =>
        ({
          ...ADA,
          get tenant(): never {
            throw untouchable(new Error())
          },
        }) as never,
    ],
    [
      'has a getter that throws',
      () =>
        ({
          ...ADA,
          get tenant(): never {
            throw new Error('no tenant')
          },
        }) as never,
    ],
  ]
  test.each(failing)('%s: 500', async (_name, authorize) => {
    const { status, json } = await ask(createConsole({ authorize, timeoutMs: 50 }), '/api/keys')
    expect([status, json.error]).toEqual([500, 'server_error'])
    expect(written).toMatch(/^vantage-auth: the authorize of the console /)
    expect(written).not.toContain(KEY)
  })

  test('members are read once: what was checked is what counts', async () => {
    const keyConsole = createConsole()
    await keyConsole.keyring.create({ subject: 'eve', tenant: 'globex', scopes: ['jobs:read'] })
    let reads = 0
    const shifting = createConsole({
      keyring: keyConsole.keyring,
      authorize: () => ({
        actor: 'ada',
        get tenant() {
          return reads++ === 0 ? 'acme' : 'globex'
        },
      }),
    })
    expect((await ask(shifting, '/api/keys')).json.keys).toEqual([])
  })
})

describe('who sees what', () => {
  async function createKeys() {
    const keyring = createKeyring(memoryKeyStore())
    const scopes = ['jobs:read'] as const
    const make = async (tenant: string | null, subject: string) =>
      (await keyring.create({ tenant, subject, scopes: [...scopes], name: `${tenant}/${subject}` })).record.id
    return {
      keyring,
      ids: {
        'acme/ada': await make('acme', 'ada'),
        'acme/bob': await make('acme', 'bob'),
        'globex/ada': await make('globex', 'ada'),
        'null/ada': await make(null, 'ada'),
      },
    }
  }

  test.each<[name: string, caller: Omit<ConsoleCaller, 'actor'>, seen: string[]]>([
    ['a tenant', { tenant: 'acme' }, ['acme/ada', 'acme/bob']],
    ['a subject of a tenant', { tenant: 'acme', subject: 'ada' }, ['acme/ada']],
    ['a subject in all tenants', { tenant: ALL_TENANTS, subject: 'ada' }, ['acme/ada', 'globex/ada', 'null/ada']],
    ['all tenants', { tenant: ALL_TENANTS }, ['acme/ada', 'acme/bob', 'globex/ada', 'null/ada']],
    ['nobody', { tenant: 'null' }, []],
  ])('%s', async (_name, caller, seen) => {
    const { keyring, ids } = await createKeys()
    const keyConsole = createConsole({ keyring, authorize: () => ({ actor: 'x', canWrite: true, ...caller }) })
    const listed = (await ask(keyConsole, '/api/keys')).json.keys.map(({ name }: { name: string }) => name)
    expect(listed.sort()).toEqual(seen)
    const unknown = await ask(keyConsole, '/api/keys/nosuchkey000')
    for (const [name, id] of Object.entries(ids)) {
      const answers = [
        await ask(keyConsole, `/api/keys/${id}`),
        await ask(keyConsole, `/api/keys/${id}/usage`),
        await ask(keyConsole, `/api/keys/${id}/rotate`, { body: {} }),
        await ask(keyConsole, `/api/keys/${id}/revoke`, { body: {} }),
      ]
      if (seen.includes(name)) expect(answers.map(({ status }) => status)).toEqual([200, 200, 201, 200])
      else {
        // An id of another's key and one that there is not are answered alike, to the byte.
        for (const { status, text } of answers) expect([status, text]).toEqual([404, unknown.text])
        expect((await keyring.get(id))?.state).toBe('active')
      }
    }
  })

  test('a filter outside what authorize allows finds nothing', async () => {
    const { keyring } = await createKeys()
    const keyConsole = createConsole({ keyring, authorize: () => ({ actor: 'x', tenant: 'acme', subject: 'ada' }) })
    for (const query of ['tenant=globex', 'subject=bob', 'tenant=acme&subject=bob']) {
      expect((await ask(keyConsole, `/api/keys?${query}`)).json).toEqual({ keys: [], cursor: null })
    }
    expect((await ask(keyConsole, '/api/keys?tenant=acme&subject=ada')).json.keys).toHaveLength(1)
  })

  test('a store that ignores a filter shows nobody another’s keys', async () => {
    const store = memoryKeyStore()
    const leaky = createKeyring({ ...store, list: ({ tenant: _, ...query }) => store.list(query) })
    await leaky.create({ subject: 'eve', tenant: 'globex', scopes: ['jobs:read'] })
    const { status, text } = await ask(createConsole({ keyring: leaky }), '/api/keys')
    expect(status).toBeGreaterThanOrEqual(500)
    expect(text).not.toContain('globex')
  })

  test('the session says who is asking, and what they may do', async () => {
    const keyring = createKeyring(memoryKeyStore(), { environment: 'test', expiresIn: '30d' })
    const caller = { actor: 'ada', tenant: 'acme', subject: 'ada', grantable: ['teams:read', 'nope', 'jobs:read'] }
    const keyConsole = createConsole({
      keyring,
      authorize: () => ({ ...caller, canWrite: 'yes' as never }),
      apiUrl: 'https://api.example.com/',
      signInUrl: '/login',
    })
    expect((await ask(keyConsole, '/api/session')).json).toEqual({
      actor: 'ada',
      tenant: 'acme',
      subject: 'ada',
      canWrite: false,
      scopes: ['jobs:read', 'teams:read'],
      environments: ['test', 'live'],
      defaultLife: '30d',
      apiUrl: 'https://api.example.com',
      signInUrl: '/login',
    })
  })
})

describe('what a caller may do', () => {
  const create = (caller: object, body: object) =>
    ask(createConsole({ authorize: () => ({ ...ADA, ...caller }) }), '/api/keys', { body })

  test.each([undefined, false, 1, 'true', {}])('canWrite %j changes nothing', async (canWrite) => {
    const { status, json } = await create({ canWrite }, { scopes: ['jobs:read'] })
    expect([status, json.error]).toEqual([403, 'forbidden'])
  })

  test('the subject is authorize’s, or the body’s where it gives none, else the actor', async () => {
    const scopes = ['jobs:read']
    expect((await create({}, { scopes })).json.record).toMatchObject({ subject: 'ada', tenant: 'acme' })
    expect((await create({}, { scopes, subject: 'bob' })).json.record.subject).toBe('bob')
    expect((await create({ subject: 'eve' }, { scopes })).json.record).toMatchObject({
      subject: 'eve',
      createdBy: 'ada',
    })
    expect((await create({ subject: 'eve' }, { scopes, subject: 'eve' })).json.record.subject).toBe('eve')
    expect((await create({ subject: 'eve' }, { scopes, subject: 'bob' })).status).toBe(403)
  })

  test('the tenant is named in the body under ALL_TENANTS alone', async () => {
    const scopes = ['jobs:read']
    expect((await create({}, { scopes, tenant: 'globex' })).status).toBe(400)
    expect((await create({}, { scopes, tenant: 'acme' })).status).toBe(400)
    expect((await create({ tenant: ALL_TENANTS }, { scopes, tenant: 'globex' })).json.record.tenant).toBe('globex')
    expect((await create({ tenant: ALL_TENANTS }, { scopes })).json.record.tenant).toBeNull()
  })

  test('scopes that are not granted are 403, in create and in rotate', async () => {
    expect((await create({ grantable: ['jobs:read'] }, { scopes: ['jobs:read'] })).status).toBe(201)
    for (const scope of ['jobs:write', 'nope:read']) {
      const { status, json, text } = await create({ grantable: ['jobs:read'] }, { scopes: ['jobs:read', scope] })
      expect([status, json.error]).toEqual([403, 'forbidden'])
      expect(text).not.toContain(scope)
    }
    expect((await create({}, { scopes: ['nope:read'] })).status).toBe(403)

    const keyConsole = createConsole({ authorize: () => ({ ...ADA, grantable: ['jobs:read'] }) })
    const { record } = await keyConsole.keyring.create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:write'] })
    expect((await ask(keyConsole, `/api/keys/${record.id}/rotate`, { body: {} })).status).toBe(403)
    expect((await ask(keyConsole, `/api/keys/${record.id}/revoke`, { body: {} })).status).toBe(200)
  })

  test('keys end with the caller', async () => {
    const notAfter = new Date(Date.now() + 60_000)
    const made = await create({ notAfter }, { scopes: ['jobs:read'], expiresIn: '90d' })
    expect(made.json.record.expiresAt).toBe(notAfter.toISOString())
    expect((await create({ notAfter }, { scopes: ['jobs:read'], expiresIn: null })).json.record.expiresAt).toBe(
      notAfter.toISOString(),
    )
    const over = await create({ notAfter: new Date(Date.now() - 1) }, { scopes: ['jobs:read'] })
    expect([over.status, over.json.error]).toEqual([403, 'forbidden'])
  })
})

test('a credential without a tenant comes into none, by a new key or by a successor', async () => {
  const authorize = () => markByScope({ actor: 'ada', tenant: ALL_TENANTS, subject: 'ada', canWrite: true })
  const keyConsole = createConsole({ authorize })
  const make = async (tenant: string | null) =>
    (await keyConsole.keyring.create({ subject: 'ada', tenant, scopes: ['jobs:read'] })).record.id
  const rotate = async (id: string) => (await ask(keyConsole, `/api/keys/${id}/rotate`, { body: {} })).status

  const ofTenant = await make('acme')
  expect(await rotate(ofTenant)).toBe(403)
  expect((await keyConsole.keyring.get(ofTenant))?.state).toBe('active')
  expect(await rotate(await make(null))).toBe(201)
  const made = await ask(keyConsole, '/api/keys', { body: { scopes: ['jobs:read'], tenant: 'acme' } })
  expect(made.status).toBe(400)
  // An application that says so itself may.
  const support = createConsole({ keyring: keyConsole.keyring, authorize: () => ({ ...ADA, tenant: ALL_TENANTS }) })
  expect((await ask(support, `/api/keys/${ofTenant}/rotate`, { body: {} })).status).toBe(201)
})
