import { KeyStoreError } from '../../core/errors.js'
import type { ChangeFeed, KeyStore, StoredKey, StoredTokenRevocation, TokenNames } from '../contract.js'

import { type Connections, connectionsByPool, connectionsByUrl, POOL_SIZE } from './connections.js'
import type { PostgresPool } from './driver.js'
import { createFollower, type Follower } from './feed.js'
import { DEFAULT_SCHEMA, isSchemaName, takeSchema } from './names.js'
import {
  addUsage,
  createFinder,
  firstUses,
  insertKey,
  listKeys,
  readAudit,
  readTotalUsage,
  readUsage,
  updateKey,
} from './queries.js'
import { checkOwnSchema, checkSchema, migrateSchema } from './schema.js'
import { askServices } from './services.js'
import {
  addTokenRevocation,
  addTokenRevocationsOnce,
  createTokenFinder,
  listTokenRevocations,
} from './token-queries.js'

/** Where a Postgres key store is: `connectionString` or `pool`. */
export interface PostgresKeyStoreOptions {
  /**
   * `postgres://user:password@host:5432/database?sslmode=verify-full&schema=keys`, but for `schema` as the package `pg` reads it. The store opens at
   * most two connections, and one more while a verifier follows its changes; all stores of one connection string in a
   * process share them.
   */
  connectionString?: string | undefined
  /**
   * The schema of the tables, as it is named in the database: it is quoted wherever it is used. Default: `public`. In a
   * connection string it may stand as `?schema=name`, which the command line reads as well.
   */
  schema?: string | undefined
  /**
   * A `Pool` of the package `pg`. The application ends it, after it has closed the store. To follow changes the store opens
   * one more connection with the pool's options, and takes none from the pool for it.
   */
  pool?: object | undefined
}

/**
 * Keeps keys in PostgreSQL 12 or later, through the package `pg`. Any number of services may use the database; each sees
 * the changes of the others, hand-written SQL included, within 50 ms (p99) while processors are not saturated, or within 2 s
 * where LISTEN does not work.
 *
 * Nothing depends on the `search_path` of a session, or on its temporary tables. It connects when it is first used. Only
 * `migrate()` creates tables, which a keyring and the command line call. A service that verifies needs few rights: the
 * README lists them.
 *
 * @throws {TypeError} for a wrong option, without printing it, and when `pg` is not installed
 */
export function postgresKeyStore(options: PostgresKeyStoreOptions): KeyStore {
  return createPostgresKeyStore(options)
}

/**
 * As {@link postgresKeyStore}.
 *
 * @param needs.administers whether the role should have the grants of an administrator, for messages. Not with a pool
 */
export function createPostgresKeyStore(options: PostgresKeyStoreOptions, { administers = false } = {}): KeyStore {
  const { connectionString, pool, schema } = (options ?? {}) as Readonly<Record<string, unknown>>
  if (pool === undefined && isUrl(connectionString)) {
    const { connectionString: withoutSchema, schema: named } = takeSchema(connectionString)
    if (named !== undefined && schema !== undefined && named !== schema) {
      throw new TypeError('The option schema of postgresKeyStore() differs from the one in the connection string')
    }
    return shared(withoutSchema, checkedSchema(schema ?? named), administers)
  }
  if (connectionString === undefined && isPool(pool)) {
    return facadeOf(createCore(connectionsByPool(pool, checkedSchema(schema))))
  }
  throw new TypeError(
    `postgresKeyStore() takes either { connectionString }, which begins with postgres:// or postgresql://, or { pool }, a Pool of the package pg`,
  )
}

function checkedSchema(schema: unknown = DEFAULT_SCHEMA): string {
  if (isSchemaName(schema)) return schema
  throw new TypeError(
    'The option schema of postgresKeyStore() must be the name of a schema: 1 to 63 bytes, not beginning with pg_',
  )
}

function isUrl(value: unknown): value is string {
  return typeof value === 'string' && /^postgres(?:ql)?:\/\//.test(value)
}

function isPool(value: unknown): value is PostgresPool {
  const pool = value as Partial<PostgresPool> | null | undefined
  return typeof pool === 'object' && typeof pool?.connect === 'function' && typeof pool.options === 'object'
}

/** What the stores of one connection string have in common. */
interface Core {
  readonly connections: Connections
  readonly follower: Follower
  readonly findKey: (id: string) => Promise<StoredKey | undefined>
  readonly findTokens: (token: TokenNames) => Promise<readonly StoredTokenRevocation[]>
  /** Resolves once the schema is the one that this package knows. */
  ready(): Promise<void>
  close(): Promise<void>
}

function createCore(connections: Connections): Core {
  let checked: Promise<void> | undefined
  const follower = createFollower(connections)
  return {
    connections,
    follower,
    findKey: createFinder(connections.ask, POOL_SIZE),
    findTokens: createTokenFinder(connections.ask, POOL_SIZE),

    async ready() {
      checked ??= connections.read((ask) => checkSchema(ask, connections))
      try {
        await checked
      } catch (error) {
        checked = undefined
        throw error
      }
    },

    async close() {
      await follower.close()
      await connections.close()
    },
  }
}

