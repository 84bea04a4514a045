import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { KeyStoreError } from '../../src/core/errors.js'
import type { KeyStore, StoredKey, StoredTokenRevocation } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { libsql, loadSqliteDriver, type SqliteDriver } from '../../src/store/sqlite/driver.js'
import { createSqliteKeyStore } from '../../src/store/sqlite/store.js'
import { keyStoreContract } from '../../src/testing.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { storedKey } from '../support/stored-keys.js'
import { until } from '../support/until.js'
import { sql, temporaryFolder } from './sqlite-files.js'

interface Candidate {
  readonly name: string
  /** A new, empty store. */
  create(): KeyStore | Promise<KeyStore>
  /** A second store on the keys of the last one, where there can be one. */
  readonly another?: () => KeyStore
  /** Adds revocations, with the same column for each and the ids `prefix` 1 to `count`. */
  fill(store: KeyStore, prefix: string, count: number, column: 'token_id' | 'subject', endsAt: number): Promise<unknown>
  /**
   * Adds revocations of sessions, events of two senders by turns, or revocations of subjects by one sender, that end in the
   * year 2033.
   */
  fillEvents(store: KeyStore, count: number, of: Filled): Promise<unknown>
}

type Filled = 'sessions' | 'events' | 'subjects by events'

const digestOf = (i: number) => `sha256:${i.toString(16).padStart(64, '0')}`

const FILL_COLUMNS = 'id, issuer, token_id, subject, issued_before, created_at, ends_at'

const removers: (() => void)[] = []

afterEach(() => {
  for (const remove of removers.splice(0)) remove()
})

function sqliteCandidate(driver: SqliteDriver): Candidate {
  const open = (path: string) => createSqliteKeyStore(path, driver)
  let path: string
  return {
    name: `SQLite by ${driver.name}`,
    create() {
      const folder = temporaryFolder()
      removers.push(folder.remove)
      path = folder.path('keys.db')
      return open(path)
    },
    another: () => open(path),
    async fill(_, prefix, count, column, endsAt) {
      const names = column === 'token_id' ? `'x' || i, NULL, NULL` : `NULL, 'x' || i, 1`
      sql(
        path,
        `WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < ${count})
          INSERT INTO vantage_token_revocations (${FILL_COLUMNS})
          SELECT '${prefix}' || i, 'https://issuer.example', ${names}, 1, ${endsAt} FROM numbers`,
        driver,
      )
    },
    async fillEvents(_, count, of) {
      const insert = {
        events: `vantage_token_events (digest, sender, ends_at)
          SELECT 'sha256:' || printf('%064x', i), 'sha256:' || printf('%064x', i % 2), 2000000000000`,
        sessions: `vantage_token_revocations (id, issuer, session_id, created_at, ends_at)
          SELECT i, 'https://issuer.example', 'x' || i, 1, 2000000000000`,
        'subjects by events': `vantage_token_revocations (id, issuer, subject, issued_before, created_at, ends_at, sender)
          SELECT i, 'https://issuer.example', 'x' || i, 1, 1, 2000000000000, '${digestOf(0)}'`,
      }[of]
      sql(
        path,
        `WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < ${count})
          INSERT INTO ${insert} FROM numbers`,
        driver,
      )
    },
  }
}

const event = { digest: digestOf(0), sender: digestOf(0), createdAt: 1_764_072_000_000, endsAt: 2_000_000_000_000 }

function revocation(values: Partial<StoredTokenRevocation>): StoredTokenRevocation {
  return {
    id: 'r',
    issuer: 'https://issuer.example',
    tokenId: null,
    subject: null,
    clientId: null,
    sessionId: null,
    withoutSession: false,
    issuedBefore: values.tokenId || values.sessionId ? null : 1_764_072_000_000,
    createdAt: 1_764_072_000_000,
    createdBy: null,
    reason: null,
    endsAt: 2_000_000_000_000,
    ...values,
  }
}

