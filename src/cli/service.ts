import { closeSync, constants, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { isRecord, readOptions } from '../config/checks.js'
import { resolveKeyStore } from '../config/key-store.js'
import { type Configuration, OPTION_NAMES, resolveOptions, type VerifierOptions } from '../config/options.js'
import { ArgumentError } from '../core/argument-error.js'
import { ENVIRONMENTS } from '../core/environments.js'
import { MOUNT_OPTION_NAMES } from '../http/mount.js'
import type { KeyStore } from '../store/contract.js'
import { openKeyStoreForReading, sqlitePath } from '../store/open.js'
import { type Arguments, type Options, UsageError } from './command.js'
import { closeAtEnd, type GivenOptions, readConfigFile } from './config-file.js'
import { DEFAULT_STORE, openStore, storeUrl } from './store.js'

/** A service whose decisions are explained, or whose surroundings are examined. */
export interface Service {
  /** What it accepts. Its `keys` say nothing: see `keys` below. */
  readonly config: Configuration
  readonly keys: ServiceStore
  /** What nobody has named, so that the default of the package counts. */
  readonly defaults: { readonly issuer: boolean; readonly audience: boolean }
}

/** The options of a command that looks at a service. */
export const SERVICE_OPTIONS: Options = {
  config: {
    value: 'PATH',
    help: 'options of the service: a module whose default export is the options, or a function that returns them',
  },
  issuer: { value: 'URL', help: 'accepted issuer', variable: 'VANTAGE_ISSUER' },
  audience: { value: 'LIST', help: 'accepted audiences, separated by commas', variable: 'VANTAGE_AUDIENCE' },
  profile: { value: 'NAME', choices: ['rfc9068', 'lenient'], variable: 'VANTAGE_PROFILE' },
  environment: { value: 'NAME', choices: ENVIRONMENTS, variable: 'VANTAGE_ENVIRONMENT' },
  store: {
    value: 'URL',
    help: `where keys and revoked tokens are, or false in the variable (default ${DEFAULT_STORE})`,
    variable: 'VANTAGE_KEY_STORE',
  },
}

/** Where a service looks API keys up. */
export type ServiceStore =
  /** A store that a URL names. */
  | { readonly kind: 'url'; readonly url: string; open(): KeyStore }
  /** A store that the application has made. */
  | { readonly kind: 'own'; readonly store: KeyStore }
  /** Every API key is refused. */
  | { readonly kind: 'none'; readonly because: string }
  /** In the memory of the service, which nobody else can look into. */
  | { readonly kind: 'memory'; readonly because: string }
  /** A file that is not there. */
  | {
      readonly kind: 'absent'
      readonly because: string
      readonly url: string
      /** Whether nobody named a store: a service starts without one then. */
      readonly isDefault: boolean
    }

/**
 * The service that the arguments describe. A flag wins over the module of `--config`, which wins over the environment, as
 * options do in a service; `--issuer` takes the place of the module's issuers with their keys.
 *
 * @throws {UsageError} for what a service would refuse at its start
 */
export async function readService(given: Arguments): Promise<Service> {
  const path = given.text('config')
  const file = path === undefined ? {} : readFileOptions(await readConfigFile(path), path)
  const flags = readFlags(given)
  const { keys, ...options } = flags.issuer === undefined ? file : { ...file, jwks: undefined, jwksUri: undefined }
  let config: Configuration
  try {
    // Without its store, which is opened only where it is needed, and in its own way.
    config = resolveOptions({ ...options, ...flags, keys: false })
  } catch (error) {
    throw path === undefined ? error : inWordsOf(path, error, flags)
  }
  const isDefault = (name: 'issuer' | 'audience', variable: string) =>
    flags[name] === undefined && file[name] === undefined && !process.env[variable]?.trim()
  const defaults = {
    issuer: isDefault('issuer', 'VANTAGE_ISSUER'),
    // What an entry says itself nobody has left to the default.
    audience:
      isDefault('audience', 'VANTAGE_AUDIENCE') &&
      config.issuers.length === 1 &&
      !(flags.issuer === undefined && hasOwnAudience(file.issuer)),
  }
  return { config, keys: findStore(given, keys, path), defaults }
}

function hasOwnAudience(entries: unknown): boolean {
  return Array.isArray(entries) && entries.some((entry) => isRecord(entry) && entry.audience !== undefined)
}

/** As `vantageAuth()` and `createVerifier()` read them. */
function readFileOptions(options: GivenOptions, path: string): VerifierOptions {
  try {
    const values = readOptions(options, [...MOUNT_OPTION_NAMES, ...OPTION_NAMES], 'option')
    if (values.verifier !== undefined) {
      throw new ArgumentError('verifier', 'hides its options; export those that createVerifier() was given')
    }
    return Object.fromEntries(OPTION_NAMES.map((name) => [name, values[name]])) as VerifierOptions
  } catch (error) {
    throw inWordsOf(path, error)
  }
}

/** A wrong option of the module, by the name that it has there. */
function inWordsOf(path: string, error: unknown, flags: VerifierOptions = {}): unknown {
  if (!(error instanceof TypeError)) return error
  const name = error instanceof ArgumentError ? /^\w*/.exec(error.argument)?.[0] : undefined
  if (name?.startsWith('VANTAGE_') || (name && flags[name as keyof VerifierOptions] !== undefined)) return error
  return new UsageError(`--config ${JSON.stringify(path)}: ${error.message}`)
}

function readFlags(given: Arguments): VerifierOptions {
  const values = {
    issuer: given.text('issuer'),
    audience: given.text('audience')?.split(/[\s,]+/),
    profile: given.text('profile'),
    environment: given.text('environment'),
    jwks: readKeySet(given.text('jwks')),
  }
  // What a flag says is checked where options are.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as VerifierOptions
}

function readKeySet(path: string | undefined): unknown {
  if (path === undefined) return undefined
  try {
    return JSON.parse(readSmallFile(path))
  } catch {
    throw new UsageError('--jwks must name a file of at most 256 KiB that holds a JSON Web Key Set')
  }
}

const LONGEST_KEY_SET = 256 * 1024

/** Without waiting for whoever writes into a pipe, and without an end to read of a device. */
function readSmallFile(path: string): string {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    if (!fstatSync(file).isFile()) throw new Error('no file')
    const content = Buffer.alloc(LONGEST_KEY_SET + 1)
    let length = 0
    for (let bytes = -1; bytes !== 0 && length < content.length; length += bytes) {
      bytes = readSync(file, content, length, content.length - length, null)
    }
    if (length > LONGEST_KEY_SET) throw new Error('too long')
    return content.toString('utf8', 0, length)
  } finally {
    closeSync(file)
  }
}

