import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { createKeyConsole, type KeyConsole } from 'vantage-auth/console'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADA, type Asked, createConsole, createRequest, FRONTS, readAnswer, type Sent } from '../support/consoles.js'
import { listen } from '../support/frameworks.js'

const PREFIX = '/settings/api-keys'
const SCOPES = ['jobs:read']

interface Row {
  readonly name: string
  readonly path: string
  readonly sent?: Sent
  readonly status: number
  readonly error?: string
  readonly headers?: Readonly<Record<string, string>>
}

const TABLE: readonly Row[] = [
  { name: 'the page', path: '/', status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } },
  { name: 'the page with a query', path: '/?utm=1', status: 200 },
  { name: 'the page, asked for its head', path: '/', sent: { method: 'HEAD' }, status: 200 },
  { name: 'the mount without its slash', path: '', status: 308, headers: { location: `${PREFIX}/` } },
  { name: 'the same with a query', path: '?a=%2F&b', status: 308, headers: { location: `${PREFIX}/?a=%2F&b` } },
  { name: 'who is asking', path: '/api/session', status: 200 },
  { name: 'the list', path: '/api/keys', status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } },
  { name: 'the head of the list', path: '/api/keys', sent: { method: 'HEAD' }, status: 200 },
  { name: 'a filter', path: '/api/keys?state=active&limit=5&supersededInUse=false', status: 200 },
  { name: 'a filter that there is not', path: '/api/keys?status=active', status: 400, error: 'invalid_request' },
  { name: 'a filter given twice', path: '/api/keys?limit=5&limit=6', status: 400, error: 'invalid_request' },
  { name: 'a new key', path: '/api/keys', sent: { body: { scopes: SCOPES } }, status: 201 },
  { name: 'a body in no JSON', path: '/api/keys', sent: { body: '{' }, status: 400, error: 'invalid_request' },
  { name: 'a body that is a list', path: '/api/keys', sent: { body: [] }, status: 400, error: 'invalid_request' },
  {
    name: 'a form',
    path: '/api/keys',
    sent: { body: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    status: 415,
    error: 'unsupported_media_type',
  },
  {
    name: 'a body of no type that there is',
    path: '/api/keys',
    sent: { body: '{}', headers: { 'content-type': 'nonsense;;=' } },
    status: 415,
    error: 'unsupported_media_type',
  },
  {
    name: 'a body without a type',
    path: '/api/keys',
    sent: { method: 'POST', headers: { 'content-type': undefined } },
    status: 415,
    error: 'unsupported_media_type',
  },
  {
    name: 'a body beyond the limit',
    path: '/api/keys',
    sent: { body: { name: 'x'.repeat(16_384) } },
    status: 413,
    error: 'too_large',
  },
  {
    name: 'a method that the path has not',
    path: '/api/keys',
    sent: { method: 'DELETE' },
    status: 405,
    error: 'method_not_allowed',
    headers: { allow: 'GET, HEAD, POST' },
  },
  {
    name: 'a preflight',
    path: '/api/keys',
    sent: { method: 'OPTIONS', headers: { 'content-type': undefined, origin: 'http://evil.test' } },
    status: 405,
    error: 'method_not_allowed',
  },
  { name: 'no such key', path: '/api/keys/nosuchkey000', status: 404, error: 'not_found' },
  { name: 'no such path', path: '/nothing/here', status: 404, error: 'not_found' },
  { name: 'an id that cannot be decoded', path: '/api/keys/%25zz', status: 404, error: 'not_found' },
  { name: 'a way out of the folder', path: '/assets/..%2f..%2fpackage.json', status: 404, error: 'not_found' },
  { name: 'a file that there is not', path: '/assets/main.js', status: 404, error: 'not_found' },
  {
    name: 'another site',
    path: '/api/keys',
    sent: { body: { scopes: SCOPES }, headers: { 'sec-fetch-site': 'cross-site' } },
    status: 403,
    error: 'forbidden',
  },
]

