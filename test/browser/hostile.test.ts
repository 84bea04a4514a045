import type { Frame, Page } from 'playwright-core'
import { createKeyring, type KeyRecord, type Keyring, memoryKeyStore } from 'vantage-auth'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { listen } from '../support/frameworks.js'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'
import { generateKey, haveStored, openKey, rowOf, shownKey } from './support/steps.js'

describe.skipIf(!chromiumIsThere())('markup in what people enter', () => {
  const browser = useBrowser()
  let keyring: Keyring
  let dashboard: Dashboard
  beforeEach(async () => {
    keyring = createKeyring(memoryKeyStore())
    dashboard = await startDashboard({ keyring })
  })
  afterEach(() => dashboard.close())

  const HOSTILE = `<img src=x onerror="document.title='run'">`

  test('is text in every view, and nothing of it runs', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await generateKey(page, { name: HOSTILE })
    await page.getByText(HOSTILE).waitFor()
    await haveStored(page)
    await rowOf(page, HOSTILE).waitFor()
    await openKey(page, HOSTILE)
    await page.getByRole('listitem').filter({ hasText: 'ada created' }).waitFor()
    await page.getByRole('button', { name: 'Rotate' }).click()
    await page.getByText(HOSTILE).first().waitFor()
    await page.getByRole('button', { name: 'Rotate key' }).click()
    await shownKey(page)
    await page.getByText(HOSTILE).waitFor()
    await haveStored(page)
    await page.getByRole('heading', { name: 'Which of the two keys is used' }).waitFor()

    await page.getByRole('link', { name: 'Keys', exact: true }).click()
    await page.getByRole('searchbox', { name: 'Search keys' }).fill('<img')
    await expect.poll(() => rowOf(page, HOSTILE).count()).toBe(2)
    await page.getByRole('link', { name: HOSTILE }).first().click()
    await page.getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('textbox', { name: 'Type the name to confirm' }).fill(HOSTILE)
    await page.getByRole('textbox', { name: 'Reason' }).fill(HOSTILE)
    await page.getByRole('button', { name: 'Revoke key' }).click()
    await page.getByText(HOSTILE).nth(2).waitFor()
    await page.getByRole('link', { name: 'Audit' }).click()
    await page.getByRole('listitem').filter({ hasText: 'ada revoked' }).getByText(HOSTILE).first().waitFor()
    expect(await page.title()).toBe('Audit')
    expect(
      await page
        .getByRole('img', { name: /.*/ })
        .locator('visible=true')
        .evaluateAll((found) => found.filter(({ tagName }: { tagName: string }) => tagName === 'IMG').length),
    ).toBe(0)
  })
})

const EVIL_HTML = '<!doctype html><title>Another page</title><h1>Another page</h1>'

/** Ways of another page to send a request with the cookies of the person who looks at it. */
const ATTEMPTS: readonly { readonly name: string; run(page: Page, url: string, body: string): Promise<unknown> }[] = [
  {
    name: 'a form',
    run: (page, url) => submitForm(page, url, 'application/x-www-form-urlencoded', 'reason', 'x'),
  },
  {
    name: 'a form whose text is JSON',
    run: (page, url, body) => submitForm(page, url, 'text/plain', `${body.slice(0, -1)}, "x": "`, '"}'),
  },
  {
    name: 'fetch without an answer',
    run: (page, url, body) => fetchFrom(page, url, { body, mode: 'no-cors', credentials: 'include' }),
  },
  {
    name: 'fetch of JSON',
    run: (page, url, body) =>
      fetchFrom(page, url, { body, credentials: 'include', headers: { 'content-type': 'application/json' } }),
  },
  {
    name: 'a beacon',
    run: (page, url, body) => page.evaluate(`navigator.sendBeacon(${JSON.stringify(url)}, ${JSON.stringify(body)})`),
  },
]

async function submitForm(page: Page, url: string, type: string, name: string, value: string): Promise<void> {
  await page.evaluate(`{
    const form = document.createElement('form')
    Object.assign(form, { method: 'post', action: ${JSON.stringify(url)}, enctype: ${JSON.stringify(type)} })
    const input = document.createElement('input')
    Object.assign(input, { name: ${JSON.stringify(name)}, value: ${JSON.stringify(value)} })
    form.append(input)
    document.body.append(form)
    form.submit()
  }`)
  await page.waitForURL(({ href }) => href === url || href.includes('/sign-in?'))
}

/** @returns the status, or `refused` where the page is not told */
async function fetchFrom(page: Page, url: string, init: RequestInit): Promise<unknown> {
  return page.evaluate(
    ([url, init]) =>
      fetch(url, { method: 'POST', ...init }).then(
        ({ status }) => status || 'refused',
        () => 'refused',
      ),
    [url, init as Record<string, string>] as const,
  )
}

