import { closeSync, fchmodSync, fstatSync, openSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { KeyStoreError } from '../../core/errors.js'
import { createBatches } from '../batches.js'
import type { KeyStore, StoredTokenRevocation, WriteLimit } from '../contract.js'
import { migrateCommand } from '../migrate-command.js'
import { PAGE } from '../sql/token-revocations.js'
import { checkInTime } from '../write-limit.js'
import { askServices } from './ask-services.js'
import {
  BUSY_TIMEOUT_MS,
  isBusy,
  loadSqliteDriver,
  RESULT,
  type SqliteDatabase,
  type SqliteDriver,
  type SqliteStatement,
  sqliteResultCode,
} from './driver.js'
import { CHECK_INTERVAL_MS, type ChangeReader, createChangeReader, followFile } from './feed.js'
import { createKeyQueries, type KeyQueries } from './queries.js'
import { checkSchema, migrateSchema } from './schema.js'
import { searchKeys } from './search.js'
import { readTotalUsage } from './total-usage.js'

/** Where a SQLite key store is. */
export interface SqliteKeyStoreOptions {
  /**
   * Path of the file; a relative one is of the working directory at the time of the call. The process needs permission to
   * read and write it and its folder, on a local disk: SQLite keeps two more files beside it.
   */
  path: string
}

/**
 * Keeps keys in a SQLite file, through `node:sqlite` (Node 22.13 and later) or else the package `libsql`. Any number of
 * processes on one host may use the file; each sees the changes of the others, hand-written SQL included, within 100 ms.
 * A process that follows the file for a verifier looks at it every 50 ms, and writes one row into it once a minute, and when
 * it is asked by a revocation that is to be confirmed. One that may not write the file is not asked: it looks at the file
 * before each decision.
 *
 * It opens the file when it is first used. Only `migrate()` creates it, which a keyring and the command line call:
 * with mode 600, while the mode of a file that is there is left alone. To put another file in its place, use SQLite's
 * `.restore`; or delete the file together with its `-wal` and `-shm`, and rename the other one to its name. Copying over a file in use damages it.
 *
 * @throws {TypeError} for a wrong option, and when there is no driver
 */
export function sqliteKeyStore(options: SqliteKeyStoreOptions): KeyStore {
  const path: unknown = options?.path
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new TypeError(`sqliteKeyStore() needs the path of a file, for example sqliteKeyStore({ path: './keys.db' })`)
  }
  if (path === ':memory:') {
    throw new TypeError('sqliteKeyStore() takes the path of a file; memoryKeyStore() keeps keys in memory')
  }
  return createSqliteKeyStore(path, loadSqliteDriver())
}

/** How long an operation waits for other writers before it fails. */
const BUSY_LIMIT_MS = 5000

interface Connection {
  readonly database: SqliteDatabase
  /** Reads the number of the schema. */
  readonly version: SqliteStatement
  readonly identity: string
  /** What to call after a write: the stores of this process that have the same file open, this one included. */
  readonly neighbours: Set<() => void>
  /** What was made for the schema that was checked; made anew when the schema has changed. */
  prepared?: { readonly queries: KeyQueries; readonly changes: ChangeReader; readonly schemaVersion: number }
  /** How the files were when they were opened without a lock; undefined where SQLite's locks are used. */
  readonly unlocked?: string | undefined
}

/** How an operation is run. */
interface Run {
  /** Whether the file is created unless it is there. Default: `false`. */
  readonly create?: boolean
  readonly limit?: WriteLimit | undefined
}

/**
 * The stores that have a file open in this process, by its real path. They tell each other of their writes at once, instead
 * of waiting for the next look at the file.
 */
const neighbourhoods = new Map<string, Set<() => void>>()

/**
 * @param readOnly whether nothing at all is written: no table, and none of the two files beside the file. Permission to read is
 *   enough then, also of a file whose log is in use
 */
