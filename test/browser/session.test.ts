import { createKeyring, memoryKeyStore } from 'vantage-auth'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'
import { fillIn, generateKey, haveStored, shownKey, storedIn } from './support/steps.js'

describe.skipIf(!chromiumIsThere())('a session that ends', () => {
  const browser = useBrowser()
  let dashboard: Dashboard
  beforeEach(async () => {
    dashboard = await startDashboard({ keyring: createKeyring(memoryKeyStore()) })
  })
  afterEach(() => dashboard.close())

  test('in the middle of Generate: what was entered is there after signing in again', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await page.getByRole('button', { name: 'Generate New Key' }).click()
    await fillIn(page, { name: 'Nightly export', scopes: ['jobs:read', 'storage:write'] })
    await page.getByRole('combobox', { name: 'Environment' }).selectOption('Test')
    dashboard.endSessions()
    await page.getByRole('button', { name: 'Generate key' }).click()

    await page.getByRole('alert').filter({ hasText: 'Your session has ended' }).waitFor()
    expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('Nightly export')
    await page.getByRole('link', { name: 'Sign in again' }).click()
    await page.getByRole('link', { name: 'ada', exact: true }).click()

    await page.getByRole('heading', { name: 'Generate New Key' }).waitFor()
    expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('Nightly export')
    expect(await page.getByRole('checkbox', { checked: true }).count()).toBe(2)
    await page.getByRole('button', { name: 'Generate key' }).click()
    expect(await shownKey(page)).toMatch(/^vak_test_/)
  })

  test('in the middle of Generate: another person who signs in finds an empty form', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await page.getByRole('button', { name: 'Generate New Key' }).click()
    await fillIn(page, { name: 'A secret project', scopes: ['jobs:read'] })
    dashboard.endSessions()
    await page.getByRole('button', { name: 'Generate key' }).click()
    await page.getByRole('link', { name: 'Sign in again' }).click()
    await page.getByRole('link', { name: 'bob', exact: true }).click()

    await page.getByRole('heading', { name: 'Generate New Key' }).waitFor()
    expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('')
    expect(await storedIn(page)).not.toContain('A secret project')
  })

  test('while a new key is shown: the key is nowhere else, and does not come back', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    const key = await generateKey(page, { name: 'Shown once' })
    expect(await storedIn(page)).not.toContain(key)
    dashboard.endSessions()
    await haveStored(page)

    await page.getByRole('link', { name: 'Sign in again' }).click()
    await page.getByRole('link', { name: 'ada', exact: true }).click()
    await page.getByRole('link', { name: 'Shown once' }).waitFor()
    for (let step = 0; step < 4; step++) {
      expect(await page.content()).not.toContain(key)
      expect(await storedIn(page)).not.toContain(key)
      await page.goBack()
      await page.getByRole('heading').or(page.getByRole('list')).first().waitFor()
    }
  })

  test('somebody who signs in in another tab goes on here', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    dashboard.endSessions()
    await page.getByRole('link', { name: 'Usage' }).click()
    await page.getByRole('alert').filter({ hasText: 'Your session has ended' }).waitFor()
    const other = await browser.openTab(page)
    await signIn(other, dashboard.url)
    await other.close()
    await page.bringToFront()
    await page.evaluate(`dispatchEvent(new Event('focus'))`)
    await page.getByRole('alert').filter({ hasText: 'Your session has ended' }).waitFor({ state: 'detached' })
    await page.getByRole('heading', { name: 'All keys' }).waitFor()
  })
})
