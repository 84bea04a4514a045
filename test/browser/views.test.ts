import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { createKeyring, type Keyring } from 'vantage-auth'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addSampleKeys } from '../../demo/sample-keys.js'
import { chromiumIsThere, type TestBrowser, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'
import { type LossyProxy, startLossyProxy } from './support/lossy-proxy.js'
import { fillIn, generateKey, rowOf } from './support/steps.js'

/** Where views can be brought to. */
interface Place {
  readonly dashboard: Dashboard
  /** Its key store does not answer. */
  readonly cutOff: Dashboard
  /** Knows no address to sign in at. */
  readonly closed: Dashboard
  readonly proxy: LossyProxy
  /** By the ends of their names. */
  readonly ids: Readonly<Record<string, string>>
}

interface View {
  readonly name: string
  readonly as?: string
  /** @param page at the list of keys, unless nobody is signed in */
  show(page: Page, place: Place): Promise<unknown>
}

const go = (page: Page, place: Place, fragment: string) => page.goto(`${place.dashboard.url}${fragment}`)
const heading = (page: Page, name: string) => page.getByRole('heading', { name }).first().waitFor()
const alert = (page: Page, text: string) => page.getByRole('alert').filter({ hasText: text }).waitFor()

const VIEWS: readonly View[] = [
  { name: 'list', show: (page) => rowOf(page, 'Sample: cluster monitor').first().waitFor() },
  { name: 'list-read-only', as: 'auditor', show: (page) => page.getByText('and not change them').waitFor() },
  { name: 'list-empty', as: 'bob', show: (page) => heading(page, 'No API keys yet') },
  {
    name: 'list-no-match',
    async show(page) {
      await page.getByRole('searchbox', { name: 'Search keys' }).fill('nothing like it')
      await heading(page, 'No key matches')
    },
  },
  {
    name: 'generate',
    async show(page, place) {
      await go(page, place, '#/new')
      await page.getByRole('combobox', { name: 'Expires' }).selectOption('Never')
      await page.getByRole('button', { name: 'Generate key' }).click()
      await alert(page, 'Choose at least one scope')
    },
  },
  { name: 'once-only', show: (page) => generateKey(page, { name: 'Nightly export' }) },
  {
    name: 'once-only-leaving',
    async show(page) {
      await generateKey(page, { name: 'Nightly export' })
      await page.getByRole('link', { name: 'Usage' }).click()
      await page.getByRole('alertdialog').waitFor()
    },
  },
  {
    name: 'answer-lost',
    async show(page, { dashboard, proxy }) {
      // Cookies are of a host, whatever the port.
      await page.goto(dashboard.url.replace(`:${dashboard.port}`, `:${proxy.port}`))
      await page.getByRole('button', { name: 'Generate New Key' }).click()
      await fillIn(page, { name: 'Nightly import', scopes: ['jobs:read'] })
      proxy.loseNextAnswerTo('POST ')
      await page.getByRole('button', { name: 'Generate key' }).click()
      await page.getByText('This key may be the one.').or(page.getByText('One of these may be it.')).waitFor()
    },
  },
  {
    name: 'key',
    async show(page, place) {
      await go(page, place, `#/keys/${place.ids.simulation}`)
      await page.getByRole('listitem').filter({ hasText: 'ada created' }).waitFor()
      await page.getByRole('table', { name: 'Uses by day' }).getByRole('row').nth(20).waitFor()
    },
  },
  {
    name: 'key-revoked',
    async show(page, place) {
      await go(page, place, `#/keys/${place.ids.leaver}`)
      await page.getByText('left the company').nth(1).waitFor()
    },
  },
  {
    name: 'key-replaced',
    async show(page, place) {
      await go(page, place, `#/keys/${place.ids.monitor}`)
      await page.getByRole('region', { name: 'Old key' }).waitFor()
    },
  },
  {
    name: 'rotate',
    async show(page, place) {
      await go(page, place, `#/keys/${place.ids.simulation}/rotate`)
      await page.getByRole('combobox', { name: 'Overlap' }).waitFor()
    },
  },
  {
    name: 'revoke',
    async show(page, place) {
      await go(page, place, `#/keys/${place.ids.simulation}/revoke`)
      await page.getByRole('textbox', { name: 'Type the name to confirm' }).waitFor()
    },
  },
  {
    name: 'usage',
    async show(page, place) {
      await go(page, place, '#/usage')
      await page.getByRole('listitem').filter({ hasText: 'Sample: nightly simulation' }).waitFor()
    },
  },
  {
    name: 'audit',
    async show(page, place) {
      await go(page, place, '#/audit')
      await page.getByRole('listitem').filter({ hasText: 'eve created' }).waitFor()
    },
  },
  {
    name: 'no-such-page',
    async show(page, place) {
      await go(page, place, '#/nothing')
      await heading(page, 'There is no such page')
    },
  },
  {
    name: 'session-ended',
    async show(page, { dashboard }) {
      await page.getByRole('button', { name: 'Generate New Key' }).click()
      await fillIn(page, { name: 'Nightly export', scopes: ['jobs:read'] })
      dashboard.endSessions()
      await page.getByRole('button', { name: 'Generate key' }).click()
      await alert(page, 'Your session has ended')
    },
  },
  {
    name: 'store-unreachable',
    async show(page, { cutOff }) {
      await signIn(page, cutOff.url)
      await alert(page, 'The key store cannot be reached')
    },
  },
  {
    name: 'offline',
    async show(page) {
      await page.context().setOffline(true)
      await alert(page, 'You are offline')
    },
  },
  {
    name: 'not-signed-in',
    async show(page, { closed }) {
      await page.context().clearCookies()
      await page.goto(closed.url)
      await page.getByRole('heading').waitFor()
    },
  },
]

const WIDTHS = { wide: 1440, narrow: 360 } as const
const SCHEMES = ['light', 'dark'] as const
const setWidth = (page: Page, width: keyof typeof WIDTHS) =>
  page.setViewportSize({ width: WIDTHS[width], height: width === 'wide' ? 900 : 740 })

describe.skipIf(!chromiumIsThere())('is accessible in light and dark, and fits 360 pixels:', () => {
  const browser: TestBrowser = useBrowser()
  /** `PICTURES=folder npm run test:browser -- views` keeps what is seen, for people to look at. */
  const pictures = process.env.PICTURES
  let axe: string
  let folder: string
  let keyring: Keyring
  let unreachable: Keyring
  let place: Place
  beforeAll(async () => {
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    folder = await mkdtemp(join(tmpdir(), 'vantage-browser-'))
    const store = `sqlite:${join(folder, 'keys.db')}`
    await addSampleKeys(store)
    keyring = createKeyring(store)
    // Nothing listens at the port of the discard service.
    unreachable = createKeyring('postgres://nobody@127.0.0.1:9/none')
    const { keys } = await keyring.list()
    const dashboard = await startDashboard({ keyring })
    place = {
      dashboard,
      cutOff: await startDashboard({ keyring: unreachable }),
      closed: await startDashboard({ keyring, signInUrl: undefined }),
      proxy: await startLossyProxy(dashboard.port),
      ids: Object.fromEntries(keys.map(({ id, name }) => [name?.split(' ').at(-1), id])),
    }
  })
  afterAll(async () => {
    await place?.proxy.close()
    for (const dashboard of [place?.dashboard, place?.cutOff, place?.closed]) await dashboard?.close()
    await keyring?.close()
    await unreachable?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** What is against the rules of WCAG, as far as a program can tell. */
  async function violations(page: Page): Promise<string[]> {
    const { violations } = (await page.evaluate('axe.run()')) as AxeResults
    return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html}`))
  }

  async function takePictures(page: Page, name: string, folder: string): Promise<void> {
    for (const colorScheme of SCHEMES) {
      for (const width of Object.keys(WIDTHS) as (keyof typeof WIDTHS)[]) {
        await page.emulateMedia({ colorScheme })
        await setWidth(page, width)
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${width}.png`), fullPage: true })
      }
    }
  }

  test.for(VIEWS)('$name', async ({ name, as = 'ada', show }) => {
    const page = await browser.open({ reducedMotion: 'reduce' })
    await setWidth(page, 'wide')
    await signIn(page, place.dashboard.url, as)
    await show(page, place)
    // Through the debugger's protocol: the page's own policy lets no script in.
    await page.evaluate(axe)
    const found: Record<string, string[]> = {}
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme })
      found[colorScheme] = await violations(page)
    }
    expect(found).toEqual({ light: [], dark: [] })

    await setWidth(page, 'narrow')
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(WIDTHS.narrow)
    if (pictures !== undefined) await takePictures(page, name, pictures)
  })
})
