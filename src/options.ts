import { existsSync } from 'node:fs'
import type { JSONWebKeySet } from 'jose'
import type { Environment } from './api-key.js'
import type { Auth } from './auth.js'
import type { KeyStore } from './keyring.js'
import { isScopeToken } from './scope.js'
import { openKeyStore, sqlitePath } from './stores/open.js'

/** Signature algorithms that can be accepted: all asymmetric. `EdDSA` and `Ed25519` (RFC 9864) are one. */
export const ALGORITHMS = Object.freeze([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const)

export type Algorithm = (typeof ALGORITHMS)[number]

/**
 * How strictly a token follows RFC 9068. `lenient` is for issuers that send typ `JWT` or none and omit `client_id`, `jti`
 * or `iat` (Keycloak and others); everything else is checked alike.
 */
export type Profile = 'rfc9068' | 'lenient'

/** What this service requires of the access tokens of one issuer. */
export interface IssuerOptions {
  /**
   * Issuer identifier that the `iss` claim must equal, character for character. It also decides where keys come from: a
   * token never chooses its own issuer. An https URL without query and fragment; http only on loopback.
   *
   * @see {@link https://www.rfc-editor.org/rfc/rfc9068#section-4 RFC 9068 §4}
   */
  issuer: string
  /** The resource that this service is. One of them must be in the `aud` claim. Default: the `audience` option. */
  audience?: string | readonly string[]
  /** Where the key set is. Skips discovery. Default: the `jwks_uri` of the issuer's metadata (RFC 8414, OpenID). */
  jwksUri?: string
  /** A static key set of public keys: nothing is ever fetched for this issuer. Excludes `jwksUri`. */
  jwks?: JSONWebKeySet
  /** Accepted signature algorithms. Default: all of {@link ALGORITHMS}. */
  algorithms?: readonly Algorithm[]
  /** Default: the `profile` option. */
  profile?: Profile
  /** Claims that may hold the scopes; the first one present decides. Default: `['scope', 'scp']`. */
  scopeClaims?: readonly string[]
  /** Claim that becomes `auth.tenant`. Default: none. */
  tenantClaim?: string
  /** Permits http for this issuer's configured URLs outside loopback. For closed networks only. Default: false. */
  allowInsecureHttp?: boolean
}

/** What a verifier accepts. Each option wins over its environment variable; an empty variable is unset. */
export interface VerifierOptions {
  /**
   * The issuer or issuers of access tokens; `false` accepts API keys only.
   * [`VANTAGE_ISSUER`] Default: `https://auth.vantage.omnivector.solutions`.
   */
  issuer?: string | readonly (string | IssuerOptions)[] | false
  /** [`VANTAGE_AUDIENCE`] Default: `https://api.vantage.omnivector.solutions`. See {@link IssuerOptions.audience}. */
  audience?: string | readonly string[]
  /** [`VANTAGE_JWKS_URI`, where the issuer comes from the environment or is the default] For a single issuer. */
  jwksUri?: string
  /** For a single issuer. See {@link IssuerOptions.jwks}. */
  jwks?: JSONWebKeySet
  /** [`VANTAGE_PROFILE`] Default: `'rfc9068'`. */
  profile?: Profile
  /** See {@link IssuerOptions.algorithms}. */
  algorithms?: readonly Algorithm[]
  /** See {@link IssuerOptions.scopeClaims}. */
  scopeClaims?: readonly string[]
  /** See {@link IssuerOptions.tenantClaim}. */
  tenantClaim?: string
  /** Allowed difference of clocks when token times are compared, in seconds, 0 to 300. Default: 5. Not for API keys. */
  clockToleranceSeconds?: number
  /** Refuses tokens issued (`iat`) longer ago than this, in seconds, however long they live. Default: no such limit. */
  maxTokenAgeSeconds?: number
  /**
   * Where API keys are looked up: a store, a store URL, or `false` to refuse every API key.
   * [`VANTAGE_KEY_STORE`] Default: `sqlite:vantage-auth.db` if that file exists; else API keys are off: a process warning
   * (`VANTAGE_NO_KEY_STORE`) says so, and a credential in the key format is answered 503.
   */
  keys?: KeyStore | string | false
  /** Deployment whose keys are accepted. [`VANTAGE_ENVIRONMENT`] Default: `'live'`. */
  environment?: Environment
  /**
   * Cache of verified credentials: at most `maxEntries` (default 10 000) with `maxBytes` of credentials in all (default
   * 16 MiB), each for `ttlSeconds` (default 300, at most 86 400) and never beyond its own end. `false` verifies each time.
   */
  cache?: CacheOptions | false
  /**
   * Asked on every request, after verification; `true` refuses the credential. Anything but a boolean, a throw, a
   * rejection, or silence for `timeoutMs` is answered 503. Default: none.
   */
  isRevoked?: (auth: Auth) => boolean | Promise<boolean>
  /** How long the last good key set serves after it was fetched, while its issuer is out of reach. 1 to 604 800. Default: 3600. */
  keySetMaxStaleSeconds?: number
  /**
   * How long a cached key is accepted after its last confirmation while the store is out of reach. 0 to 86 400.
   * Default: 0, an outage of the store is 503.
   */
  storeMaxStaleSeconds?: number
  /** Protection space in challenges: printable ASCII without `"` and `\`. Default: `'vantage'`. */
  realm?: string
  /** Used for metadata and key sets. Default: the global fetch. */
  fetch?: typeof globalThis.fetch
  /** Limit for each fetch, store look-up and hook, in milliseconds, 1 to 60 000. Default: 3000. */
  timeoutMs?: number
  /** Milliseconds since the epoch; for tests. Default: `Date.now`. */
  clock?: () => number
}

/** See {@link VerifierOptions.cache}. */
export interface CacheOptions {
  maxEntries?: number
  maxBytes?: number
  ttlSeconds?: number
}

/** Where an issuer's keys come from. */
export type KeySource =
  | { readonly kind: 'static'; readonly jwks: JSONWebKeySet }
  | { readonly kind: 'jwks_uri'; readonly url: URL }
  | { readonly kind: 'discovery'; readonly url: URL }

/** The checked policy for one issuer. */
export interface IssuerPolicy {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly keySource: KeySource
  readonly algorithms: readonly string[]
  readonly profile: Profile
  readonly scopeClaims: readonly string[]
  readonly tenantClaim: string | undefined
  readonly clockToleranceSeconds: number
  readonly maxTokenAgeSeconds: number | undefined
}

/** Options and environment, checked once and frozen. */
export interface Configuration {
  readonly issuers: readonly IssuerPolicy[]
  /** `undefined`: API keys are off for want of a store. `false`: every API key is refused. */
  readonly keys: { readonly store: KeyStore; readonly owned: boolean; readonly label: string } | false | undefined
  readonly environment: Environment
  readonly cache: { readonly maxEntries: number; readonly maxBytes: number; readonly ttlMs: number } | false
  readonly isRevoked: ((auth: Auth) => boolean | Promise<boolean>) | undefined
  readonly keySetMaxStaleMs: number
  readonly storeMaxStaleMs: number
  readonly realm: string
  readonly fetch: typeof globalThis.fetch
  readonly timeoutMs: number
  readonly clock: () => number
}

const DEFAULT_ISSUER = 'https://auth.vantage.omnivector.solutions'
const DEFAULT_AUDIENCE = 'https://api.vantage.omnivector.solutions'
const DEFAULT_STORE_FILE = 'vantage-auth.db'

/** Every option of a verifier; a compile error here means that the list and the interface went apart. */
const OPTION_NAMES = Object.keys({
  issuer: 0,
  audience: 0,
  jwksUri: 0,
  jwks: 0,
  profile: 0,
  algorithms: 0,
  scopeClaims: 0,
  tenantClaim: 0,
  clockToleranceSeconds: 0,
  maxTokenAgeSeconds: 0,
  keys: 0,
  environment: 0,
  cache: 0,
  isRevoked: 0,
  keySetMaxStaleSeconds: 0,
  storeMaxStaleSeconds: 0,
  realm: 0,
  fetch: 0,
  timeoutMs: 0,
  clock: 0,
} satisfies Record<keyof VerifierOptions, 0>)

const ISSUER_OPTION_NAMES = Object.keys({
  issuer: 0,
  audience: 0,
  jwksUri: 0,
  jwks: 0,
  algorithms: 0,
  profile: 0,
  scopeClaims: 0,
  tenantClaim: 0,
  allowInsecureHttp: 0,
} satisfies Record<keyof IssuerOptions, 0>)

const CACHE_OPTION_NAMES = ['maxEntries', 'maxBytes', 'ttlSeconds']

/**
 * Turns options and environment into one checked, frozen configuration.
 *
 * @throws {TypeError} that names the option, or the variable the value came from, and the cure
 */
export function resolveOptions(options: VerifierOptions = {}, env: NodeJS.ProcessEnv = process.env): Configuration {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError('options must be an object, for example { audience: "https://…" }')
  }
  rejectUnknown(options, OPTION_NAMES, 'option')

  const timeoutMs = number(options.timeoutMs, 'timeoutMs', { min: 1, max: 60_000, fallback: 3000 })
  const realm = options.realm ?? 'vantage'
  if (typeof realm !== 'string' || !/^[\x20\x21\x23-\x5B\x5D-\x7E]+$/.test(realm)) {
    throw new TypeError('realm must be printable ASCII without " and \\, for example "vantage"')
  }
  return Object.freeze({
    issuers: Object.freeze(resolveIssuers(options, env)),
    environment: oneOf(
      setting(options.environment, 'environment', env, 'VANTAGE_ENVIRONMENT'),
      ['live', 'test'],
      'live',
    ),
    cache: resolveCache(options.cache),
    isRevoked: callable(options.isRevoked, 'isRevoked'),
    keySetMaxStaleMs:
      1000 * number(options.keySetMaxStaleSeconds, 'keySetMaxStaleSeconds', { min: 1, max: 604_800, fallback: 3600 }),
    storeMaxStaleMs:
      1000 * number(options.storeMaxStaleSeconds, 'storeMaxStaleSeconds', { min: 0, max: 86_400, fallback: 0 }),
    realm,
    fetch: callable(options.fetch, 'fetch') ?? globalFetch,
    timeoutMs,
    clock: callable(options.clock, 'clock') ?? Date.now,
    // Last, since it is the one that may open something.
    keys: resolveKeys(options.keys, env),
  })
}

