import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { ChangeFeed, KeyStore } from '../../src/store/contract.js'
import { createAnswers } from '../../src/store/sqlite/answers.js'
import { BUSY_TIMEOUT_MS, loadSqliteDriver, type SqliteDatabase } from '../../src/store/sqlite/driver.js'
import { thisProcess } from '../../src/store/sqlite/process-mark.js'
import { createServiceTable, MOST_SERVICES, SILENCE_MS } from '../../src/store/sqlite/service-table.js'
import { createSqliteKeyStore, sqliteKeyStore } from '../../src/store/sqlite/store.js'
import { storedKey } from '../support/stored-keys.js'
import { until } from '../support/until.js'
import { observedDriver, rows, sql, temporaryFolder } from './sqlite-files.js'

// Nothing here measures time: a limit only tells who has answered from who has not.
const LIMIT_MS = 20_000

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

function open(): KeyStore {
  const store = sqliteKeyStore({ path })
  closers.push(() => store.close())
  return store
}

async function create(): Promise<KeyStore> {
  const store = open()
  await store.migrate?.()
  return store
}

function follow(store: KeyStore, follower?: 'observer'): ChangeFeed {
  const feed = store.watch?.(() => {}, follower) as ChangeFeed
  closers.push(() => feed.close())
  return feed
}

const names = () => rows(path, 'SELECT id FROM vantage_services').map(({ id }) => id)
const counted = (count: number) => until(() => names().length === count)

/** A row as a process writes it; `silentMs` ago. */
function note(id: string, values: Record<string, string | number | null> = {}, silentMs = 0): void {
  const mark = thisProcess()
  const row = { pid: process.pid, pid_space: mark.pidSpace, started: mark.started, answered: 0, ...values }
  const literal = (value: string | number | null) => (typeof value === 'string' ? `'${value}'` : String(value))
  sql(
    path,
    `INSERT INTO vantage_services (id, seen_at, ${Object.keys(row).join(', ')})
      VALUES ('${id}', ${Date.now() - silentMs}, ${Object.values(row).map(literal).join(', ')})`,
  )
}

const ask = async (store: KeyStore, limitMs = LIMIT_MS) => (await store.askServices?.(limitMs)) ?? []

