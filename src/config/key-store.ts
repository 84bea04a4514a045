import { existsSync } from 'node:fs'
import { ArgumentError } from '../core/argument-error.js'
import type { KeyStore } from '../store/contract.js'
import { openKeyStore, sqlitePath } from '../store/open.js'
import { isRecord, type Setting } from './checks.js'

/** Where API keys are looked up. */
export interface ConfiguredKeyStore {
  readonly store: KeyStore
  /** Whether it was opened here: whoever uses the configuration closes it then. */
  readonly owned: boolean
  /** What may be shown of it: scheme and host. */
  readonly label: string
}

const DEFAULT_STORE_FILE = 'vantage-auth.db'

/**
 * Opens the store that the `keys` option names, or the default file if it is there.
 *
 * @returns `undefined` when there is none, `false` when every API key is to be refused
 * @throws {TypeError} that names the option, or the variable, and the cure
 */
export function resolveKeyStore({ value, name, fromEnvironment }: Setting): ConfiguredKeyStore | false | undefined {
  if (value === false || (fromEnvironment && value === 'false')) return false
  if (value === undefined) {
    if (existsSync(DEFAULT_STORE_FILE))
      return openStore(`sqlite:${DEFAULT_STORE_FILE}`, `${DEFAULT_STORE_FILE} in the working directory`)
    warnNoKeyStore()
    return undefined
  }
  if (typeof value === 'string') return openStore(value, name)
  if (isRecord(value) && typeof value.find === 'function') {
    return Object.freeze({ store: value as unknown as KeyStore, owned: false, label: 'a KeyStore of the application' })
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
      `names a SQLite file that is not there (a relative path starts at the working directory, ${process.cwd()}); create it with: vantage-auth keys migrate`,
    )
  }
  try {
    return Object.freeze({ store: openKeyStore(url), owned: true, label: storeLabel(url) })
  } catch (error) {
    throw new TypeError(`${name}: ${(error as Error).message}`)
  }
}

/** Scheme and host, since the rest of a store URL may be secret. */
function storeLabel(url: string): string {
  if (!URL.canParse(url)) return url.slice(0, url.indexOf(':') + 1)
  const { protocol, host } = new URL(url)
  return host === '' ? protocol : `${protocol}//${host}`
}

let warned = false

function warnNoKeyStore(): void {
  if (warned) return
  warned = true
  process.emitWarning(
    'No key store is configured, API keys are answered 503. Set VANTAGE_KEY_STORE or the option keys; keys: false refuses them.',
    { code: 'VANTAGE_NO_KEY_STORE' },
  )
}