const sharedCores = new Map<string, { readonly core: Core; users: number }>()

function shared(connectionString: string, schema: string, administers: boolean): KeyStore {
  const place = JSON.stringify([connectionString, schema, administers])
  const { core, users } = sharedCores.get(place) ?? {
    core: createCore(connectionsByUrl(connectionString, schema, { administers })),
    users: 0,
  }
  const entry = { core, users: users + 1 }
  sharedCores.set(place, entry)
  return facadeOf({
    ...core,
    async close() {
      const entry = sharedCores.get(place)
      if (entry === undefined) return
      entry.users--
      if (entry.users > 0) return
      // A store that is opened from now on gets new connections.
      sharedCores.delete(place)
      await core.close()
    },
  })
}

/** A store of its own for each caller: it is closed alone, and with it only its feeds. */
function facadeOf({ connections, follower, findKey, findTokens, ready, close }: Core): KeyStore {
  const feeds = new Set<ChangeFeed>()
  const { read, transaction } = connections
  let closing: Promise<void> | undefined

  function checkOpen(): void {
    if (closing !== undefined) throw new KeyStoreError('The key store is closed')
  }

  async function checked(): Promise<void> {
    checkOpen()
    await ready()
  }

  async function shutDown(): Promise<void> {
    await Promise.all([...feeds].map((feed) => feed.close()))
    await close()
  }

  const store: KeyStore = {
    describe: () => connections.url,

    async find(id) {
      await checked()
      return findKey(id)
    },

    async insert(key, limit) {
      await checked()
      await transaction((ask) => insertKey(ask, key), limit)
      follower.tell({ id: key.id, at: Date.now() })
    },

    async update(current, next, successor, editor, limit) {
      await checked()
      const updated = await transaction((ask) => updateKey(ask, current, next, successor, editor), limit)
      const at = Date.now()
      if (updated) follower.tell({ id: current.id, at })
      if (updated && successor) follower.tell({ id: successor.id, at })
      return updated
    },

    async list(query) {
      await checked()
      return read((ask) => listKeys(ask, query))
    },

    async addUsage(increments) {
      await checked()
      // In a transaction, whose time limit on the server is shorter than ours. A write that succeeds after we have given it
      // up would be counted twice.
      if (increments.length > 0) await transaction((ask) => addUsage(ask, increments))
    },

    async readUsage(id, sinceDay) {
      await checked()
      return read((ask) => readUsage(ask, id, sinceDay))
    },

    async readTotalUsage(query) {
      await checked()
      return read((ask) => readTotalUsage(ask, query))
    },

    async firstUses(sinceDay, limit) {
      await checked()
      return read((ask) => firstUses(ask, sinceDay, limit))
    },

    async addTokenRevocation(revocation) {
      await checked()
      await transaction((ask) => addTokenRevocation(ask, revocation))
      follower.tell({ tokens: true, added: revocation, at: Date.now() })
    },

    async addTokenRevocationsOnce(event, revocations, limit) {
      await checked()
      const added = await transaction((ask) => addTokenRevocationsOnce(ask, event, revocations), limit)
      const at = Date.now()
      if (added) for (const one of revocations) follower.tell({ tokens: true, added: one, at })
      return added
    },

    async tokenRevocations(now) {
      await checked()
      return read((ask) => listTokenRevocations(ask, now))
    },

    async findTokenRevocations(token) {
      await checked()
      return findTokens(token)
    },

    async readAudit(query) {
      await checked()
      return read((ask) => readAudit(ask, query))
    },

    async askServices(limitMs, written) {
      await Promise.all([checked(), written])
      return askServices(connections, limitMs, checkOpen)
    },

    watch(listener, role = 'service'): ChangeFeed {
      if (closing !== undefined) return { state: 'down', epoch: 0, async close() {} }
      const feed = follower.watch(listener, role)
      const own: ChangeFeed = {
        get state() {
          return feed.state
        },
        get epoch() {
          return feed.epoch
        },
        close() {
          feeds.delete(own)
          return feed.close()
        },
      }
      feeds.add(own)
      return own
    },

    async checkSchema() {
      checkOpen()
      await checkOwnSchema(connections)
    },

    async migrate(onNotice) {
      checkOpen()
      return migrateSchema(connections, onNotice)
    },

    close() {
      closing ??= shutDown()
      return closing
    },
  }
  connectionsOfStores.set(store, connections)
  return store
}

const connectionsOfStores = new WeakMap<KeyStore, Connections>()

/** The connections of a store that was made here, for those who examine it; `undefined` for any other store. */
export function connectionsOf(store: KeyStore): Connections | undefined {
  return connectionsOfStores.get(store)
}