/** By the event of its number. */
function ofUser(i: number): StoredTokenRevocation {
  return revocation({ id: `u${i}`, subject: `x${i}`, createdBy: 'receiver' })
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
    async fill(_, prefix, count, column, endsAt) {
      const names = column === 'token_id' ? `'x' || i, NULL, NULL` : `NULL, 'x' || i, now()`
      await (await server)?.sql(
        url,
        `INSERT INTO vantage_token_revocations (${FILL_COLUMNS})
          SELECT '${prefix}' || i, 'https://issuer.example', ${names}, now(), to_timestamp(${endsAt / 1000})
          FROM generate_series(1, ${count}) AS i`,
      )
    },
    async fillEvents(_, count, of) {
      const insert = {
        events: `vantage_token_events (digest, sender, ends_at)
          SELECT 'sha256:' || lpad(to_hex(i), 64, '0'), 'sha256:' || lpad(to_hex(i % 2), 64, '0'), to_timestamp(2000000000)`,
        sessions: `vantage_token_revocations (id, issuer, session_id, created_at, ends_at)
          SELECT i, 'https://issuer.example', 'x' || i, now(), to_timestamp(2000000000)`,
        'subjects by events': `vantage_token_revocations (id, issuer, subject, issued_before, created_at, ends_at, sender)
          SELECT i, 'https://issuer.example', 'x' || i, now(), now(), to_timestamp(2000000000), '${digestOf(0)}'`,
      }[of]
      await (await server)?.sql(url, `INSERT INTO ${insert} FROM generate_series(1, ${count}) AS i`)
    },
  }
}

const candidates: Candidate[] = [
  {
    name: 'memory',
    create: () => memoryKeyStore(),
    async fill(store, prefix, count, column, endsAt) {
      for (let i = 1; i <= count; i++) {
        const [tokenId, subject] = column === 'token_id' ? [`x${i}`, null] : [null, `x${i}`]
        await store.addTokenRevocation?.(revocation({ id: `${prefix}${i}`, tokenId, subject, createdAt: 1, endsAt }))
      }
    },
    async fillEvents(store, count, of) {
      for (let i = 1; i <= count; i++) {
        if (of === 'sessions') await store.addTokenRevocation?.(revocation({ id: `${i}`, sessionId: `x${i}` }))
        else if (of === 'events')
          await store.addTokenRevocationsOnce?.({ ...event, digest: digestOf(i), sender: digestOf(i % 2) }, [])
        else await store.addTokenRevocationsOnce?.({ ...event, digest: digestOf(i) }, [ofUser(i)])
      }
    },
  },
  sqliteCandidate(loadSqliteDriver()),
]

const other = libsql()
if (loadSqliteDriver().name === 'node:sqlite') {
  if (other === undefined) throw new Error('libsql is a development dependency: run npm ci')
  candidates.push(sqliteCandidate(other))
}

if (postgresIsThere()) candidates.push(postgresCandidate())