/** Looked up on each call, so that whoever replaces the global fetch is heard. */
const globalFetch: typeof globalThis.fetch = (input, init) => globalThis.fetch(input, init)

/**
 * Scopes allowed in new keys besides the documented ones. [`VANTAGE_SCOPES`]
 *
 * @throws {TypeError} for one that is not a scope token
 */
export function environmentScopes(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const scopes = splitList(env.VANTAGE_SCOPES ?? '')
  if (!scopes.every(isScopeToken)) {
    throw new TypeError('VANTAGE_SCOPES must be scope tokens (RFC 6749 §3.3), separated by commas or spaces')
  }
  return scopes
}

/** One value and the name under which its giver knows it. */
interface Setting {
  readonly value: unknown
  readonly name: string
  readonly fromEnvironment: boolean
}

function setting(option: unknown, name: string, env: NodeJS.ProcessEnv, variable: string): Setting {
  if (option !== undefined) return { value: option, name, fromEnvironment: false }
  const text = env[variable]?.trim()
  return { value: text === '' ? undefined : text, name: variable, fromEnvironment: true }
}

function resolveIssuers(options: VerifierOptions, env: NodeJS.ProcessEnv): IssuerPolicy[] {
  const from = setting(options.issuer, 'issuer', env, 'VANTAGE_ISSUER')
  const audience = setting(options.audience, 'audience', env, 'VANTAGE_AUDIENCE')
  const profile = setting(options.profile, 'profile', env, 'VANTAGE_PROFILE')
  const shared = {
    audience: strings(audience, DEFAULT_AUDIENCE),
    profile: oneOf(profile, ['rfc9068', 'lenient'] as const, 'rfc9068'),
    algorithms: algorithms(options.algorithms, 'algorithms'),
    scopeClaims: strings({ value: options.scopeClaims, name: 'scopeClaims', fromEnvironment: false }, 'scope', 'scp'),
    tenantClaim: claimName(options.tenantClaim, 'tenantClaim'),
    clockToleranceSeconds: number(options.clockToleranceSeconds, 'clockToleranceSeconds', {
      min: 0,
      max: 300,
      fallback: 5,
    }),
    maxTokenAgeSeconds:
      options.maxTokenAgeSeconds === undefined
        ? undefined
        : number(options.maxTokenAgeSeconds, 'maxTokenAgeSeconds', { min: 1, max: 315_360_000, fallback: 1 }),
  }

  const entries = issuerEntries(from)
  const single = entries.length === 1 && typeof entries[0] === 'string'
  for (const name of ['jwksUri', 'jwks'] as const) {
    if (options[name] !== undefined && !single) {
      throw new TypeError(
        `${name} is for a single issuer; with several, put it into the entry of its issuer: issuer: [{ issuer, ${name} }]`,
      )
    }
  }
  const jwksUri = from.fromEnvironment
    ? setting(options.jwksUri, 'jwksUri', env, 'VANTAGE_JWKS_URI')
    : { value: options.jwksUri, name: 'jwksUri', fromEnvironment: false }

  const policies = entries.map((entry, index): IssuerPolicy => {
    const named = typeof entry === 'string'
    const own: Record<string, unknown> = named ? { issuer: entry } : entry
    const at = (name: string): Setting => ({
      value: own[name],
      name: `issuer[${index}].${name}`,
      fromEnvironment: false,
    })
    if (!named) rejectUnknown(own, ISSUER_OPTION_NAMES, `issuer[${index}] option`)
    const issuer = checkIssuer(own.issuer, named ? from.name : `issuer[${index}].issuer`)
    const insecure = own.allowInsecureHttp ?? false
    if (typeof insecure !== 'boolean') throw new TypeError(`issuer[${index}].allowInsecureHttp must be true or false`)
    return Object.freeze({
      ...shared,
      issuer,
      keySource: keySource({
        issuer,
        issuerName: named ? from.name : `issuer[${index}].issuer`,
        jwksUri: named ? (single ? jwksUri : at('jwksUri')) : at('jwksUri'),
        jwks: named ? { value: single ? options.jwks : undefined, name: 'jwks', fromEnvironment: false } : at('jwks'),
        insecure,
      }),
      ...(own.audience !== undefined && { audience: strings(at('audience')) }),
      ...(own.profile !== undefined && { profile: oneOf(at('profile'), ['rfc9068', 'lenient'] as const, 'rfc9068') }),
      ...(own.algorithms !== undefined && { algorithms: algorithms(own.algorithms, `issuer[${index}].algorithms`) }),
      ...(own.scopeClaims !== undefined && { scopeClaims: strings(at('scopeClaims')) }),
      ...(own.tenantClaim !== undefined && { tenantClaim: claimName(own.tenantClaim, `issuer[${index}].tenantClaim`) }),
    })
  })
  const names = policies.map((policy) => policy.issuer)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new TypeError(`${from.name} names one issuer twice; put both audiences into one entry`)
  return policies
}

