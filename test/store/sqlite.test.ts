import { type ChildProcess, fork, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KeyStoreError } from '../../src/core/errors.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { ChangeFeed, KeyChange, KeyStore } from '../../src/store/contract.js'
import { loadSqliteDriver } from '../../src/store/sqlite/driver.js'
import { SCHEMA_VERSION } from '../../src/store/sqlite/schema.js'
import { sqliteKeyStore } from '../../src/store/sqlite/store.js'
import { type ChildOutput, outputOf } from '../support/child-output.js'
import { storedKey } from '../support/stored-keys.js'
import { until } from '../support/until.js'
import { rows, sql, temporaryFolder } from './sqlite-files.js'

const DAY = 86_400_000

let folder: ReturnType<typeof temporaryFolder>
let path: string
let closers: (() => unknown)[]

beforeEach(() => {
  folder = temporaryFolder()
  path = folder.path('keys.db')
  closers = [folder.remove]
})

afterEach(async () => {
  for (const close of closers.reverse()) await close()
})

function open(at = path): KeyStore {
  const store = sqliteKeyStore({ path: at })
  closers.push(() => store.close())
  return store
}

async function create(at = path): Promise<KeyStore> {
  const store = open(at)
  await store.migrate?.()
  return store
}

interface Watched {
  readonly feed: ChangeFeed
  /** What was heard since the last call: ids, or `*` for all of them. */
  heard(): string[]
  /** Looks until something is heard or the epoch changes, and tells both. */
  next(): Promise<{ heard: string[]; newEpoch: boolean }>
}

function watch(store: KeyStore): Watched {
  const changes: string[] = []
  const feed = store.watch?.((change: KeyChange) => changes.push('id' in change ? change.id : '*')) as ChangeFeed
  closers.push(() => feed.close())
  const heard = () => changes.splice(0)
  let epoch = feed.epoch
  return {
    feed,
    heard,
    async next() {
      await until(() => {
        feed.poll?.()
        return changes.length > 0 || feed.epoch !== epoch
      })
      const newEpoch = feed.epoch !== epoch
      epoch = feed.epoch
      return { heard: heard(), newEpoch }
    },
  }
}