describe.each(candidates)('a key store: $name', ({ create, another, fill, fillEvents }) => {
  keyStoreContract({ create, another, describe, test })

  // What the stores of this package promise beyond the contract.

  async function createReady(): Promise<KeyStore> {
    const store = await create()
    await store.migrate?.()
    return store
  }

  test('has every optional method but migrate', async () => {
    const store = await create()
    for (const method of [
      'addTokenRevocation',
      'addTokenRevocationsOnce',
      'tokenRevocations',
      'findTokenRevocations',
      'readAudit',
      'watch',
    ] as const) {
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
      store.addTokenRevocationsOnce?.(event, []),
      store.tokenRevocations?.(0),
      store.findTokenRevocations?.({
        issuer: '',
        tokenId: null,
        subject: '',
        subjects: [''],
        clientId: null,
        sessionId: null,
      }),
      store.readAudit?.({ limit: 1 }),
    ]
    for (const call of calls) await expect(call).rejects.toThrow(KeyStoreError)
  })

  test('is asked for many keys at once, and each look-up gets its own', async () => {
    const store = await createReady()
    const ids = Array.from({ length: 150 }, (_, i) => `key${i}`)
    const keys = ids.slice(0, 20).map((id) => storedKey(id, { subject: `owner of ${id}` }))
    for (const key of keys) await store.insert(key)
    const odd = ['KEY1', 'key1 ', "key1' OR 'a' = 'a", '"', '["key1"]', '%', '__proto__', '']
    const found = await Promise.all([...ids, ...odd, 'key0'].map((id) => store.find(id)))
    expect(found).toEqual([...keys, ...Array.from({ length: 130 + odd.length }, () => undefined), keys[0]])

    // One alone, and what is written right behind, are what they were.
    const next = { ...(keys[0] as StoredKey), revokedAt: 1 }
    expect(await store.find('key0')).toEqual(keys[0])
    expect(await store.update(keys[0] as StoredKey, next)).toBe(true)
    expect(await Promise.all(['key0', 'key1', 'key0'].map((id) => store.find(id)))).toEqual([next, keys[1], next])

    const late = Promise.allSettled(['key0', 'key1', 'key2'].map((id) => store.find(id)))
    await store.close()
    for (const outcome of await late) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(KeyStoreError)
      else expect(outcome.value?.subject).toMatch(/^owner of key/)
    }
    await expect(Promise.all(['key0', 'key1'].map((id) => store.find(id)))).rejects.toThrow(KeyStoreError)
  })

  test('writes nothing, no successor and no end of a key, when the time for it is over', async () => {
    const store = await createReady()
    const [key, successor] = [storedKey('a'), storedKey('b', { replaces: 'a' })]
    const next = { ...key, expiresAt: 1, replacedBy: 'b' }
    await expect(store.insert(key, { before: performance.now() })).rejects.toThrow(/^The time for this change was over/)
    expect(await store.find('a')).toBeUndefined()
    const inTime = { before: performance.now() + 60_000 }
    await store.insert(key, inTime)
    const late = store.update(key, next, successor, undefined, { before: performance.now() })
    await expect(late).rejects.toThrow(KeyStoreError)
    expect(await store.find('a')).toEqual(key)
    expect(await store.find('b')).toBeUndefined()
    expect(await store.readAudit?.({ limit: 9 })).toHaveLength(1)
    expect(await store.update(key, next, successor, undefined, inTime)).toBe(true)
    await store.close()
  })

  // By a pattern each place of a name is compared with all of the text: 8 thousand million steps here.
  test('searches long names in a time that the length of the text does not multiply', async () => {
    const store = await createReady()
    const name = 'a'.repeat(1_000_000)
    for (let i = 0; i < 30; i++) await store.insert(storedKey(`k${i}`, { name }))
    await store.insert(storedKey('long', { name: `${name}${'A'.repeat(255)}b` }))
    await store.insert(storedKey('other', { name: 'ÄÖÜ' }))
    const found = async (search: string) => (await store.list({ now: 0, limit: 9, search })).map(({ id }) => id)
    expect(await found(`${'a'.repeat(255)}B`)).toEqual(['long'])
    expect(await found(`${'a'.repeat(254)}ÜB`)).toEqual([])
    expect(await found('äöü')).toEqual(['other'])
    await store.close()
  })

  test('folds forty letters beyond ASCII in a search, and compares the others as they are', async () => {
    const store = await createReady()
    const upper = 'АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯÄÖÜÉÈÊÇÑ'
    await store.insert(storedKey('a', { name: `${upper}Å` }))
    const found = async (search: string) => (await store.list({ now: 0, limit: 9, search })).map(({ id }) => id)
    expect(await found(upper.toLowerCase())).toEqual(['a'])
    expect(await found(`${upper.toLowerCase()}å`)).toEqual([])
    expect(await found(`${upper.toLowerCase()}Å`)).toEqual(['a'])
    await store.close()
  })

  test('keeps 100 000 revocations of tokens and 10 000 of subjects and clients, and drops ended ones for a new one', async () => {
    const store = await createReady()
    const add = (values: Partial<StoredTokenRevocation>) => store.addTokenRevocation?.(revocation(values))
    const now = revocation({}).createdAt
    const later = revocation({}).endsAt
    await fill(store, 'ended', 1, 'token_id', now)
    await fill(store, 'token', 99_999, 'token_id', later)
    await add({ id: 'last', tokenId: 'last' })
    await expect(add({ id: 'more', tokenId: 'more' })).rejects.toThrow(
      /100000 revocations of single tokens.*Revoke by subject or by client instead.*--token-life/,
    )
    await fill(store, 'subject', 9998, 'subject', later)
    await fill(store, 'brief', 1, 'subject', now + 1)
    await add({ id: 'a', clientId: 'c' })
    await expect(add({ id: 'b', subject: 's' })).rejects.toThrow(KeyStoreError)
    await expect(add({ id: 'b', clientId: 'd' })).rejects.toThrow(/10000 revocations of subjects and clients/)
    // In place of the one that it replaces.
    await add({ id: 'b', clientId: 'c' })
    await expect(add({ id: 'd', clientId: 'd' })).rejects.toThrow(KeyStoreError)
    await add({ id: 'd', clientId: 'd', createdAt: now + 1 })
    const found = (await store.tokenRevocations?.(0)) ?? []
    expect(new Set(found.map(({ id }) => id)).size).toBe(110_000)
    expect(found).toHaveLength(110_000)
    await store.close()
  }, 120_000)

  test('keeps 100 000 revocations of sessions, with subjects without one, and these leave room for subjects', async () => {
    const store = await createReady()
    const add = (values: Partial<StoredTokenRevocation>) => store.addTokenRevocation?.(revocation(values))
    await fillEvents(store, 99_999, 'sessions')
    await add({ id: 'without', subject: 's', withoutSession: true })
    const full = /^There are 100000 revocations of sessions in force.*Revoke by subject or by client instead/
    await expect(add({ id: 'more', sessionId: 'more' })).rejects.toThrow(full)
    await expect(add({ id: 'more', subject: 't', withoutSession: true })).rejects.toThrow(full)
    const both = [revocation({ id: 'one', tokenId: 'one' }), revocation({ id: 'more', sessionId: 'more' })]
    const byReceiver = both.map((one) => ({ ...one, createdBy: 'receiver' }))
    await expect(store.addTokenRevocationsOnce?.(event, byReceiver)).rejects.toThrow(full)
    // In place of the one that it replaces; and what replaces one of them takes no room here.
    await add({ id: 'again', subject: 's', withoutSession: true })
    await add({ id: 'all', subject: 's' })
    expect(await store.addTokenRevocationsOnce?.(event, byReceiver.slice(1))).toBe(true)
    await store.close()
  }, 120_000)

  test('keeps 200 000 events, and knows each of them while there is no room for another', async () => {
    const store = await createReady()
    await fillEvents(store, 200_000, 'events')
    await expect(store.addTokenRevocationsOnce?.({ ...event, sender: digestOf(9) }, [])).rejects.toThrow(
      /^There are 200000 events of issuers noted/,
    )
    expect(await store.addTokenRevocationsOnce?.({ ...event, digest: digestOf(7) }, [])).toBe(false)
    await store.close()
  }, 120_000)

  test('keeps 100 000 events of one sender, and takes those of others', async () => {
    const store = await createReady()
    // Two senders by turns: 100 000 of each, but for one of the second.
    await fillEvents(store, 199_998, 'events')
    const note = (digest: number, sender: number) =>
      store.addTokenRevocationsOnce?.({ ...event, digest: digestOf(digest), sender: digestOf(sender) }, [])
    expect(await note(300_000, 0)).toBe(true)
    await expect(note(300_001, 0)).rejects.toThrow(/^There are 100000 events of this issuer noted/)
    expect(await note(300_000, 0)).toBe(false)
    expect(await note(300_002, 1)).toBe(true)
    await store.close()
  }, 120_000)

  test('keeps 50 000 revocations by the events of one sender, which leave the room of others and of administrators alone', async () => {
    const store = await createReady()
    const add = (values: Partial<StoredTokenRevocation>) => store.addTokenRevocation?.(revocation(values))
    const [first, second] = [digestOf(0), digestOf(1)]
    let number = 100_000
    const bySender = (sender: string, ...added: StoredTokenRevocation[]) => {
      const noted = { ...event, digest: digestOf(++number), sender }
      return store.addTokenRevocationsOnce?.(noted, added)
    }
    await fillEvents(store, 49_999, 'subjects by events')
    const full = /^There are 50000 revocations by the events of this issuer in force/
    await expect(bySender(first, ofUser(60_000), ofUser(60_001))).rejects.toThrow(full)
    expect(await bySender(first, ofUser(60_000))).toBe(true)
    await expect(bySender(first, ofUser(60_001))).rejects.toThrow(full)
    // In place of the one that it replaces, and for nothing.
    expect(await bySender(first, { ...ofUser(60_000), id: 'again' })).toBe(true)
    expect(await bySender(first)).toBe(true)
    expect(await bySender(second, ofUser(70_000))).toBe(true)
    await add({ id: 'subject', subject: 'another' })
    await add({ id: 'client', clientId: 'another' })
    await add({ id: 'token', tokenId: 'another' })
    // An administrator's covers the sender's, and gives its room back.
    await add({ id: 'covers', subject: 'x60000', endsAt: revocation({}).endsAt + 1 })
    expect(await bySender(first, ofUser(60_001))).toBe(true)
    await expect(bySender(first, ofUser(60_002))).rejects.toThrow(full)
    await store.close()
  }, 120_000)

  test('drops nothing that is in force for a revocation by a clock that runs ahead', async () => {
    const store = await createReady()
    const [now, day] = [Date.now(), 86_400_000]
    await store.addTokenRevocation?.(
      revocation({ id: 'ended', tokenId: 'c', createdAt: now - 2 * day, endsAt: now - day }),
    )
    await store.addTokenRevocation?.(revocation({ id: 'in force', tokenId: 'a', createdAt: now, endsAt: now + day }))
    await store.addTokenRevocation?.(
      revocation({ id: 'ahead', tokenId: 'b', createdAt: now + 11 * day, endsAt: now + 12 * day }),
    )
    expect((await store.tokenRevocations?.(0))?.map(({ id }) => id).sort()).toEqual(['ahead', 'in force'])
    await store.close()
  })

  test('says when a change was made', async () => {
    const store = await createReady()
    const changedAt: (number | undefined)[] = []
    const feed = store.watch?.(({ at }) => changedAt.push(at))
    await until(() => {
      feed?.poll?.()
      return feed?.state !== 'down'
    })
    changedAt.length = 0
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
