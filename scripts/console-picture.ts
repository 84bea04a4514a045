/**
 * Makes docs/console.webp, the picture of the console in README and docs: the demo's dashboard in a real browser, as `ada`
 * sees it. `npm run docs:picture` needs Debian's chromium, or another one that `CHROMIUM` names.
 */
import { writeFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { startDemo } from '../demo/start.js'

const PICTURE = new URL('../docs/console.webp', import.meta.url)
const MAX_BYTES = 120_000

const demo = await startDemo({ interactive: false })
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--no-first-run',
  ],
})
try {
  const page = await browser.newPage({
    viewport: { width: 1280, height: 720 },
    deviceScaleFactor: 1.5,
    colorScheme: 'light',
    // Nothing is on its way when the picture is taken.
    reducedMotion: 'reduce',
  })
  await page.goto(demo.console)
  await page.getByRole('button', { name: 'Sign in as ada' }).click()
  await page.getByRole('table', { name: 'API keys' }).getByRole('row').nth(3).waitFor()
  // Playwright itself writes no WebP, which takes a third of the bytes.
  const session = await page.context().newCDPSession(page)
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 80 })
  const picture = Buffer.from(data, 'base64')
  if (picture.length > MAX_BYTES) throw new Error(`the picture has ${picture.length} bytes, more than ${MAX_BYTES}`)
  writeFileSync(PICTURE, picture)
} finally {
  await browser.close()
  await demo.close()
}
