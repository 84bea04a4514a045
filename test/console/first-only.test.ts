import { setTimeout as delay } from 'node:timers/promises'
import { createKeyring, memoryKeyStore } from 'vantage-auth'
import type { ConsoleCaller } from 'vantage-auth/console'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { json } from '../../console/answers.js'
import { parseCaller } from '../../console/caller.js'
import type { ConsoleRequest } from '../../console/exchange.js'
import { createFirstOnly } from '../../console/first-only.js'
import { ADA, ask, createConsole, type Sent } from '../support/consoles.js'

const NEW_KEY: Sent = { body: { name: 'deploy', scopes: ['jobs:read'] } }
const withId = (id: string, sent = NEW_KEY): Sent => ({ ...sent, headers: { 'vantage-console-request': id } })
const ID = '0123456789abcdef'
const REPEATED = { error: 'invalid_state', error_description: expect.stringContaining('was received before') }

describe('a request that a browser sends twice', () => {
  let keyConsole: ReturnType<typeof createConsole>
  let caller: ConsoleCaller
  beforeEach(() => {
    caller = ADA
    keyConsole = createConsole({ authorize: () => caller })
  })
  afterEach(() => keyConsole.close())
  const count = async () => (await keyConsole.keyring.list()).keys.length

  test('makes one key', async () => {
    expect((await ask(keyConsole, '/api/keys', withId(ID))).status).toBe(201)
    const second = await ask(keyConsole, '/api/keys', withId(ID))
    expect([second.status, second.json]).toEqual([409, REPEATED])
    expect(second.headers.get('vantage-console-request')).toBe('repeated')
    expect(await count()).toBe(1)
  })

  test('rotates once', async () => {
    const { record } = await keyConsole.keyring.create({ subject: 'ada', tenant: 'acme', scopes: ['jobs:read'] })
    const path = `/api/keys/${record.id}/rotate`
    expect((await ask(keyConsole, path, withId(ID, { body: {} }))).status).toBe(201)
    expect((await ask(keyConsole, path, withId(ID, { body: {} }))).json).toEqual(REPEATED)
  })

  test.each<[what: string, other: ConsoleCaller]>([
    ['another person', { ...ADA, actor: 'bob' }],
    ['another tenant', { ...ADA, tenant: 'globex' }],
    ['another subject', { ...ADA, subject: 'bob' }],
  ])('is not the same as that of %s', async (_, other) => {
    await ask(keyConsole, '/api/keys', withId(ID))
    caller = other
    expect((await ask(keyConsole, '/api/keys', withId(ID))).status).toBe(201)
  })

  test('without an id is done each time', async () => {
    expect((await ask(keyConsole, '/api/keys', NEW_KEY)).status).toBe(201)
    expect((await ask(keyConsole, '/api/keys', NEW_KEY)).status).toBe(201)
    expect(await count()).toBe(2)
  })

  test.each(['', 'short', 'x'.repeat(65), `${ID}"`])('with the id %j is refused, and makes none', async (id) => {
    const answer = await ask(keyConsole, '/api/keys', withId(id))
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request'])
    expect(await count()).toBe(0)
  })
})

test('no more than the last ten thousand are remembered', async () => {
  const firstOnly = createFirstOnly()
  const caller = parseCaller(ADA, [])
  const send = async (id: number) =>
    (
      await firstOnly({ header: () => String(id).padStart(16, '0') } as unknown as ConsoleRequest, caller, () =>
        json(201, {}),
      )
    ).status
  for (let id = 0; id <= 10_000; id++) expect(await send(id)).toBe(201)
  expect(await send(1)).toBe(409)
  expect(await send(0)).toBe(201)
})

test('the second one is answered when the first one has ended', async () => {
  const store = memoryKeyStore()
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const insert: typeof store.insert = async (key) => {
    await gate
    await store.insert(key)
  }
  const keyConsole = createConsole({ keyring: createKeyring({ ...store, insert }) })
  const first = ask(keyConsole, '/api/keys', withId(ID))
  const second = ask(keyConsole, '/api/keys', withId(ID)).then(async ({ status }) => ({
    status,
    keysThen: (await keyConsole.keyring.list()).keys.length,
  }))
  // Time for an answer that does not wait.
  await delay(50)
  open()
  expect((await first).status).toBe(201)
  expect(await second).toEqual({ status: 409, keysThen: 1 })
  await keyConsole.close()
})
