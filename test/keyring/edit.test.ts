import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { KeyNotFoundError, KeyStateError } from '../../src/core/errors.js'
import type { EditKeyOptions, Keyring } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyStore } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { openKeyStore } from '../../src/store/open.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { sql, temporaryFolder } from '../store/sqlite-files.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { until } from '../support/until.js'

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

let server: PostgresServer | undefined

beforeAll(async () => {
  if (postgresIsThere()) server = await startPostgres()
})

afterAll(() => server?.stop())

interface Place {
  /** Another store on the same keys, as another process has it. In memory there is only one. */
  open(): KeyStore
  /** Hand-written SQL. */
  run?(statements: string): Promise<void>
}

const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  async memory() {
    const store = memoryKeyStore()
    return { open: () => store }
  },
  async SQLite() {
    const folder = temporaryFolder()
    closers.push(folder.remove)
    const path = folder.path('keys.db')
    return { open: () => openKeyStore(`sqlite:${path}`), run: async (statements) => sql(path, statements) }
  },
  async Postgres() {
    const url = (await server?.emptyDatabase()) ?? ''
    let opened = 0
    return {
      // Stores of one URL share their connections, which those of two services do not.
      open: () => openKeyStore(`${url}?application_name=service_${++opened}`),
      run: async (statements) => void (await server?.sql(url, statements)),
    }
  },
}

const names = Object.keys(PLACES).filter((name) => name !== 'Postgres' || postgresIsThere())

describe.each(names)('an edit, in %s,', (name) => {
  async function prepare() {
    const place = await (PLACES[name] as () => Promise<Place>)()
    const open = () => {
      const store = place.open()
      closers.push(() => store.close())
      return store
    }
    return { ...place, open, keyring: createKeyring(open()) }
  }

  test('takes the scope from a service that has the key in its cache', async () => {
    const { open, keyring } = await prepare()
    const { key, record } = await keyring.create({ subject: 'ci', scopes: ['jobs:read', 'jobs:write'], name: 'first' })
    const verifier = createVerifier({ issuer: false, keys: open() })
    closers.push(() => verifier.close())
    const decide = () => verifier.authenticate({ authorization: `Bearer ${key}` })
    await verifier.ready()
    // A decision without a promise comes from the cache.
    await until(async () => {
      const decision = decide()
      await decision
      return !(decision instanceof Promise)
    })
    expect(decide()).toMatchObject({ scopes: ['jobs:read', 'jobs:write'], name: 'first' })

    const edited = await keyring.edit(record.id, { scopes: ['jobs:read'], name: 'second', actor: 'ann' })
    expect(edited).toEqual({ ...record, scopes: ['jobs:read'], name: 'second' })
    await until(async () => (await decide()).scopes.length === 1)
    expect(await decide()).toMatchObject({ scopes: ['jobs:read'], name: 'second' })
  })

  test('is in the audit trail, with its editor, and one that changes nothing is not', async () => {
    const { keyring } = await prepare()
    const { record } = await keyring.create({ subject: 'ci', scopes: ['jobs:read', 'jobs:write'], name: 'n' })
    const read = async () => (await keyring.audit()).entries.map(({ action, actor }) => [action, actor])
    await keyring.edit(record.id, { scopes: ['jobs:write', 'jobs:read', 'jobs:read'], name: 'n', actor: 'ann' })
    expect(await read()).toEqual([['create', null]])
    await keyring.edit(record.id, { scopes: ['jobs:write'], actor: 'ann' })
    // Whoever edited before is not taken for the next one.
    await keyring.edit(record.id, { name: null })
    expect(await read()).toEqual([
      ['edited', null],
      ['edited', 'ann'],
      ['create', null],
    ])
  })

  test('undoes neither a revocation nor another edit at the same time', async () => {
    const { open, keyring } = await prepare()
    const others = [createKeyring(open()), createKeyring(open())] as const
    const { record } = await keyring.create({ subject: 'ci', scopes: ['jobs:read', 'jobs:write', 'teams:read'] })
    const outcomes = await Promise.allSettled([
      keyring.edit(record.id, { scopes: ['jobs:read', 'jobs:write'] }),
      others[0].edit(record.id, { scopes: ['jobs:write', 'teams:read'] }),
      others[1].edit(record.id, { name: 'renamed' }),
    ])
    // The second one of the first two asks for a scope that is gone.
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    const after = await keyring.get(record.id)
    expect(after).toMatchObject({ name: 'renamed', scopes: expect.objectContaining({ length: 2 }) })

    await Promise.allSettled([
      others[0].revoke(record.id, { reason: 'leaked' }),
      others[1].edit(record.id, { scopes: after?.scopes.slice(0, 1) }),
      keyring.edit(record.id, { name: 'again' }),
    ])
    expect(await keyring.get(record.id)).toMatchObject({ state: 'revoked', revokedReason: 'leaked' })
  })

  // Nobody writes by hand into memory.
  if (name === 'memory') return

  test('is told apart from one by hand, and takes away what was added by hand', async () => {
    const { keyring, run } = await prepare()
    const { record } = await keyring.create({ subject: 'ci', scopes: ['jobs:read', 'jobs:write'] })
    await keyring.edit(record.id, { scopes: ['jobs:read'], actor: 'ann' })
    await run?.(`UPDATE vantage_keys SET scopes = 'jobs:read,teams:write'`)
    expect((await keyring.edit(record.id, { scopes: ['jobs:read', 'teams:write'], name: 'n' })).scopes).toEqual([
      'jobs:read',
      'teams:write',
    ])
    await keyring.edit(record.id, { scopes: ['jobs:read'] })
    expect((await keyring.audit()).entries.map(({ action, detail }) => [action, detail])).toEqual([
      ['edited', '{"scopesBefore":"jobs:read,teams:write","scopes":"jobs:read"}'],
      ['edited', '{"name":"n"}'],
      ['change', null],
      ['edited', '{"scopesBefore":"jobs:read jobs:write","scopes":"jobs:read"}'],
      ['create', null],
    ])
  })

  test('and a revocation are told apart from those by hand also after one by hand', async () => {
    const { keyring, run } = await prepare()
    const create = async () => (await keyring.create({ subject: 'ci', scopes: ['jobs:read'] })).record.id
    const [first, second] = [await create(), await create()]
    await keyring.edit(first, { name: 'n' })
    await run?.(`UPDATE vantage_keys SET revoked_at = created_at WHERE id = '${first}'`)
    await run?.(`UPDATE vantage_keys SET name = 'by hand' WHERE id = '${second}'`)
    await keyring.revoke(second)
    const revocations = (await keyring.audit()).entries.filter(({ action }) => action === 'revoke')
    expect(revocations.map(({ keyId, detail }) => [keyId, detail])).toEqual([
      [second, null],
      [first, '{"by":"sql"}'],
    ])
  })
})

