import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { ARGUMENTS, findChromium } from './find-chromium.js'

export { chromiumIsThere } from './find-chromium.js'

/** A browser for the tests of a file. */
export interface TestBrowser {
  /** A tab of a person who has just begun to use this browser: no cookies, nothing stored. */
  open(options?: BrowserContextOptions): Promise<Page>
  /** Another tab of the same person. */
  openTab(beside: Page): Promise<Page>
}

/**
 * Starts the browser before the tests of a file. After each test it is an error if one of the tabs has thrown, has written
 * an error to its console, or has violated the content security policy. Requests that failed count for nothing: many tests
 * are about them.
 */
export function useBrowser(): TestBrowser {
  let browser: Browser | undefined
  let faults: string[] = []

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: findChromium() as string, args: ARGUMENTS })
  })
  afterEach(async () => {
    await Promise.all(browser?.contexts().map((context) => context.close()) ?? [])
    const found = faults
    faults = []
    expect(found).toEqual([])
  })
  afterAll(() => browser?.close())

  async function openTab(context: ReturnType<Page['context']>): Promise<Page> {
    const page = await context.newPage()
    page.on('pageerror', ({ stack, message }) => faults.push(stack ?? message))
    page.on('console', (message) => {
      const isFault = message.type() === 'error' && !message.text().startsWith('Failed to load resource:')
      if (isFault) faults.push(`${message.text()} (${message.location().url})`)
    })
    return page
  }

  return {
    async open(options) {
      const context = await (browser as Browser).newContext({ locale: 'en-GB', ...options })
      context.setDefaultTimeout(30_000)
      await context.grantPermissions(['clipboard-read', 'clipboard-write'])
      await context.addInitScript(`addEventListener('securitypolicyviolation', (event) =>
        console.error('Against the content security policy: ' + event.violatedDirective + ' ' + event.blockedURI))`)
      return openTab(context)
    },
    openTab: (beside) => openTab(beside.context()),
  }
}