describe('the file', () => {
  test('is not created by looking for a key, listing, counting or watching', async () => {
    const store = open()
    const feed = watch(store).feed
    feed.poll?.()
    expect(feed.state).toBe('down')
    await expect(store.find('a')).rejects.toThrow(/no key store at .*vantage-auth keys migrate/)
    await expect(store.list({ now: 0, limit: 1 })).rejects.toThrow(KeyStoreError)
    await expect(store.addUsage([{ id: 'a', day: '2026-11-25', count: 1, lastUsedAt: 1 }])).rejects.toThrow(
      KeyStoreError,
    )
    expect(existsSync(path)).toBe(false)
  })

  test('is found once somebody has created it, by a store that was there before', async () => {
    const early = open()
    const watched = watch(early)
    await expect(early.find('a')).rejects.toThrow(KeyStoreError)
    const writer = await create()
    await writer.insert(storedKey('a'))
    expect((await early.find('a'))?.id).toBe('a')
    expect((await watched.next()).newEpoch).toBe(true)
    expect(watched.feed.state).toBe('polling')
  })

  test.each([0o000, 0o022, 0o277])(
    'is created for its owner alone, with its companions, under the umask %i',
    async (mask) => {
      const before = process.umask(mask)
      try {
        await create()
      } finally {
        process.umask(before)
      }
      const names = readdirSync(folder.path('.'))
      expect(names.sort()).toEqual(['keys.db', 'keys.db-shm', 'keys.db-wal'])
      for (const name of names) expect([name, statSync(folder.path(name)).mode & 0o777]).toEqual([name, 0o600])
    },
  )

  test('keeps the mode that it has, and its folder as well', async () => {
    writeFileSync(path, '')
    chmodSync(path, 0o640)
    chmodSync(folder.path('.'), 0o755)
    await create()
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(statSync(folder.path('.')).mode & 0o777).toBe(0o755)
  })

  test('is created for its owner alone behind a symbolic link that leads nowhere yet', async () => {
    symlinkSync(folder.path('target.db'), path)
    await create()
    expect(statSync(folder.path('target.db')).mode & 0o777).toBe(0o600)
  })

  test('may have a name that looks like a URL', async () => {
    const odd = folder.path('a?mode=memory#b%20 c.db')
    const store = await create(odd)
    await store.insert(storedKey('a'))
    expect(readdirSync(folder.path('.'))).toContain('a?mode=memory#b%20 c.db')
    expect(rows(odd, 'SELECT id FROM vantage_keys')).toMatchObject([{ id: 'a' }])
  })

  test('is refused untouched when it is not a database', async () => {
    const text = 'This is a text, and longer than the hundred bytes that the header of a database has. '.repeat(3)
    writeFileSync(path, text)
    const store = open()
    for (const call of [store.find('a'), store.migrate?.(), store.insert(storedKey('a'))]) {
      await expect(call).rejects.toThrow(/is not a SQLite database/)
    }
    expect(readFileSync(path, 'utf8')).toBe(text)
    expect(readdirSync(folder.path('.'))).toEqual(['keys.db'])
  })

  test('is refused when it is a folder, lies in one that is absent, or in one that is a file', async () => {
    mkdirSync(path)
    writeFileSync(folder.path('file'), '')
    await expect(open().find('a')).rejects.toThrow(/is not a file/)
    await expect(open().migrate?.()).rejects.toThrow(/is not a file/)
    await expect(open(folder.path('no/keys.db')).migrate?.()).rejects.toThrow(/cannot be opened; .*folder/)
    await expect(open(folder.path('file/keys.db')).migrate?.()).rejects.toThrow(/cannot be opened; .*folder/)
    await expect(open(folder.path('file/keys.db')).find('a')).rejects.toThrow(/no key store|cannot be opened/)
  })

  test('is refused untouched when it is a database without our schema', async () => {
    sql(path, 'CREATE TABLE recipes (name TEXT)')
    await expect(open().find('a')).rejects.toThrow(
      /has no key schema; run: npx vantage-auth keys migrate --store (sqlite|postgres):/,
    )
    expect(rows(path, 'SELECT name FROM sqlite_master')).toMatchObject([{ name: 'recipes' }])
  })

  test.each([
    ['older', -1, /has (an old|no) key schema; run: npx vantage-auth keys migrate --store (sqlite|postgres):/],
    ['newer', 1, /has key schema \d+, and this vantage-auth knows \d+; update vantage-auth/],
  ])('is refused when its schema is of an %s version', async (_, difference, message) => {
    await create()
    sql(path, `UPDATE vantage_schema SET version = ${SCHEMA_VERSION + difference}`)
    await expect(open().find('a')).rejects.toThrow(message)
  })

  test('is not migrated back from a newer version', async () => {
    await create()
    sql(path, `UPDATE vantage_schema SET version = ${SCHEMA_VERSION + 1}`)
    await expect(open().migrate?.()).rejects.toThrow(/update vantage-auth/)
    expect(rows(path, 'SELECT version FROM vantage_schema')).toMatchObject([{ version: SCHEMA_VERSION + 1 }])
  })

  test('is refused without one of its triggers, also by stores that have it open, until it is migrated', async () => {
    const store = await create()
    await store.insert(storedKey('a'))
    const watched = watch(store)
    sql(path, 'DROP TRIGGER vantage_keys_updated')
    await expect(store.find('a')).rejects.toThrow(
      /lacks tables or triggers; run: npx vantage-auth keys migrate --store (sqlite|postgres):/,
    )
    await expect(open().find('a')).rejects.toThrow(/lacks tables or triggers/)
    // What was written while the trigger was missing nobody can tell: everything is looked at again.
    sql(path, 'UPDATE vantage_keys SET revoked_at = 1')
    expect(await open().migrate?.()).toBe(SCHEMA_VERSION)
    expect((await watched.next()).newEpoch).toBe(true)
    expect((await store.find('a'))?.revokedAt).toBe(1)
    sql(path, `UPDATE vantage_keys SET subject = 'b'`)
    watched.heard()
    expect((await watched.next()).heard).toEqual(['a'])
  })

  // Its triggers stay with the table that was renamed, under their names, and nothing would be heard of the copy.
  test('is refused while its triggers are on another table, until it is migrated', async () => {
    const store = await create()
    await store.insert(storedKey('a'))
    const watched = watch(store)
    sql(path, 'ALTER TABLE vantage_keys RENAME TO old; CREATE TABLE vantage_keys AS SELECT * FROM old')
    await expect(store.find('a')).rejects.toThrow(
      /lacks tables or triggers; run: npx vantage-auth keys migrate --store (sqlite|postgres):/,
    )
    sql(path, 'UPDATE vantage_keys SET revoked_at = 1')
    expect(await open().migrate?.()).toBe(SCHEMA_VERSION)
    await watched.next()
    sql(path, `UPDATE vantage_keys SET revoked_at = 2`)
    expect((await watched.next()).heard).toEqual(['a'])
    expect((await store.find('a'))?.revokedAt).toBe(2)
  })

  test('is refused when one of its triggers was written anew, until it is migrated', async () => {
    const store = await create()
    sql(
      path,
      `DROP TRIGGER vantage_keys_updated; CREATE TRIGGER vantage_keys_updated AFTER UPDATE ON vantage_usage BEGIN SELECT 1; END`,
    )
    await expect(store.find('a')).rejects.toThrow(/lacks tables or triggers/)
    expect(await store.migrate?.()).toBe(SCHEMA_VERSION)
    expect(await store.find('a')).toBeUndefined()
  })

  test('keeps its keys, and is not written to, when it is migrated again', async () => {
    const store = await create()
    await store.insert(storedKey('a'))
    const before = rows(path, 'SELECT * FROM vantage_changes')
    expect(await open().migrate?.()).toBe(SCHEMA_VERSION)
    expect(rows(path, 'SELECT * FROM vantage_changes')).toEqual(before)
    expect((await store.find('a'))?.id).toBe('a')
    expect(rows(path, 'PRAGMA journal_mode')).toMatchObject([{ journal_mode: 'wal' }])
  })

  test('of version 1 is brought up to date with its keys, and traces of hand-written SQL are kept', async () => {
    const store = await create()
    await store.insert(storedKey('a'))
    sql(
      path,
      `DROP TABLE vantage_audit; DROP TABLE vantage_token_revocations;
        DROP TRIGGER vantage_audit_inserted; DROP TRIGGER vantage_audit_revoked; DROP TRIGGER vantage_audit_restored;
        DROP TRIGGER vantage_audit_changed; DROP TRIGGER vantage_audit_deleted;
        UPDATE vantage_schema SET version = 1`,
    )
    await expect(open().find('a')).rejects.toThrow(
      /has an old key schema; run: npx vantage-auth keys migrate --store (sqlite|postgres):/,
    )
    const later = await create()
    expect(await later.find('a')).toEqual(storedKey('a'))
    sql(path, `UPDATE vantage_keys SET revoked_at = 1, revoked_by = 'ops', revoked_reason = 'leaked'`)
    sql(path, `UPDATE vantage_keys SET revoked_at = NULL`)
    sql(path, `UPDATE vantage_keys SET scopes = 'teams:write'`)
    sql(path, 'DELETE FROM vantage_keys')
    const entries = (await later.readAudit?.({ limit: 9 })) ?? []
    expect(entries.map(({ action, actor, reason, detail }) => [action, actor, reason, detail])).toEqual([
      ['delete', null, null, null],
      ['change', null, null, null],
      ['restore', null, null, null],
      ['revoke', 'ops', 'leaked', '{"by":"sql"}'],
    ])
    for (const statement of [`UPDATE vantage_audit SET actor = 'nobody'`, 'DELETE FROM vantage_audit']) {
      expect(() => sql(path, statement)).toThrow(/audit trail cannot be changed/)
    }
  })

  test('is created once when several processes and stores create it at the same time', async () => {
    const script = `
      import { sqliteKeyStore } from ${JSON.stringify(new URL('../../src/store/sqlite/store.ts', import.meta.url).href)}
      const stores = Array.from({ length: 3 }, () => sqliteKeyStore({ path: ${JSON.stringify(path)} }))
      console.log(JSON.stringify(await Promise.all(stores.map((store) => store.migrate()))))`
    const outputs = await Promise.all([run(script), run(script)])
    const stdout = `${JSON.stringify(Array(3).fill(SCHEMA_VERSION))}\n`
    for (const output of outputs) expect(output).toEqual({ stdout, stderr: '', code: 0 })
    expect(rows(path, 'SELECT count(*) AS n FROM vantage_schema')).toMatchObject([{ n: 1 }])
    expect(rows(path, 'SELECT count(*) AS n FROM vantage_changes')).toMatchObject([{ n: 1 }])
    expect(await open().find('a')).toBeUndefined()
  })

  test('is created by one migration that fails half-way, whole or not at all', async () => {
    // A table of that name and another shape lets the statements after it fail.
    sql(path, 'CREATE TABLE vantage_changes (other TEXT)')
    await expect(open().migrate?.()).rejects.toThrow(KeyStoreError)
    expect(rows(path, 'SELECT name FROM sqlite_master')).toMatchObject([{ name: 'vantage_changes' }])
  })

  test('is waited for while another program writes, without holding up the process', async () => {
    const store = await create()
    const writer = loadSqliteDriver().open(pathToFileURL(path).href)
    writer.exec('BEGIN IMMEDIATE')
    let done = false
    const insertion = store.insert(storedKey('a')).then(() => {
      done = true
    })
    // The lock is released by a timer of this very process: it fires only if the wait does not block it.
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(done).toBe(false)
    // Readers do not wait.
    expect(await store.find('a')).toBeUndefined()
    writer.exec('COMMIT')
    writer.close()
    await insertion
    expect((await store.find('a'))?.id).toBe('a')
  })

  test('is not waited for longer than a write has time', async () => {
    const store = await create()
    const writer = loadSqliteDriver().open(pathToFileURL(path).href)
    writer.exec('BEGIN IMMEDIATE')
    const insertion = store.insert(storedKey('a'), { before: performance.now() + 50 })
    await expect(insertion).rejects.toThrow(/^The time for this change was over/)
    writer.exec('COMMIT')
    writer.close()
    expect(await store.find('a')).toBeUndefined()
  })

  test.each([{}, { path: '' }, { path: 5 }, { path: ':memory:' }, { path: 'a\0b' }, undefined])(
    'must be named: %j is a TypeError',
    (options) => {
      expect(() => sqliteKeyStore(options as { path: string })).toThrow(TypeError)
    },
  )
})

