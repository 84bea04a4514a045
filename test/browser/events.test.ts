import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeyring, type Keyring } from 'vantage-auth'
import { sqliteKeyStore } from 'vantage-auth/sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'
import { rowOf } from './support/steps.js'

const OWNER = { subject: 'ada', tenant: 'acme', scopes: ['jobs:read'] } as const

describe.skipIf(!chromiumIsThere())('changes that others make', () => {
  const browser = useBrowser()
  let folder: string
  let dashboard: Dashboard
  /** Others who use the store: by a connection of their own. */
  let others: Keyring
  let keyring: Keyring
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vantage-browser-'))
    const store = `sqlite:${join(folder, 'keys.db')}`
    keyring = createKeyring(store)
    others = createKeyring(sqliteKeyStore({ path: join(folder, 'keys.db') }))
    dashboard = await startDashboard({ keyring })
  })
  afterEach(async () => {
    await dashboard.close()
    await keyring.close()
    await others.close()
    await rm(folder, { recursive: true, force: true })
  })

  test('are seen in every tab, by one stream of the browser, which passes to another tab', async () => {
    const first = await browser.open()
    await signIn(first, dashboard.url)
    const second = await browser.openTab(first)
    await second.goto(dashboard.url)
    const third = await browser.openTab(first)
    await third.goto(dashboard.url)
    await third.getByRole('heading', { name: 'API Keys', level: 1 }).waitFor()
    await expect.poll(() => dashboard.streams()).toBe(1)

    await others.create({ ...OWNER, name: 'Made elsewhere' })
    for (const page of [first, second, third]) {
      await page.bringToFront()
      await rowOf(page, 'Made elsewhere').waitFor()
    }
    expect(dashboard.streams()).toBe(1)

    await first.close()
    await second.bringToFront()
    await expect.poll(() => dashboard.streams()).toBe(1)
    const { record } = await others.create({ ...OWNER, name: 'Made later' })
    await rowOf(second, 'Made later').waitFor()
    await others.revoke(record.id)
    await rowOf(second, 'Made later').getByRole('cell', { name: 'Revoked' }).waitFor()
  })

  test.each(['revoke', 'rotate'])('reach the form to %s a key', async (form) => {
    const { record } = await others.create({ ...OWNER, name: 'Made elsewhere' })
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await page.goto(`${dashboard.url}#/keys/${record.id}/${form}`)
    await page.getByRole('button', { name: /^(Revoke|Rotate) key$/ }).waitFor()
    await others.revoke(record.id)
    await page.getByText(form === 'revoke' ? 'This key is revoked.' : 'This key cannot be rotated').waitFor()
  })

  test('are caught up with after the stream was cut', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await expect.poll(() => dashboard.streams()).toBe(1)
    dashboard.cutStreams()
    await expect.poll(() => dashboard.streams()).toBe(0)
    await others.create({ ...OWNER, name: 'Meanwhile' })
    await rowOf(page, 'Meanwhile').waitFor()
    await expect.poll(() => dashboard.streams()).toBe(1)
  })

  test('change the view of a key that somebody looks at, which says so', async () => {
    const { record } = await others.create({ ...OWNER, name: 'Watched' })
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await page.goto(`${dashboard.url}#/keys/${record.id}`)
    await page.getByRole('heading', { name: 'Watched' }).waitFor()
    await others.revoke(record.id, { actor: 'bob', reason: 'leaked' })
    await page.getByRole('status').filter({ hasText: 'The state of this key has just changed: Revoked.' }).waitFor()
    await page.getByRole('listitem').filter({ hasText: 'bob revoked' }).waitFor()
    expect(await page.getByRole('button', { name: 'Rotate' }).count()).toBe(0)
  })
})
