import { checkNumber, checkStrings, isRecord, namesOf, optionSetting, readOptions } from '../config/checks.js'
import { checkIssuer } from '../config/issuer-identifier.js'
import { resolveEntry } from '../config/issuer-options.js'
import { type Configuration, DEFAULT_POLICY, resolveOptions, type VerifierOptions } from '../config/options.js'
import { ArgumentError } from '../core/argument-error.js'
import { type Duration, parseDuration } from '../core/duration.js'
import { createOutageNotices, NO_NOTICES, type OutageNotices } from '../core/outage-notices.js'
import type { Keyring } from '../keyring/contract.js'
import { isKeyring } from '../keyring/keyring.js'
import { createIssuer, type Issuer } from '../token/issuer/issuer.js'
import { digestOf } from './authorization.js'
import type { RevocationReceiverOptions, RevocationSender } from './contract.js'
import { createLimit, type Limit } from './limit.js'

/** A provider that is listened to, checked. */
export interface Sender {
  readonly issuer: string
  readonly audience: readonly string[]
  /** Where its keys come from. */
  readonly keys: Issuer
  /** The issuers whose subjects it may name, its own among them. */
  readonly subjectIssuers: ReadonlySet<string>
  /** The issuers whose access tokens name its own subjects and sessions. */
  readonly tokenIssuers: readonly string[]
  /** Digest of the Authorization header that its stream sends. */
  readonly authorization: Buffer | undefined
  readonly tokenLife: Duration
  readonly clockToleranceSeconds: number
  /**
   * Its deliveries that wait for keys, and those that are written, at a time. They are apart: what anybody can send waits for
   * keys, and must not keep out what a provider has signed.
   */
  readonly waiting: Limit
  readonly writing: Limit
}

const MAX_WAITING = 500
const MAX_WRITING = 500
/** A small share of those that wait: anybody can invent a `kid`. */
const MAX_UNKNOWN_KIDS = 100

/** The options of a receiver, checked once. */
export interface ReceiverConfiguration extends Pick<Configuration, 'realm' | 'timeoutMs' | 'clock'> {
  readonly keyring: Keyring
  /** By their issuer identifiers. */
  readonly senders: ReadonlyMap<string, Sender>
  readonly notices: OutageNotices
  readonly outageNotices: boolean
}

/** The settings that mean what they mean to a verifier. */
const SHARED = ['realm', 'timeoutMs', 'outageNotices', 'clock'] as const satisfies readonly (keyof VerifierOptions)[]
const OPTION_NAMES = ['keyring', 'issuers', 'clockToleranceSeconds', ...SHARED] as const

/** What an entry has in common with an `issuer` entry of a verifier, and is read as there. */
const KEY_OPTIONS = ['issuer', 'jwksUri', 'jwks', 'fetch', 'algorithms', 'allowInsecureHttp'] as const
const SENDER_NAMES = namesOf<Record<keyof RevocationSender, true>>({
  issuer: true,
  audience: true,
  jwksUri: true,
  jwks: true,
  fetch: true,
  algorithms: true,
  allowInsecureHttp: true,
  subjectIssuers: true,
  tokenIssuers: true,
  authorization: true,
  tokenLife: true,
})

/** The longest life that a vendor permits for its access tokens. */
const DEFAULT_TOKEN_LIFE = '30d'

/** @throws {TypeError} that names the option and the cure, and never shows a value that may be a secret */
export function resolveReceiverOptions(options: RevocationReceiverOptions): ReceiverConfiguration {
  const given = readOptions(options, OPTION_NAMES, 'createRevocationReceiver() option')
  const keyring = checkKeyring(given.keyring)
  const entries = readEntries(given.issuers)
  const tolerance = given.clockToleranceSeconds
  const clockToleranceSeconds =
    tolerance === undefined
      ? DEFAULT_POLICY.clockToleranceSeconds
      : checkNumber(tolerance, 'clockToleranceSeconds', { min: 0, max: 300 })
  const shared = Object.fromEntries(SHARED.map((name) => [name, given[name]])) as Pick<
    VerifierOptions,
    (typeof SHARED)[number]
  >
  const config = resolveOptions({ issuer: false, keys: false, ...shared })
  const { realm, timeoutMs, clock, outageNotices } = config
  const notices = outageNotices ? createOutageNotices() : NO_NOTICES
  const senders = new Map<string, Sender>()
  for (const [index, entry] of entries.entries()) {
    const sender = readSender(entry, `issuers[${index}]`, clockToleranceSeconds, config, notices)
    if (senders.has(sender.issuer)) {
      throw new ArgumentError('issuers', 'names one issuer twice; put both audiences into one entry')
    }
    senders.set(sender.issuer, sender)
  }
  return { keyring, senders, notices, realm, timeoutMs, clock, outageNotices }
}

