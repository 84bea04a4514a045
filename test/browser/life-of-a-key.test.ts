import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeyring, type Keyring } from 'vantage-auth'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { until } from '../support/until.js'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'
import { type Service, startService } from './support/service.js'
import { generateKey, haveStored, idOf, openKey, rowOf, shownKey } from './support/steps.js'

const SLOW_MS = 120_000

/** What the README promises: within how many milliseconds a service of another process refuses a revoked key. */
const STORES = [
  { name: 'SQLite', boundMs: 100 },
  { name: 'PostgreSQL', boundMs: 2000 },
] as const

for (const { name, boundMs } of STORES) {
  const isThere = chromiumIsThere() && (name === 'SQLite' || postgresIsThere())
  describe.skipIf(!isThere)(`a key on ${name}`, () => {
    const browser = useBrowser()
    let postgres: PostgresServer | undefined
    let folder: string
    let keyring: Keyring
    let dashboard: Dashboard
    let service: Service

    beforeAll(async () => {
      if (name === 'PostgreSQL') postgres = await startPostgres()
    })
    afterAll(() => postgres?.stop())
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'vantage-browser-'))
      const store = (await postgres?.emptyDatabase()) ?? `sqlite:${join(folder, 'keys.db')}`
      keyring = createKeyring(store)
      await keyring.list()
      service = await startService(store)
      dashboard = await startDashboard({ keyring, apiUrl: service.url })
    })
    afterEach(async () => {
      await dashboard.close()
      await service.close()
      await keyring.close()
      await rm(folder, { recursive: true, force: true })
    })

    test(
      'rotated: the use of the old key shows, and it is flagged as still used',
      async () => {
        const page = await browser.open()
        await signIn(page, dashboard.url)
        const old = await generateKey(page, { name: 'Nightly export' })
        await haveStored(page)
        expect(await service.call(old)).toBe(200)

        await openKey(page, 'Nightly export')
        await page.getByRole('button', { name: 'Rotate' }).click()
        await page.getByRole('combobox', { name: 'Overlap' }).selectOption('1 hour')
        await page.getByRole('button', { name: 'Rotate key' }).click()
        const successor = await shownKey(page)
        expect(idOf(successor)).not.toBe(idOf(old))
        await haveStored(page)

        const handover = page.getByRole('region', { name: 'Which of the two keys is used' })
        await handover.waitFor()
        expect(await service.call(old)).toBe(200)
        await handover
          .getByRole('status')
          .filter({ hasText: 'The old key has been used since it was replaced' })
          .waitFor({ timeout: 60_000 })
        expect(await handover.getByRole('region', { name: 'Old key' }).textContent()).toContain('Old key still used')

        await page.goto(dashboard.url)
        await page.getByRole('checkbox', { name: 'Replaced but still used' }).check()
        const shown = rowOf(page, 'Nightly export')
        await shown.getByRole('cell', { name: 'Replaced still used' }).waitFor()
        await expect.poll(() => shown.count()).toBe(1)

        expect(await service.call(successor)).toBe(200)
      },
      SLOW_MS,
    )

    test(
      'revoked: a service in another process refuses it within the bound of the store',
      async () => {
        const page = await browser.open()
        await signIn(page, dashboard.url)
        const key = await generateKey(page, { name: 'Laptop of a leaver' })
        await haveStored(page)
        expect(await service.call(key)).toBe(200)

        await openKey(page, 'Laptop of a leaver')
        await page.getByRole('button', { name: 'Revoke' }).click()
        const submit = page.getByRole('button', { name: 'Revoke key' })
        expect(await submit.isDisabled()).toBe(true)
        await page.getByRole('textbox', { name: 'Type the name to confirm' }).fill('Laptop of a leaver')
        await page.getByRole('textbox', { name: 'Reason' }).fill('left the company')
        // The service is asked at once, over and over, and says when it began to refuse.
        const refusedAt = service.refusedAt(key)
        await submit.click()
        const refused = await refusedAt
        await page.getByText('Revoked', { exact: true }).first().waitFor()
        const { revokedAt, revokedBy } = (await keyring.get(idOf(key))) ?? {}
        expect(revokedBy).toBe('ada')
        expect(refused - (revokedAt?.getTime() ?? 0)).toBeLessThan(boundMs + MACHINE_MS)
        await page.getByText('left the company').first().waitFor()
        expect(await page.getByRole('button', { name: 'Rotate' }).count()).toBe(0)
      },
      SLOW_MS,
    )

    test('revoked by its id: the last four characters confirm it', async () => {
      const { record } = await keyring.create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:read'] })
      const page = await browser.open()
      await signIn(page, dashboard.url)
      await openKey(page, record.hint)
      await page.getByRole('button', { name: 'Revoke' }).click()
      await page.getByRole('textbox', { name: 'Type the name to confirm' }).fill(record.id.slice(-4))
      await page.getByRole('button', { name: 'Revoke key' }).click()
      await until(async () => (await keyring.get(record.id))?.state === 'revoked')
    })
  })
}

/** The machine that tests run on has other work: what a request takes there at most. */
const MACHINE_MS = 2000