describe('services in other processes', () => {
  async function startServices(count: number): Promise<ChildProcess[]> {
    const children = Array.from({ length: count }, () => {
      const script = fileURLToPath(new URL('./sqlite-service.ts', import.meta.url))
      const child = fork(script, [path], { execArgv: ['--import', 'tsx'] })
      closers.push(() => child.kill('SIGKILL'))
      return child
    })
    await Promise.all(children.map(async (child) => expect((await once(child, 'message'))[0]).toBe('started')))
    return children
  }

  async function answerOf(child: ChildProcess, key: string | null): Promise<unknown> {
    const answer = once(child, 'message')
    child.send(key as string)
    return (await answer)[0]
  }

  async function prepare(count: number) {
    const keyring = createKeyring(`sqlite:${path}`)
    closers.push(() => keyring.close())
    const createKey = () => keyring.create({ subject: 's', scopes: ['jobs:read'] })
    const first = await createKey()
    const children = await startServices(count)
    const request = (key: string) => Promise.all(children.map((child) => answerOf(child, key)))
    const all = (answer: string) => children.map(() => answer)
    expect(await request(first.key)).toEqual(all('accepted'))
    await counted(count)
    return { keyring, createKey, first, children, request, all }
  }

  test('confirm a revocation, also while they get no request, and accept nothing after that', async () => {
    const { keyring, createKey, request, all } = await prepare(3)
    for (let round = 0; round < 50; round++) {
      const { key, record } = await createKey()
      expect(await request(key)).toEqual(all('accepted'))
      if (round % 5 === 0) await delay(70)
      const { confirmation } = await keyring.revoke(record.id, { confirm: '20s' })
      expect(confirmation).toEqual({ services: 3, confirmed: 3, lastAfterMs: expect.any(Number) })
      expect(await request(key)).toEqual(all('revoked'))
    }
  }, 60_000)

  test('answer two that ask at once', async () => {
    const { createKey, request, all } = await prepare(2)
    const keyrings = [1, 2].map(() => createKeyring(`sqlite:${path}`))
    closers.push(() => Promise.all(keyrings.map((keyring) => keyring.close())))
    for (let round = 0; round < 10; round++) {
      const keys = await Promise.all(keyrings.map(createKey))
      for (const { key } of keys) expect(await request(key)).toEqual(all('accepted'))
      const revoked = await Promise.all(
        keyrings.map(async (keyring, i) => keyring.revoke(String(keys[i]?.record.id), { confirm: '20s' })),
      )
      for (const { confirmation } of revoked) expect(confirmation).toMatchObject({ services: 2, confirmed: 2 })
      for (const { key } of keys) expect(await request(key)).toEqual(all('revoked'))
    }
  }, 60_000)

  test('are named where they are stopped, and not counted once they have ended or closed', async () => {
    const { keyring, createKey, children } = await prepare(3)
    const [stopped, killed, closing] = children as [ChildProcess, ChildProcess, ChildProcess]
    stopped.kill('SIGSTOP')
    const one = await keyring.revoke((await createKey()).record.id, { confirm: '3s' })
    const unanswered = [{ host: hostname(), pid: stopped.pid, applicationName: 'sqlite-service.ts' }]
    expect(one.confirmation).toMatchObject({ services: 3, confirmed: 2, unanswered })

    killed.kill('SIGKILL')
    await once(killed, 'exit')
    const two = await keyring.revoke((await createKey()).record.id, { confirm: '3s' })
    expect(two.confirmation).toMatchObject({ services: 2, confirmed: 1, unanswered })
    expect(names()).toHaveLength(2)

    expect(await answerOf(closing, null)).toBe('closed')
    expect(names()).toHaveLength(1)
    stopped.kill('SIGCONT')
    const three = await keyring.revoke((await createKey()).record.id, { confirm: '20s' })
    expect(three.confirmation).toMatchObject({ services: 1, confirmed: 1 })
  }, 60_000)

  test('are dropped for their silence where they have ended, and not where they are stopped', async () => {
    const { children } = await prepare(2)
    const [stopped, ended] = children as [ChildProcess, ChildProcess]
    stopped.kill('SIGSTOP')
    ended.kill('SIGKILL')
    await once(ended, 'exit')
    sql(path, `UPDATE vantage_services SET seen_at = seen_at - ${2 * SILENCE_MS}`)
    expect(await ask(open(), 3000)).toMatchObject([{ pid: stopped.pid, answeredAfterMs: null }])
    expect(names()).toHaveLength(1)
    stopped.kill('SIGCONT')
    expect(await ask(open())).toMatchObject([{ pid: stopped.pid, answeredAfterMs: expect.any(Number) }])
  }, 60_000)

  test('answer once another program has let go of the file', async () => {
    const { createKey, keyring, request, all } = await prepare(2)
    const { key, record } = await createKey()
    expect(await request(key)).toEqual(all('accepted'))
    const writer = loadSqliteDriver().open(pathToFileURL(path).href)
    closers.push(() => writer.close())
    let isHeld = false
    const store = open()
    const asking = store.askServices?.(
      LIMIT_MS,
      keyring.revoke(record.id).then(() => {
        // The question is put at once after this, and waits as well.
        writer.exec('BEGIN IMMEDIATE')
        isHeld = true
      }),
    )
    await until(() => isHeld)
    await delay(300)
    // Deciding goes on.
    expect(await request(key)).toEqual(all('revoked'))
    writer.exec('COMMIT')
    expect(await asking).toMatchObject([
      { answeredAfterMs: expect.any(Number) },
      { answeredAfterMs: expect.any(Number) },
    ])
  }, 60_000)
})

