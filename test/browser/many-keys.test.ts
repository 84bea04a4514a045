import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { createKeyring, type Keyring } from 'vantage-auth'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'
import { addManyKeys } from './support/many-keys.js'
import { rowOf } from './support/steps.js'

const COUNT = 10_000

for (const name of ['SQLite', 'PostgreSQL']) {
  const isThere = chromiumIsThere() && (name === 'SQLite' || postgresIsThere())
  describe.skipIf(!isThere)(`${COUNT} keys on ${name}`, () => {
    const browser = useBrowser()
    let postgres: PostgresServer | undefined
    let folder: string
    let keyring: Keyring
    let dashboard: Dashboard
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'vantage-browser-'))
      if (name === 'PostgreSQL') postgres = await startPostgres()
      const store = postgres?.url('postgres') ?? `sqlite:${join(folder, 'keys.db')}`
      await addManyKeys(store, COUNT)
      keyring = createKeyring(store)
      dashboard = await startDashboard({ keyring })
    })
    afterAll(async () => {
      await dashboard?.close()
      await keyring?.close()
      await postgres?.stop()
      await rm(folder, { recursive: true, force: true })
    })

    test('are shown in pages, sorted, searched and filtered', async () => {
      const page = await browser.open()
      await signIn(page, dashboard.url)
      await rowOf(page, nameOf(COUNT - 1)).waitFor()
      const first = await names(page)
      await page.getByRole('button', { name: 'Next' }).click()
      await rowOf(page, nameOf(COUNT - 1 - first.length)).waitFor()
      expect([...first, ...(await names(page))]).toEqual(
        Array.from({ length: 2 * first.length }, (_, index) => nameOf(COUNT - 1 - index)),
      )
      await page.getByRole('button', { name: 'Previous' }).click()
      await expect.poll(() => names(page)).toEqual(first)

      await page.getByRole('button', { name: 'Name', exact: true }).click()
      await rowOf(page, nameOf(0)).waitFor()
      await page.getByRole('button', { name: 'Last used', exact: true }).click()
      await rowOf(page, nameOf(9990)).waitFor()

      await page.getByRole('searchbox', { name: 'Search keys' }).fill('KEY 01234')
      await expect.poll(() => names(page)).toEqual([nameOf(1234)])
      await page.getByRole('searchbox', { name: 'Search keys' }).fill('owner-77')
      await rowOf(page, nameOf(77)).waitFor()
      await expect.poll(async () => (await names(page)).length).toBe(COUNT / 100)
      await page.getByRole('searchbox', { name: 'Search keys' }).fill('nothing like it')
      await page.getByRole('heading', { name: 'No key matches' }).waitFor()
      await page.getByRole('button', { name: 'Show all keys' }).click()
      await rowOf(page, nameOf(COUNT - 1)).waitFor()
    })
  })
}

function nameOf(index: number): string {
  return `Key ${String(index).padStart(5, '0')}`
}

/** The names of the keys that are shown, in their order. */
function names(page: Page): Promise<string[]> {
  return page.getByRole('table', { name: 'API keys' }).getByRole('rowheader').allInnerTexts()
}
