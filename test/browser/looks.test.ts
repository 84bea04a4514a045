import { createKeyring, memoryKeyStore } from 'vantage-auth'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'

const LONG = 'W'.repeat(256)

describe.skipIf(!chromiumIsThere())('how the page looks', () => {
  const browser = useBrowser()
  let dashboard: Dashboard
  let id: string
  beforeEach(async () => {
    const keyring = createKeyring(memoryKeyStore())
    dashboard = await startDashboard({ keyring })
    const created = await keyring.create({
      subject: LONG,
      tenant: 'acme',
      name: LONG,
      scopes: ['jobs:read'],
      actor: LONG,
    })
    id = created.record.id
  })
  afterEach(() => dashboard.close())

  test.each([360, 1280])('no view scrolls sideways for a long name, %i pixels wide', async (width) => {
    const page = await browser.open({ viewport: { width, height: 800 } })
    await signIn(page, dashboard.url)
    for (const view of ['', 'new', `keys/${id}`, `keys/${id}/rotate`, `keys/${id}/revoke`, 'audit', 'usage']) {
      await page.goto(`${dashboard.url}#/${view}`)
      await page.waitForLoadState('networkidle', { timeout: 500 }).catch(() => undefined)
      const beyond = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
      expect([view, beyond]).toEqual([view, 0])
    }
  })

  test('whoever sees all tenants is told whose a key is', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url, 'operator')
    await page.getByRole('columnheader', { name: 'Tenant' }).waitFor()
    await page.getByRole('cell', { name: 'acme', exact: true }).waitFor()
    await page.goto(`${dashboard.url}#/keys/${id}/revoke`)
    await page.getByText('Tenant: acme').waitFor()
    await page.goto(`${dashboard.url}#/audit`)
    await page.getByText('Tenant: acme').waitFor()
  })

  test('Revoke key says why it is off, and Back does not lead to the form that has ended', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await page.goto(`${dashboard.url}#/usage`)
    await page.goto(`${dashboard.url}#/keys/${id}/revoke`)
    const button = page.getByRole('button', { name: 'Revoke key' })
    await page.getByText('First type the name').waitFor()
    expect(await button.getAttribute('aria-describedby')).toBe('revoke-hint')
    await page.getByRole('textbox', { name: 'Type the name' }).fill(id.slice(-4))
    await button.click()
    await page.getByText('Revoked', { exact: true }).first().waitFor()
    await page.goBack()
    await page.getByRole('heading', { name: 'Usage', level: 1 }).waitFor()
  })
})