export function createSqliteKeyStore(path: string, driver: SqliteDriver, { readOnly = false } = {}): KeyStore {
  const absolute = resolve(path)
  const file = JSON.stringify(path)
  let connection: Connection | undefined
  /** The `-wal` and `-shm` files that SQLite kept beside ours with the last connection. */
  let companions: readonly string[] = []
  let checkedAt = 0
  let closed = false

  const following = followFile((check) => prepare(connect({ create: false, check })).changes, !readOnly)

  function connect(options: { create: boolean; check: boolean }): Connection {
    if (closed) throw new KeyStoreError('The key store is closed')
    const now = performance.now()
    if (isOutdated()) disconnect()
    if (connection && (options.check || now - checkedAt > CHECK_INTERVAL_MS)) {
      // Inodes identify the files, since those of files that we hold open are not used again.
      if (identify() === connection.identity) {
        companions = identifyCompanions()
        checkedAt = now
      } else if (identifyCompanions().some((companion) => companions.includes(companion))) {
        // Whoever comes next looks as well, however soon.
        checkedAt = Number.NEGATIVE_INFINITY
        throw leftOver()
      } else {
        disconnect()
      }
    }
    connection ??= open(options.create)
    return connection
  }

  function open(create: boolean): Connection {
    // Looked for before the file itself: SQLite creates them after it.
    const companionsBefore = identifyCompanions()
    const before = identify()
    if (before === undefined && !create) {
      throw new KeyStoreError(`There is no key store at ${file}; create it with: ${migrateCommand(`sqlite:${path}`)}`)
    }
    if (before === undefined && companionsBefore.length > 0) throw leftOver()
    if (before === undefined) createForOwner(absolute)
    const unlocked = readOnly ? stateAtRest() : undefined
    // SQLite would create the two files beside ours, also for a reader, and leave them to a service that may not write them.
    const mode = readOnly ? `ro&${unlocked === undefined ? 'readonly_shm=1' : 'immutable=1'}` : create ? 'rwc' : 'rw'
    const database = driver.open(`${pathToFileURL(absolute).href}?mode=${mode}`)
    try {
      database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
      // A revocation that was confirmed survives a loss of power.
      if (!readOnly) database.exec('PRAGMA synchronous = FULL')
      // The first read fails when the file is no database.
      const version = database.prepare('PRAGMA schema_version')
      version.get()
      const identity = identify()
      if (identity === undefined || (before !== undefined && before !== identity)) {
        throw new KeyStoreError(`The key store ${file} was replaced while it was being opened`)
      }
      companions = identifyCompanions()
      checkedAt = performance.now()
      return { database, version, identity, neighbours: join(), unlocked }
    } catch (error) {
      database.close()
      throw error
    }
  }

  function prepare(current: Connection): NonNullable<Connection['prepared']> {
    const { database, version } = current
    // SQLite counts it up with each change of the schema, whichever program makes it.
    const schemaVersion = Number(version.get()?.schema_version)
    if (current.prepared?.schemaVersion !== schemaVersion) {
      delete current.prepared
      checkSchema(database, path)
      const changes = createChangeReader(database)
      current.prepared = { queries: createKeyQueries(database), changes, schemaVersion }
    }
    return current.prepared
  }

  /**
   * Device and inode, or `undefined` when there is no file. It must not be opened for this: closing it again would drop the
   * locks that SQLite holds on it.
   */
  function identify(at = absolute): string | undefined {
    const stats = statSync(at, { bigint: true, throwIfNoEntry: false })
    if (stats && !stats.isFile()) throw new KeyStoreError(`The key store ${file} is not a file`)
    return stats && `${stats.dev}:${stats.ino}`
  }

  /** Looked up each time, since a symbolic link may lead elsewhere by now. */
  function identifyCompanions(): readonly string[] {
    const target = followLinks(absolute)
    return [identify(`${target}-wal`), identify(`${target}-shm`)].filter((identity) => identity !== undefined)
  }

  /**
   * The state of the files while no program has them open for writing; undefined while one has, or has left its log. A log that
   * is empty, without the index that each connection has, is a left-over.
   */
  function stateAtRest(): string | undefined {
    const target = followLinks(absolute)
    const [main, log, index, journal] = ['', '-wal', '-shm', '-journal'].map((ending) =>
      statSync(target + ending, { bigint: true, throwIfNoEntry: false }),
    )
    if ((log !== undefined && (log.size > 0n || index !== undefined)) || (journal !== undefined && journal.size > 0n)) {
      return undefined
    }
    return main && `${main.dev}:${main.ino}:${main.size}:${main.mtimeNs}:${main.ctimeNs}`
  }

  /** Whether somebody has written since the file was opened without a lock. */
  function isOutdated(): boolean {
    return connection?.unlocked !== undefined && connection.unlocked !== stateAtRest()
  }

  /** Opening a file beside the log of another one would write that log into it. */
  function leftOver(): KeyStoreError {
    const target = followLinks(absolute)
    const beside = target === absolute ? 'it' : JSON.stringify(target)
    return new KeyStoreError(
      `The key store ${file} was replaced or deleted while in use, and the files -wal and -shm beside ${beside} belong to the old one; delete these two as well`,
    )
  }

  function join(): Set<() => void> {
    const realPath = realpathSync(absolute)
    const neighbours = neighbourhoods.get(realPath) ?? new Set()
    neighbourhoods.set(realPath, neighbours)
    neighbours.add(following.poke)
    return neighbours
  }

  function disconnect(): void {
    if (connection === undefined) return
    const { database, neighbours } = connection
    connection = undefined
    neighbours.delete(following.poke)
    for (const [realPath, members] of neighbourhoods) if (members.size === 0) neighbourhoods.delete(realPath)
    try {
      database.close()
    } catch {
      // The connection is given up either way.
    }
  }

  /** Runs an operation, and tries again while another program holds the lock that it needs, at most to the limit. */
  async function run<T>(operate: (current: Connection) => T, { create = false, limit }: Run = {}): Promise<T> {
    const startedAt = performance.now()
    for (;;) {
      try {
        const result = operate(connect({ create, check: false }))
        if (!isOutdated()) return result
        throw new KeyStoreError(`The key store ${file} was written while it was being read`)
      } catch (error) {
        const busy = isBusy(error) || isOutdated()
        if (!busy || performance.now() - startedAt > BUSY_LIMIT_MS) throw explain(error, sqliteResultCode(error))
        checkInTime(limit, error)
      }
      await delay(5 + Math.random() * 20)
    }
  }

  const ask = <T>(operate: (queries: KeyQueries) => T, limit?: WriteLimit) =>
    run((current) => operate(prepare(current).queries), { limit })

  /** Behind the first, look-ups of one turn of the event loop are one statement: most of what one costs is the statement. */
  const findKey = createBatches(
    async (ids: readonly string[]) => {
      const keys = await ask((queries) => queries.find(ids))
      return (id) => keys.get(id)
    },
    1,
    nextTurn,
  )

  function tellNeighbours(): void {
    for (const poke of connection?.neighbours ?? []) poke()
  }

  function explain(error: unknown, result: number | undefined): unknown {
    if (error instanceof KeyStoreError) return error
    // After an error that is not ours the next operation connects anew.
    disconnect()
    // The file system refused the path: a folder is a file, or may not be entered.
    const isPathError = error instanceof Error && 'syscall' in error
    const fault = describeResult(isPathError ? RESULT.cannotOpen : result, readOnly)
    return new KeyStoreError(`The key store ${file} ${fault}`, { cause: error })
  }

  return {
    describe: () => `sqlite:${path}`,

    find: findKey,

    async insert(key, limit) {
      await ask((queries) => queries.insert(key, limit), limit)
      tellNeighbours()
    },

    async update(current, next, successor, editor, limit) {
      const updated = await ask((queries) => queries.update(current, next, successor, editor, limit), limit)
      if (updated) tellNeighbours()
      return updated
    },

    async list(query) {
      const { search } = query
      const found = search === undefined ? undefined : await searchKeys(ask, query, search)
      return ask((queries) => queries.list(query, found))
    },

    addUsage: (increments) => ask((queries) => queries.addUsage(increments)),

    readUsage: (id, sinceDay) => ask((queries) => queries.readUsage(id, sinceDay)),

    readTotalUsage: (query) => readTotalUsage(ask, query),

    firstUses: (sinceDay, limit) => ask((queries) => queries.firstUses(sinceDay, limit)),

    async addTokenRevocation(revocation) {
      await ask((queries) => queries.addTokenRevocation(revocation))
      tellNeighbours()
    },

    async addTokenRevocationsOnce(event, revocations, limit) {
      const added = await ask((queries) => queries.addTokenRevocationsOnce(event, revocations, limit), limit)
      if (added) tellNeighbours()
      return added
    },

    async tokenRevocations(now) {
      const found: StoredTokenRevocation[] = []
      for (;;) {
        const page = await ask((queries) => queries.pageOfTokenRevocations(now, found.at(-1)?.id))
        found.push(...page)
        if (page.length < PAGE) return found
        await nextTurn()
      }
    },

    findTokenRevocations: (token) => ask((queries) => queries.findTokenRevocations(token)),

    readAudit: (query) => ask((queries) => queries.readAudit(query)),

    watch: following.watch,

    async askServices(limitMs, written) {
      await written
      return askServices(
        (operate) => run((current) => operate(prepare(current).changes.services)),
        tellNeighbours,
        limitMs,
      )
    },

    checkSchema: () => run((current) => void prepare(current)),

    async migrate() {
      const version = await run(({ database }) => migrateSchema(database, path), { create: true })
      tellNeighbours()
      return version
    },

    async close() {
      closed = true
      await following.close()
      disconnect()
    },
  }
}

