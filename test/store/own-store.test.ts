import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openJsonFileStore } from '../../examples/json-file-store.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { keyStoreContract } from '../../src/testing.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { temporaryFolder } from './sqlite-files.js'

let folder: ReturnType<typeof temporaryFolder>
let path: string

const folders: (typeof folder)[] = []

function create() {
  folder = temporaryFolder()
  folders.push(folder)
  path = folder.path('keys.json')
  return openJsonFileStore(path)
}

afterEach(() => {
  for (const { remove } of folders.splice(0)) remove()
})

describe('the JSON-file store of the examples', () => {
  keyStoreContract({ create, describe, test })

  test('has its keys and their uses after it is opened again', async () => {
    const first = await create()
    const keyring = createKeyring(first)
    const { key, record } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
    await first.addUsage([{ id: record.id, day: '2026-11-25', count: 2, lastUsedAt: 7 }])
    await first.close()
    expect(readFileSync(path, 'utf8')).not.toContain(key)
    expect(statSync(path).mode & 0o777).toBe(0o600)

    const store = await openJsonFileStore(path)
    const verifier = createVerifier({ issuer: false, keys: store })
    expect(await verifier.authenticate({ authorization: `Bearer ${key}` })).toMatchObject({ keyId: record.id })
    expect(await createKeyring(store).usage(record.id, { days: 366 })).toMatchObject({ total: 2 })
    await verifier.close()
    await store.close()
  })
})

type Declared = (...context: unknown[]) => Promise<void>

/** The tests that the suite declares, by name. */
function declaredTests(options: Partial<Parameters<typeof keyStoreContract>[0]>): Map<string, Declared> {
  const tests = new Map<string, Declared>()
  const groups: string[] = []
  keyStoreContract({
    create: () => memoryKeyStore(),
    describe(name, body) {
      groups.push(name)
      body()
      groups.pop()
    },
    it: (name, body) => tests.set([...groups.slice(1), name].join(' '), body),
    ...options,
  })
  return tests
}

describe('keyStoreContract', () => {
  const broken = [
    {
      fault: 'finds nothing',
      name: 'find and insert give back every field of a key as it was inserted',
      make: () => ({ ...memoryKeyStore(), find: async () => undefined }),
    },
    {
      fault: 'takes any update',
      name: 'update writes nothing when the revocation has changed in between',
      make: () => ({ ...memoryKeyStore(), update: async () => true }),
    },
    {
      fault: 'forgets a filter',
      name: 'list filters keys that were created before an instant',
      make: () => {
        const store = memoryKeyStore()
        return { ...store, list: ({ now, limit }: Parameters<typeof store.list>[0]) => store.list({ now, limit }) }
      },
    },
    {
      fault: 'gives its first page for ever',
      name: 'list gives every key once over pages of any length, also where instants are equal',
      make: () => {
        const store = memoryKeyStore()
        const list = ({ after: _, ...query }: Parameters<typeof store.list>[0]) => store.list(query)
        return { ...store, list }
      },
    },
    {
      fault: 'can be used after close',
      name: 'close may be called again, and lets everything else reject',
      make: () => ({ ...memoryKeyStore(), close: async () => {} }),
    },
    {
      fault: 'asks who only looks',
      name: 'askServices finds each service that follows, and nobody who only looks',
      make: () => {
        const store = memoryKeyStore()
        const watch: typeof store.watch = (listener) => store.watch?.(listener) as never
        return { ...store, watch }
      },
    },
    {
      fault: 'answers before a change was told',
      name: 'askServices is answered by a service that has told its listeners what was written before',
      make: () => {
        const store = memoryKeyStore()
        const watch: typeof store.watch = (listener, follower) =>
          store.watch?.((change) => setTimeout(() => listener(change), 20), follower) as never
        return { ...store, watch }
      },
    },
    {
      fault: 'asks though nothing was written',
      name: 'askServices rejects with what the writing rejects with',
      make: () => {
        const store = memoryKeyStore()
        const askServices: typeof store.askServices = (limitMs) => store.askServices?.(limitMs) as never
        return { ...store, askServices }
      },
    },
  ]

  test.each(broken)('fails a store that $fault', async ({ name, make }) => {
    const body = declaredTests({ create: make }).get(name)
    expect(body).toBeDefined()
    await expect(body?.()).rejects.toThrow()
  })

  const needingWatch = 'watch tells every watcher, and none after its feed is closed'
  const createUnwatched = () => {
    const { watch: _, ...store } = memoryKeyStore()
    return store
  }

  test('skips what an absent method explains through the runner, with the reason', async () => {
    const reasons: string[] = []
    const context = { skip: (reason: string) => reasons.push(reason) }
    await declaredTests({ create: createUnwatched }).get(needingWatch)?.(context)
    expect(reasons).toEqual(['the store has no watch()'])
  })

  test('prints what it skips where the runner cannot skip a test that has begun', async () => {
    const info = vi.spyOn(console, 'info').mockImplementation(() => {})
    await declaredTests({ create: createUnwatched }).get(needingWatch)?.()
    expect(info.mock.calls).toEqual([
      ['Skipped, since the store has no watch(): tells every watcher, and none after its feed is closed'],
    ])
    info.mockRestore()
  })

  test('declares no parameters, which Jest would take for a callback', () => {
    for (const body of declaredTests({}).values()) expect(body).toHaveLength(0)
  })

  test('closes the store also when a test fails', async () => {
    let closed = 0
    const store = { ...memoryKeyStore(), find: async () => undefined }
    const create = () => ({ ...store, close: async () => void closed++ })
    await declaredTests({ create })
      .get('find and insert give back every field of a key as it was inserted')?.()
      .catch(() => {})
    expect(closed).toBe(1)
  })

  test.each([
    ['create', { create: undefined }],
    ['describe', { describe: undefined }],
    ['test and it', { it: undefined }],
  ])('refuses options without %s', (_, missing) => {
    expect(() => declaredTests(missing as never)).toThrow(TypeError)
  })

  test('runs under node:test, which reports what is skipped', () => {
    const script = `
      import { describe, test } from 'node:test'
      import { memoryKeyStore } from ${JSON.stringify(source('../../src/store/memory.ts'))}
      import { keyStoreContract } from ${JSON.stringify(source('../../src/testing.ts'))}
      keyStoreContract({
        create: () => {
          const { readAudit, ...store } = memoryKeyStore()
          return store
        },
        describe,
        test,
      })`
    const flags = ['--import', 'tsx', '--test-reporter=tap', '--input-type=module', '--eval', script]
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const { stdout, stderr, status } = spawnSync(process.execPath, flags, { encoding: 'utf8', env })
    expect(stderr).toBe('')
    expect(stdout).toContain('# SKIP the store has no readAudit()')
    expect(stdout).toMatch(/^# fail 0$/m)
    expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(25)
    expect(status).toBe(0)
  })
})

function source(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