/** The configured issuers, before their own options are looked at. */
function issuerEntries({ value, name, fromEnvironment }: Setting): readonly (string | Record<string, unknown>)[] {
  if (value === undefined) return [DEFAULT_ISSUER]
  if (value === false || (fromEnvironment && value === 'false')) return []
  if (typeof value === 'string') return fromEnvironment ? splitList(value) : [value]
  if (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => typeof entry === 'string' || isRecord(entry))
  ) {
    return value
  }
  throw new TypeError(
    `${name} must be an issuer URL, a list of { issuer, audience?, … } with one entry at least, or false to accept API keys only`,
  )
}

function checkIssuer(value: unknown, name: string): string {
  if (typeof value !== 'string')
    throw new TypeError(`${name} must be the issuer's URL, exactly as in its tokens' iss claim`)
  const url = checkUrl(value, name)
  if (value.includes('?') || value.includes('#')) {
    throw new TypeError(`${name} must have no query and no fragment (RFC 8414 §2)`)
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError(`${name} must be an https URL`)
  return value
}

/** A URL without user and password. The value is not shown: it may hold a secret. */
function checkUrl(value: string, name: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined) throw new TypeError(`${name} is not a URL; it looks like ${DEFAULT_ISSUER}`)
  if (url.username !== '' || url.password !== '') throw new TypeError(`${name} must not contain a user or a password`)
  return url
}

