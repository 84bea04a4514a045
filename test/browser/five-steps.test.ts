import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { fillIn, haveStored, idOf, openKey } from './support/steps.js'

const DEMO = fileURLToPath(new URL('../../demo/main.ts', import.meta.url))
/** Services write uses every ten seconds, and the page hears of the first one within twenty. */
const USE_SHOWN_MS = 60_000

interface Addresses {
  readonly console: string
  readonly api: { readonly express: string }
}

describe.skipIf(!chromiumIsThere())('Getting Your API Key, at npm run demo', () => {
  const browser = useBrowser()
  let demo: Addresses
  let dashboard: string
  let end: () => Promise<unknown>
  beforeAll(async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', DEMO, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
    end = () => {
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      return exit
    }
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    demo = JSON.parse(line) as Addresses
    dashboard = new URL(demo.console).origin
  })
  afterAll(() => end())

  test('log in, Settings, API Keys, Generate New Key, copy, store; then its use shows', async () => {
    const page = await browser.open()
    // 1. Log in to your dashboard
    await page.goto(dashboard)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Sign in as ada' }).click()
    // 2. Navigate to Settings, API Keys
    await page.getByRole('link', { name: 'Settings' }).click()
    await page.getByRole('link', { name: 'API Keys' }).click()
    await page.getByRole('heading', { name: 'API Keys', level: 1 }).waitFor()
    // 3. Click Generate New Key
    await page.getByRole('button', { name: 'Generate New Key' }).click()
    await fillIn(page, { name: 'My first key', scopes: ['jobs:read', 'clusters:read'] })
    await page.getByRole('button', { name: 'Generate key' }).click()
    // 4. Copy your key: it is only shown once
    const key = await copied(page, page.getByRole('button', { name: 'Copy key' }))
    expect(key).toMatch(/^vak_live_[0-9A-Za-z]{61}$/)
    const command = await copied(page, page.getByRole('button', { name: 'Copy command' }))
    expect(command).toBe(`curl -H "Authorization: Bearer ${key}" ${demo.api.express}/v1/auth/test`)
    // 5. Store it securely
    const line = await copied(page, page.getByRole('button', { name: 'Copy .env line' }))
    expect(line).toBe(`VANTAGE_API_KEY=${key}`)
    await haveStored(page)

    // The command as it was copied, in a shell.
    const { stdout } = await promisify(execFile)('sh', ['-c', command.replace('curl', 'curl --silent --fail')])
    expect(JSON.parse(stdout)).toMatchObject({ user_id: 'ada', scopes: ['jobs:read', 'clusters:read'] })

    // Monitor API usage in your dashboard
    await openKey(page, 'My first key')
    const numbers = page.getByRole('table', { name: 'Uses by day' })
    await numbers
      .getByRole('row')
      .nth(1)
      .getByRole('cell', { name: '1', exact: true })
      .waitFor({ timeout: USE_SHOWN_MS })
    await page.getByRole('link', { name: 'Usage' }).click()
    await page.getByRole('listitem').filter({ hasText: 'My first key' }).filter({ hasText: '1 use' }).waitFor()
    await page.goto(demo.console)
    await page.getByRole('searchbox', { name: 'Search keys' }).fill('my first')
    await page.getByRole('img', { name: '1 use in 30 days' }).waitFor()
  })

  test('the same by the keyboard alone', async () => {
    const page = await browser.open()
    await page.goto(dashboard)
    await tabTo(page, page.getByRole('link', { name: 'Sign in' }), 'Enter')
    await page.getByRole('heading', { name: 'Sign in to' }).waitFor()
    await tabTo(page, page.getByRole('button', { name: 'Sign in as ada' }), 'Enter')
    await page.getByRole('heading', { name: 'Vantage dashboard' }).waitFor()
    await tabTo(page, page.getByRole('link', { name: 'Settings' }), 'Enter')
    await page.getByRole('heading', { name: 'Settings' }).waitFor()
    await tabTo(page, page.getByRole('link', { name: 'API Keys' }), 'Enter')
    await page.getByRole('button', { name: 'Generate New Key' }).waitFor()
    await tabTo(page, page.getByRole('button', { name: 'Generate New Key' }), 'Enter')

    // The new view begins at its heading.
    const heading = page.getByRole('heading', { name: 'Generate New Key', level: 1 })
    await heading.waitFor()
    expect(await hasFocus(heading)).toBe(true)
    await tabTo(page, page.getByRole('textbox', { name: 'Name' }))
    await page.keyboard.type('Made by keyboard')
    await tabTo(page, page.getByRole('checkbox', { name: 'jobs:read' }), 'Space')
    // Chosen by its letters, as in any list of choices.
    await tabTo(page, page.getByRole('combobox', { name: 'Environment' }))
    await page.keyboard.press('ArrowDown')
    expect(await page.getByRole('combobox', { name: 'Environment' }).inputValue()).toBe('test')
    await page.keyboard.press('ArrowUp')
    await tabTo(page, page.getByRole('button', { name: 'Generate key' }), 'Enter')

    await page.getByRole('heading', { name: 'Your new API key' }).waitFor()
    const copyKey = page.getByRole('button', { name: 'Copy key' })
    await tabTo(page, copyKey, 'Enter')
    await page.getByRole('status').filter({ hasText: 'is in the clipboard.' }).waitFor()
    const key = await clipboardOf(page)
    // Leaving too early is asked about, and Escape stays.
    await tabTo(page, page.getByRole('link', { name: 'Audit' }), 'Enter', 'Shift+Tab')
    await page.getByRole('alertdialog', { name: 'Leave without storing the key?' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('alertdialog').waitFor({ state: 'detached' })
    await tabTo(page, page.getByRole('checkbox', { name: 'I have stored it' }), 'Space')
    await tabTo(page, page.getByRole('button', { name: 'Done' }), 'Enter')

    await page.getByRole('link', { name: 'Made by keyboard' }).waitFor()
    const { status } = await fetch(`${demo.api.express}/v1/jobs`, { headers: { authorization: `Bearer ${key}` } })
    expect(status).toBe(200)
    await tabTo(page, page.getByRole('link', { name: 'Made by keyboard' }), 'Enter')
    await tabTo(page, page.getByRole('button', { name: 'Revoke' }), 'Enter')
    await tabTo(page, page.getByRole('textbox', { name: 'Type the name to confirm' }))
    await page.keyboard.type(idOf(key).slice(-4))
    await page.keyboard.press('Enter')
    await page.getByText('revoked this key').waitFor()
  })
})

/** Clicks a button that copies; what is in the clipboard then. */
async function copied(page: Page, button: Locator): Promise<string> {
  await button.click()
  await page.getByRole('status').filter({ hasText: 'is in the clipboard.' }).waitFor()
  return clipboardOf(page)
}

function clipboardOf(page: Page): Promise<string> {
  return page.evaluate('navigator.clipboard.readText()')
}

function hasFocus(locator: Locator): Promise<boolean> {
  return locator.evaluate((element) => element === element.ownerDocument.activeElement)
}

/** As often Tab as the way to an element is long, and then the key that is pressed there. */
async function tabTo(page: Page, target: Locator, press?: string, tab = 'Tab'): Promise<void> {
  await target.waitFor()
  for (let presses = 0; presses < 80; presses++) {
    if (await hasFocus(target)) {
      if (press !== undefined) await page.keyboard.press(press)
      return
    }
    await page.keyboard.press(tab)
  }
  throw new Error(`${target} cannot be reached by the keyboard`)
}
