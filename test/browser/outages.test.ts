import { createKeyring, type Keyring, memoryKeyStore } from 'vantage-auth'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'
import { type LossyProxy, startLossyProxy } from './support/lossy-proxy.js'
import { fillIn, generateKey, haveStored, rowOf } from './support/steps.js'

describe.skipIf(!chromiumIsThere() || !postgresIsThere())('a key store that goes and comes back', () => {
  const browser = useBrowser()
  let postgres: PostgresServer
  let keyring: Keyring
  let dashboard: Dashboard
  beforeAll(async () => {
    postgres = await startPostgres()
    keyring = createKeyring(postgres.url('postgres'))
    dashboard = await startDashboard({ keyring, timeoutMs: 1000 })
  })
  afterAll(async () => {
    await dashboard?.close()
    await keyring?.close()
    await postgres?.stop()
  })

  test('the page says so, keeps what it shows, and comes back by itself', async () => {
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await generateKey(page, { name: 'Before' })
    await haveStored(page)
    await rowOf(page, 'Before').waitFor()

    await postgres.halt()
    await page.getByRole('button', { name: 'Generate New Key' }).click()
    await fillIn(page, { name: 'Meanwhile', scopes: ['jobs:read'] })
    await page.getByRole('link', { name: 'Usage' }).click()
    await page.getByRole('alert').filter({ hasText: 'The key store cannot be reached' }).waitFor()
    await page.getByRole('button', { name: 'Try again' }).waitFor()
    await page.getByRole('link', { name: 'Keys', exact: true }).click()
    await page.getByRole('alert').filter({ hasText: 'The key store cannot be reached' }).waitFor()

    await postgres.start()
    await rowOf(page, 'Before').waitFor({ timeout: 60_000 })
    expect(await page.getByRole('alert').count()).toBe(0)
  }, 120_000)
})

describe.skipIf(!chromiumIsThere())('a network that fails', () => {
  const browser = useBrowser()
  let keyring: Keyring
  let dashboard: Dashboard
  let proxy: LossyProxy
  const start = async () => {
    keyring = createKeyring(memoryKeyStore())
    dashboard = await startDashboard({ keyring })
    proxy = await startLossyProxy(dashboard.port)
  }
  afterEach(async () => {
    await proxy.close()
    await dashboard.close()
  })

  test('offline: the page says so at once, and goes on when the network is back', async () => {
    await start()
    const page = await browser.open()
    await signIn(page, dashboard.url)
    await page.context().setOffline(true)
    await page.getByRole('alert').filter({ hasText: 'You are offline' }).waitFor()
    await page.getByRole('link', { name: 'Audit' }).click()
    await page.getByRole('heading', { name: 'Audit', level: 1 }).waitFor()
    expect(await page.getByRole('alert').count()).toBe(1)
    await page.context().setOffline(false)
    await page.getByText('Nothing was done so far.').waitFor()
    expect(await page.getByRole('alert').count()).toBe(0)
  })

  test('the answer to Generate is lost: the page finds the key that nobody has seen, and revokes it', async () => {
    await start()
    await keyring.create({ subject: 'ada', tenant: 'acme', name: 'Another', scopes: ['jobs:read'] })
    const page = await browser.open()
    await signIn(page, dashboard.url.replace(`:${dashboard.port}`, `:${proxy.port}`))
    await page.getByRole('button', { name: 'Generate New Key' }).click()
    await fillIn(page, { name: 'Nightly export', scopes: ['jobs:read'] })
    proxy.loseNextAnswerTo('POST ')
    await page.getByRole('button', { name: 'Generate key' }).click()

    const lost = page.getByRole('region', { name: 'The answer was lost' })
    await lost.getByText('This key may be the one.').waitFor()
    expect(await lost.getByRole('listitem').count()).toBe(1)
    const [made] = (await keyring.list({ tenant: 'acme' })).keys
    expect(made).toMatchObject({ name: 'Nightly export', state: 'active' })
    expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('Nightly export')
    await lost.getByRole('button', { name: `Revoke ${made?.hint}` }).click()
    await lost.getByText('No such key is there.').waitFor()
    expect(await keyring.get(made?.id as string)).toMatchObject({ state: 'revoked', revokedBy: 'ada' })

    await page.getByRole('button', { name: 'Generate key' }).click()
    await page.getByRole('heading', { name: 'Your new API key' }).waitFor()
  })

  test('Generate that the browser sends twice by itself makes one key, and the page says that the answer is lost', async () => {
    await start()
    const page = await browser.open()
    await signIn(page, dashboard.url.replace(`:${dashboard.port}`, `:${proxy.port}`))
    await page.getByRole('button', { name: 'Generate New Key' }).click()
    await fillIn(page, { name: 'Nightly export', scopes: ['jobs:read'] })
    proxy.loseNextAnswerTo('POST ', 'nothing')
    await page.getByRole('button', { name: 'Generate key' }).click()

    await page.getByRole('region', { name: 'The answer was lost' }).getByText('This key may be the one.').waitFor()
    const posts = dashboard.served.filter(({ request }) => request.startsWith('POST'))
    expect(posts.map(({ status }) => status)).toEqual([201, 409])
    expect((await keyring.list({ tenant: 'acme' })).keys).toHaveLength(1)
  })

  test('the answer to Rotate is lost: the page says that there is a key that nobody has seen', async () => {
    await start()
    const { record } = await keyring.create({
      subject: 'ada',
      tenant: 'acme',
      name: 'Nightly export',
      scopes: ['jobs:read'],
    })
    const page = await browser.open()
    await signIn(page, dashboard.url.replace(`:${dashboard.port}`, `:${proxy.port}`))
    await page.goto(`${page.url().split('#')[0]}#/keys/${record.id}/rotate`)
    proxy.loseNextAnswerTo('POST ')
    await page.getByRole('button', { name: 'Rotate key' }).click()
    await page.getByRole('alert').filter({ hasText: 'The answer was lost.' }).waitFor()
    await page.getByRole('link', { name: 'Revoke the new key' }).click()
    await page.getByRole('heading', { name: 'Revoke key' }).waitFor()
    const { replacedBy } = (await keyring.get(record.id)) ?? {}
    await page.getByRole('textbox', { name: 'Type the name to confirm' }).fill('Nightly export')
    await page.getByRole('button', { name: 'Revoke key' }).click()
    await expect.poll(async () => (await keyring.get(replacedBy as string))?.state).toBe('revoked')
  })
})