/** The path behind symbolic links, beside which SQLite keeps its two files; also where the last link leads nowhere yet. */
function followLinks(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const target = readLink(path)
  return target === undefined ? path : followLinks(resolve(realpathSync(dirname(path)), target))
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    // It is no link, or there is nothing at all.
    return undefined
  }
}

/**
 * Creates an empty file that nobody but its owner may read or write, whatever the umask. SQLite gives the files that it
 * keeps beside it the same mode. It is closed before this process opens it as a database: to close it later would drop
 * SQLite's locks.
 */
function createForOwner(path: string): void {
  const file = openSync(path, 'a', 0o600)
  try {
    // Another process may have created it just now, and written to it.
    if (fstatSync(file).size === 0) fchmodSync(file, 0o600)
  } finally {
    closeSync(file)
  }
}

function describeResult(result: number | undefined, readOnly: boolean): string {
  switch (result) {
    case RESULT.busy:
    case RESULT.locked:
      return `is locked by another program, for more than ${BUSY_LIMIT_MS / 1000} s`
    case RESULT.readonly:
      return 'cannot be written; the process needs permission to write the file and its folder'
    case RESULT.cannotOpen:
      if (readOnly) {
        return 'cannot be opened; the process needs permission to read the file and, where they are there, the files -wal and -shm beside it, and to enter the folder. If -wal is there without -shm, a command that may write has to open it first: npx vantage-auth keys migrate'
      }
      return 'cannot be opened; the process needs permission to read and write the file and its folder, and the folder must exist'
    case RESULT.notADatabase:
      return 'is not a SQLite database; name another file, or move this one away'
    case RESULT.corrupt:
      return 'is damaged; restore it from a backup'
    case RESULT.full:
      return 'cannot be written; the disk is full'
    default:
      return result === undefined ? 'is out of reach' : `failed with SQLite result code ${result}`
  }
}