function keySource(from: {
  issuer: string
  issuerName: string
  jwksUri: Setting
  jwks: Setting
  insecure: boolean
}): KeySource {
  const { jwksUri, jwks } = from
  if (jwks.value !== undefined) {
    if (jwksUri.value !== undefined && !jwksUri.fromEnvironment) {
      throw new TypeError(`${jwks.name} and ${jwksUri.name} exclude each other; leave one out`)
    }
    return { kind: 'static', jwks: checkStaticKeys(jwks.value, jwks.name) }
  }
  if (jwksUri.value === undefined) {
    return { kind: 'discovery', url: checkFetchable(from.issuer, from.issuerName, from.insecure) }
  }
  if (typeof jwksUri.value !== 'string') throw new TypeError(`${jwksUri.name} must be the URL of the key set`)
  return { kind: 'jwks_uri', url: checkFetchable(jwksUri.value, jwksUri.name, from.insecure) }
}

/** RFC 8414 §2: https. On loopback nobody is in between. */
function checkFetchable(value: string, name: string, insecure: boolean): URL {
  const url = checkUrl(value, name)
  const permitted = url.protocol === 'https:' || (url.protocol === 'http:' && (insecure || isLoopback(url)))
  if (!permitted) {
    throw new TypeError(
      `${name} must be https; http is for loopback, or for an issuer entry with allowInsecureHttp: true`,
    )
  }
  return url
}

