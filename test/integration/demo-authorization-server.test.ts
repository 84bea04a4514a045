import { createHash } from 'node:crypto'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type AuthorizationServer, startAuthorizationServer } from '../../demo/authorization-server.js'
import { DOCUMENTED_SCOPES } from '../../src/core/scope.js'
import { openBrowser } from '../support/browser.js'

const AUDIENCE = 'https://api.example'
const CLIENT = { clientId: 'test-client', clientSecret: 'correct horse', name: 'Tom & "Jerry" <script>' }

const DASHBOARD = {
  clientId: 'a-dashboard',
  clientSecret: 'battery staple',
  name: 'Dashboard',
  accounts: ['ada', 'bob'],
}

function start(interactive: boolean, port = 0): Promise<AuthorizationServer> {
  const clients = [CLIENT, DASHBOARD]
  return startAuthorizationServer({ port, interactive, audience: AUDIENCE, account: 'user_123', clients })
}

function authorizeUrl(server: AuthorizationServer, changes: Record<string, string | null> = {}): URL {
  const url = new URL('/oauth/authorize', server.issuer)
  const parameters = {
    client_id: CLIENT.clientId,
    response_type: 'code',
    redirect_uri: server.redirectUri,
    scope: 'jobs:read,clusters:read',
    state: 'a-state',
    ...changes,
  }
  for (const [name, value] of Object.entries(parameters)) if (value !== null) url.searchParams.set(name, value)
  return url
}

/** One step of an authorization request: the answer's status, and where it leads. */
async function authorize(server: AuthorizationServer, changes?: Record<string, string | null>) {
  const response = await fetch(authorizeUrl(server, changes), { redirect: 'manual' })
  await response.text()
  const location = response.headers.get('location')
  return { status: response.status, location: location === null ? null : new URL(location, server.issuer) }
}

