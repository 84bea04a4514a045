import { createKeyring, type Keyring, memoryKeyStore } from 'vantage-auth'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { chromiumIsThere, useBrowser } from './support/chromium.js'
import { type Dashboard, signIn, startDashboard } from './support/dashboard.js'
import { generateKey, haveStored, idOf } from './support/steps.js'

/** What a page asks of the API, from the origin of the console: status and body. */
type Ask = readonly [method: 'GET' | 'POST', path: string, body?: object]

describe.skipIf(!chromiumIsThere())('two tenants', () => {
  const browser = useBrowser()
  let keyring: Keyring
  let dashboard: Dashboard
  beforeEach(async () => {
    keyring = createKeyring(memoryKeyStore())
    dashboard = await startDashboard({ keyring })
  })
  afterEach(() => dashboard.close())

  test('one reaches the keys of the other by no view', async () => {
    const ada = await browser.open()
    await signIn(ada, dashboard.url)
    const id = idOf(await generateKey(ada, { name: 'Key of acme' }))
    await haveStored(ada)

    const bob = await browser.open()
    await signIn(bob, dashboard.url, 'bob')
    await bob.getByRole('heading', { name: 'No API keys yet' }).waitFor()
    for (const view of ['', '/rotate', '/revoke']) {
      await bob.goto(`${dashboard.url}#/keys/${id}${view}`)
      await bob.getByRole('heading', { name: 'There is no such key', level: 1 }).waitFor()
    }
    await bob.goto(`${dashboard.url}#/usage`)
    await bob.getByText('No key was used in this time.').waitFor()
    await bob.goto(`${dashboard.url}#/audit`)
    await bob.getByText('Nothing was done so far.').waitFor()
    await ada.goto(`${dashboard.url}#/audit`)
    await ada.getByRole('listitem').filter({ hasText: 'ada created' }).waitFor()
  })

  test('one reaches the keys of the other by no route of the API', async () => {
    const { record } = await keyring.create({
      subject: 'ada',
      tenant: 'acme',
      name: 'Key of acme',
      scopes: ['jobs:read'],
    })
    const { id } = record
    const bob = await browser.open()
    await signIn(bob, dashboard.url, 'bob')
    const ask = ([method, path, body]: Ask): Promise<{ status: number; text: string }> =>
      bob.evaluate(
        async ([method, path, body]) => {
          const init = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
          const answer = await fetch(path, { method, ...init })
          return { status: answer.status, text: await answer.text() }
        },
        [method, path, body] as const,
      )

    const ofTheKey: readonly Ask[] = [
      ['GET', `api/keys/${id}`],
      ['GET', `api/keys/${id}/usage`],
      ['POST', `api/keys/${id}/rotate`, {}],
      ['POST', `api/keys/${id}/revoke`, {}],
    ]
    for (const asked of ofTheKey) expect(await ask(asked), asked.join(' ')).toMatchObject({ status: 404 })

    const empty: readonly Ask[] = [
      ['GET', 'api/keys'],
      ['GET', 'api/keys?tenant=acme'],
      ['GET', 'api/keys?subject=ada'],
      ['GET', `api/keys?search=${record.hint.slice(0, -1)}`],
      ['GET', 'api/usage'],
      ['GET', 'api/audit'],
      ['GET', `api/audit?id=${id}`],
    ]
    for (const asked of empty) {
      const { status, text } = await ask(asked)
      expect([200, 404], asked.join(' ')).toContain(status)
      expect(text).not.toContain(id)
      expect(text).not.toContain('Key of acme')
    }
    const intoAnother = await ask(['POST', 'api/keys', { scopes: ['jobs:read'], tenant: 'acme' }])
    expect(intoAnother.status).toBeGreaterThanOrEqual(400)

    expect((await keyring.list({ tenant: 'acme' })).keys).toEqual([expect.objectContaining({ id, state: 'active' })])
    expect((await keyring.list()).keys).toHaveLength(1)
  })

  test('one hears nothing of what happens to the keys of the other', async () => {
    const bob = await browser.open()
    await signIn(bob, dashboard.url, 'bob')
    // What the stream says is gathered until it names the key of bob, which comes last.
    const heard = bob.evaluate(async () => {
      const { body } = await fetch('api/events')
      let text = ''
      for await (const chunk of (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
        text += chunk
        if (text.includes('event: revoked')) return text
      }
      return text
    })
    await expect.poll(() => dashboard.streams()).toBe(2)
    const hers = await keyring.create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:read'] })
    const { record: successor } = await keyring.rotate(hers.record.id)
    await keyring.revoke(hers.record.id)
    const nobodys = await keyring.create({ subject: 'bob', scopes: ['jobs:read'] })
    const his = await keyring.create({ subject: 'bob', tenant: 'globex', scopes: ['jobs:read'] })
    await keyring.revoke(his.record.id)
    const text = await heard
    expect(text).toContain(his.record.id)
    for (const { id } of [hers.record, successor, nobodys.record]) expect(text).not.toContain(id)
  })
})