/** Whether a URL points at this machine, in any spelling that the URL parser normalises. */
export function isLoopback(url: URL): boolean {
  const host = url.hostname.replace(/\.$/, '')
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    /^127\.\d+\.\d+\.\d+$/.test(host) ||
    host === '0.0.0.0' ||
    host === '[::1]' ||
    host === '[::]' ||
    host.startsWith('[::ffff:7f') ||
    host === '[::ffff:0:0]'
  )
}

function checkStaticKeys(value: unknown, name: string): JSONWebKeySet {
  const keys = isRecord(value) ? value.keys : undefined
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every(isRecord)) {
    throw new TypeError(`${name} must be a JSON Web Key Set with one key at least: { keys: [{ kty, … }] }`)
  }
  if (keys.length > 1000) throw new TypeError(`${name} holds more than 1000 keys`)
  for (const [index, key] of keys.entries()) {
    if (key.kty === 'oct' || ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].some((member) => Object.hasOwn(key, member))) {
      throw new TypeError(`${name}.keys[${index}] is a private or symmetric key; give public keys only`)
    }
  }
  return structuredClone({ keys }) as JSONWebKeySet
}

function resolveKeys(option: unknown, env: NodeJS.ProcessEnv): Configuration['keys'] {
  const { value, name, fromEnvironment } = setting(option, 'keys', env, 'VANTAGE_KEY_STORE')
  if (value === false || (fromEnvironment && value === 'false')) return false
  if (value === undefined) {
    if (existsSync(DEFAULT_STORE_FILE)) return openedStore(`sqlite:${DEFAULT_STORE_FILE}`, name)
    warnNoKeyStore()
    return undefined
  }
  if (typeof value === 'string') return openedStore(value, name)
  if (isRecord(value) && typeof value.find === 'function') {
    return Object.freeze({ store: value as unknown as KeyStore, owned: false, label: 'a KeyStore of the application' })
  }
  throw new TypeError(
    `${name} must be a KeyStore, a store URL such as sqlite:./keys.db, or false to refuse every API key`,
  )
}