describe.each(FRONTS)('$name', ({ start }) => {
  let keyConsole: KeyConsole
  let running: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    keyConsole = createConsole({
      authorize: (_request, { action }) => (action === 'audit' ? undefined : ADA),
      signInUrl: '/sign-in?from=keys',
      challenge: 'Cookie realm="dashboard"',
    })
    running = await start(keyConsole, PREFIX)
  })
  afterAll(() => running.close())

  const send = async (path: string, sent: Sent = {}): Promise<Asked> =>
    readAnswer(await fetch(createRequest(`http://127.0.0.1:${running.port}${PREFIX}${path}`, sent)))

  test.each(TABLE)('$name: $status', async ({ path, sent, status, error, headers = {} }) => {
    const answer = await send(path, sent)
    expect({ status: answer.status, error: answer.json?.error }).toEqual({ status, error })
    for (const [name, value] of Object.entries(headers)) expect(answer.headers.get(name)).toBe(value)
    if (error !== undefined) expect(answer.json).toEqual({ error, error_description: expect.any(String) })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; .*frame-ancestors 'none'/)
    expect(answer.headers.get('x-frame-options')).toBe('DENY')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    expect(answer.headers.get('cross-origin-opener-policy')).toBe('same-origin')
    expect(answer.headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(answer.headers.get('etag')).toBeNull()
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })

  test('a key is made, seen, replaced and revoked', async () => {
    const made = await send('/api/keys', {
      body: { name: '<b>ü', scopes: SCOPES, expiresIn: '30d', environment: 'test' },
    })
    expect(made.json.key).toMatch(/^vak_test_/)
    const { id } = made.json.record
    expect(made.json.record).toMatchObject({ name: '<b>ü', subject: 'ada', tenant: 'acme', createdBy: 'ada' })

    const seen = await send(`/api/keys/${id}`)
    expect(seen.json).toEqual(made.json.record)
    expect((await send('/api/keys?limit=1')).json.keys).toEqual([seen.json])

    const rotated = await send(`/api/keys/${id}/rotate`, { body: { overlap: '1h' } })
    expect(rotated.status).toBe(201)
    expect(rotated.json).toMatchObject({ key: expect.stringMatching(/^vak_test_/), record: { replaces: id } })
    expect(rotated.json.previous).toMatchObject({ id, state: 'superseded', replacedBy: rotated.json.record.id })

    const revoked = await send(`/api/keys/${id}/revoke`, { body: { reason: 'leaked' } })
    expect(revoked.json).toMatchObject({ id, state: 'revoked', revokedBy: 'ada', revokedReason: 'leaked' })
    const again = await send(`/api/keys/${id}/revoke`, { method: 'POST' })
    expect([again.status, again.json.revokedReason]).toEqual([200, 'leaked'])
    const late = await send(`/api/keys/${id}/rotate`, { body: {} })
    expect([late.status, late.json.error]).toEqual([409, 'invalid_state'])
    expect((await send(`/api/keys/${id}/usage?days=7`)).json).toEqual({ total: 0, lastUsedAt: null, days: [] })
  })

  test('the files of the page are kept for a year, and sent in the form that the client takes', async () => {
    const page = await send('/', { headers: { 'accept-encoding': 'identity' } })
    const [, script] = /src="\.(\/assets\/[^"]+\.js)"/.exec(page.text) as RegExpExecArray
    for (const [accepted, encoding] of [
      ['gzip;q=0.5, br', 'br'],
      ['br;q=0, gzip', 'gzip'],
      ['identity', null],
    ] as const) {
      const answer = await send(script as string, { headers: { 'accept-encoding': accepted } })
      expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, encoding])
      expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(answer.headers.get('vary')).toBe('Accept-Encoding')
      expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
      expect(answer.text).toContain('API Keys')
    }
  })

  test('a method that its framework has never heard of is answered by the console', async () => {
    // On `.fetch`, Node's own class refuses to make such requests.
    for (const method of ['PROPFIND', 'LINK', 'SEARCH', 'M-SEARCH']) {
      const answer = await send('/api/keys', { method, headers: { 'content-type': undefined } })
      expect([answer.status, answer.json.error]).toEqual([405, 'method_not_allowed'])
      expect(answer.headers.get('x-frame-options')).toBe('DENY')
    }
  })

  test('a second slash behind the mount is no part of it', async () => {
    for (const path of ['//api/keys', '//', '///api/session']) {
      const answer = await send(path)
      expect([path, answer.status, answer.json?.error]).toEqual([path, 404, 'not_found'])
    }
  })

  test('a body in chunks is read to the limit, and the connection ends', async () => {
    const socket = connect(running.port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    socket.write(
      `POST ${PREFIX}/api/keys HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`,
    )
    // The client waits for the answer, and does not end its body.
    await once(socket, 'close')
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    expect(text).toContain('"error":"too_large"')
  })

  test('the application keeps its own parser', async () => {
    const answer = await fetch(`http://127.0.0.1:${running.port}/of-the-application`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"a":1}',
    })
    // On `.fetch` there is no application around the console.
    expect([200, 404]).toContain(answer.status)
    if (answer.status === 200) expect(await answer.json()).toEqual({ a: 1 })
  })

  test('nobody is answered before anything else is looked at, and a person is sent to sign in', async () => {
    const nobody = createConsole({
      authorize: () => undefined,
      signInUrl: '/sign-in?from=keys',
      challenge: 'Cookie realm="d"',
    })
    const mounted = await start(nobody, PREFIX)
    try {
      const url = `http://127.0.0.1:${mounted.port}${PREFIX}`
      const program = await readAnswer(
        await fetch(createRequest(`${url}/api/keys/x`, { method: 'DELETE', headers: { origin: 'null' } })),
      )
      expect([program.status, program.json.error]).toEqual([401, 'unauthenticated'])
      expect(program.headers.get('www-authenticate')).toBe('Cookie realm="d"')
      const person = await readAnswer(
        await fetch(createRequest(`${url}/`, { headers: { accept: 'text/html,*/*;q=0.8' } })),
      )
      expect(person.status).toBe(303)
      expect(person.headers.get('location')).toBe('/sign-in?from=keys&return_to=%2Fsettings%2Fapi-keys')
    } finally {
      await mounted.close()
    }
  })

  test('authorize is given what handlers receive, the action and the id', async () => {
    const asked: [object, unknown][] = []
    const curious = createConsole({
      authorize: (request: object, question) => {
        asked.push([request, question])
        return ADA
      },
    })
    const mounted = await start(curious, PREFIX)
    try {
      await fetch(`http://127.0.0.1:${mounted.port}${PREFIX}/api/keys/nosuchkey000/usage`)
      expect(asked).toEqual([[expect.any(Object), { action: 'usage', id: 'nosuchkey000' }]])
      const [[request]] = asked as [[object, unknown]]
      expect('headers' in request || 'req' in request).toBe(true)
    } finally {
      await mounted.close()
    }
  })
})