test('prints no warning of an experimental driver', async () => {
  const url = new URL('../../src/store/sqlite/store.ts', import.meta.url).href
  const output = await run(`
    import { sqliteKeyStore } from ${JSON.stringify(url)}
    await sqliteKeyStore({ path: ${JSON.stringify(path)} }).migrate()
    process.emitWarning('ours', 'ExperimentalWarning')`)
  expect(output.code).toBe(0)
  // And it is the driver's alone that is kept back.
  expect(output.stderr).toMatch(/^\(node:\d+\) ExperimentalWarning: ours\n\(Use `node --trace-warnings \.\.\.`.*\n$/)
})

describe('hand-written SQL', () => {
  let store: KeyStore
  let watched: Watched

  beforeEach(async () => {
    store = await create()
    for (const id of ['a', 'b', 'c']) await store.insert(storedKey(id))
    watched = watch(store)
    expect(watched.feed.state).toBe('polling')
  })

  test.each<[string, string, string[]]>([
    ['UPDATE', "UPDATE vantage_keys SET revoked_at = 1 WHERE id = 'b'", ['b']],
    ['UPDATE of all', 'UPDATE vantage_keys SET revoked_at = 1', ['a', 'b', 'c']],
    ['UPDATE of the id: the old and the new one', `UPDATE vantage_keys SET id = 'z' WHERE id = 'b'`, ['b', 'z']],
    ['UPDATE OR REPLACE onto another id', `UPDATE OR REPLACE vantage_keys SET id = 'a' WHERE id = 'b'`, ['a', 'b']],
    ['DELETE', `DELETE FROM vantage_keys WHERE id = 'b'`, ['b']],
    ['DELETE of all', 'DELETE FROM vantage_keys', ['a', 'b', 'c']],
    [
      'INSERT',
      `INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at) VALUES ('n', 'x', 's', 'live', '', 1)`,
      ['n'],
    ],
    [
      'REPLACE, which fires no delete trigger',
      `REPLACE INTO vantage_keys (id, digest, subject, environment, scopes, created_at) VALUES ('b', 'x', 's', 'live', '', 1)`,
      ['b'],
    ],
    ['a line for every key', 'INSERT INTO vantage_changes (id) VALUES (NULL)', ['*']],
  ])('travels: %s', async (_, statement, expected) => {
    sql(path, statement)
    const { heard, newEpoch } = await watched.next()
    expect(heard.sort()).toEqual(expected)
    expect(newEpoch).toBe(false)
  })

  test('travels not when it is rolled back', async () => {
    sql(
      path,
      `BEGIN; UPDATE vantage_keys SET revoked_at = 1; ROLLBACK; UPDATE vantage_keys SET subject = 's' WHERE id = 'c'`,
    )
    expect((await watched.next()).heard).toEqual(['c'])
  })

  test('is heard as a change of all keys beyond a thousand of them', async () => {
    const insertMany = (n: number, prefix: string) =>
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${n})
       INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at)
         SELECT '${prefix}' || i, 'x', 's', 'live', '', 1 FROM n`
    sql(path, insertMany(1000, 'many'))
    expect((await watched.next()).heard).toHaveLength(1000)
    sql(path, insertMany(1001, 'more'))
    expect((await watched.next()).heard).toEqual(['*'])
    sql(path, `DELETE FROM vantage_keys WHERE id = 'a'`)
    expect((await watched.next()).heard).toEqual(['a'])
  })

  test('may list scopes with commas', async () => {
    sql(path, `UPDATE vantage_keys SET scopes = 'jobs:read,jobs:write, teams:read' WHERE id = 'a'`)
    expect((await store.find('a'))?.scopes).toEqual(['jobs:read', 'jobs:write', 'teams:read'])
  })

  test.each([
    `UPDATE vantage_keys SET revoked_at = datetime('now')`,
    'UPDATE vantage_keys SET expires_at = 9223372036854775807',
    'UPDATE vantage_keys SET expires_at = 1.5',
    `UPDATE vantage_keys SET environment = 'prod'`,
    `UPDATE vantage_keys SET subject = x'00'`,
    'UPDATE vantage_keys SET id = NULL',
  ])('is refused where it is written when the store could not be read afterwards: %s', async (statement) => {
    expect(() => sql(path, statement)).toThrow(/constraint/i)
    expect(await store.find('a')).toEqual(storedKey('a'))
  })

  /** The newest entries of the audit trail, oldest first. */
  async function trail(since: number): Promise<unknown[]> {
    const entries = (await store.readAudit?.({ limit: 99 })) ?? []
    const told = entries.filter(({ seq }) => seq > since).map(({ action, keyId, detail }) => [action, keyId ?? detail])
    return told.reverse()
  }

  const created = 3 // a, b and c
  const revocation = (id: string, endsAt: number) =>
    `('${id}', 'https://issuer.example', 'jti-${id}', ${Date.now()}, ${endsAt})`
  const revokedToken = (id: string) => JSON.stringify({ issuer: 'https://issuer.example', tokenId: `jti-${id}` })
  const REVOCATION_COLUMNS = 'vantage_token_revocations (id, issuer, token_id, created_at, ends_at)'

  test.each([
    ['the end', 'UPDATE vantage_keys SET expires_at = 9'],
    [
      'the end, together with a successor that there is not',
      `UPDATE vantage_keys SET expires_at = 9, replaced_by = 'x'`,
    ],
    ['the end, to a later one, together with a successor', `UPDATE vantage_keys SET expires_at = 9, replaced_by = 'r'`],
    ['the successor', `UPDATE vantage_keys SET replaced_by = 'x'`],
    ['who created it', `UPDATE vantage_keys SET created_by = 'x'`],
    ['the name', `UPDATE vantage_keys SET name = 'x'`],
    ['who is to have revoked it', `UPDATE vantage_keys SET revoked_by = 'x'`],
    ['why it is to have been revoked', `UPDATE vantage_keys SET revoked_reason = 'x'`],
  ])('leaves its trace in the audit trail: %s', async (_, statement) => {
    sql(
      path,
      `INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at, replaces)
      VALUES ('r', 'x', 's', 'live', '', 1, 'a'); UPDATE vantage_keys SET expires_at = 8 WHERE id = 'a'`,
    )
    sql(path, `${statement} WHERE id = 'a'`)
    expect(await trail(created + 2)).toEqual([['change', 'a']])
  })

  test('that rewrites why a key was revoked leaves its trace, and what a rotation writes is no change', async () => {
    const successor = storedKey('n', { replaces: 'a' })
    expect(await store.update(storedKey('a'), storedKey('a', { expiresAt: 9, replacedBy: 'n' }), successor)).toBe(true)
    sql(path, `UPDATE vantage_keys SET revoked_at = 1, revoked_reason = 'leaked' WHERE id = 'b'`)
    sql(path, `UPDATE vantage_keys SET revoked_reason = 'nothing' WHERE id = 'b'`)
    sql(path, `UPDATE vantage_keys SET revoked_by = 'nobody' WHERE id = 'b'`)
    expect(await trail(created)).toEqual([
      ['rotate', 'a'],
      ['revoke', 'b'],
      ['change', 'b'],
      ['change', 'b'],
    ])
  })

  test('on revocations of tokens leaves its trace; that ended ones are dropped leaves none', async () => {
    const later = Date.now() + DAY
    sql(path, `INSERT INTO ${REVOCATION_COLUMNS} VALUES ${revocation('d', later)}, ${revocation('e', 1)}`)
    sql(path, `UPDATE vantage_token_revocations SET ends_at = ends_at - 1 WHERE id = 'd'`)
    sql(path, `DELETE FROM vantage_token_revocations WHERE id = 'e'`)
    sql(path, 'DELETE FROM vantage_token_revocations')
    expect(await trail(created + 2)).toEqual([
      ['change', revokedToken('d')],
      ['delete', revokedToken('d')],
    ])
  })

  test('that replaces a row leaves its trace', async () => {
    const later = Date.now() + DAY
    sql(path, `INSERT INTO ${REVOCATION_COLUMNS} VALUES ${revocation('d', later)}, ${revocation('e', later)}`)
    sql(
      path,
      `REPLACE INTO ${REVOCATION_COLUMNS} VALUES ('d', 'https://issuer.example', 'another', 1, ${later});
      REPLACE INTO vantage_keys (id, digest, subject, environment, scopes, created_at) VALUES ('b', 'x', 's', 'live', '', 1);
      REPLACE INTO vantage_keys (rowid, id, digest, subject, environment, scopes, created_at)
        SELECT rowid, 'n', 'x', 's', 'live', '', 1 FROM vantage_keys WHERE id = 'c';
      UPDATE OR REPLACE vantage_token_revocations SET id = 'd' WHERE id = 'e'`,
    )
    expect(await trail(created + 2)).toEqual([
      ['change', revokedToken('d')],
      ['revoke_tokens', JSON.stringify({ issuer: 'https://issuer.example', tokenId: 'another' })],
      ['change', 'b'],
      ['create', 'b'],
      ['change', 'c'],
      ['create', 'n'],
      ['change', JSON.stringify({ issuer: 'https://issuer.example', tokenId: 'another' })],
      ['change', revokedToken('e')],
    ])
    // Two revocations and three keys.
    expect((await watched.next()).heard.sort()).toEqual(['*', '*', 'b', 'c', 'n'])
  })

  test.each([
    `UPDATE vantage_audit SET action = 'create'`,
    `UPDATE OR REPLACE vantage_audit SET seq = 1`,
    'DELETE FROM vantage_audit',
    `REPLACE INTO vantage_audit (seq, action) VALUES (1, 'create')`,
    `INSERT OR REPLACE INTO vantage_audit (rowid, action) VALUES (1, 'create')`,
  ])('is refused on the audit trail: %s', async (statement) => {
    const before = await store.readAudit?.({ limit: 99 })
    expect(() => sql(path, statement)).toThrow(/audit trail cannot be changed/)
    expect(await store.readAudit?.({ limit: 99 })).toEqual(before)
  })

  test('takes the usage of a deleted key along', async () => {
    await store.addUsage(['a', 'b'].map((id) => ({ id, day: '2026-11-25', count: 1, lastUsedAt: 1 })))
    sql(path, `DELETE FROM vantage_keys WHERE id = 'a'`)
    expect(rows(path, 'SELECT id FROM vantage_usage')).toMatchObject([{ id: 'b' }])
  })
})

describe('the changes', () => {
  test('are kept for seven days', async () => {
    const store = await create()
    for (const id of ['a', 'b', 'c']) await store.insert(storedKey(id))
    const age = (id: string, ms: number) => sql(path, `UPDATE vantage_changes SET at = at - ${ms} WHERE id = '${id}'`)
    age('a', 7 * DAY + 60_000)
    age('b', 7 * DAY - 60_000)
    await store.insert(storedKey('d'))
    expect(rows(path, 'SELECT id FROM vantage_changes WHERE id IS NOT NULL ORDER BY seq').map(({ id }) => id)).toEqual([
      'b',
      'c',
      'd',
    ])
  })

  test('are pruned by hand-written SQL as well', async () => {
    const store = await create()
    await store.insert(storedKey('a'))
    sql(path, `UPDATE vantage_changes SET at = at - ${8 * DAY}; UPDATE vantage_keys SET revoked_at = 1`)
    expect(rows(path, 'SELECT id FROM vantage_changes')).toMatchObject([{ id: 'a' }])
  })

  test.each<[string, string]>([
    ['were pruned past the position of a reader', 'DELETE FROM vantage_changes'],
    ['went back', `DELETE FROM vantage_changes WHERE id = 'b'; UPDATE sqlite_sequence SET seq = seq - 1`],
    [
      'went back and on along another history',
      `DELETE FROM vantage_changes WHERE id = 'b'; UPDATE sqlite_sequence SET seq = seq - 1;
       INSERT INTO vantage_changes (id) VALUES ('x'), ('y')`,
    ],
    [
      'are others since, of the same moment',
      `CREATE TEMP TABLE moment AS SELECT at FROM vantage_changes WHERE id = 'b';
       DELETE FROM vantage_changes WHERE id = 'b'; UPDATE sqlite_sequence SET seq = seq - 1;
       INSERT INTO vantage_changes (id, at) SELECT 'x', at FROM moment`,
    ],
    ['belong to another feed', `UPDATE vantage_schema SET feed = 'another'`],
  ])('that %s start a new epoch and mean every key', async (_, statement) => {
    const store = await create()
    await store.insert(storedKey('a'))
    await store.insert(storedKey('b'))
    const watched = watch(store)
    sql(path, statement)
    expect(await watched.next()).toEqual({ heard: ['*'], newEpoch: true })
    sql(path, `UPDATE vantage_keys SET revoked_at = 1 WHERE id = 'a'`)
    expect(await watched.next()).toEqual({ heard: ['a'], newEpoch: false })
  })

  test('of usage are none', async () => {
    const [store, writer] = [await create(), open()]
    await store.insert(storedKey('a'))
    const watched = watch(store)
    await writer.addUsage([{ id: 'a', day: '2026-11-25', count: 1, lastUsedAt: 1 }])
    await writer.insert(storedKey('b'))
    expect((await watched.next()).heard).toEqual(['b'])
  })

  test('reach the other stores of one process at once, whatever path they know the file by', async () => {
    const link = folder.path('link.db')
    symlinkSync(path, link)
    const [store, writer] = [await create(), open(link)]
    const watched = watch(store)
    await writer.insert(storedKey('a'))
    // Without a poll.
    expect(watched.heard()).toEqual(['a'])
  })
})

test('a file that comes after its feed is told as a change of everything, since a key of it may be cached by then', async () => {
  const late = sqliteKeyStore({ path })
  const heard: KeyChange[] = []
  const feed = late.watch?.((change) => heard.push(change))
  expect(feed?.state).toBe('down')
  await (await create()).insert(storedKey('a'))
  await until(() => {
    feed?.poll?.()
    return feed?.state === 'polling'
  })
  expect(heard).toEqual([{ all: true }])
  await late.close()
})

describe('the file, when it is replaced', () => {
  async function createAside(id: string): Promise<string> {
    const aside = folder.path(`${id}.db`)
    const store = sqliteKeyStore({ path: aside })
    await store.migrate?.()
    await store.insert(storedKey(id))
    await store.close()
    return aside
  }

  const removeCompanions = () => {
    for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  }

  /** Looks until the feed is down. */
  async function untilDown({ feed }: Watched): Promise<void> {
    await until(() => {
      feed.poll?.()
      return feed.state === 'down'
    })
  }

  test('with its companions, is opened anew and starts a new epoch', async () => {
    const aside = await createAside('new')
    const store = await create()
    await store.insert(storedKey('old'))
    const watched = watch(store)
    removeCompanions()
    renameSync(aside, path)
    expect(await watched.next()).toEqual({ heard: ['*'], newEpoch: true })
    expect(watched.feed.state).toBe('polling')
    expect(await store.find('old')).toBeUndefined()
    expect((await store.find('new'))?.id).toBe('new')
  })

  // SQLite would replay the log of the old file into the new one: the old keys would be back.
  test('without its companions, is refused until they are deleted', async () => {
    const aside = await createAside('new')
    const store = await create()
    await store.insert(storedKey('old'))
    const watched = watch(store)
    renameSync(aside, path)
    await untilDown(watched)
    for (let i = 0; i < 2; i++) await expect(store.find('old')).rejects.toThrow(/replaced .* delete these two/)
    removeCompanions()
    expect(await watched.next()).toEqual({ heard: ['*'], newEpoch: true })
    expect(await store.find('old')).toBeUndefined()
    expect((await store.find('new'))?.id).toBe('new')
  })

  // SQLite keeps the companions beside the file that a link leads to, and not beside the link.
  test('behind a symbolic link, without its companions, is refused until they are deleted', async () => {
    const aside = await createAside('new')
    for (const [link, target] of [
      ['link.db', 'between.db'],
      ['between.db', path],
    ] as const) {
      symlinkSync(target, folder.path(link))
    }
    const store = await create(folder.path('link.db'))
    await store.insert(storedKey('old'))
    const watched = watch(store)
    renameSync(aside, path)
    await untilDown(watched)
    await expect(store.find('old')).rejects.toThrow(/replaced .*-shm beside ".*\/keys\.db" .* delete these two/)
    removeCompanions()
    expect(await watched.next()).toEqual({ heard: ['*'], newEpoch: true })
    expect((await store.find('new'))?.id).toBe('new')
  })

  test('is not created anew behind a symbolic link, beside the companions of a deleted one', async () => {
    mkdirSync(folder.path('sub'))
    symlinkSync('../keys.db', folder.path('sub/link.db'))
    symlinkSync(folder.path('sub'), folder.path('linked'))
    const link = folder.path('linked/link.db')
    const store = await create(link)
    await store.insert(storedKey('old'))
    rmSync(path)
    await expect(open(link).migrate?.()).rejects.toThrow(/deleted .* delete these two/)
    expect(existsSync(path)).toBe(false)
    removeCompanions()
    expect(await open(link).migrate?.()).toBe(SCHEMA_VERSION)
  })

  test('by a link that leads to another file, with its own companions, is opened anew', async () => {
    const aside = await createAside('new')
    const other = open(aside)
    await other.find('new')
    const link = folder.path('link.db')
    symlinkSync(path, link)
    const store = await create(link)
    await store.insert(storedKey('old'))
    const watched = watch(store)
    symlinkSync(aside, folder.path('next.db'))
    renameSync(folder.path('next.db'), link)
    expect((await watched.next()).newEpoch).toBe(true)
    expect((await store.find('new'))?.id).toBe('new')
  })

  test('is not created anew beside the companions of a deleted one', async () => {
    const store = await create()
    await store.insert(storedKey('old'))
    rmSync(path)
    await expect(open().migrate?.()).rejects.toThrow(/deleted .* delete these two/)
    expect(existsSync(path)).toBe(false)
    removeCompanions()
    expect(await open().migrate?.()).toBe(SCHEMA_VERSION)
  })

  test('by nothing, is out of reach until it comes back', async () => {
    const aside = await createAside('new')
    const store = await create()
    await store.insert(storedKey('old'))
    const watched = watch(store)
    rmSync(path)
    removeCompanions()
    await untilDown(watched)
    await expect(store.find('old')).rejects.toThrow(/no key store/)
    expect(existsSync(path)).toBe(false)
    renameSync(aside, path)
    expect((await watched.next()).newEpoch).toBe(true)
    expect(watched.feed.state).toBe('polling')
  })
})

describe('two processes on one file', () => {
  // The measured times are printed and not asserted: a busy machine schedules the other process when it likes.
  const ROUNDS = 20

  function follow(...words: string[]): ChildProcess {
    const child = fork(fileURLToPath(new URL('./sqlite-follower.ts', import.meta.url)), words, {
      execArgv: ['--import', 'tsx'],
    })
    closers.push(() => child.kill())
    return child
  }

  const now = () => performance.timeOrigin + performance.now()

  function print(what: string, measured: number[]): void {
    measured.sort((a, b) => a - b)
    const [median, most] = [measured[measured.length >> 1], measured.at(-1)].map((ms) => ms?.toFixed(1))
    console.log(`${what} by another process: median ${median} ms, at most ${most} ms (bound: 100 ms)`)
  }

  test('hear of the changes of each other, also by hand in SQL', async () => {
    const store = await create()
    await store.insert(storedKey('a'))
    const follower = follow(path)
    expect(await message(follower)).toEqual({ state: 'polling' })
    const measured: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const reply = message(follower)
      if (round % 2 === 0) sql(path, `UPDATE vantage_keys SET revoked_at = ${round} WHERE id = 'a'`)
      else await store.update({ ...storedKey('a'), revokedAt: round - 1 }, { ...storedKey('a'), revokedAt: round })
      const committedAt = now()
      const { change, at } = (await reply) as { change: KeyChange; at: number }
      expect(change).toEqual({ id: 'a', at: expect.any(Number) })
      measured.push(at - committedAt)
      // So that the writes fall on any moment of the other's interval.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 50))
    }
    print('a change is heard', measured)
  })

  test('refuse a key that the other revoked, also by hand in SQL', async () => {
    const keyring = createKeyring(`sqlite:${path}`)
    closers.push(() => keyring.close())
    const { key, record } = await keyring.create({ subject: 's', scopes: ['jobs:read'] })
    const follower = follow(path, key)
    expect(await message(follower)).toEqual({ accepted: true })
    const measured: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const refusal = message(follower)
      if (round % 2 === 0) sql(path, `UPDATE vantage_keys SET revoked_at = 1 WHERE id = '${record.id}'`)
      else await keyring.revoke(record.id)
      const committedAt = now()
      const { reason, at } = (await refusal) as { reason: string; at: number }
      expect(reason).toBe('revoked')
      measured.push(at - committedAt)
      // By hand even what is final can be undone, and that travels too.
      const acceptance = message(follower)
      sql(path, `UPDATE vantage_keys SET revoked_at = NULL WHERE id = '${record.id}'`)
      expect(await acceptance).toEqual({ accepted: true })
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 50))
    }
    print('a revoked key is refused', measured)
  })
})

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the other process said nothing for 10 s')), 10_000)
    child.once('message', (value) => {
      clearTimeout(timer)
      resolve(value)
    })
  })
}

async function run(script: string): Promise<ChildOutput> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script])
  return outputOf(child)
}
