import type { KeyStore } from './contract.js'

import { memoryKeyStore } from './memory.js'
import { createPostgresKeyStore } from './postgres/store.js'
import { loadSqliteDriver } from './sqlite/driver.js'
import { createSqliteKeyStore, sqliteKeyStore } from './sqlite/store.js'

const FORMS = `'memory:', 'sqlite:' with the path of a file, for example 'sqlite:./keys.db' or 'sqlite:/var/lib/keys.db', or 'postgres://user:password@host:5432/database'`

/**
 * Opens the key store that a URL names: `memory:`, `sqlite:./keys.db` or `postgres://…`. A relative path is one of the
 * working directory. It connects when it is first used.
 *
 * @throws {TypeError} for any other URL, without printing it: it can hold a password; and without the package of the store
 */
export function openKeyStore(url: string): KeyStore {
  return open(url, false)
}

/**
 * As {@link openKeyStore}, for commands that change keys or tokens: where the role of PostgreSQL lacks a grant, also one to
 * read, the message names the grants of an administrator.
 *
 * @throws {TypeError} as {@link openKeyStore} does
 */
export function openKeyStoreForChanges(url: string): KeyStore {
  return open(url, true)
}

function open(url: string, administers: boolean): KeyStore {
  if (url === 'memory:') return memoryKeyStore()
  const path = sqlitePath(url)
  if (path !== undefined) return sqliteKeyStore({ path })
  if (typeof url === 'string' && /^postgres(?:ql)?:\/\//.test(url))
    return createPostgresKeyStore({ connectionString: url }, { administers })
  throw new TypeError(`A key store URL must be ${FORMS}`)
}

/**
 * As {@link openKeyStore}, for commands that only read: a SQLite file is opened so that nothing is written beside it either.
 *
 * @throws {TypeError} as {@link openKeyStore} does
 */
export function openKeyStoreForReading(url: string): KeyStore {
  const path = sqlitePath(url)
  return path === undefined ? openKeyStore(url) : createSqliteKeyStore(path, loadSqliteDriver(), { readOnly: true })
}

/**
 * The file that a `sqlite:` URL names; `undefined` for any other URL.
 *
 * The path is taken as it stands: nothing is percent-decoded. `sqlite://host/...`, parameters after `?`, and `:memory:`
 * are refused, because a file of such a name would hide a mistake; so is a URL with a scheme of its own, whose password
 * messages about the file would show.
 */
export function sqlitePath(url: unknown): string | undefined {
  if (typeof url !== 'string' || !url.startsWith('sqlite:')) return undefined
  const path = url.slice('sqlite:'.length)
  if (path === '' || path === ':memory:' || /[?#\0]|:\/\//.test(path) || /^\/\/(?!\/)/.test(path)) return undefined
  return path
}
