import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { KeyStoreError } from '../../src/core/errors.js'
import type { KeyStore } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { libsql, loadSqliteDriver } from '../../src/store/sqlite/driver.js'
import { createSqliteKeyStore, sqliteKeyStore } from '../../src/store/sqlite/store.js'
import { keyStoreContract } from '../../src/testing.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { storedKey } from '../support/stored-keys.js'
import { until } from '../support/until.js'
import { temporaryFolder } from './sqlite-files.js'

interface Candidate {
  readonly name: string
  /** A new, empty store. */
  create(): KeyStore | Promise<KeyStore>
  /** A second store on the keys of the last one, where there can be one. */
  readonly another?: () => KeyStore
}

const removers: (() => void)[] = []

afterEach(() => {
  for (const remove of removers.splice(0)) remove()
})

function sqliteCandidate(name: string, open: (path: string) => KeyStore): Candidate {
  let path: string
  return {
    name,
    create() {
      const folder = temporaryFolder()
      removers.push(folder.remove)
      path = folder.path('keys.db')
      return open(path)
    },
    another: () => open(path),
  }
}

let server: Promise<PostgresServer> | undefined

afterAll(async () => (await server)?.stop())

function postgresCandidate(): Candidate {
  let url: string
  let number = 0
  // Stores of one URL share their connections, which those of two services do not.
  const open = () => postgresKeyStore({ connectionString: `${url}?application_name=service_${++number}` })
  return {
    name: 'Postgres',
    async create() {
      server ??= startPostgres()
      url = await (await server).emptyDatabase()
      return open()
    },
    another: open,
  }
}

const candidates: Candidate[] = [
  { name: 'memory', create: () => memoryKeyStore() },
  sqliteCandidate(`SQLite by ${loadSqliteDriver().name}`, (path) => sqliteKeyStore({ path })),
]

const other = libsql()
if (loadSqliteDriver().name === 'node:sqlite') {
  if (other === undefined) throw new Error('libsql is a development dependency: run npm ci')
  candidates.push(sqliteCandidate('SQLite by libsql', (path) => createSqliteKeyStore(path, other)))
}

if (postgresIsThere()) candidates.push(postgresCandidate())

describe.each(candidates)('a key store: $name', ({ create, another }) => {
  keyStoreContract({ create, another, describe, test })

  // What the stores of this package promise beyond the contract.

  async function createReady(): Promise<KeyStore> {
    const store = await create()
    await store.migrate?.()
    return store
  }

  test('has every optional method but migrate', async () => {
    const store = await create()
    for (const method of ['addTokenRevocation', 'tokenRevocations', 'readAudit', 'watch'] as const) {
      expect(store[method], method).toBeTypeOf('function')
    }
    await store.close()
  })

  test('rejects with a KeyStoreError when an id exists, and when it is closed', async () => {
    const store = await createReady()
    const [key, taken] = [storedKey('a'), storedKey('b')]
    for (const one of [key, taken]) await store.insert(one)
    await expect(store.insert(key)).rejects.toThrow(KeyStoreError)
    await expect(store.update(key, { ...key, replacedBy: taken.id }, taken)).rejects.toThrow(KeyStoreError)
    await store.close()
    const calls = [
      store.find(key.id),
      store.insert(storedKey('c')),
      store.update(key, key),
      store.list({ now: 0, limit: 1 }),
      store.addUsage([]),
      store.readUsage(key.id, '2026-11-25'),
      store.addTokenRevocation?.({} as never),
      store.tokenRevocations?.(0),
      store.readAudit?.({ limit: 1 }),
    ]
    for (const call of calls) await expect(call).rejects.toThrow(KeyStoreError)
  })

  test('says when a change was made', async () => {
    const store = await createReady()
    const changedAt: (number | undefined)[] = []
    const feed = store.watch?.(({ at }) => changedAt.push(at))
    await until(() => {
      feed?.poll?.()
      return feed?.state !== 'down'
    })
    await store.insert(storedKey('a'))
    await until(() => {
      feed?.poll?.()
      return changedAt.length > 0
    })
    // The clock of a store need not be ours.
    expect(Math.abs((changedAt[0] ?? 0) - Date.now())).toBeLessThan(60_000)
    await store.close()
  })
})