/** A store that is absent is a mistake of the start, not an outage. */
function openedStore(url: string, name: string): Configuration['keys'] {
  const path = sqlitePath(url)
  if (path !== undefined && !existsSync(path)) {
    throw new TypeError(
      `${name} names a SQLite file that does not exist: ${path}; create it with: vantage-auth keys migrate --store sqlite:${path}`,
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
    {
      code: 'VANTAGE_NO_KEY_STORE',
    },
  )
}

function resolveCache(option: unknown): Configuration['cache'] {
  if (option === false) return false
  const given = option ?? {}
  if (!isRecord(given)) throw new TypeError('cache must be { maxEntries?, maxBytes?, ttlSeconds? } or false')
  rejectUnknown(given, CACHE_OPTION_NAMES, 'cache option')
  return Object.freeze({
    maxEntries: integer(given.maxEntries, 'cache.maxEntries', { min: 1, max: 10_000_000, fallback: 10_000 }),
    maxBytes: integer(given.maxBytes, 'cache.maxBytes', { min: 1, max: 2 ** 34, fallback: 16 * 2 ** 20 }),
    ttlMs: 1000 * number(given.ttlSeconds, 'cache.ttlSeconds', { min: 1, max: 86_400, fallback: 300 }),
  })
}

function algorithms(value: unknown, name: string): readonly string[] {
  if (value === undefined) return ALGORITHMS
  const list: readonly unknown[] = ALGORITHMS
  if (!Array.isArray(value) || value.length === 0 || !value.every((algorithm) => list.includes(algorithm))) {
    throw new TypeError(
      `${name} must be a list of asymmetric algorithms with one entry at least, out of ${ALGORITHMS.join(' ')}`,
    )
  }
  const edwards = value.includes('EdDSA') || value.includes('Ed25519') ? ['EdDSA', 'Ed25519'] : []
  return Object.freeze([...new Set([...value, ...edwards])])
}

function strings({ value, name, fromEnvironment }: Setting, ...fallback: string[]): readonly string[] {
  if (value === undefined) return Object.freeze(fallback)
  const list = typeof value === 'string' ? (fromEnvironment ? splitList(value) : [value]) : value
  if (!Array.isArray(list) || list.length === 0 || !list.every((entry) => typeof entry === 'string' && entry !== '')) {
    throw new TypeError(`${name} must be a string, or a list of strings with one entry at least, none of them empty`)
  }
  return Object.freeze([...list])
}

function claimName(value: unknown, name: string): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw new TypeError(`${name} must be the name of a claim, for example "tenant_id"`)
}

function oneOf<T extends string>({ value, name }: Setting, allowed: readonly T[], fallback: T): T {
  if (value === undefined) return fallback
  const found = allowed.find((candidate) => candidate === value)
  if (found === undefined) throw new TypeError(`${name} must be ${allowed.map((text) => `"${text}"`).join(' or ')}`)
  return found
}

interface Range {
  readonly min: number
  readonly max: number
  readonly fallback: number
}

function number(value: unknown, name: string, { min, max, fallback }: Range): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw new TypeError(`${name} must be a number from ${min} to ${max}`)
  }
  return value
}

function integer(value: unknown, name: string, range: Range): number {
  const checked = number(value, name, range)
  if (!Number.isInteger(checked)) throw new TypeError(`${name} must be a whole number`)
  return checked
}

function callable<T>(value: T, name: string): T {
  if (value !== undefined && typeof value !== 'function') throw new TypeError(`${name} must be a function`)
  return value
}

/** The cure for an unknown option is most often the right spelling. */
export function rejectUnknown(given: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    const near = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase())
    throw new TypeError(
      `unknown ${what} ${JSON.stringify(name)}; ${near ? `did you mean ${near}?` : `there are ${known.join(', ')}`}`,
    )
  }
}

function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter((entry) => entry !== '')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