describe.skipIf(!chromiumIsThere())('a page of somebody else, seen by a person who is signed in', () => {
  const browser = useBrowser()
  let keyring: Keyring
  let dashboard: Dashboard
  let evil: Awaited<ReturnType<typeof listen>>
  let record: KeyRecord
  /** The address that the person knows: a name, so that there can be other sites. Names below localhost are this machine. */
  let url: string
  beforeEach(async () => {
    keyring = createKeyring(memoryKeyStore())
    ;({ record } = await keyring.create({ subject: 'ada', tenant: 'acme', name: 'Precious', scopes: ['jobs:read'] }))
    dashboard = await startDashboard({ keyring })
    url = dashboard.url.replace('127.0.0.1', 'console.localhost')
    evil = await listen((_req, res) => void res.setHeader('content-type', 'text/html').end(EVIL_HTML))
  })
  afterEach(async () => {
    await evil.close()
    await dashboard.close()
  })

  const PLACES = [
    { name: 'another site', host: 'evil.localhost', sendsCookies: false },
    { name: 'another host of the same site', host: 'blog.console.localhost', sendsCookies: true },
    { name: 'another port of the same host', host: 'console.localhost', sendsCookies: true },
  ] as const

  for (const { name, host, sendsCookies } of PLACES) {
    test(`${name}: whatever it posts, nothing changes`, async () => {
      const page = await browser.open()
      await signIn(page, url)
      const foreign = await page.context().newPage()
      let signedIn = 0
      for (const { run } of ATTEMPTS) {
        for (const [path, body] of [
          ['api/keys', '{"scopes":["jobs:read"]}'],
          [`api/keys/${record.id}/rotate`, '{"overlap":"0s"}'],
          [`api/keys/${record.id}/revoke`, '{"reason":"x"}'],
        ] as const) {
          await foreign.goto(`http://${host}:${evil.port}/`)
          const before = dashboard.served.length
          expect(await run(foreign, url + path, body)).not.toBe(200)
          await expect.poll(() => dashboard.served.length).toBeGreaterThan(before)
          const posted = dashboard.served.slice(before).filter(({ request }) => !request.startsWith('GET'))
          signedIn += posted.filter((answer) => answer.signedIn).length
          // 303: a form is a navigation, and who sends it without a cookie is sent to sign in.
          for (const { status, signedIn } of posted) expect(signedIn ? [403] : [303, 401]).toContain(status)
        }
      }
      // Otherwise nothing was attacked: the cookie is SameSite=Lax, which stops other sites alone.
      expect(signedIn > 0).toBe(sendsCookies)
      expect((await keyring.list()).keys).toEqual([record])
    })
  }

  test('shows nothing of the console in a frame, also on the same host', async () => {
    const page = await browser.open()
    await signIn(page, url)
    for (const { host, sendsCookies } of PLACES) {
      const foreign = await page.context().newPage()
      await foreign.goto(`http://${host}:${evil.port}/`)
      await foreign.evaluate(`{
        const frame = document.createElement('iframe')
        frame.src = ${JSON.stringify(url)}
        document.body.append(frame)
      }`)
      const framed = (): Frame | undefined => foreign.frames()[1]
      // Without its cookie the console sends to the sign-in, whose own headers decide about frames.
      await expect.poll(() => framed()?.url()).toMatch(sendsCookies ? /^chrome-error:/ : /\/sign-in\?/)
      expect(await framed()?.getByRole('heading', { name: 'API Keys' }).count()).toBe(0)
      await foreign.close()
    }
  })

  test('reads nothing of the API: not as a script, an image, or a window that it opened', async () => {
    const page = await browser.open()
    await signIn(page, url)
    const foreign = await page.context().newPage()
    await foreign.goto(`http://console.localhost:${evil.port}/`)
    const read = await foreign.evaluate(
      (url) =>
        fetch(url, { credentials: 'include' }).then(
          (answer) => answer.text(),
          () => 'refused',
        ),
      `${url}api/keys`,
    )
    expect(read).toBe('refused')
    for (const element of ['script', 'img', 'link']) {
      const event = await foreign.evaluate(`new Promise((resolve) => {
        const element = document.createElement('${element}')
        element.onload = () => resolve('load')
        element.onerror = () => resolve('error')
        if ('rel' in element) element.rel = 'stylesheet'
        element[element.href === undefined ? 'src' : 'href'] = ${JSON.stringify(`${url}api/keys`)}
        document.head.append(element)
      })`)
      expect(event, element).toBe('error')
    }
    const opening = page.context().waitForEvent('page')
    await foreign.evaluate(`globalThis.opened = open(${JSON.stringify(url)})`)
    const opened = await opening
    await opened.getByRole('heading', { name: 'API Keys' }).waitFor()
    expect(await foreign.evaluate('opened.closed')).toBe(true)
    expect(await opened.evaluate('opener')).toBe(null)
  })
})