describe('an edit', () => {
  const create = async (keyring: Keyring) =>
    (await keyring.create({ subject: 'ci', scopes: ['jobs:read', 'jobs:write'], name: 'n', expiresIn: '1h' })).record

  test('is inherited by a successor that is made afterwards; the old key alone is edited after a rotation', async () => {
    const keyring = createKeyring(memoryKeyStore())
    const { id } = await create(keyring)
    await keyring.edit(id, { scopes: ['jobs:write'], name: 'edited' })
    const { record: successor } = await keyring.rotate(id)
    expect(successor).toMatchObject({ scopes: ['jobs:write'], name: 'edited' })
    expect(await keyring.edit(id, { name: null })).toMatchObject({ state: 'superseded', name: null })
    expect(await keyring.get(successor.id)).toEqual(successor)
  })

  test('of a revoked, expired or unknown key is refused', async () => {
    const store = memoryKeyStore()
    const keyring = createKeyring(store)
    const [revoked, expired] = [await create(keyring), await create(keyring)]
    await keyring.revoke(revoked.id)
    const stored = await store.find(expired.id)
    if (stored) await store.update(stored, { ...stored, expiresAt: 1 })
    for (const [id, error, message] of [
      [revoked.id, KeyStateError, 'this one is revoked'],
      [expired.id, KeyStateError, 'this one is expired'],
      ['unknown', KeyNotFoundError, 'no key with the id "unknown"'],
    ] as const) {
      const edited = keyring.edit(id, { name: null })
      await expect(edited).rejects.toThrow(error)
      await expect(edited).rejects.toThrow(message)
    }
    expect((await keyring.get(revoked.id))?.name).toBe('n')
  })

  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /^edit\(\) takes its options as an object with name, scopes, actor$/],
    ['no change', { actor: 'ann' }, /^edit\(\) needs a name or scopes$/],
    [
      'an added scope',
      { scopes: ['jobs:read', 'teams:write'] },
      /^scopes can only be taken away: the key has "jobs:read", "jobs:write", and not "teams:write"; /,
    ],
    ['no scope', { scopes: [] }, /^scopes must name at least one/],
    ['scopes as a text', { scopes: 'jobs:read' }, /^scopes must name at least one/],
    ['scopes of null', { scopes: null }, /^scopes must name at least one/],
    ['a scope that is no text', { scopes: [5] }, /^scopes must name at least one/],
    ['an empty name', { name: '' }, /^name must be a text/],
    ['a line break in the actor', { name: 'x', actor: 'a\nb' }, /^actor must be a text/],
    ['another option', { name: 'x', tenant: 'acme' }, /^tenant is no option of edit\(\)/],
  ])('with %s is a TypeError, and changes nothing', async (_, given, message) => {
    const keyring = createKeyring(memoryKeyStore())
    const record = await create(keyring)
    const edited = keyring.edit(record.id, given as EditKeyOptions)
    await expect(edited).rejects.toThrow(TypeError)
    await expect(edited).rejects.toThrow(message)
    expect(await keyring.get(record.id)).toEqual(record)
  })

  test('by what the caller changes afterwards is as it was asked for', async () => {
    const keyring = createKeyring(memoryKeyStore())
    const { id } = await create(keyring)
    const scopes = ['jobs:read']
    const edited = keyring.edit(id, { scopes })
    scopes.push('jobs:write')
    expect((await edited).scopes).toEqual(['jobs:read'])
  })

  test('works with a store that takes no editor, and notes nothing', async () => {
    const { readAudit: _, ...memory } = memoryKeyStore()
    const keyring = createKeyring({
      ...memory,
      update: (current, next, successor) => memory.update(current, next, successor),
    })
    const { id } = await create(keyring)
    expect((await keyring.edit(id, { scopes: ['jobs:read'], actor: 'ann' })).scopes).toEqual(['jobs:read'])
  })
})