describe('a service', () => {
  test('is one to who asks, however many verifiers it has; who only looks is none', async () => {
    const store = await create()
    await store.insert(storedKey('a'))
    follow(store, 'observer')
    const startedAt = Date.now()
    expect(await ask(store)).toEqual([])
    follow(store)
    follow(store)
    await counted(1)
    const [service, ...others] = await ask(store)
    expect(others).toEqual([])
    const { seq } = rows(path, 'SELECT max(seq) AS seq FROM vantage_changes')[0] ?? {}
    expect(service).toEqual({
      host: hostname(),
      pid: process.pid,
      applicationName: expect.any(String),
      since: expect.any(Number),
      heardOf: String(seq),
      answeredAfterMs: expect.any(Number),
    })
    expect(service?.since).toBeGreaterThanOrEqual(startedAt - 1000)
  })

  test('answers for what it has told its listeners', async () => {
    const store = await create()
    const other = open()
    const heard: unknown[] = []
    const feed = other.watch?.((change) => heard.push('id' in change && change.id))
    closers.push(() => feed?.close())
    await counted(1)
    for (const id of ['a', 'b', 'c']) {
      await store.insert(storedKey(id))
      expect(await ask(store)).toMatchObject([{ answeredAfterMs: expect.any(Number) }])
      expect(heard.at(-1)).toBe(id)
    }
  })

  test('reads what is asked before it reads the log, so that it answers for all that was written before', async () => {
    const store = await create()
    for (const id of ['a', 'b']) await store.insert(storedKey(id))
    let isDue = false
    // Between the two, another process revokes a key and asks.
    const driver = observedDriver((text) => {
      if (!isDue || !/FROM vantage_(question|changes)/.test(text)) return
      isDue = false
      sql(path, `UPDATE vantage_keys SET revoked_at = 1 WHERE id = 'b'; UPDATE vantage_question SET asked = 100`)
    })
    const other = createSqliteKeyStore(path, driver)
    closers.push(() => other.close())
    const heard: unknown[] = []
    const feed = other.watch?.((change) => heard.push('id' in change && change.id))
    closers.push(() => feed?.close())
    await counted(1)
    expect(await ask(store)).toHaveLength(1)
    isDue = true
    sql(path, `UPDATE vantage_keys SET revoked_at = 1 WHERE id = 'a'`)
    const answered = () => rows(path, 'SELECT heard_of FROM vantage_services WHERE answered = 100')[0]
    await until(answered)
    const newest = rows(path, 'SELECT max(seq) AS seq FROM vantage_changes')[0]?.seq
    expect([heard, answered()?.heard_of]).toEqual([['a', 'b'], String(newest)])
  })

  test.each(['answers', 'may not answer yet, since another program holds the lock,'])(
    'that %s leaves its connection as it was: what is written next outlives a loss of power',
    async (what) => {
      const store = await create()
      let connection: SqliteDatabase | undefined
      let attempts = 0
      const driver = observedDriver((text, database) => {
        connection = database
        if (text.startsWith('UPDATE vantage_services')) attempts++
      })
      const other = createSqliteKeyStore(path, driver)
      closers.push(() => other.close())
      follow(other)
      await counted(1)
      expect(await ask(store)).toHaveLength(1)
      const writer = loadSqliteDriver().open(pathToFileURL(path).href)
      closers.push(() => writer.close())
      const before = attempts
      writer.exec('UPDATE vantage_question SET asked = 100')
      if (what !== 'answers') writer.exec('BEGIN IMMEDIATE')
      await until(() => attempts > before)
      const setting = (name: string) => Object.values(connection?.prepare(`PRAGMA ${name}`).get() ?? {})[0]
      // FULL is 2.
      expect([setting('synchronous'), setting('busy_timeout')]).toEqual([2, BUSY_TIMEOUT_MS])
      expect(rows(path, 'SELECT answered = 100 AS done FROM vantage_services')).toEqual([
        { done: what === 'answers' ? 1 : 0 },
      ])
    },
  )

  test('gives signs of life while nobody asks, often enough not to be taken for silent', async () => {
    await create()
    const database = loadSqliteDriver().open(pathToFileURL(path).href)
    closers.push(() => database.close())
    const table = createServiceTable(database)
    const answers = createAnswers()
    const now = performance.now()
    answers.hear(table)
    expect(answers.isDue(now)).toBe(true)
    answers.give(table, now, 0, '0')
    answers.hear(table)
    expect([answers.isCounted, answers.isDue(now)]).toEqual([true, false])
    // Two that fail are made up for.
    expect(answers.isDue(now + SILENCE_MS / 2)).toBe(true)
  })

  test('goes out of the file when it is closed, and looks at it no more', async () => {
    await create()
    let looks = 0
    const counting = observedDriver((text) => {
      if (text === 'PRAGMA data_version') looks++
    })
    const store = createSqliteKeyStore(path, counting)
    const feeds = [follow(store), follow(store)]
    await counted(1)
    await feeds[0]?.close()
    expect(names()).toHaveLength(1)
    const before = looks
    await until(() => looks > before)
    await feeds[1]?.close()
    expect(names()).toEqual([])
    const atEnd = looks
    await delay(200)
    expect(looks).toBe(atEnd)
    follow(store)
    await counted(1)
    await store.close()
    expect(names()).toEqual([])
  })

  test('waits for a lock to go out of the file', async () => {
    const store = await create()
    follow(store)
    await counted(1)
    const writer = loadSqliteDriver().open(pathToFileURL(path).href)
    writer.exec('BEGIN IMMEDIATE')
    const closing = store.close()
    await delay(50)
    writer.exec('COMMIT')
    writer.close()
    await closing
    expect(names()).toEqual([])
  })

  test('comes back where its row was deleted, and where the file was put in place of another', async () => {
    const store = await create()
    follow(store)
    await counted(1)
    const [id] = names()
    sql(path, 'DELETE FROM vantage_services')
    await counted(1)
    expect(names()).toEqual([id])
    sql(path, 'DELETE FROM vantage_question; UPDATE vantage_services SET answered = 1000')
    expect(await ask(store)).toMatchObject([{ answeredAfterMs: expect.any(Number) }])
  })

  test('has no row that tells more than its names, and shows none of others that a terminal could take for a command', async () => {
    const store = await create()
    note('odd', { host: '\u001b[2J evil\n', application: 'x'.repeat(500), heard_of: '\u0007', since: 5 })
    const [service] = await ask(store, 1000)
    expect(service).toMatchObject({ host: '_[2J_evil_', applicationName: 'x'.repeat(128), heardOf: '_', since: null })
  })
})

