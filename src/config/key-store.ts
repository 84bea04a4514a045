import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ArgumentError } from '../core/argument-error.js'
import { oneLine } from '../core/cause.js'
import { warnOnce } from '../core/process-warning.js'
import type { KeyStore } from '../store/contract.js'
import { openKeyStore, sqlitePath } from '../store/open.js'
import { sqliteKeyStore } from '../store/sqlite/store.js'
import { isRecord, type Setting } from './checks.js'

/** Where API keys are looked up. */
export interface ConfiguredKeyStore {
  readonly store: KeyStore
  /** Whether it was opened here: whoever uses the configuration closes it then. */
  readonly owned: boolean
  /** What may be shown of it: role, host, port and database, or the path of its file. */
  readonly label: string
}

/** The store file of the default name, which was absent at start. It may come later. */
export interface AwaitedKeyStore {
  /**
   * The store, once its file is there. It looks for the file at most once a second, and never makes it.
   *
   * @throws {TypeError} where the file is there, and cannot be opened for want of a driver
   */
  look(): ConfiguredKeyStore | undefined
  /** For people: what is missing, and how to make it. */
  readonly missing: string
}

/** What a store is called that does not say where it is. */
export const UNNAMED_STORE = 'a KeyStore of the application'

/** The file of the store of a service that names none. */
export const DEFAULT_STORE_FILE = 'vantage-auth.db'
const LOOK_AGAIN_MS = 1000

/**
 * Opens the store that the `keys` option names, or the default file if it is there.
 *
 * @returns `false` when every API key is to be refused
 * @throws {TypeError} that names the option, or the variable, and the cure
 */
export function resolveKeyStore({
  value,
  name,
  fromEnvironment,
}: Setting): ConfiguredKeyStore | AwaitedKeyStore | false {
  if (value === false || (fromEnvironment && value === 'false')) return false
  if (value === undefined) {
    if (existsSync(DEFAULT_STORE_FILE))
      return openStore(`sqlite:${DEFAULT_STORE_FILE}`, `${DEFAULT_STORE_FILE} in the working directory`)
    const awaited = awaitDefaultStore()
    warnNoKeyStore(awaited.missing)
    return awaited
  }
  if (typeof value === 'string') return openStore(value, name)
  if (isRecord(value) && typeof value.find === 'function') {
    const store = value as unknown as KeyStore
    return Object.freeze({ store, owned: false, label: labelOf(store) })
  }
  throw new ArgumentError(
    name,
    'must be a KeyStore, a store URL such as sqlite:./keys.db, or false to refuse every API key',
  )
}

/** A store that is absent, or lacks its driver, is a mistake of the start and not an outage. Its URL is not shown: it may hold a secret. */
function openStore(url: string, name: string): ConfiguredKeyStore {
  const path = sqlitePath(url)
  if (path !== undefined && !existsSync(path)) {
    throw new ArgumentError(
      name,
      `names a SQLite file that is not there (a relative path starts at the working directory, ${shownFolder(workingDirectory())}); create it with: npx vantage-auth keys migrate --store sqlite:PATH`,
    )
  }
  return open(() => openKeyStore(url), name)
}

/** The path is that of the working directory at start, whichever it is later. */
function awaitDefaultStore(): AwaitedKeyStore {
  const folder = workingDirectory()
  const path = join(folder, DEFAULT_STORE_FILE)
  let found: ConfiguredKeyStore | undefined
  let failure: unknown
  let lookAgainAt = Number.NEGATIVE_INFINITY

  return {
    missing: `there is no ${DEFAULT_STORE_FILE} in ${shownFolder(folder)}; make it there with: npx vantage-auth keys create --subject user_123 --scopes jobs:read`,
    look() {
      const now = performance.now()
      if (found === undefined && now >= lookAgainAt) {
        lookAgainAt = now + LOOK_AGAIN_MS
        try {
          // A file that was seen stays the store: its revocations count, and without a driver nobody can read them.
          if (failure === undefined && !existsSync(path)) return undefined
          failure = undefined
          found = open(() => sqliteKeyStore({ path }), path)
        } catch (error) {
          failure = error
        }
      }
      if (failure !== undefined) throw failure
      return found
    },
  }
}

/** The directory may have been deleted. */
function workingDirectory(): string {
  try {
    return process.cwd()
  } catch {
    return '.'
  }
}

/** A name of a folder may have characters that a terminal obeys. */
function shownFolder(folder: string): string {
  return folder.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
}

function open(openStore: () => KeyStore, name: string): ConfiguredKeyStore {
  try {
    const store = openStore()
    return Object.freeze({ store, owned: true, label: labelOf(store) })
  } catch (error) {
    throw new TypeError(`${name}: ${(error as Error).message}`)
  }
}

/** What a store says of itself. One of the application's own may say anything, or nothing. */
function labelOf(store: KeyStore): string {
  try {
    const told: unknown = store.describe?.()
    if (typeof told === 'string' && told !== '') return oneLine(told)
  } catch {
    // It says nothing then.
  }
  return UNNAMED_STORE
}

function warnNoKeyStore(missing: string): void {
  warnOnce(
    'VANTAGE_NO_KEY_STORE',
    `No key store: ${missing}. Until then API keys are answered 503; the service looks for the file and serves keys once it is there. VANTAGE_KEY_STORE or the option keys names another store, keys: false refuses all keys.`,
  )
}