function findStore(given: Arguments, keys: VerifierOptions['keys'], path: string | undefined): ServiceStore {
  const option = given.text('store') === undefined ? keys : undefined
  if (option !== undefined && typeof option !== 'string') return resolveOwnStore(option, String(path))
  const { url, name } = option === undefined ? storeUrl(given) : { url: option, name: 'keys' }
  const isDefault = given.text('store') === undefined && name === '--store'
  if (name === 'VANTAGE_KEY_STORE' && url === 'false') return { kind: 'none', because: 'VANTAGE_KEY_STORE is false' }
  if (url === 'memory:' && name !== '--store') {
    return { kind: 'memory', because: `${name} is memory:, which begins empty and ends with the service` }
  }
  const file = sqlitePath(url)
  if (file !== undefined && !existsSync(file)) {
    return { kind: 'absent', because: `there is no file ${file}`, url, isDefault }
  }
  return {
    kind: 'url',
    url,
    open: () => (option === undefined ? openStore(given, { reads: true }) : openOwn(url, String(path))),
  }
}

function resolveOwnStore(keys: KeyStore | false, path: string): ServiceStore {
  try {
    const own = resolveKeyStore({ value: keys, name: 'keys', fromEnvironment: false })
    if (own && 'store' in own) closeAtEnd(own.store)
    return own && 'store' in own
      ? { kind: 'own', store: own.store }
      : { kind: 'none', because: 'the option keys is false' }
  } catch (error) {
    throw inWordsOf(path, error)
  }
}

function openOwn(url: string, path: string): KeyStore {
  try {
    return openKeyStoreForReading(url)
  } catch (error) {
    throw inWordsOf(path, error instanceof TypeError ? new TypeError(`keys: ${error.message}`) : error)
  }
}