describe('who has gone', () => {
  const gone = 2 ** 22 + 1

  test.each([
    ['a process that has ended', { pid: gone }, 0],
    ['an older process of the same number', { started: '1' }, 0],
  ])('%s is dropped', async (_, values, silentMs) => {
    const store = await create()
    note('gone', values, silentMs)
    expect(await ask(store, 1000)).toEqual([])
    expect(names()).toEqual([])
  })

  test.each<[string, Record<string, string | number | null>]>([
    ['of another container', { pid: gone, pid_space: 'elsewhere' }],
    ['of a system that does not say where it counts', { pid: gone, pid_space: null }],
    ['of the group of this process', { pid: 0, started: null }],
    ['that does not say when it started', { started: null }],
  ])('a process %s is waited for, and named', async (_, values) => {
    const store = await create()
    note('there', values)
    expect(await ask(store, 1000)).toMatchObject([{ pid: values.pid ?? process.pid, answeredAfterMs: null }])
    expect(names()).toEqual(['there'])
  })

  test('a worker may end before its process: silent for long, it is dropped though that is there', async () => {
    const module = new URL('../../src/store/sqlite/process-mark.ts', import.meta.url).href
    const worker = new Worker(
      `import('tsx/esm/api')
        .then(({ tsImport }) => tsImport('${module}', '${import.meta.url}'))
        .then(({ thisProcess }) => require('node:worker_threads').parentPort.postMessage(thisProcess()))`,
      { eval: true },
    )
    const [{ pidSpace, started }] = await once(worker, 'message')
    await worker.terminate()
    expect(pidSpace).toBe(thisProcess().pidSpace)
    const store = await create()
    note('worker', { started }, 200_000)
    note('process', {}, 200_000)
    expect(await ask(store, 2000)).toMatchObject([{ pid: process.pid, answeredAfterMs: null }])
    expect(names()).toEqual(['process'])
  })

  test.each([200_000, -200_000])(
    'one that was silent for %i ms is dropped where it does not answer, and counts where it does',
    async (silentMs) => {
      const store = await create()
      follow(store)
      await counted(1)
      sql(path, `UPDATE vantage_services SET seen_at = seen_at - ${silentMs}`)
      note('silent', { pid_space: 'elsewhere' }, silentMs)
      expect(await ask(store, 5000)).toMatchObject([{ answeredAfterMs: expect.any(Number) }])
      expect(names()).toHaveLength(1)
    },
  )

  test('makes room for others, and who finds none looks at the file before each decision', async () => {
    const store = await create()
    await store.insert(storedKey('a'))
    const fill = (seenAt: number) =>
      sql(
        path,
        `DELETE FROM vantage_services;
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MOST_SERVICES})
        INSERT INTO vantage_services (id, seen_at, answered) SELECT 'other' || i, ${seenAt}, 0 FROM n`,
      )
    fill(Date.now())
    const other = open()
    const heard: unknown[] = []
    const feed = other.watch?.((change) => heard.push(change)) as ChangeFeed
    closers.push(() => feed.close())
    await delay(20)
    expect(names()).toHaveLength(MOST_SERVICES)
    for (let round = 1; round <= 20; round++) {
      feed.poll?.()
      sql(path, `UPDATE vantage_keys SET revoked_at = ${round}`)
      feed.poll?.()
      expect(heard).toHaveLength(round)
    }
    fill(Date.now() - 200_000)
    await counted(1)
    expect(await ask(store)).toMatchObject([{ pid: process.pid }])
  })
})

