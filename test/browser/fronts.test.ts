import { createKeyring, memoryKeyStore } from 'vantage-auth'
import { createKeyConsole } from 'vantage-auth/console'
import { afterEach, describe, expect, test } from 'vitest'
import { FRONTS } from '../support/consoles.js'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { generateKey, haveStored, idOf, rowOf } from './support/steps.js'

const MOUNT = '/settings/api-keys'

describe.skipIf(!chromiumIsThere())('the page', () => {
  const browser = useBrowser()
  let close: () => Promise<void> = async () => {}
  afterEach(() => close())

  test.for(FRONTS)('lists and generates on $name', async ({ start }) => {
    const keyring = createKeyring(memoryKeyStore())
    const keyConsole = createKeyConsole({
      keyring,
      authorize: () => ({ actor: 'ada', tenant: 'acme', canWrite: true }),
    })
    const server = await start(keyConsole, MOUNT)
    close = async () => {
      await keyConsole.close()
      await server.close()
    }
    await keyring.create({ subject: 'ada', tenant: 'acme', name: 'There before', scopes: ['jobs:read'] })

    const page = await browser.open()
    // Without the slash at the end, as people write it.
    await page.goto(`http://127.0.0.1:${server.port}${MOUNT}`)
    await rowOf(page, 'There before').waitFor()
    const key = await generateKey(page, { name: 'Made here', scopes: ['jobs:read', 'teams:write'] })
    await haveStored(page)
    await rowOf(page, 'Made here').waitFor()
    expect(await keyring.get(idOf(key))).toMatchObject({
      name: 'Made here',
      tenant: 'acme',
      createdBy: 'ada',
      scopes: ['jobs:read', 'teams:write'],
    })
    // By the event stream.
    await keyring.revoke(idOf(key))
    await rowOf(page, 'Made here').getByRole('cell', { name: 'Revoked' }).waitFor()
  })
})
