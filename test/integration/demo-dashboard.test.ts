import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AuditJson, CreatedKeyJson, KeyJson, KeyListJson, SessionJson } from '../../console/api-types.js'
import { type Demo, startDemo } from '../../demo/start.js'
import { type Browser, openBrowser } from '../support/browser.js'
import { until } from '../support/until.js'

let demo: Demo
let dashboard: string
/** The name of the cookie of a session. */
let cookie: string
beforeAll(async () => {
  demo = await startDemo({ interactive: false })
  dashboard = new URL(demo.console).origin
  cookie = `vantage_dashboard_${new URL(dashboard).port}`
})
afterAll(() => demo.close())

async function signIn(account: string, browser = openBrowser(), from: string = demo.console): Promise<Browser> {
  await browser.answer((await browser.go(from)).html, { account })
  return browser
}

function cookiesOf(browser: Browser): string {
  return [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
}

/** A call of the console's API, as the console's page makes it. */
async function call(browser: Browser, path: string, body?: object) {
  const response = await fetch(`${demo.console}/api/${path}`, {
    headers: {
      cookie: cookiesOf(browser),
      'sec-fetch-site': 'same-origin',
      origin: dashboard,
      'content-type': 'application/json',
    },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as unknown }
}

function ticketsOf(browser: Browser): readonly string[] {
  return [...browser.cookies.keys()].filter((name) => name.startsWith(`${cookie}_sign_in_`))
}

async function createKey(browser: Browser, name: string): Promise<CreatedKeyJson> {
  const { status, body } = await call(browser, 'keys', { name, scopes: ['jobs:read'] })
  expect(status).toBe(201)
  return body as CreatedKeyJson
}

async function keysOf(browser: Browser): Promise<readonly KeyJson[]> {
  return ((await call(browser, 'keys')).body as KeyListJson).keys
}

describe('Getting Your API Key', () => {
  test('leads from the dashboard, by Settings and API Keys, to a key that the sample APIs take', async () => {
    const browser = openBrowser()
    const links = (html: string) =>
      new Map([...html.matchAll(/href="([^"]+)">([^<]+)</g)].map(([, to, text]) => [text, to]))
    const follow = async (html: string, link: string) =>
      (await browser.go(new URL(links(html).get(link) as string, browser.at()))).html

    // 1. Log in
    const signInPage = await follow((await browser.go(dashboard)).html, 'Sign in')
    expect(browser.at().origin).toBe(demo.issuer)
    const { html: home } = await browser.answer(signInPage, { account: 'ada' })
    expect(browser.at().href).toBe(`${dashboard}/`)
    expect(home).toContain('Signed in as <strong>ada</strong>, acme')
    // 2. Settings, API Keys
    const page = await follow(await follow(home, 'Settings'), 'API Keys')
    expect(browser.at().href).toBe(`${demo.console}/`)
    expect(page).toContain('<script type="module"')
    // 3. and 4. Generate New Key, which is shown once
    const { key, record } = await createKey(browser, 'the five steps')
    expect((await call(browser, `keys/${record.id}`)).body).toEqual(record)

    for (const api of Object.values(demo.api)) {
      const answer = await fetch(`${api}/v1/auth/test`, { headers: { authorization: `Bearer ${key}` } })
      expect([answer.status, await answer.json()]).toEqual([
        200,
        expect.objectContaining({ user_id: 'ada', scopes: ['jobs:read'] }),
      ])
    }
    // Monitor API usage in your dashboard: services write it every ten seconds.
    await until(async () => {
      await setTimeout(250)
      const { body } = await call(browser, `keys/${record.id}/usage`)
      return (body as { total: number }).total === 3
    }, 25_000)
  }, 60_000)

  test('shows the API of the demo, and where to sign in', async () => {
    expect((await call(await signIn('ada'), 'session')).body as SessionJson).toMatchObject({
      actor: 'ada',
      tenant: 'acme',
      subject: null,
      canWrite: true,
      apiUrl: demo.api.express,
      signInUrl: '/sign-in',
    })
  })
})

describe('tenants', () => {
  test('do not see the keys of each other', async () => {
    const [ada, bob] = [await signIn('ada'), await signIn('bob')]
    const { record } = await createKey(ada, 'of acme')
    expect((await keysOf(ada)).map(({ id }) => id)).toContain(record.id)
    expect(await keysOf(bob)).toEqual([])
    for (const path of [`keys/${record.id}`, `keys/${record.id}/usage`]) {
      expect(await call(bob, path)).toMatchObject({ status: 404, body: { error: 'not_found' } })
    }
    expect(await call(bob, `keys/${record.id}/revoke`, {})).toMatchObject({ status: 404 })
    const trailOf = async (browser: Browser) => ((await call(browser, 'audit')).body as AuditJson).entries
    expect((await trailOf(ada))[0]).toMatchObject({ action: 'create', keyId: record.id, actor: 'ada' })
    expect(await trailOf(bob)).toEqual([])
    expect((await call(ada, `keys/${record.id}`)).body).toMatchObject({ state: 'active' })
  })

  test('begin with samples, which say so, or with nothing', async () => {
    const names = (await keysOf(await signIn('ada')))
      .filter(({ createdBy }) => createdBy !== 'ada')
      .map(({ name }) => name)
    expect(names).toContain('Demo key')
    const samples = (await keysOf(await signIn('ada'))).filter(({ name }) => name?.startsWith('Sample: '))
    expect(samples.map(({ state }) => state).sort()).toEqual([
      'active',
      'active',
      'active',
      'active',
      'revoked',
      'superseded',
    ])
  })
})

describe('signing in', () => {
  test('goes by the code flow with PKCE, state and nonce', async () => {
    const answer = await fetch(`${dashboard}/sign-in`, { redirect: 'manual' })
    const { origin, pathname, searchParams } = new URL(answer.headers.get('location') as string)
    expect(origin + pathname).toBe(`${demo.issuer}/oauth/authorize`)
    expect(Object.fromEntries(searchParams)).toEqual({
      client_id: 'dashboard',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: `${dashboard}/callback`,
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    })
  })

  test('gives a cookie of its own that no script reads, with another value each time', async () => {
    const browser = await signIn('ada')
    const first = browser.cookies.get(cookie)
    const [line] = browser.cookieLines.filter((line) => line.startsWith(`${cookie}=`))
    expect(line).toMatch(/; HttpOnly/)
    expect(line).toMatch(/; SameSite=Lax/)
    await signIn('bob', browser, `${dashboard}/sign-in`)
    expect(browser.cookies.get(cookie)).not.toBe(first)
    // Who knows the first one is nobody now.
    browser.cookies.set(cookie, first as string)
    expect(await call(browser, 'session')).toMatchObject({ status: 401 })
  })

  test.each(['', '/settings', '/settings/api-keys/?a=b'])('leads back to %j', async (path) => {
    const browser = await signIn('ada', openBrowser(), `${dashboard}/sign-in?return_to=${encodeURIComponent(path)}`)
    expect(browser.at().href).toBe(new URL(path, dashboard).href)
  })

  test.each([
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    '\\\\evil.example',
    '/.//evil.example/',
    '/\t/evil.example/',
    'javascript:alert(1)',
    'http://127.0.0.1:1/',
    'data:text/html,x',
    'http://[',
  ])('leads to no other place for return_to=%j', async (returnTo) => {
    const url = `${dashboard}/sign-in?return_to=${encodeURIComponent(returnTo)}`
    const browser = await signIn('ada', openBrowser(), url)
    expect(browser.at().origin).toBe(dashboard)
  })

  test('counts in the browser that began, and once', async () => {
    const begun = await fetch(`${dashboard}/sign-in`, { redirect: 'manual' })
    const address = begun.headers.get('location') as string
    const [, name, ticket] = /^(\w+_sign_in_[^=]+)=([^;]+)/.exec(begun.headers.get('set-cookie') ?? '') ?? []
    const signedIn: boolean[] = []
    for (const given of ['', ticket, ticket]) {
      const browser = openBrowser()
      browser.cookies.set(name as string, given as string)
      // The authorization server gives a code each time.
      await browser.answer((await browser.go(address)).html, { account: 'ada' })
      signedIn.push(browser.cookies.has(cookie))
    }
    expect(signedIn).toEqual([false, true, false])
  })

  test('goes on in two tabs of a browser at once', async () => {
    const browser = openBrowser()
    const first = (await browser.go(`${dashboard}/sign-in`)).html
    const firstAt = browser.at()
    // A real browser keeps these apart by their paths; this one knows none.
    const ofFirst = [...browser.cookies].filter(([name]) => name.startsWith('_interaction'))
    const second = (await browser.go(`${dashboard}/sign-in?return_to=/settings`)).html
    await browser.answer(second, { account: 'ada' })
    expect(browser.at().href).toBe(`${dashboard}/settings`)
    expect(ticketsOf(browser)).toHaveLength(1)
    for (const [name, value] of ofFirst) browser.cookies.set(name, value)
    await browser.go(firstAt)
    await browser.answer(first, { account: 'ada' })
    expect(browser.at().href).toBe(`${dashboard}/`)
    expect(ticketsOf(browser)).toEqual([])
  })

  test('leaves no more than five tickets in a browser', async () => {
    const browser = openBrowser()
    for (let i = 0; i < 8; i++) await browser.go(`${dashboard}/sign-in`)
    expect(ticketsOf(browser)).toHaveLength(5)
    const { html } = await browser.go(`${dashboard}/sign-in`)
    await browser.answer(html, { account: 'ada' })
    expect(browser.cookies.has(cookie)).toBe(true)
  })

  test.each(['/sign-in', '/callback', '/callback?code=x', '/Sign-In/'])(
    'does not begin again for return_to=%j',
    async (path) => {
      const url = `${dashboard}/sign-in?return_to=${encodeURIComponent(path)}`
      const browser = await signIn('ada', openBrowser(), url)
      expect(browser.at().href).toBe(`${dashboard}/`)
    },
  )

  test('holds beside a cookie of the same name that somebody else has set', async () => {
    const id = (await signIn('ada')).cookies.get(cookie)
    const response = await fetch(`${demo.console}/api/session`, {
      headers: { cookie: `${cookie}=of-another; ${cookie}=${id}`, 'sec-fetch-site': 'same-origin' },
    })
    expect(response.status).toBe(200)
  })

  test('in another demo of this host leaves the session of this one', async () => {
    const browser = await signIn('ada')
    const other = await startDemo({ interactive: false })
    try {
      await signIn('bob', browser, other.console)
      expect(await call(browser, 'session')).toMatchObject({ status: 200, body: { actor: 'ada' } })
    } finally {
      await other.close()
    }
  })

  test('can be cancelled', async () => {
    const browser = openBrowser()
    const { html } = await browser.go(`${dashboard}/sign-in`)
    const shown = await browser.answer(html, { decision: 'deny' })
    expect(browser.at().searchParams.get('error')).toBe('access_denied')
    expect([shown.status, browser.cookies.has(cookie)]).toEqual([400, false])
    expect(shown.html).toContain('You are not signed in')
  })

  test('is at one address, where the cookies are', async () => {
    const { port } = new URL(dashboard)
    const browser = openBrowser()
    await browser.go(`http://localhost:${port}/settings`)
    expect(browser.at().origin).toBe(demo.issuer)
    await browser.go(`http://localhost:${port}/`)
    expect(browser.at().href).toBe(`${dashboard}/`)
    const posted = await fetch(`http://localhost:${port}/sign-out`, { method: 'POST', redirect: 'manual' })
    expect(posted.status).toBe(421)
  })
})

describe('signing out', () => {
  test('ends the session, also for whoever has kept its cookie', async () => {
    const browser = await signIn('ada')
    const id = browser.cookies.get(cookie) as string
    const headers = { 'sec-fetch-site': 'same-origin' }
    const { html } = await browser.go(`${dashboard}/sign-out`, { method: 'POST', headers })
    expect(browser.at().href).toBe(`${dashboard}/`)
    expect(html).not.toContain('Signed in')
    expect(browser.cookies.has(cookie)).toBe(false)
    browser.cookies.set(cookie, id)
    expect(await call(browser, 'keys')).toMatchObject({ status: 401, body: { error: 'unauthenticated' } })
  })

  test.each([
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'http://127.0.0.1:1' },
    { origin: 'null' },
    {},
  ])('is not for a page on another port or host: %j', async (headers) => {
    const browser = await signIn('ada')
    const { status } = await browser.go(`${dashboard}/sign-out`, {
      method: 'POST',
      headers: headers as Record<string, string>,
    })
    expect(status).toBe(403)
    expect(await call(browser, 'session')).toMatchObject({ status: 200 })
  })
})

test('the pages of the dashboard permit no script, frame or outside resource', async () => {
  for (const browser of [openBrowser(), await signIn('ada')]) {
    const { headers, html } = await browser.go(dashboard)
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    )
    expect(headers.get('cache-control')).toBe('no-store')
    expect(html).not.toContain('<script')
  }
})
