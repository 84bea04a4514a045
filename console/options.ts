import {
  checkFunction,
  checkInteger,
  checkStrings,
  isRecord,
  optionSetting,
  readOptions,
} from '../src/config/checks.js'
import { ArgumentError } from '../src/core/argument-error.js'
import { DEFAULT_TIMEOUT_MS } from '../src/core/deadline.js'
import type { Keyring } from '../src/keyring/contract.js'
import { createKeyring, isKeyring } from '../src/keyring/keyring.js'
import type { AuthorizeConsole, KeyConsoleOptions } from './contract.js'

const OPTIONS = ['keyring', 'authorize', 'apiUrl', 'signInUrl', 'origin', 'mount', 'timeoutMs', 'challenge'] as const

const DEFAULT_API_URL = 'https://api.vantage.omnivector.solutions'

/** The options of a console, checked. */
export interface ConsoleSettings {
  readonly keyring: Keyring
  /** The console has opened the keyring, and closes it. */
  readonly ownsKeyring: boolean
  readonly authorize: AuthorizeConsole<unknown>
  /** Without a slash at its end. */
  readonly apiUrl: string
  readonly signInUrl: string | undefined
  /** `undefined` for the one that a request was sent to. */
  readonly origins: readonly string[] | undefined
  /** Without a slash at its end. */
  readonly mount: string
  readonly timeoutMs: number
  readonly challenge: string | undefined
}

/** @throws {TypeError} for a wrong or unknown option, by its name */
export function readConsoleOptions(options: KeyConsoleOptions): ConsoleSettings {
  refuseOthersNames(options)
  const given = readOptions(options, OPTIONS, 'option of createKeyConsole()')
  return {
    authorize: checkFunction(given.authorize, 'authorize'),
    apiUrl: given.apiUrl === undefined ? DEFAULT_API_URL : checkApiUrl(given.apiUrl),
    signInUrl: given.signInUrl === undefined ? undefined : checkSignInUrl(given.signInUrl),
    origins: given.origin === undefined ? undefined : checkOrigins(given.origin),
    mount: checkMount(given.mount ?? ''),
    timeoutMs: checkInteger(given.timeoutMs ?? DEFAULT_TIMEOUT_MS, 'timeoutMs', { min: 1, max: 60_000 }),
    challenge: given.challenge === undefined ? undefined : checkChallenge(given.challenge),
    // Last, so that nothing is opened where another option is wrong.
    ...openKeyring(given.keyring),
  }
}

/** What options of this kind are called elsewhere. */
const MEANT = { authorise: 'authorize', store: 'keyring', keys: 'keyring', origins: 'origin', prefix: 'mount' } as const

function refuseOthersNames(options: object): void {
  for (const [name, meant] of Object.entries(MEANT)) {
    if (!isRecord(options) || !Object.hasOwn(options, name)) continue
    throw new TypeError(`unknown option of createKeyConsole() "${name}"; did you mean ${meant}?`)
  }
}

function openKeyring(given: unknown): Pick<ConsoleSettings, 'keyring' | 'ownsKeyring'> {
  if (isKeyring(given)) return { keyring: given, ownsKeyring: false }
  if (typeof given === 'string') return { keyring: createKeyring(given), ownsKeyring: true }
  throw new ArgumentError('keyring', "must be what createKeyring() returns, or a store URL such as 'sqlite:./keys.db'")
}

function checkApiUrl(given: unknown): string {
  const url = parseWebUrl(given)
  // It stands in a command that people paste: nothing in it may be more to a shell than a character.
  if (url === undefined || url.search !== '' || url.hash !== '' || !/^[\w.:/%[\]+,=-]+$/.test(url.href)) {
    throw new ArgumentError(
      'apiUrl',
      'must be an http or https URL without credentials, query and fragment, and without what a shell takes for more than a character',
    )
  }
  return url.href.replace(/\/+$/, '')
}

function checkSignInUrl(given: unknown): string {
  // Two slashes, or a backslash that browsers take for one, would begin the name of another host.
  const isPath = typeof given === 'string' && /^\/(?![/\\])[\x21-\x7e]*$/.test(given)
  if (!isPath && parseWebUrl(given) === undefined) {
    throw new ArgumentError('signInUrl', "must be a path such as '/login', or an http or https URL without credentials")
  }
  return given as string
}

function checkOrigins(given: unknown): readonly string[] {
  const origins = checkStrings(optionSetting(given, 'origin'))
  if (!origins.every((origin) => parseWebUrl(origin)?.origin === origin)) {
    throw new ArgumentError(
      'origin',
      "must be an origin as browsers write it, or a list of them: scheme and host in lower case, the port where it is not the scheme's own, and nothing behind, such as 'https://console.example.com'",
    )
  }
  return origins
}

/** @throws {TypeError} for anything but a path */
export function checkMount(given: unknown): string {
  if (typeof given === 'string' && (given === '' || /^\/(?![/\\])[\x21\x22\x24-\x3e\x40-\x7e]*$/.test(given))) {
    return given.replace(/\/+$/, '')
  }
  throw new ArgumentError('mount', "must be a path such as '/settings/api-keys'")
}

function checkChallenge(given: unknown): string {
  if (typeof given === 'string' && /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(given)) return given
  throw new ArgumentError('challenge', `must be a WWW-Authenticate header, such as 'Cookie realm="dashboard"'`)
}

/** An http(s) URL. What parsers of URLs would mend or drop is refused: it is shown and copied as it stands. */
function parseWebUrl(given: unknown): URL | undefined {
  if (typeof given !== 'string' || !/^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i.test(given) || !URL.canParse(given)) return
  const url = new URL(given)
  return url.username === '' && url.password === '' ? url : undefined
}
