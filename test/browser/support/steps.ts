import type { Locator, Page } from 'playwright-core'

/** Fills in the form for a new key, which is open. */
export async function fillIn(page: Page, { name, scopes }: { name: string; scopes: readonly string[] }): Promise<void> {
  await page.getByRole('textbox', { name: 'Name' }).fill(name)
  for (const scope of scopes) {
    const resource = page.getByRole('group', { name: scope.split(':', 1)[0] as string, exact: true })
    await resource.getByRole('checkbox', { name: scope }).check()
  }
}

/** From the list to the view that shows the new key, and the key. */
export async function generateKey(
  page: Page,
  { name, scopes = ['jobs:read'] }: { name: string; scopes?: readonly string[] },
): Promise<string> {
  await page.getByRole('button', { name: 'Generate New Key' }).click()
  await fillIn(page, { name, scopes })
  await page.getByRole('button', { name: 'Generate key' }).click()
  return shownKey(page)
}

/** The key in the view that shows it once. */
export async function shownKey(page: Page): Promise<string> {
  return page.getByRole('textbox', { name: 'API key', exact: true }).inputValue()
}

/** Leaves that view. */
export async function haveStored(page: Page): Promise<void> {
  await page.getByRole('checkbox', { name: 'I have stored it' }).check()
  await page.getByRole('button', { name: 'Done' }).click()
}

/** The id in a key: what comes behind the second underscore, up to the secret. */
export function idOf(key: string): string {
  return (key.split('_')[2] as string).slice(0, 12)
}

/** The row of a key in the list. */
export function rowOf(page: Page, name: string): Locator {
  return page
    .getByRole('table', { name: 'API keys' })
    .getByRole('row')
    .filter({ has: page.getByRole('rowheader', { name, exact: true }) })
}

/** Opens a key from the list. */
export async function openKey(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name, exact: true }).click()
  await page.getByRole('heading', { name, level: 1 }).waitFor()
}

/** All that the page has stored in this browser. */
export async function storedIn(page: Page): Promise<string> {
  return page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }, history.state, location.href])')
}
