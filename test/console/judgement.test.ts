import { createKeyring, KeyStateError, type KeyStore, memoryKeyStore } from 'vantage-auth'
import { ALL_TENANTS, type ConsoleCaller, createKeyConsole, type KeyConsoleOptions } from 'vantage-auth/console'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ADA, ask, createConsole, type Sent } from '../support/consoles.js'

const WHOLE_KEY = `vak_live_${'k'.repeat(61)}`

let written: string
beforeEach(() => {
  written = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += text
    return true
  })
})
afterEach(() => vi.restoreAllMocks())

describe('the order of judgement', () => {
  // Each request has the fault of its line, and those of all lines below that can be had at once.
  const faults: { error: string; status: number; undo: (sent: Required<Sent>) => Sent }[] = [
    {
      error: 'forbidden',
      status: 403,
      undo: (s) => ({ ...s, headers: { ...s.headers, 'sec-fetch-site': 'same-origin' } }),
    },
    {
      error: 'unsupported_media_type',
      status: 415,
      undo: (s) => ({ ...s, headers: { ...s.headers, 'content-type': 'application/json' } }),
    },
    { error: 'too_large', status: 413, undo: (s) => ({ ...s, body: { scopes: ['teams:write'], more: 1 } }) },
    { error: 'forbidden', status: 403, undo: (s) => ({ ...s, body: { scopes: ['jobs:read'], more: 1 } }) },
    { error: 'invalid_request', status: 400, undo: (s) => ({ ...s, body: { scopes: ['jobs:read'] } }) },
  ]

  test('create is judged from the origin to the members', async () => {
    const keyConsole = createConsole({ authorize: () => ({ ...ADA, grantable: ['jobs:read'] }) })
    let sent: Sent = {
      method: 'POST',
      headers: { 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' },
      body: { scopes: ['teams:write'], more: 'x'.repeat(20_000) },
    }
    for (const { error, status, undo } of faults) {
      const answer = await ask(keyConsole, '/api/keys', sent)
      expect([answer.status, answer.json.error]).toEqual([status, error])
      sent = undo(sent as Required<Sent>)
    }
    expect((await ask(keyConsole, '/api/keys', sent)).status).toBe(201)
  })

  test('a method that is not there is told after the origin, and before the type of the body', async () => {
    const keyConsole = createConsole()
    const headers = { 'content-type': 'text/plain' }
    const other = { method: 'PUT', headers: { ...headers, 'sec-fetch-site': 'cross-site' } }
    expect((await ask(keyConsole, '/api/keys', other)).status).toBe(403)
    expect((await ask(keyConsole, '/api/keys', { method: 'PUT', headers })).status).toBe(405)
  })

  test('canWrite comes before what there is, and that before the members', async () => {
    const reader = createConsole({ authorize: () => ({ ...ADA, canWrite: false }) })
    const body = { nonsense: 1 }
    expect((await ask(reader, '/api/keys/nosuchkey000/revoke', { body })).status).toBe(403)
    const writer = createConsole()
    expect((await ask(writer, '/api/keys/nosuchkey000/revoke', { body })).status).toBe(404)
    const { record } = await writer.keyring.create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:read'] })
    expect((await ask(writer, `/api/keys/${record.id}/revoke`, { body })).status).toBe(400)
    await writer.keyring.revoke(record.id)
    expect((await ask(writer, `/api/keys/${record.id}/rotate`, { body })).status).toBe(400)
    expect((await ask(writer, `/api/keys/${record.id}/rotate`, { body: {} })).status).toBe(409)
  })

  test('nobody hears more than that nobody is signed in', async () => {
    const nobody = createConsole({ authorize: () => undefined })
    const requests: [string, Sent?][] = [
      ['/'],
      ['/nothing'],
      ['/api/openapi.json'],
      ['/api/keys?nonsense=1'],
      ['/api/keys', { method: 'PUT', headers: { origin: 'http://evil.test' } }],
      ['/api/keys', { body: 'x'.repeat(20_000), headers: { 'content-type': 'text/plain' } }],
    ]
    for (const [path, sent] of requests) {
      const answer = await ask(nobody, path, sent)
      expect([answer.status, answer.json.error, answer.headers.get('www-authenticate')]).toEqual([
        401,
        'unauthenticated',
        null,
      ])
    }
  })
})

describe('a page that was loaded for somebody else', () => {
  const names = (caller: unknown[]) => ({ 'vantage-console-caller': encodeURIComponent(JSON.stringify(caller)) })

  test.each<[whom: string, caller: unknown[]]>([
    ['another actor', ['bob', 'acme', null]],
    ['another tenant', ['ada', 'globex', null]],
    ['all tenants', ['ada', null, null]],
    ['another subject', ['ada', 'acme', 'ada']],
    ['no text', []],
  ])('nothing is done or told as %s', async (_, caller) => {
    const keyConsole = createConsole()
    const { record } = await keyConsole.keyring.create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:read'] })
    const requests: [string, Sent?][] = [
      ['/api/keys', { body: { scopes: ['jobs:read'] } }],
      [`/api/keys/${record.id}/rotate`, { body: {} }],
      [`/api/keys/${record.id}/revoke`, { body: {} }],
      ['/api/keys'],
    ]
    for (const [path, sent] of requests) {
      const answer = await ask(keyConsole, path, { ...sent, headers: names(caller) })
      expect([answer.status, answer.json.error]).toEqual([409, 'invalid_state'])
    }
    expect((await keyConsole.keyring.list()).keys).toMatchObject([{ id: record.id, state: 'active' }])
  })

  test.each<[ConsoleCaller, unknown[]]>([
    [ADA, ['ada', 'acme', null]],
    [{ ...ADA, tenant: ALL_TENANTS, subject: 'Ådå ❤' }, ['ada', null, 'Ådå ❤']],
  ])('whoever it is for goes on', async (authorized, caller) => {
    const keyConsole = createConsole({ authorize: () => authorized })
    expect(
      (await ask(keyConsole, '/api/keys', { body: { scopes: ['jobs:read'] }, headers: names(caller) })).status,
    ).toBe(201)
  })

  test('it is told after the origin', async () => {
    const headers = { ...names(['bob', 'acme', null]), 'sec-fetch-site': 'cross-site' }
    expect((await ask(createConsole(), '/api/keys', { body: {}, headers })).status).toBe(403)
  })
})

describe('the origin of what changes something', () => {
  const OWN = 'http://console.test'
  const cases: [
    name: string,
    headers: Sent['headers'],
    option: string | readonly string[] | undefined,
    status: number,
  ][] = [
    ['Sec-Fetch-Site alone', { 'sec-fetch-site': 'same-origin' }, undefined, 201],
    ['Origin alone', { origin: OWN }, undefined, 201],
    ['both', { 'sec-fetch-site': 'same-origin', origin: OWN }, undefined, 201],
    ['neither', {}, undefined, 403],
    ['Referer alone', { referer: `${OWN}/` }, undefined, 403],
    ['a host of the same site', { 'sec-fetch-site': 'same-site' }, undefined, 403],
    ['no page', { 'sec-fetch-site': 'none' }, undefined, 403],
    ['capitals', { 'sec-fetch-site': 'Same-Origin' }, undefined, 403],
    ['an empty Sec-Fetch-Site', { 'sec-fetch-site': '', origin: OWN }, undefined, 403],
    [
      'another origin beside a good Sec-Fetch-Site',
      { 'sec-fetch-site': 'same-origin', origin: 'http://evil.test' },
      undefined,
      403,
    ],
    ['a good origin beside a wrong Sec-Fetch-Site', { 'sec-fetch-site': 'cross-site', origin: OWN }, undefined, 403],
    ['null', { origin: 'null' }, undefined, 403],
    ['another port', { origin: `${OWN}:8080` }, undefined, 403],
    ['another scheme', { origin: 'https://console.test' }, undefined, 403],
    ['an origin that only begins alike', { origin: `${OWN}.evil.test` }, undefined, 403],
    ['two origins', { origin: `${OWN}, ${OWN}` }, undefined, 403],
    ['what a proxy forwards', { origin: 'https://console.test', 'x-forwarded-proto': 'https' }, undefined, 403],
    ['a forwarded host', { origin: 'http://evil.test', 'x-forwarded-host': 'evil.test' }, undefined, 403],
    ['the option', { origin: 'https://console.example.com' }, 'https://console.example.com', 201],
    ['the own origin, where the option says another', { origin: OWN }, 'https://console.example.com', 403],
    ['one of a list', { origin: 'https://b.test' }, ['https://a.test', 'https://b.test'], 201],
    ['Authorization without authorizeByScope', { authorization: 'Bearer x' }, undefined, 403],
  ]
  test.each(cases)('%s', async (_name, headers, origin, status) => {
    const keyConsole = createConsole({ origin })
    const answer = await ask(keyConsole, '/api/keys', {
      body: { scopes: ['jobs:read'] },
      headers: { 'sec-fetch-site': undefined, ...headers },
    })
    expect(answer.status).toBe(status)
  })

  test('reading needs none, and tells other sites nothing', async () => {
    const answer = await ask(createConsole(), '/api/keys', { headers: { origin: 'http://evil.test' } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    expect(answer.headers.get('cross-origin-resource-policy')).toBe('same-origin')
  })
})

describe('hostile ids', () => {
  test.each([
    WHOLE_KEY,
    WHOLE_KEY.slice(0, 40),
    'vak_live_Cvr9ZyvaWKKY',
    `x${WHOLE_KEY}`,
    'k'.repeat(61),
    'k'.repeat(65),
    '%00',
    '%0a',
    '%C3%BC',
    '%25zz',
    '..%2f..%2fetc',
    '__proto__x\u0000',
  ])('%j is no key, and goes to nobody', async (id) => {
    const questions: unknown[] = []
    const store = memoryKeyStore()
    const list = vi.spyOn(store, 'list')
    const keyConsole = createConsole({
      keyring: createKeyring(store),
      authorize: (_request, question) => {
        questions.push(question)
        return ADA
      },
    })
    for (const path of [`/api/keys/${id}`, `/api/keys/${id}/usage`]) {
      const answer = await ask(keyConsole, path)
      expect(answer.status).toBe(404)
      expect(answer.json.error).toBe('not_found')
      expect(answer.text).not.toContain(id)
    }
    for (const question of questions) expect(JSON.stringify(question)).not.toContain('kkkkkkkk')
    if (id.includes('k'.repeat(20))) expect(list).not.toHaveBeenCalled()
    expect(written).toBe('')
  })
})

describe('queries', () => {
  test.each([
    'nonsense=1',
    'limit=1&limit=1',
    'limit=1e2',
    'limit=+1',
    'limit=01',
    'limit=-1',
    'limit=0',
    'limit=1001',
    'limit=',
    'limit',
    'limit=%zz',
    'limit=1%20',
    '=1',
    '&',
    'supersededInUse=1',
    'supersededInUse=TRUE',
    'supersededInUse=',
    'state=nope',
    'state=',
    'unusedFor=90',
    'unusedFor=1e2d',
    'expiringWithin=-1d',
    'olderThan=',
    'subject=',
    'subject=%ff',
    'cursor=',
    'cursor=nonsense',
    'usage=367',
    'usage=0',
    'sort=secret',
    'search=',
    `search=${WHOLE_KEY}`,
    `subject=${WHOLE_KEY}`,
    '__proto__=1',
    'constructor=1',
    'toString=1',
  ])('%s is 400, and not repeated', async (query) => {
    const answer = await ask(createConsole({ authorize: () => ({ actor: 'x', tenant: 'acme' }) }), `/api/keys?${query}`)
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request'])
    expect(answer.text).not.toContain('kkkkkkkk')
  })

  test('a filter of each kind reaches the store', async () => {
    const keyConsole = createConsole()
    const { keyring } = keyConsole
    const made = async (name: string) =>
      (await keyring.create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:read'], name, expiresIn: '10d' })).record
        .id
    const [a, b] = [await made('Alpha & Co'), await made('beta+1')]
    const found = async (query: string) =>
      (await ask(keyConsole, `/api/keys?${query}`)).json.keys.map(({ id }: { id: string }) => id)
    expect(await found('search=alpha+%26')).toEqual([a])
    expect(await found('search=BETA%2B1')).toEqual([b])
    expect(await found('sort=name')).toEqual([a, b])
    expect(await found('sort=-name&limit=1')).toEqual([b])
    expect(await found('expiringWithin=30d&state=active&subject=ada&tenant=acme')).toHaveLength(2)
    expect(await found('olderThan=1d')).toEqual([])
    expect(await found('supersededInUse=true')).toEqual([])
    const [record] = (await ask(keyConsole, '/api/keys?usage=3&limit=1')).json.keys
    expect(record.usage).toEqual([0, 0, 0])
    expect((await ask(keyConsole, '/api/usage?days=3')).json).toMatchObject({ total: 0, keys: [] })
  })

  test('pages lead to the end', async () => {
    const keyConsole = createConsole()
    for (let i = 0; i < 5; i++) {
      await keyConsole.keyring.create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:read'] })
    }
    const seen = new Set<string>()
    let cursor: string | null = ''
    while (cursor !== null) {
      const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const { json } = await ask(keyConsole, `/api/keys?limit=2${after}`)
      for (const { id } of json.keys) seen.add(id)
      cursor = json.cursor
    }
    expect(seen.size).toBe(5)
  })
})

describe('bodies', () => {
  test.each<[name: string, body: unknown, mentioned: string]>([
    ['no scopes', {}, 'scopes'],
    ['scopes that are a text', { scopes: 'jobs:read' }, 'scopes'],
    ['a scope that is a number', { scopes: [1] }, 'scopes'],
    ['a name that is a number', { scopes: ['jobs:read'], name: 1 }, 'name'],
    ['an empty name', { scopes: ['jobs:read'], name: '' }, 'name'],
    ['a name with a line break', { scopes: ['jobs:read'], name: 'a\nb' }, 'name'],
    ['a name that is a key', { scopes: ['jobs:read'], name: WHOLE_KEY }, 'name'],
    ['a subject that is a list', { scopes: ['jobs:read'], subject: ['a'] }, 'subject'],
    ['a life that is none', { scopes: ['jobs:read'], expiresIn: '1y' }, 'expiresIn'],
    ['a life of no time', { scopes: ['jobs:read'], expiresIn: '0s' }, 'expiresIn'],
    ['a life that is an object', { scopes: ['jobs:read'], expiresIn: {} }, 'expiresIn'],
    ['an environment that there is not', { scopes: ['jobs:read'], environment: 'prod' }, 'environment'],
    ['another member', { scopes: ['jobs:read'], actor: 'eve' }, 'name, scopes, expiresIn, environment, subject'],
    ['the end of another', { scopes: ['jobs:read'], notAfter: '2030-01-01' }, 'name, scopes'],
    ['no object', [{ scopes: ['jobs:read'] }], 'JSON object'],
    ['null', 'null', 'JSON object'],
    ['no JSON', '{"scopes":', 'JSON object'],
    ['a prototype', '{"__proto__":{"scopes":["jobs:read"]}}', 'no other members'],
    ['deep lists', '['.repeat(8000), 'JSON object'],
  ])('%s: 400 that names the member', async (_name, body, mentioned) => {
    const answer = await ask(createConsole(), '/api/keys', { method: 'POST', body })
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request'])
    expect(answer.json.error_description).toContain(mentioned)
    expect(answer.text).not.toContain('kkkkkkkk')
  })

  test('what is no UTF-8 is 400', async () => {
    const request = new Request('http://console.test/api/keys', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
      body: Buffer.from('{"name":"\xff","scopes":["jobs:read"]}', 'latin1'),
    })
    expect((await createConsole().fetch(request)).status).toBe(400)
  })

  test.each(['application/json', 'Application/JSON; charset=utf-8', 'application/json;x=y'])(
    '%s is JSON',
    async (type) => {
      const sent = { body: { scopes: ['jobs:read'] }, headers: { 'content-type': type } }
      expect((await ask(createConsole(), '/api/keys', sent)).status).toBe(201)
    },
  )

  test.each(['text/plain', 'application/jsonx', 'text/json', 'application/json+x', 'multipart/form-data', ''])(
    '%j is none',
    async (type) => {
      const sent = { body: { scopes: ['jobs:read'] }, headers: { 'content-type': type } }
      expect((await ask(createConsole(), '/api/keys', sent)).status).toBe(415)
    },
  )

  test('16384 bytes are read, and one more is not', async () => {
    const padded = (length: number) => '{"scopes":["jobs:read"]}'.padEnd(length, ' ')
    expect((await ask(createConsole(), '/api/keys', { body: padded(16_384) })).status).toBe(201)
    expect((await ask(createConsole(), '/api/keys', { body: padded(16_385) })).status).toBe(413)
  })
})

describe('a store out of reach', () => {
  function broken(list: KeyStore['list']): KeyConsoleOptions {
    return { keyring: createKeyring({ ...memoryKeyStore(), list }), authorize: () => ADA, timeoutMs: 50 }
  }

  test.each<[string, KeyStore['list']]>([
    ['that fails', () => Promise.reject(new Error('connect ECONNREFUSED postgres://a:secret@db/x'))],
    ['that hangs', () => new Promise(() => {})],
  ])('%s is 503, told once without its password', async (_name, list) => {
    const keyConsole = createKeyConsole(broken(list))
    for (const path of ['/api/keys', '/api/keys/nosuchkey000', '/api/keys/nosuchkey000/usage']) {
      const answer = await ask(keyConsole, path)
      expect([answer.status, answer.json.error]).toEqual([503, 'temporarily_unavailable'])
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(answer.text).not.toContain('secret')
    }
    expect(written.match(/\n/g)).toHaveLength(1)
    expect(written).toContain('the key store of the console')
    expect(written).not.toContain('secret')
    // What needs no store is answered.
    expect((await ask(keyConsole, '/')).status).toBe(200)
    expect((await ask(keyConsole, '/api/session')).status).toBe(200)
  })
})

describe('time', () => {
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

  test('a key that is too late for its answer is not made, and a rotation not done', async () => {
    const store = memoryKeyStore()
    const slow: KeyStore = {
      ...store,
      async insert(...given) {
        await pause(150)
        await store.insert(...given)
      },
      async update(...given) {
        await pause(150)
        return store.update(...given)
      },
    }
    const keyring = createKeyring(store)
    const { record } = await keyring.create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:read'] })
    const keyConsole = createConsole({ keyring: createKeyring(slow), timeoutMs: 100 })
    const asked = await Promise.all([
      ask(keyConsole, '/api/keys', { body: { scopes: ['jobs:read'] } }),
      ask(keyConsole, `/api/keys/${record.id}/rotate`, { body: { overlap: 0 } }),
    ])
    expect(asked.map(({ status }) => status)).toEqual([503, 503])
    await pause(200)
    expect((await keyring.list()).keys).toEqual([record])
  })

  test('all that one request asks of the store has timeoutMs together', async () => {
    const store = memoryKeyStore()
    const { record } = await createKeyring(store).create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:read'] })
    const slow: KeyStore = {
      ...store,
      async list(query) {
        await pause(300)
        return store.list(query)
      },
    }
    // Twice: whether the caller may see the key, and by the keyring itself.
    const keyConsole = createConsole({ keyring: createKeyring(slow), timeoutMs: 500 })
    expect((await ask(keyConsole, `/api/keys/${record.id}/usage`)).status).toBe(503)
  })
})

describe('what a keyring does wrong', () => {
  test('others’ keys and entries are a 500, and are not sent', async () => {
    const keyring = createKeyring(memoryKeyStore())
    await keyring.create({ subject: 'eve', tenant: 'globex', scopes: ['jobs:read'], name: 'hidden' })
    const careless = Object.create(keyring, {
      list: { value: () => keyring.list() },
      audit: { value: () => keyring.audit() },
    })
    for (const path of ['/api/keys', '/api/audit']) {
      const answer = await ask(createConsole({ keyring: careless }), path)
      expect([answer.status, answer.json.error]).toEqual([500, 'server_error'])
    }
    expect(written).toContain('the key store gave what belongs to others')
  })

  test('a mistake of its program is a 500, and no outage', async () => {
    const broken = Object.create(createKeyring(memoryKeyStore()), {
      list: { value: () => Promise.reject(new TypeError('x is not a function')) },
    })
    expect((await ask(createConsole({ keyring: broken }), '/api/keys')).status).toBe(500)
    expect(written).toContain('the console failed: x is not a function')
  })
})

describe('what the log says', () => {
  const post = (headers: Sent['headers']): Sent => ({ body: {}, headers: { 'sec-fetch-site': undefined, ...headers } })

  test.each<[name: string, headers: Sent['headers'], told: string]>([
    [
      'a proxy that ends TLS',
      { 'sec-fetch-site': 'same-origin', origin: 'https://console.test' },
      'its Origin is https://console.test, and that of the console is http://console.test; if people open the console there, set its option origin',
    ],
    ['no header at all', {}, 'it has neither Origin nor Sec-Fetch-Site'],
    [
      'another site',
      { 'sec-fetch-site': 'cross-site', origin: 'http://evil.test' },
      'its browser says that another page sent it',
    ],
    ['a text that is no origin', { origin: 'http://evil.test/ buy now' }, 'its Origin is none that a browser writes'],
  ])('of %s', async (_name, headers, told) => {
    const keyConsole = createConsole()
    for (let i = 0; i < 3; i++) expect((await ask(keyConsole, '/api/keys', post(headers))).status).toBe(403)
    expect(written).toContain(`the console refused a change: ${told}`)
    expect(written).not.toMatch(/buy now|evil/)
    expect(written.match(/\n/g)).toHaveLength(1)
  })

  test('where authorize threw, in the application', async () => {
    const authorize = () => JSON.parse('{')
    await ask(createConsole({ authorize }), '/api/keys')
    expect(written).toMatch(
      /^vantage-auth: the authorize of the console failed: .+ \(at .*judgement\.test\.ts:\d+:\d+\)?\)\n$/,
    )
  })

  test('a grantable without any scope that there is', async () => {
    await ask(createConsole({ authorize: () => ({ ...ADA, grantable: [] }) }), '/api/keys')
    expect(written).toBe('')
    const { status } = await ask(createConsole({ authorize: () => ({ ...ADA, grantable: ['job:read'] }) }), '/api/keys')
    expect(status).toBe(200)
    expect(written).toContain('returned a grantable in which no scope is one of the keyring')
  })
})

describe('a person who opens an address', () => {
  test.each<[status: number, path: string, authorize: () => ConsoleCaller | undefined]>([
    [401, '/', () => undefined],
    [404, '/keys', () => ADA],
    [404, '/api/keys/nosuchkey000', () => ADA],
    [500, '/', () => ({}) as ConsoleCaller],
  ])('reads a page: %d at %s', async (status, path, authorize) => {
    const keyConsole = createConsole({ authorize })
    const page = await ask(keyConsole, path, { headers: { 'sec-fetch-mode': 'navigate' } })
    expect([page.status, page.headers.get('content-type')]).toEqual([status, 'text/html; charset=utf-8'])
    expect(page.text).toMatch(/^<!doctype html>\n[\s\S]*<h1>/)
    const { json } = await ask(keyConsole, path, { headers: { accept: '*/*' } })
    expect(json.error_description).toEqual(expect.any(String))
  })
})

test('the session says when new keys end, where the caller has an end', async () => {
  const notAfter = new Date('2099-01-01T00:00:00Z')
  const bounded = createConsole({ authorize: () => ({ ...ADA, notAfter }) })
  expect((await ask(bounded, '/api/session')).json.notAfter).toBe('2099-01-01T00:00:00.000Z')
  expect((await ask(createConsole(), '/api/session')).json).not.toHaveProperty('notAfter')
  const ended = createConsole({ authorize: () => ({ ...ADA, notAfter: new Date(1000) }) })
  expect((await ask(ended, '/api/keys', { body: { scopes: ['jobs:read'] } })).status).toBe(403)
})

test('mounted uncalled, it says how it is mounted', async () => {
  const keyConsole = createConsole()
  const { express, koa, fastify } = keyConsole as unknown as Record<string, (...given: unknown[]) => unknown>
  expect(() => express?.({}, {}, () => {})).toThrow("write app.use('/settings/api-keys', keyConsole.express())")
  expect(() => koa?.({}, () => {})).toThrow("write app.use(mount('/settings/api-keys', keyConsole.koa()))")
  expect(() => fastify?.({}, {}, () => {})).toThrow('write app.register(keyConsole.fastify(), { prefix })')
})

describe('options', () => {
  const good = (): KeyConsoleOptions => ({ keyring: createKeyring(memoryKeyStore()), authorize: () => ADA })

  test.each<[name: string, value: unknown]>([
    ['keyring', undefined],
    ['keyring', {}],
    ['keyring', memoryKeyStore()],
    ['authorize', undefined],
    ['authorize', 'ada'],
    ['apiUrl', 'ftp://api.example.com'],
    ['apiUrl', 'javascript:alert(1)'],
    ['apiUrl', '/v1'],
    ['apiUrl', 'https://user:pass@api.example.com'],
    ['apiUrl', 'https://api.example.com/"; rm -rf ~; "'],
    ['apiUrl', 5],
    ['signInUrl', 'javascript:alert(1)'],
    ['signInUrl', '//evil.test'],
    ['signInUrl', '/\\evil.test'],
    ['signInUrl', 'login'],
    ['signInUrl', '/a\nb'],
    ['origin', 'https://console.example.com/'],
    ['origin', 'HTTPS://console.example.com'],
    ['origin', 'https://console.example.com:443'],
    ['origin', 'null'],
    ['origin', '*'],
    ['origin', []],
    ['mount', 'settings'],
    ['mount', '//settings'],
    ['mount', '/settings?x'],
    ['timeoutMs', 0],
    ['timeoutMs', 1.5],
    ['timeoutMs', Number.POSITIVE_INFINITY],
    ['timeoutMs', '3000'],
    ['challenge', ''],
    ['challenge', 'Cookie\r\nSet-Cookie: a=b'],
    ['challenge', 1],
    ['authorise', () => ADA],
    ['apiUrl', 'https://api.example.com/$(id)'],
    ['apiUrl', 'https://api.example.com/;id'],
  ])('%s: %j is a TypeError that names it', (name, value) => {
    const create = () => createKeyConsole({ ...good(), [name]: value } as KeyConsoleOptions)
    expect(create).toThrow(TypeError)
    expect(create).toThrow(name)
  })

  test.each([
    ['authorise', 'authorize'],
    ['store', 'keyring'],
    ['keys', 'keyring'],
    ['apiURL', 'apiUrl'],
  ])('%s is told to be %s', (name, meant) => {
    const create = () => createKeyConsole({ ...good(), [name]: 1 } as KeyConsoleOptions)
    expect(create).toThrow(`"${name}"; did you mean ${meant}?`)
  })

  test('a keyring of the other module format works', async () => {
    // The source once more, as another instance of each module: no class and no closure is shared.
    vi.resetModules()
    const twin = (await import('../../src/index.js')) as typeof import('vantage-auth')
    expect(twin.KeyStateError).not.toBe(KeyStateError)
    const keyring = twin.createKeyring(twin.memoryKeyStore())
    const keyConsole = createConsole({ keyring })
    const { json } = await ask(keyConsole, '/api/keys', { body: { scopes: ['jobs:read'] } })
    await ask(keyConsole, `/api/keys/${json.record.id}/revoke`, { body: {} })
    expect((await ask(keyConsole, `/api/keys/${json.record.id}/rotate`, { body: {} })).status).toBe(409)
    expect((await ask(keyConsole, '/api/keys', { body: { scopes: [1] } })).status).toBe(400)
  })
})

describe('signing in', () => {
  const nobody = (signInUrl?: string) => createConsole({ authorize: () => undefined, signInUrl, challenge: 'Cookie' })
  const locate = async (signInUrl: string) =>
    (await ask(nobody(signInUrl), '/', { headers: { 'sec-fetch-mode': 'navigate' } })).headers.get('location')

  test('return_to is appended where it belongs', async () => {
    expect(await locate('/login')).toBe('/login?return_to=%2F')
    expect(await locate('/login?a=1')).toBe('/login?a=1&return_to=%2F')
    expect(await locate('/login?')).toBe('/login?return_to=%2F')
    expect(await locate('https://id.example.com/login#top')).toBe('https://id.example.com/login?return_to=%2F#top')
  })

  test('a program is answered 401, a person without a signInUrl by a small page', async () => {
    for (const headers of [{ accept: '*/*' }, { accept: 'application/json' }, { accept: 'text/html;q=0' }]) {
      const answer = await ask(nobody('/login'), '/', { headers })
      expect([answer.status, answer.json.error]).toEqual([401, 'unauthenticated'])
    }
    const page = await ask(nobody(), '/', { headers: { accept: 'text/html' } })
    expect(page.status).toBe(401)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('www-authenticate')).toBe('Cookie')
    expect(page.text).toContain('<h1>')
    expect(page.text).not.toMatch(/<script|<style|style=/)
  })
})

describe('.fetch', () => {
  test('strips the mount of its context before that of the option, and hands the context to authorize', async () => {
    const asked: unknown[] = []
    const keyConsole = createConsole({
      mount: '/keys/',
      authorize: (_request, question) => {
        asked.push(question)
        return ADA
      },
    })
    const status = async (path: string, context?: Parameters<typeof keyConsole.fetch>[1]) =>
      (await keyConsole.fetch(new Request(`http://console.test${path}`), context)).status
    expect(await status('/keys')).toBe(308)
    expect(await status('/keys/api/session')).toBe(200)
    expect(await status('/keysapi/session')).toBe(404)
    expect(await status('/api/session')).toBe(404)
    expect(await status('/other/api/session', { mount: '/other', user: 'ada', action: 'list', id: 'x' })).toBe(200)
    expect(asked.at(-1)).toEqual({ user: 'ada', action: 'page' })
    await expect(status('/', { mount: 'nope' })).rejects.toThrow(TypeError)
  })

  test('a mount that begins another host’s name leads nowhere else', async () => {
    const keyConsole = createConsole()
    for (const path of ['//evil.test', '/\\evil.test']) {
      const answer = await keyConsole.fetch(new Request(`http://console.test${path}/`), { mount: '' })
      expect(answer.headers.get('location')).toBeNull()
    }
  })
})
