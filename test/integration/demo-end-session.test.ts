import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AuthorizationServer, startAuthorizationServer } from '../../demo/authorization-server.js'
import { openBrowser } from '../support/browser.js'

const AUDIENCE = 'https://api.example'
const CLIENT = { clientId: 'test-client', clientSecret: 'correct horse', name: 'Test' }
const QUIET = { clientId: 'quiet-client', clientSecret: 'battery staple', name: 'Hears of nothing' }

let server: AuthorizationServer
let listener: Server
/** What the client's address for logout was sent, and what it answers. */
let received: { contentType: string | undefined; form: URLSearchParams }[] = []
let status = 200

beforeAll(async () => {
  listener = createServer(async (req: IncomingMessage, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    received.push({ contentType: req.headers['content-type'], form })
    res.writeHead(status).end()
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const events = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/events`
  const clients = [{ ...CLIENT, backchannelLogoutUri: events }, QUIET]
  server = await startAuthorizationServer({
    port: 0,
    interactive: false,
    audience: AUDIENCE,
    account: 'user_123',
    clients,
  })
})
afterAll(async () => {
  await server.close()
  await once(listener.close(), 'close')
})
beforeEach(async () => {
  status = 200
  await end() // what the test before left
  received = []
})

async function end(token?: string, init: RequestInit = {}) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(server.endSession, { method: 'POST', headers, ...init })
  return { status: response.status, body: (await response.json()) as unknown }
}

/** The authorization code grant, as the product page has it. */
async function getCode(client = CLIENT) {
  const response = await fetch(authorizeUrl(client), { redirect: 'manual' })
  await response.text()
  return new URL(response.headers.get('location') as string).searchParams.get('code') as string
}

function authorizeUrl(client = CLIENT): URL {
  const url = new URL('/oauth/authorize', server.issuer)
  url.search = new URLSearchParams({
    client_id: client.clientId,
    response_type: 'code',
    redirect_uri: server.redirectUri,
    scope: 'jobs:read',
  }).toString()
  return url
}

async function getToken(parameters: Record<string, string>, client = CLIENT) {
  const response = await fetch(new URL('/oauth/token', server.issuer), {
    method: 'POST',
    body: new URLSearchParams({ client_id: client.clientId, client_secret: client.clientSecret, ...parameters }),
  })
  return (await response.json()) as { access_token: string; error?: string }
}

const exchange = (code: string, client = CLIENT) =>
  getToken({ grant_type: 'authorization_code', code, redirect_uri: server.redirectUri }, client)

const verify = (token: string, typ: string, audience: string) =>
  jwtVerify(token, createRemoteJWKSet(new URL('/oauth/jwks', server.issuer)), { issuer: server.issuer, audience, typ })

describe('an access token', () => {
  test('of the authorization code grant names its session, another one each time', async () => {
    const tokens = [await exchange(await getCode()), await exchange(await getCode())]
    const sids = tokens.map(({ access_token }) => decodeJwt(access_token).sid)
    expect(sids).toEqual([expect.any(String), expect.any(String)])
    expect(new Set(sids).size).toBe(2)
  })

  test('of openSession is one of that grant', async () => {
    const opened = await verify(await server.openSession(CLIENT.clientId, ['jobs:read']), 'at+jwt', AUDIENCE)
    const granted = await verify((await exchange(await getCode())).access_token, 'at+jwt', AUDIENCE)
    expect(opened.protectedHeader).toEqual(granted.protectedHeader)
    const volatile = { jti: '', iat: 0, exp: 0, sid: '' }
    expect({ ...opened.payload, ...volatile }).toEqual({ ...granted.payload, ...volatile })
    expect(opened.payload.sid).not.toBe(granted.payload.sid)
  })

  test('of a client that wants to hear of nothing, or asks for itself, names none', async () => {
    const quiet = await exchange(await getCode(QUIET), QUIET)
    const own = await getToken({ grant_type: 'client_credentials', scope: 'jobs:read' })
    for (const { access_token } of [quiet, own]) expect(decodeJwt(access_token)).not.toHaveProperty('sid')
  })
})

describe('the end of a session', () => {
  test('sends a logout token with its sid, and answers when that was taken', async () => {
    const { access_token } = await exchange(await getCode())
    const other = await exchange(await getCode())
    expect(await end(access_token)).toEqual({ status: 200, body: { ended: 1 } })
    expect(received.map(({ contentType, form }) => [contentType, [...form.keys()]])).toEqual([
      [expect.stringContaining('application/x-www-form-urlencoded'), ['logout_token']],
    ])
    const { payload } = await verify(received[0]?.form.get('logout_token') as string, 'logout+jwt', CLIENT.clientId)
    expect(payload).toMatchObject({
      sub: 'user_123',
      sid: decodeJwt(access_token).sid,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    })
    expect(payload.sid).not.toBe(decodeJwt(other.access_token).sid)
  })

  test('is one: a second request ends nothing, and tells nobody', async () => {
    const { access_token } = await exchange(await getCode())
    await end(access_token)
    expect(await end(access_token)).toEqual({ status: 200, body: { ended: 0 } })
    expect(received).toHaveLength(1)
  })

  test('without a token is that of all sessions', async () => {
    const tokens = [await exchange(await getCode()), await exchange(await getCode())]
    expect(await end()).toEqual({ status: 200, body: { ended: 2 } })
    const told = received.map(({ form }) => decodeJwt(form.get('logout_token') as string).sid)
    expect(told.sort()).toEqual(tokens.map(({ access_token }) => decodeJwt(access_token).sid).sort())
    expect(await end()).toEqual({ status: 200, body: { ended: 0 } })
  })

  test('says so when the logout token was not taken', async () => {
    status = 503
    const token = await server.openSession(CLIENT.clientId, ['jobs:read'])
    expect(await end(token)).toEqual({
      status: 502,
      body: { error: 'logout_not_delivered', error_description: expect.stringContaining('got: 503') },
    })
  })

  test('takes back a code of the session that was not exchanged', async () => {
    const browser = openBrowser()
    const code = async () => {
      await browser.go(authorizeUrl())
      return browser.at().searchParams.get('code') as string
    }
    const token = (await exchange(await code())).access_token
    expect(decodeJwt((await exchange(await code())).access_token).sid).toBe(decodeJwt(token).sid)
    const third = await code()
    await end(token)
    expect((await exchange(third)).error).toBe('invalid_grant')
  })

  test('is asked for by POST, and by no page of a browser', async () => {
    const token = await server.openSession(CLIENT.clientId, ['jobs:read'])
    const get = await fetch(server.endSession)
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    const headers = { authorization: `Bearer ${token}`, origin: 'https://evil.example' }
    expect(await end(undefined, { headers })).toMatchObject({ status: 403, body: { error: 'access_denied' } })
    expect(received).toEqual([])
  })

  test.each([
    ['another server', 'eyJhbGciOiJFUzI1NiJ9.eyJzaWQiOiJ4In0.AAAA'],
    ['nobody', 'not-a-token'],
    ['the test itself, unsigned', 'eyJhbGciOiJub25lIn0.eyJzaWQiOiJ4In0.'],
  ])('refuses a token of %s, and ends nothing', async (_issuer, token) => {
    await server.openSession(CLIENT.clientId, ['jobs:read'])
    expect(await end(token)).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
    expect(received).toEqual([])
  })

  test('refuses a token that was issued in no session', async () => {
    const { access_token } = await getToken({ grant_type: 'client_credentials', scope: 'jobs:read' })
    await server.openSession(CLIENT.clientId, ['jobs:read'])
    expect(await end(access_token)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    expect(received).toEqual([])
  })
})
