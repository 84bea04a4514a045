import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { KeyStoreError } from '../../src/core/errors.js'
import type { KeyEvent, Keyring, KeyWatch } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyStore } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { openKeyStore } from '../../src/store/open.js'
import { sql, temporaryFolder } from '../store/sqlite-files.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { until } from '../support/until.js'

const minimal = { subject: 'user_123', scopes: ['jobs:read', 'jobs:write'] as const }

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface Heard {
  readonly events: KeyEvent[]
  readonly watch: KeyWatch
  /** `created Cvr9ZyvaWKKY`, or `reload`. */
  told(): string[]
}

function listen(keyring: Keyring): Heard {
  const events: KeyEvent[] = []
  const watch = keyring.watch((event) => events.push(event))
  closers.push(() => watch.close())
  return {
    events,
    watch,
    told: () => events.map((event) => (event.type === 'reload' ? 'reload' : `${event.type} ${event.record.id}`)),
  }
}

interface Place {
  readonly name: string
  /** Two stores on the same keys, as two processes have them, and hand-written SQL. */
  open(): Promise<{ store: KeyStore; other: KeyStore; run: (statement: string) => Promise<unknown> }>
}

let server: PostgresServer | undefined

beforeAll(async () => {
  if (postgresIsThere()) server = await startPostgres()
}, 60_000)

afterAll(() => server?.stop())

const places: Place[] = [
  {
    name: 'memory',
    async open() {
      const store = memoryKeyStore()
      closers.push(() => store.close())
      return { store, other: store, run: () => expect.fail('it has no SQL') }
    },
  },
  {
    name: 'SQLite',
    async open() {
      const folder = temporaryFolder()
      const url = `sqlite:${folder.path('keys.db')}`
      const [store, other] = [openKeyStore(url), openKeyStore(url)]
      closers.push(
        folder.remove,
        () => store.close(),
        () => other.close(),
      )
      return { store, other, run: async (statement) => sql(folder.path('keys.db'), statement) }
    },
  },
]
if (postgresIsThere()) {
  places.push({
    name: 'PostgreSQL',
    async open() {
      const running = server as PostgresServer
      const url = await running.emptyDatabase()
      const [store, other] = ['one', 'two'].map((name) => openKeyStore(`${url}?application_name=${name}`)) as [
        KeyStore,
        KeyStore,
      ]
      closers.push(
        () => store.close(),
        () => other.close(),
      )
      return { store, other, run: (statement) => running.sql(url, statement) }
    },
  })
}

const isSql = ({ name }: Place) => name !== 'memory'

describe.each(places)('watch, on $name', ({ open }) => {
  test('tells of what this keyring and another one do, in order', { timeout: 30_000 }, async () => {
    const { store, other } = await open()
    const [mine, others] = [createKeyring(store), createKeyring(other)]
    const before = (await mine.create(minimal)).record.id
    await delay(20)
    const { events, told } = listen(mine)
    const { record } = await others.create({ ...minimal, tenant: 'acme', actor: 'ann' })
    const rotated = await mine.rotate(record.id)
    await others.edit(rotated.record.id, { name: 'nightly' })
    await others.revoke(record.id, { actor: 'eve' })
    const expected = [
      `created ${record.id}`,
      `changed ${record.id}`,
      `created ${rotated.record.id}`,
      `changed ${rotated.record.id}`,
      `revoked ${record.id}`,
    ]
    await until(() => told().length >= expected.length)
    expect(told()).toEqual(expected)
    expect(events.at(-1)).toMatchObject({
      at: expect.any(Date),
      record: { state: 'revoked', revokedBy: 'eve', tenant: 'acme', hint: record.hint },
    })
    expect(JSON.stringify(events)).not.toContain(before)
  })

  test('tells of a first use once, and not of one before', { timeout: 40_000 }, async () => {
    const { store, other } = await open()
    const keyring = createKeyring(store)
    const use = (id: string) => {
      const now = Date.now()
      return other.addUsage([{ id, day: new Date(now).toISOString().slice(0, 10), count: 1, lastUsedAt: now }])
    }
    const used = (await keyring.create(minimal)).record.id
    await other.migrate?.()
    await use(used)
    const { told } = listen(keyring)
    const { id } = (await keyring.create(minimal)).record
    await until(() => told().includes(`created ${id}`))
    await use(used)
    await use(id)
    await until(() => told().includes(`first-use ${id}`))
    await use(id)
    const later = (await keyring.create(minimal)).record.id
    await use(later)
    await until(() => told().includes(`first-use ${later}`))
    expect(told().filter((one) => one.startsWith('first-use'))).toEqual([`first-use ${id}`, `first-use ${later}`])
  })
})