describe.each(FRONTS.filter(({ name }) => name !== 'fetch'))(
  '$name, with bodies that are parsed already',
  ({ start }) => {
    let running: Awaited<ReturnType<typeof start>>
    beforeAll(async () => {
      running = await start(createConsole(), PREFIX, true)
    })
    afterAll(() => running.close())
    const post = async (body: unknown, headers = {}): Promise<Asked> =>
      readAnswer(await fetch(createRequest(`http://127.0.0.1:${running.port}${PREFIX}/api/keys`, { body, headers })))

    test('uses them, with its own limit and errors', async () => {
      expect((await post({ name: 'parsed', scopes: SCOPES })).json.record.name).toBe('parsed')
      expect((await post({ scopes: SCOPES, name: 'x'.repeat(16_384) })).json.error).toBe('too_large')
      expect((await post(`{"scopes":["jobs:read"]${' '.repeat(16_384)}}`)).json.error).toBe('too_large')
      expect((await post('{"__proto__":{"scopes":["jobs:read"]}}')).json.error).toBe('invalid_request')
      expect((await post('[]')).json.error).toBe('invalid_request')
      expect((await post(`{"name":${'['.repeat(7000)}${']'.repeat(7000)}}`)).json.error).toBe('invalid_request')
    })
  },
)

describe('close', () => {
  test('answers 503 afterwards, and leaves a keyring to its owner', async () => {
    const keyConsole = createConsole()
    await keyConsole.close()
    await keyConsole.close()
    const answer = await readAnswer(await keyConsole.fetch(new Request('http://console.test/')))
    expect([answer.status, answer.json.error]).toEqual([503, 'temporarily_unavailable'])
    expect(answer.headers.get('retry-after')).toBe('1')
    await expect(keyConsole.keyring.list()).resolves.toMatchObject({ keys: [] })
  })

  test('closes the keyring that it opened from a URL', async () => {
    const keyConsole = createKeyConsole({ keyring: 'memory:', authorize: () => ADA })
    expect((await keyConsole.fetch(new Request('http://console.test/api/keys'))).status).toBe(200)
    await keyConsole.close()
    expect((await keyConsole.fetch(new Request('http://console.test/api/keys'))).status).toBe(503)
  })
})

test('over HTTP/2 the authority is the host, whatever Host says', async () => {
  const app = fastify({ http2: true })
  app.register(createConsole().fastify(), { prefix: PREFIX })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const session = connectHttp2(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  try {
    for (const [origin, status] of [
      ['http://console.test', 201],
      ['http://evil.test', 403],
    ] as const) {
      const stream = session.request({
        ':method': 'POST',
        ':path': `${PREFIX}/api/keys`,
        ':authority': 'console.test',
        host: 'evil.test',
        origin,
        'content-type': 'application/json',
      })
      stream.end(JSON.stringify({ scopes: SCOPES }))
      const [headers] = await once(stream, 'response')
      expect([origin, headers[':status']]).toEqual([origin, status])
      stream.close()
    }
  } finally {
    // Not close(): on Node 24 it waits for bodies that nobody reads.
    session.destroy()
    await app.close()
  }
})

test('a mount that a request chooses by a wildcard leads to no other host', async () => {
  const app = express()
  app.use('/*splat/keys', createConsole().express())
  const server = await listen(app)
  const socket = connect(server.port, '127.0.0.1')
  try {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.write('GET //evil.test/keys HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await once(socket, 'close')
    expect(text).toMatch(/\r\nLocation: \/evil\.test\/keys\/\r\n/)
  } finally {
    await server.close()
  }
})