async function requestToken(server: AuthorizationServer, parameters: Record<string, string>) {
  const response = await fetch(new URL('/oauth/token', server.issuer), {
    method: 'POST',
    body: new URLSearchParams({ client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret, ...parameters }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

function exchange(server: AuthorizationServer, code: string, redirectUri = server.redirectUri) {
  return requestToken(server, { grant_type: 'authorization_code', code, redirect_uri: redirectUri })
}

function verify(server: AuthorizationServer, token: unknown) {
  const keySet = createRemoteJWKSet(new URL('/oauth/jwks', server.issuer))
  return jwtVerify(token as string, keySet, { issuer: server.issuer, audience: AUDIENCE, typ: 'at+jwt' })
}

describe('without a page', () => {
  let server: AuthorizationServer
  const notices = [vi.spyOn(console, 'info'), vi.spyOn(console, 'warn'), vi.spyOn(console, 'error')]
  beforeAll(async () => {
    server = await start(false)
  })
  afterAll(async () => {
    await server.close()
    for (const notice of notices) expect(notice).not.toHaveBeenCalled()
  })

  test.each(['oauth-authorization-server', 'openid-configuration'])('publishes %s', async (document) => {
    const metadata = (await (await fetch(`${server.issuer}/.well-known/${document}`)).json()) as object
    expect(metadata).toMatchObject({
      issuer: server.issuer,
      authorization_endpoint: `${server.issuer}/oauth/authorize`,
      token_endpoint: `${server.issuer}/oauth/token`,
      jwks_uri: `${server.issuer}/oauth/jwks`,
      scopes_supported: [...DOCUMENTED_SCOPES],
      grant_types_supported: ['authorization_code', 'client_credentials'],
      token_endpoint_auth_methods_supported: ['client_secret_post'],
    })
  })

  test('publishes public keys only', async () => {
    const { keys } = (await (await fetch(`${server.issuer}/oauth/jwks`)).json()) as { keys: object[] }
    expect(keys.map((key) => Object.keys(key).sort())).toEqual([['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']])
  })

  test.each(['jobs:read,clusters:read', 'jobs:read clusters:read', 'jobs:read, clusters:read,jobs:read'])(
    'issues an RFC 9068 token to a client that asks for "%s"',
    async (scope) => {
      const { status, body } = await requestToken(server, { grant_type: 'client_credentials', scope })
      expect({ status, ...body }).toEqual({
        status: 200,
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: 'jobs:read clusters:read',
      })
      const { payload, protectedHeader } = await verify(server, body.access_token)
      expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) })
      expect(payload).toEqual({
        iss: server.issuer,
        sub: CLIENT.clientId,
        aud: AUDIENCE,
        client_id: CLIENT.clientId,
        scope: 'jobs:read clusters:read',
        jti: expect.any(String),
        iat: expect.any(Number),
        exp: (payload.iat as number) + 3600,
      })
    },
  )

  test('sends the user on with a code, which is exchanged for a token without PKCE', async () => {
    const { status, location } = await authorize(server)
    expect(status).toBe(303)
    expect(location?.href.startsWith(`${server.redirectUri}?`)).toBe(true)
    expect(location?.searchParams.get('state')).toBe('a-state')
    const { body } = await exchange(server, location?.searchParams.get('code') as string)
    const { payload } = await verify(server, body.access_token)
    expect(payload).toMatchObject({ sub: 'user_123', client_id: CLIENT.clientId, scope: 'jobs:read clusters:read' })
  })

  test('takes a code once, and only with the redirect URI it was sent to', async () => {
    const code = async () => (await authorize(server)).location?.searchParams.get('code') as string
    expect(await exchange(server, await code(), `${server.redirectUri}/other`)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    })
    const used = await code()
    expect(await exchange(server, used)).toMatchObject({ status: 200 })
    expect(await exchange(server, used)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  })

  test.each([
    { scope: 'jobs:read,jobs:fly' },
    { scope: 'openid' },
    { scope: 'jobs:read,__proto__' },
    { scope: '' },
    { scope: ',' },
    {},
  ])('answers invalid_scope to a client that asks for $scope', async (asked) => {
    expect(await requestToken(server, { grant_type: 'client_credentials', ...asked })).toMatchObject({
      status: 400,
      body: { error: 'invalid_scope' },
    })
  })

  test.each([{ scope: 'jobs:read,jobs:fly' }, { scope: null }])(
    'sends invalid_scope back for an authorization request with $scope',
    async (changes) => {
      const { location } = await authorize(server, changes)
      expect(location?.href.startsWith(`${server.redirectUri}?`)).toBe(true)
      expect(Object.fromEntries(location?.searchParams ?? [])).toMatchObject({
        error: 'invalid_scope',
        state: 'a-state',
      })
    },
  )

  test.each([
    ['a wrong client secret', { client_secret: 'wrong' }, 401, 'invalid_client'],
    ['an unknown client', { client_id: 'nobody' }, 401, 'invalid_client'],
    ['another resource', { resource: 'https://other.example' }, 400, 'invalid_target'],
    ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
  ])('refuses %s at the token endpoint', async (_case, changes, status, error) => {
    const parameters = { grant_type: 'client_credentials', scope: 'jobs:read', ...changes }
    expect(await requestToken(server, parameters)).toMatchObject({ status, body: { error } })
  })

  test.each([
    'http://127.0.0.1:1/any/path?with=query',
    'http://localhost:65535/',
    'http://[::1]:8080/cb',
    'http://127.0.0.1/',
  ])('redirects to %s', async (redirectUri) => {
    const { location } = await authorize(server, { redirect_uri: redirectUri })
    expect(location?.href.startsWith(redirectUri)).toBe(true)
    expect(location?.searchParams.get('code')).toEqual(expect.any(String))
  })

  test.each([
    'http://app.example/cb',
    'https://127.0.0.1/cb',
    'http://127.0.0.1@app.example/',
    'http://user@127.0.0.1/',
    'http://127.0.0.1.app.example/',
    'http://127.0.0.1/#fragment',
    'javascript:alert(1)',
    'not a URL',
  ])('redirects nobody to %s', async (redirectUri) => {
    expect(await authorize(server, { redirect_uri: redirectUri })).toEqual({ status: 400, location: null })
  })

  test('shows the code at its redirect URI, as a page or as a line of text', async () => {
    const url = `${server.redirectUri}?code=a-code_1&state=%3Cb%3E`
    expect(await (await fetch(url)).text()).toBe('CODE=a-code_1\n')
    const page = await (await fetch(url, { headers: { accept: 'text/html' } })).text()
    expect(page).toContain('<code>CODE=a-code_1</code>')
    expect(page).toContain('&lt;b&gt;')
    expect(page).not.toContain('<b>')
  })

  test.each(['?code=$(id)', '?code=a%0Ab', '?code=', '', '?error=access_denied&error_description=%3Cb%3E'])(
    'shows an error, and nothing to paste, for %s',
    async (query) => {
      const response = await fetch(server.redirectUri + query, { headers: { accept: 'text/html' } })
      const page = await response.text()
      expect(response.status).toBe(400)
      expect(page).not.toContain('CODE=')
      expect(page).not.toContain('<b>')
    },
  )

  test('rejects when its port is taken, with the port', async () => {
    const port = Number(new URL(server.issuer).port)
    await expect(start(false, port)).rejects.toMatchObject({ code: 'EADDRINUSE', port })
  })
})

describe('with a page', () => {
  let server: AuthorizationServer
  beforeAll(async () => {
    server = await start(true)
  })
  afterAll(() => server.close())

  test('asks who the user is and what to allow, and sends a code for that user', async () => {
    const browser = openBrowser()
    const { status, html } = await browser.go(authorizeUrl(server))
    expect(status).toBe(200)
    expect(html).toContain('Read job information <code>jobs:read</code>')
    expect(html).toContain('Read cluster information <code>clusters:read</code>')
    expect(html).not.toContain('jobs:write')
    await browser.answer(html, { account: 'ada', decision: 'allow' })
    expect(browser.at().searchParams.get('state')).toBe('a-state')
    const { body } = await exchange(server, browser.at().searchParams.get('code') as string)
    const { payload } = await verify(server, body.access_token)
    expect(payload).toMatchObject({ sub: 'ada', scope: 'jobs:read clusters:read' })
  })

  test('remembers who signed in, and asks for consent again', async () => {
    const browser = openBrowser()
    await browser.answer((await browser.go(authorizeUrl(server))).html, { account: 'ada', decision: 'allow' })
    const { html } = await browser.go(authorizeUrl(server, { scope: 'teams:write' }))
    expect(html).toContain('Signed in as <strong>ada</strong>')
    // The field of the first page does not make somebody else of a user who is signed in.
    await browser.answer(html, { account: 'eve', decision: 'allow' })
    const { body } = await exchange(server, browser.at().searchParams.get('code') as string)
    expect((await verify(server, body.access_token)).payload).toMatchObject({ sub: 'ada', scope: 'teams:write' })
  })

  test('sends access_denied back when the user denies, or answers neither way', async () => {
    for (const fields of [{ decision: 'deny' }, { account: 'ada' }] as Record<string, string>[]) {
      const browser = openBrowser()
      await browser.answer((await browser.go(authorizeUrl(server))).html, fields)
      expect(Object.fromEntries(browser.at().searchParams)).toMatchObject({ error: 'access_denied', state: 'a-state' })
      expect(browser.at().searchParams.get('code')).toBeNull()
    }
  })

  test.each(['', ' ', '<b>', 'a'.repeat(65), 'a b'])('asks again for the user name "%s"', async (account) => {
    const browser = openBrowser()
    const first = await browser.go(authorizeUrl(server))
    const { status, html } = await browser.answer(first.html, { account, decision: 'allow' })
    expect(status).toBe(400)
    expect(html).toContain('role="alert"')
    expect(html).not.toContain('<b>')
  })

  test('refuses an answer without the token of its page, or too large', async () => {
    const browser = openBrowser()
    const { html } = await browser.go(authorizeUrl(server))
    for (const csrf of ['', 'wrong', 'x'.repeat(5000)]) {
      const { status } = await browser.answer(html, { csrf, account: 'ada', decision: 'allow' })
      expect(status).toBe(403)
    }
    expect(browser.at().pathname).toMatch(/^\/interaction\//)
  })

  test('opens the page to the browser that began, and to no other', async () => {
    const browser = openBrowser()
    const { html } = await browser.go(authorizeUrl(server))
    const other = openBrowser()
    expect((await other.go(browser.at())).status).toBe(400)
    expect((await other.answer(html, { account: 'eve', decision: 'allow' })).status).toBe(400)
    const [name, value] = [...browser.cookies].find(([cookie]) => cookie === '_interaction') as [string, string]
    other.cookies.set(name, value) // guessed, and not signed
    expect((await other.go(browser.at())).status).toBe(400)
  })

  test('escapes the name of the client, and permits no script, frame or outside resource', async () => {
    const { html, headers } = await openBrowser().go(authorizeUrl(server))
    expect(html).toContain('Tom &amp; &quot;Jerry&quot; &lt;script&gt;')
    expect(html).not.toContain('<script')
    expect(html).not.toMatch(/\b(?:src|href)=/)
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self' http:\/\/127\.0\.0\.1:\d+; frame-ancestors 'none'/,
    )
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
  })

  test.each([
    ['http://localhost:9999/cb?a=b', 'http://localhost:9999'],
    ['http://[::1]:9999/cb', 'http:'],
  ])('lets its form be answered with a redirect to %s', async (redirectUri, source) => {
    const { headers } = await openBrowser().go(authorizeUrl(server, { redirect_uri: redirectUri }))
    expect(headers.get('content-security-policy')).toContain(`form-action 'self' ${source};`)
  })

  test('labels what it asks for', async () => {
    const { html } = await openBrowser().go(authorizeUrl(server))
    expect(html).toContain('<html lang="en">')
    expect(html).toContain('<label for="account">')
    expect(html).toContain('id="account"')
  })
})

describe('a client with accounts', () => {
  let server: AuthorizationServer
  beforeAll(async () => {
    server = await start(false)
  })
  afterAll(() => server.close())

  const VERIFIER = 'v'.repeat(43)
  const SIGN_IN = {
    client_id: DASHBOARD.clientId,
    scope: 'openid',
    nonce: 'a-nonce',
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
  }

  async function idToken(code: string, changes: Record<string, string> = {}) {
    const { status, body } = await requestToken(server, {
      client_id: DASHBOARD.clientId,
      client_secret: DASHBOARD.clientSecret,
      grant_type: 'authorization_code',
      code,
      redirect_uri: server.redirectUri,
      code_verifier: VERIFIER,
      ...changes,
    })
    if (status !== 200) return { status, body }
    const keySet = createRemoteJWKSet(new URL('/oauth/jwks', server.issuer))
    const { payload } = await jwtVerify(body.id_token as string, keySet, {
      issuer: server.issuer,
      audience: DASHBOARD.clientId,
    })
    return payload
  }

  test('has the user choose one, each time, also where another client has signed in somebody', async () => {
    const browser = openBrowser()
    await browser.go(authorizeUrl(server)) // signs user_123 in, and asks nobody
    for (const account of ['ada', 'bob']) {
      const { status, html } = await browser.go(authorizeUrl(server, SIGN_IN))
      expect([status, browser.at().pathname]).toEqual([200, expect.stringMatching(/^\/interaction\//)])
      expect(html).toContain('Sign in as ada')
      expect(html).toContain('Sign in as bob')
      await browser.answer(html, { account })
      expect(browser.at().searchParams.get('state')).toBe('a-state')
      expect(await idToken(browser.at().searchParams.get('code') as string)).toMatchObject({
        sub: account,
        nonce: 'a-nonce',
      })
    }
  })

  test('gets no code for anybody else, nor for a user who cancels', async () => {
    const browser = openBrowser()
    const { html } = await browser.go(authorizeUrl(server, SIGN_IN))
    for (const account of ['user_123', '', '__proto__', 'ADA']) {
      const { status, html: again } = await browser.answer(html, { account })
      expect([status, again.includes('role="alert"')]).toEqual([400, true])
    }
    await browser.answer(html, { decision: 'deny', account: 'ada' })
    expect(Object.fromEntries(browser.at().searchParams)).toMatchObject({ error: 'access_denied', state: 'a-state' })
  })

  test('needs PKCE, and the verifier of its challenge', async () => {
    const { location } = await authorize(server, { ...SIGN_IN, code_challenge: null, code_challenge_method: null })
    expect(location?.searchParams.get('error')).toBe('invalid_request')
    const browser = openBrowser()
    await browser.answer((await browser.go(authorizeUrl(server, SIGN_IN))).html, { account: 'ada' })
    const code = browser.at().searchParams.get('code') as string
    expect(await idToken(code, { code_verifier: 'w'.repeat(43) })).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    })
  })

  test('gets no scope of the API, and no token by its secret alone', async () => {
    for (const scope of ['jobs:read', 'openid jobs:read', 'profile']) {
      const { location } = await authorize(server, { ...SIGN_IN, scope })
      expect(location?.searchParams.get('error')).toMatch(/^invalid_(?:scope|request)$/)
      expect(location?.searchParams.get('code')).toBeNull()
    }
    const { clientId: client_id, clientSecret: client_secret } = DASHBOARD
    const asked = { client_id, client_secret, grant_type: 'client_credentials', scope: 'jobs:read' }
    expect(await requestToken(server, asked)).toMatchObject({
      status: 400,
      body: { error_description: 'requested grant type is not allowed for this client' },
    })
  })
})
