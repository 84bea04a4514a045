import type { Page } from 'playwright-core'
import { createKeyring, type Keyring, memoryKeyStore } from 'vantage-auth'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'
import { fillIn, generateKey, haveStored, rowOf, shownKey } from './support/steps.js'

/** Holds back what is sent to make a key, until it is let go. */
async function holdBack(page: Page): Promise<() => void> {
  let letGo = () => {}
  const gone = new Promise<void>((resolve) => {
    letGo = resolve
  })
  await page.route('**/api/keys{,/*/rotate}', async (route) => {
    if (route.request().method() === 'POST') await gone
    await route.continue()
  })
  return letGo
}

describe.skipIf(!chromiumIsThere())('a key that is being made', () => {
  const browser = useBrowser()
  let keyring: Keyring
  let dashboard: Dashboard
  beforeEach(async () => {
    keyring = createKeyring(memoryKeyStore())
    dashboard = await startDashboard({ keyring })
  })
  afterEach(() => dashboard.close())

  test.each(['Cancel', 'the link to the list', 'Back'])(
    'Generate: %s asks first, and the key is shown',
    async (way) => {
      const page = await browser.open()
      await signIn(page, dashboard.url)
      const letGo = await holdBack(page)
      await page.getByRole('button', { name: 'Generate New Key' }).click()
      await fillIn(page, { name: 'Nightly export', scopes: ['jobs:read'] })
      await page.getByRole('button', { name: 'Generate key' }).click()
      await page.getByText('Generating the key…').waitFor()
      if (way === 'Cancel') await page.getByRole('button', { name: 'Cancel' }).click()
      else if (way === 'Back') await page.evaluate('history.back()')
      else await page.getByRole('link', { name: 'Keys', exact: true }).click()
      await page.getByRole('alertdialog', { name: 'Leave while the key is made?' }).waitFor()
      letGo()
      expect(await shownKey(page)).toMatch(/^vak_live_/)
      expect(await page.getByRole('alertdialog').count()).toBe(0)
      await haveStored(page)
      await rowOf(page, 'Nightly export').waitFor()
    },
  )

  test('Rotate: the event of the rotation does not take the place of its answer', async () => {
    const { record } = await keyring.create({ subject: 'ada', tenant: 'acme', name: 'Old', scopes: ['jobs:read'] })
    const page = await browser.open()
    await signIn(page, dashboard.url)
    const letGo = await holdBack(page)
    await page.goto(`${dashboard.url}#/keys/${record.id}/rotate`)
    await page.getByRole('button', { name: 'Rotate key' }).click()
    await page.getByRole('link', { name: 'Cancel' }).click()
    const question = page.getByRole('alertdialog', { name: 'Leave while the key is made?' })
    await question.getByRole('button', { name: 'Stay here' }).click()
    letGo()
    expect(await shownKey(page)).toMatch(/^vak_live_/)
  })

  test('an answer that was lost: a key that is written late is found', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await page.route('**/api/keys', (route) =>
      route.request().method() === 'POST' ? route.abort('connectionreset') : route.continue(),
    )
    await page.getByRole('button', { name: 'Generate New Key' }).click()
    await fillIn(page, { name: 'Nightly export', scopes: ['jobs:read'] })
    await page.getByRole('button', { name: 'Generate key' }).click()
    const lost = page.getByRole('region', { name: 'The answer was lost' })
    await lost.getByText('Still looking').waitFor()
    expect(await lost.getByText('You can try again').count()).toBe(0)
    await keyring.create({ subject: 'ada', tenant: 'acme', name: 'Nightly export', scopes: ['jobs:read'] })
    await lost.getByText('This key may be the one.').waitFor()
  })

  test('a key that is shown stays through another spelling of its address, and a pasted key leaves the history', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    const key = await generateKey(page, { name: 'Nightly export' })
    await page.evaluate('location.hash = "new"')
    expect(await shownKey(page)).toBe(key)
    expect(await page.getByRole('alertdialog').count()).toBe(0)
    await page.evaluate(`location.hash = ${JSON.stringify(key)}`)
    await page.getByRole('alertdialog', { name: 'Leave without storing the key?' }).waitFor()
    expect(page.url()).toBe(`${dashboard.url}#/new`)
    await page.getByRole('button', { name: 'Stay here' }).click()
    await haveStored(page)
    await page.getByRole('heading', { name: 'API Keys', level: 1 }).waitFor()
    await page.evaluate('history.go(-2)')
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor()
    expect(page.url()).not.toContain('vak_')
  })
})

describe.skipIf(!chromiumIsThere())('somebody else signs in in another tab', () => {
  const browser = useBrowser()
  let keyring: Keyring
  let dashboard: Dashboard
  beforeEach(async () => {
    keyring = createKeyring(memoryKeyStore())
    dashboard = await startDashboard({ keyring })
  })
  afterEach(() => dashboard.close())

  const signInAsBob = async (page: Page) => {
    const other = await browser.openTab(page)
    await other.goto(`${new URL(dashboard.url).origin}/signed-in?name=bob&return_to=/sign-in`)
  }

  test('no key is made as that person, and the page begins anew for them', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await page.getByRole('button', { name: 'Generate New Key' }).click()
    await fillIn(page, { name: 'Key of ada', scopes: ['jobs:read'] })
    await signInAsBob(page)
    await page.getByRole('button', { name: 'Generate key' }).click()
    await page.getByText('Somebody else has signed in in this browser.').waitFor()
    await page.getByRole('banner').getByText('bob', { exact: true }).waitFor()
    expect((await keyring.list()).keys).toEqual([])
    expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('')
  })

  test('a key that is shown stays until it is stored', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    const key = await generateKey(page, { name: 'Key of ada' })
    await signInAsBob(page)
    await page.evaluate('dispatchEvent(new Event("focus"))')
    await page.waitForTimeout(500)
    expect(await shownKey(page)).toBe(key)
    await haveStored(page)
    await page.getByRole('banner').getByText('bob', { exact: true }).waitFor()
    await page.getByRole('heading', { name: 'No API keys yet' }).waitFor()
  })
})