describe.each(places.filter(isSql))('watch, on $name', ({ open }) => {
  test('tells of hand-written SQL, and to reload where keys were deleted or many changed', {
    timeout: 40_000,
  }, async () => {
    const { store, run } = await open()
    const keyring = createKeyring(store)
    const ids: string[] = []
    for (let i = 0; i < 101; i++) ids.push((await keyring.create(minimal)).record.id)
    await delay(20)
    const { told } = listen(keyring)
    const { id } = (await keyring.create(minimal)).record
    await until(() => told().length === 1)
    await run(`UPDATE vantage_keys SET tenant = 'acme' WHERE id = '${id}'`)
    await until(() => told().length >= 3)
    await run(`UPDATE vantage_keys SET name = 'all' WHERE id <> '${id}'`)
    await until(() => told().length >= 4)
    await run(`DELETE FROM vantage_keys WHERE id = '${id}'`)
    await until(() => told().length >= 5)
    // Two entries: one for the tenant that had the key, and one for the tenant that has it.
    expect(told()).toEqual([`created ${id}`, `changed ${id}`, `changed ${id}`, 'reload', 'reload'])
  })
})

test('each listener hears, also beside one that throws, and none after it is closed', async () => {
  const store = memoryKeyStore()
  closers.push(() => store.close())
  const keyring = createKeyring(store)
  const first = listen(keyring)
  closers.push(() => keyring.close())
  keyring.watch(() => {
    throw new Error('a fault of the application')
  })
  const second = listen(keyring)
  const { record } = await keyring.create(minimal)
  await until(() => second.told().length === 1)
  expect([first.told(), second.told()]).toEqual([[`created ${record.id}`], [`created ${record.id}`]])
  await first.watch.close()
  await first.watch.close()
  await keyring.revoke(record.id)
  await until(() => second.told().length === 2)
  expect(first.told()).toHaveLength(1)
})

test('listeners share one watch of the store, which ends with the last one, or with the keyring', async () => {
  const memory = memoryKeyStore()
  closers.push(() => memory.close())
  let open = 0
  let opened = 0
  const store: KeyStore = {
    ...memory,
    watch(listener) {
      open++
      opened++
      const feed = (memory.watch as NonNullable<KeyStore['watch']>)(listener)
      return {
        get state() {
          return feed.state
        },
        epoch: feed.epoch,
        close() {
          open--
          return feed.close()
        },
      }
    },
  }
  const keyring = createKeyring(store)
  const watches = Array.from({ length: 300 }, () => keyring.watch(() => {}))
  await until(() => open === 1)
  for (const watch of watches) await watch.close()
  expect([open, opened]).toEqual([0, 1])
  const { told } = listen(keyring)
  await until(() => open === 1)
  await keyring.close()
  expect(open).toBe(0)
  await memory.insert({ ...(await memory.list({ now: 0, limit: 1 }))[0], id: 'x' } as never).catch(() => {})
  expect(told()).toEqual([])
  expect(() => keyring.watch(() => {})).toThrow(KeyStoreError)
})

test('goes on after the store was out of reach, and says reload', { timeout: 20_000 }, async () => {
  const memory = memoryKeyStore()
  closers.push(() => memory.close())
  let isDown = true
  const readAudit: KeyStore['readAudit'] = async (query) => {
    if (isDown) throw new KeyStoreError('out of reach')
    return (await memory.readAudit?.(query)) ?? []
  }
  const keyring = createKeyring({ ...memory, readAudit })
  const { told } = listen(keyring)
  await keyring.create(minimal)
  isDown = false
  await until(() => told().length > 0)
  const { record } = await keyring.create(minimal)
  await until(() => told().length > 1)
  isDown = true
  await keyring.revoke(record.id)
  await delay(10)
  isDown = false
  await until(() => told().length > 2)
  expect(told()).toEqual(['reload', `created ${record.id}`, 'reload'])
})

test('says reload again and again where a store of the application tells nothing', { timeout: 20_000 }, async () => {
  const { readAudit: _, watch: __, ...store } = memoryKeyStore()
  closers.push(() => store.close())
  const { told } = listen(createKeyring(store))
  await until(() => told().length > 1)
  expect(told().slice(0, 2)).toEqual(['reload', 'reload'])
})

test.each([undefined, null, {}, 'reload'])('takes no %j for a listener', (listener) => {
  expect(() => createKeyring(memoryKeyStore()).watch(listener as never)).toThrow('listener must be a function')
})
