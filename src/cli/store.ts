import { existsSync } from 'node:fs'
import { DEFAULT_STORE_FILE } from '../config/key-store.js'
import { DEFAULT_ENVIRONMENT, type Environment } from '../core/environments.js'
import { KeyStoreError } from '../core/errors.js'
import type { Keyring } from '../keyring/contract.js'
import { createKeyring } from '../keyring/keyring.js'
import type { KeyStore } from '../store/contract.js'
import { DriverMissingError } from '../store/driver-missing.js'
import { migrateCommand } from '../store/migrate-command.js'
import { openKeyStore, openKeyStoreForChanges, openKeyStoreForReading, sqlitePath } from '../store/open.js'
import { type Arguments, type Options, UsageError } from './command.js'
import { notice } from './terminal.js'

export const DEFAULT_STORE = `sqlite:${DEFAULT_STORE_FILE}`

/** The options of every command that works on a store. */
export const STORE_OPTIONS: Options = {
  store: {
    value: 'URL',
    help: `sqlite:PATH or postgres://…; a password is better kept in PGPASSWORD, PGPASSFILE or the variable (default ${DEFAULT_STORE})`,
    variable: 'VANTAGE_KEY_STORE',
  },
  json: { help: 'print JSON; an error is JSON too, on standard error' },
}

interface KeyringNeeds {
  /** Whether the store and its schema are created where they are absent. To the others, that means a wrong URL. */
  mayCreate?: boolean
  /** For a command that only reads: nothing is written, created or migrated. */
  reads?: boolean
  /** Whether keys or tokens are changed, so that the role needs the grants of an administrator. Default: unless it reads. */
  changes?: boolean
  environment?: Environment
}

/** Opens the keyring of the store that the arguments name, and closes it. */
export async function withKeyring<T>(
  given: Arguments,
  { mayCreate = false, reads = false, changes = !reads, environment = DEFAULT_ENVIRONMENT }: KeyringNeeds,
  use: (keyring: Keyring, store: KeyStore) => Promise<T>,
): Promise<T> {
  const { url } = storeUrl(given)
  const path = sqlitePath(url)
  const store = openStore(given, { reads, changes })
  try {
    const keyring = createKeyring(store, { environment, migrate: mayCreate })
    if (!mayCreate && path !== undefined && !existsSync(path)) {
      throw new KeyStoreError(
        `There is no key store at ${JSON.stringify(path)}; name another with --store, or create it with: ${url === DEFAULT_STORE ? 'npx vantage-auth keys migrate' : migrateCommand(url)}`,
      )
    }
    return await use(keyring, store)
  } finally {
    await store.close()
  }
}

/** The store's URL, and where it was given. */
export function storeUrl(given: Arguments): { readonly url: string; readonly name: string } {
  const flag = given.text('store')
  if (flag !== undefined) return { url: flag, name: '--store' }
  const variable = process.env.VANTAGE_KEY_STORE?.trim()
  return variable ? { url: variable, name: 'VANTAGE_KEY_STORE' } : { url: DEFAULT_STORE, name: '--store' }
}

/**
 * The store that `--store` or VANTAGE_KEY_STORE names.
 *
 * @param needs.reads for a command that only reads: permission to read a SQLite file is enough then
 * @param needs.changes for a command that changes keys or tokens: a message about grants names those of an administrator
 */
export function openStore(given: Arguments, { reads = false, changes = false } = {}): KeyStore {
  const { url, name } = storeUrl(given)
  if (url === 'memory:')
    throw new UsageError(`${name} names a store in memory, which would be gone when the command ends`)
  if (name === '--store' && holdsPassword(url)) {
    notice(
      'The password in --store can be read by other users of this machine. PGPASSWORD, PGPASSFILE and VANTAGE_KEY_STORE keep it out of the command line.',
    )
  }
  try {
    if (reads) return openKeyStoreForReading(url)
    return changes ? openKeyStoreForChanges(url) : openKeyStore(url)
  } catch (error) {
    // Whoever lacks a package has typed nothing wrong.
    if (error instanceof DriverMissingError) throw new KeyStoreError(error.message, { cause: error })
    throw error instanceof TypeError ? new UsageError(`${name}: ${error.message}`) : error
  }
}

/** Whether a connection string has a password in one of the places in which the package `pg` looks for one. */
function holdsPassword(url: string): boolean {
  if (!/^postgres(?:ql)?:/i.test(url)) return false
  // A socket in place of a host, and letters that should be encoded, are no URL for the parser and one for `pg`.
  if (!URL.canParse(url)) return /:[^/@][^@]*@|password/i.test(url)
  const { username, password, searchParams } = new URL(url)
  return password !== '' || /:|%3a/i.test(username) || searchParams.getAll('password').some((value) => value !== '')
}