function checkKeyring(keyring: unknown): Keyring {
  if (!isKeyring(keyring)) throw new ArgumentError('keyring', 'must be what createKeyring() returns')
  if (typeof (keyring as Partial<Keyring>).revokeTokensOnce === 'function') return keyring
  throw new ArgumentError(
    'keyring',
    'was made by a version of vantage-auth without revokeTokensOnce(); update that one',
  )
}

function readEntries(issuers: unknown): readonly object[] {
  const list: unknown[] = Array.isArray(issuers) ? [...issuers] : []
  if (list.length > 0 && list.every(isRecord)) return list
  throw new ArgumentError('issuers', 'must be a list of { issuer, audience, … } with one entry at least')
}

function readSender(
  entry: object,
  at: string,
  clockToleranceSeconds: number,
  config: Configuration,
  notices: OutageNotices,
): Sender {
  const given = readOptions(entry, SENDER_NAMES, `${at} option`)
  if (given.audience === undefined) {
    throw new ArgumentError(
      `${at}.audience`,
      "is required: the client id that is registered for logout, the event stream's audience, or the URL that is called",
    )
  }
  const audience = checkStrings(optionSetting(given.audience, `${at}.audience`))
  const keyOptions = Object.fromEntries(KEY_OPTIONS.map((name) => [name, given[name]]))
  const policy = resolveEntry({ audience, ...keyOptions }, at, { clockToleranceSeconds, ...withoutTolerance })
  const tokenLifeMs = parseDuration(given.tokenLife ?? DEFAULT_TOKEN_LIFE, `${at}.tokenLife`)
  const { issuer } = policy
  const tokenIssuers = readTokenIssuers(given.tokenIssuers, issuer, `${at}.tokenIssuers`)
  return {
    issuer,
    audience,
    // Naming a subject of a token issuer ends no more than naming its own.
    subjectIssuers: new Set([issuer, ...readIssuers(given.subjectIssuers, `${at}.subjectIssuers`), ...tokenIssuers]),
    tokenIssuers,
    authorization: given.authorization === undefined ? undefined : readAuthorization(given.authorization, at),
    tokenLife: tokenLifeMs / 1000,
    clockToleranceSeconds,
    waiting: createLimit(MAX_WAITING),
    writing: createLimit(MAX_WRITING),
    // Last: what it starts would go on if another option were wrong.
    keys: createIssuer(policy, { ...config, maxUnknownKids: MAX_UNKNOWN_KIDS }, notices),
  }
}

const { clockToleranceSeconds: _, ...withoutTolerance } = DEFAULT_POLICY

function readIssuers(value: unknown, name: string): readonly string[] {
  if (value === undefined) return []
  return checkStrings(optionSetting(value, name)).map((issuer) => checkIssuer(issuer, name))
}

/** What one delivery names is written for each of them, in one transaction. */
const MAX_TOKEN_ISSUERS = 10

function readTokenIssuers(value: unknown, issuer: string, name: string): readonly string[] {
  if (value === undefined) return [issuer]
  const issuers = [...new Set(readIssuers(value, name))]
  if (issuers.length <= MAX_TOKEN_ISSUERS) return issuers
  throw new ArgumentError(name, `must name ${MAX_TOKEN_ISSUERS} issuers at most`)
}

/** What an HTTP header carries unchanged: printable, without white space at its ends. Shorter ones can be guessed. */
const HEADER_VALUE = /^[\x21-\x7e][\x20-\x7e]{14,8190}[\x21-\x7e]$/

function readAuthorization(value: unknown, at: string): Buffer {
  if (typeof value === 'string' && HEADER_VALUE.test(value)) return digestOf(value)
  throw new ArgumentError(
    `${at}.authorization`,
    'must be the whole value of the Authorization header, 16 to 8192 printable ASCII characters',
  )
}