test('a store that only reads is not counted, and writes nothing', async () => {
  const store = await create()
  const reading = createSqliteKeyStore(path, loadSqliteDriver(), { readOnly: true })
  closers.push(() => reading.close())
  const feed = follow(reading)
  await delay(150)
  expect(names()).toEqual([])
  await store.insert(storedKey('a'))
  feed.poll?.()
  expect(feed.state).toBe('polling')
  await expect(reading.askServices?.(1000)).rejects.toThrow(/cannot be written/)
})

test.skipIf(process.getuid?.() === 0)(
  'a service that may not write the file is not counted, and follows it',
  async () => {
    const store = await create()
    await store.insert(storedKey('a'))
    chmodSync(path, 0o400)
    const reader = open()
    const heard: unknown[] = []
    const feed = reader.watch?.((change) => heard.push(change)) as ChangeFeed
    closers.push(() => feed.close())
    await delay(100)
    expect([feed.state, names()]).toEqual(['polling', []])
    await store.update(storedKey('a'), { ...storedKey('a'), revokedAt: 1 })
    feed.poll?.()
    expect(heard).toHaveLength(1)
    expect(await ask(store)).toEqual([])
  },
)

test('where nobody can be asked it says why', async () => {
  const store = open()
  await expect(store.askServices?.(1000)).rejects.toThrow(/There is no key store/)
  await store.migrate?.()
  await expect(store.askServices?.(1000, Promise.reject(new Error('not written')))).rejects.toThrow('not written')
  expect(rows(path, 'SELECT * FROM vantage_question')).toEqual([])
  const asking = store.askServices?.(60_000)
  expect(await asking).toEqual([])
  note('silent', { pid_space: 'elsewhere' })
  const waiting = ask(store, 60_000)
  await until(() => rows(path, 'SELECT asked FROM vantage_question')[0]?.asked === 2)
  const refusal = expect(waiting).rejects.toThrow('The key store is closed')
  await store.close()
  await refusal
})
