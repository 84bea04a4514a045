import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyStore } from '../../src/store/contract.js'
import { openKeyStoreForReading } from '../../src/store/open.js'
import { sqliteKeyStore } from '../../src/store/sqlite/store.js'
import { storedKey } from '../support/stored-keys.js'
import { rows, sql, temporaryFolder } from './sqlite-files.js'

// Commands that only read open the file so that nothing is written, not even the two files that SQLite keeps beside it.

const PAST = new Date('2026-01-01T00:00:00Z')
const NOBODY = 65_534

let temporary: ReturnType<typeof temporaryFolder>
let folder: string
let path: string
let closers: (() => unknown)[]

beforeEach(async () => {
  temporary = temporaryFolder()
  folder = temporary.path('store')
  mkdirSync(folder)
  chmodSync(temporary.path(''), 0o755)
  path = `${folder}/keys.db`
  closers = [
    temporary.remove,
    // What a test took away is given back, so that the folder can be removed.
    () => chmodSync(folder, 0o755),
  ]
})

afterEach(async () => {
  for (const close of closers.reverse()) await close()
})

function keep(store: KeyStore): KeyStore {
  closers.push(() => store.close())
  return store
}

const openService = (at = path) => keep(sqliteKeyStore({ path: at }))
const openForReading = (at = path) => keep(openKeyStoreForReading(`sqlite:${at}`))

/** A file with one key, which no program has open. */
async function leaveFile(): Promise<void> {
  const original = temporary.path('original.db')
  const store = sqliteKeyStore({ path: original })
  await store.migrate?.()
  await store.insert(storedKey('a'))
  await store.close()
  copy(original, path)
}

/** By another process: to close a file would drop the locks that this one holds on it. */
function copy(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-R', from, to], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

/** What a look at the folder shows: names, sizes and times. */
function look(at = folder): string[] {
  return readdirSync(at).map((name) => {
    const { size, mtimeMs, ino } = statSync(`${at}/${name}`)
    return `${name} ${size} ${mtimeMs} ${ino}`
  })
}

const ids = async (store: KeyStore) => (await store.list({ now: 0, limit: 10 })).map(({ id }) => id).sort()

/** Runs `work` as somebody who is not the owner, where the test runs as root, for whom permissions do not count. */
async function asAnotherUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work()
  process.seteuid?.(NOBODY)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}

describe('a file that no program has open', () => {
  test('is read without a file beside it, and left as it is', async () => {
    await leaveFile()
    utimesSync(path, PAST, PAST)
    const before = look()
    const store = openForReading()
    expect(await ids(store)).toEqual(['a'])
    expect((await store.find('a'))?.id).toBe('a')
    expect(await store.readAudit?.({ limit: 10 })).toHaveLength(1)
    expect(look()).toEqual(before)
    await store.close()
    expect(look()).toEqual(before)
  })

  test('is read by whoever may read it, in a folder that he may not write', async () => {
    await leaveFile()
    chmodSync(path, 0o444)
    chmodSync(folder, 0o555)
    const store = openForReading()
    expect(await asAnotherUser(() => ids(store))).toEqual(['a'])
  })

  test('with an empty log beside it is read all the same', async () => {
    await leaveFile()
    sql(path, 'SELECT 1')
    const before = look()
    expect(await ids(openForReading())).toEqual(['a'])
    expect(look()).toEqual(before)
  })

  test('is read anew when a service has opened it and written', async () => {
    await leaveFile()
    const store = openForReading()
    expect(await ids(store)).toEqual(['a'])
    const service = openService()
    await service.insert(storedKey('b'))
    expect(await ids(store)).toEqual(['a', 'b'])
    await service.insert(storedKey('c'))
    expect(await ids(store)).toEqual(['a', 'b', 'c'])
  })

  test('that may not be read says what is needed', async () => {
    await leaveFile()
    chmodSync(path, 0o600)
    if (process.getuid?.() !== 0) chmodSync(path, 0o000)
    const store = openForReading()
    await expect(asAnotherUser(() => ids(store))).rejects.toThrow(/needs permission to read the file/)
  })
})

describe('a file that a service has open', () => {
  test('is read with what is only in the log so far, by whoever may read the files', async () => {
    await leaveFile()
    const service = openService()
    await service.insert(storedKey('b'))
    for (const name of readdirSync(folder)) chmodSync(`${folder}/${name}`, 0o444)
    chmodSync(folder, 0o555)
    const store = openForReading()
    expect(await asAnotherUser(() => ids(store))).toEqual(['a', 'b'])
    chmodSync(folder, 0o755)
    for (const name of readdirSync(folder)) chmodSync(`${folder}/${name}`, 0o644)
    await service.insert(storedKey('c'))
    expect(await ids(store)).toEqual(['a', 'b', 'c'])
  })

  test('is not held up by a reader', async () => {
    await leaveFile()
    const service = openService()
    const store = openForReading()
    expect(await ids(store)).toEqual(['a'])
    await service.insert(storedKey('b'))
    await store.close()
    await service.insert(storedKey('c'))
    expect(await ids(service)).toEqual(['a', 'b', 'c'])
  })
})

test('what a service that was killed has left in its log is read', async () => {
  await leaveFile()
  const service = openService()
  await service.insert(storedKey('b'))
  const killed = temporary.path('killed')
  copy(folder, killed)
  const before = look(killed)
  expect(before).toHaveLength(3)
  expect(await ids(openForReading(`${killed}/keys.db`))).toEqual(['a', 'b'])
  expect(look(killed)).toEqual(before)
})

test('nothing can be written', async () => {
  await leaveFile()
  const store = openForReading()
  await expect(store.insert(storedKey('b'))).rejects.toThrow('cannot be written')
  sql(path, 'UPDATE vantage_schema SET version = version - 1')
  await expect(store.migrate?.()).rejects.toThrow('cannot be written')
})

test('no file is made where there is none', async () => {
  await expect(ids(openForReading())).rejects.toThrow('There is no key store')
  expect(readdirSync(folder)).toEqual([])
})

describe('a keyring that migrates nothing', () => {
  const operations = (ring: ReturnType<typeof createKeyring>) => [
    ring.create({ subject: 'user_1', scopes: ['jobs:read'] }),
    ring.revoke('a'),
    ring.get('a'),
    ring.list(),
    ring.usage('a'),
    ring.audit(),
    ring.tokenRevocations(),
  ]

  test('makes no tables in an empty file, and names the cure', async () => {
    sql(path, 'CREATE TABLE another (x)')
    const ring = createKeyring(openService(), { migrate: false })
    for (const operation of operations(ring)) {
      await expect(operation).rejects.toThrow(/has no key schema; run: .*vantage-auth keys migrate/)
    }
    expect(rows(path, 'SELECT name FROM sqlite_master')).toEqual([{ name: 'another' }])
  })

  test('does not bring an old schema up to date', async () => {
    await leaveFile()
    sql(path, 'UPDATE vantage_schema SET version = version - 1')
    const ring = createKeyring(openService(), { migrate: false })
    for (const operation of operations(ring)) {
      await expect(operation).rejects.toThrow(/has an old key schema; run: .*vantage-auth keys migrate/)
    }
    // Another one does, and then there is something to read.
    await createKeyring(openService()).list()
    expect((await ring.list()).keys).toHaveLength(1)
  })
})
