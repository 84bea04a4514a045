import type { JSONWebKeySet } from 'jose'
import { ArgumentError } from '../core/argument-error.js'
import { deepFreeze } from '../core/auth.js'
import type { ScopeSeparator } from '../core/scope.js'
import { ALGORITHMS, type Algorithm, findAlgorithm, isAlgorithm } from '../token/algorithms.js'
import { isLoopback } from '../token/issuer/local-address.js'
import { hasPrivateMember, MAX_KEYS, parseKeySet } from '../token/key-set.js'
import type { IssuerPolicy, KeySource, Profile } from '../token/policy.js'
import {
  checkClaimName,
  checkOneOf,
  checkStrings,
  isRecord,
  namesOf,
  optionSetting,
  readOptions,
  type Setting,
  splitList,
} from './checks.js'
import { warnInsecureHttp } from './start-notices.js'

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
  audience?: string | readonly string[] | undefined
  /** Where the key set is. Skips discovery. Default: the `jwks_uri` of the issuer's metadata (RFC 8414, OpenID). */
  jwksUri?: string | undefined
  /**
   * A static key set of public keys, which is copied: nothing is ever fetched for this issuer, and a later change of the
   * object changes nothing. Excludes `jwksUri`.
   */
  jwks?: JSONWebKeySet | undefined
  /** Accepted signature algorithms. Default: all of {@link ALGORITHMS}. */
  algorithms?: readonly Algorithm[] | undefined
  /** Default: the `profile` option. */
  profile?: Profile | undefined
  /** Claims that may hold the scopes; the first one present decides. Default: `['scope', 'scp']`. */
  scopeClaims?: readonly string[] | undefined
  /**
   * What separates the scopes in a claim that is a string: `'space'` (RFC 6749 §3.3), or `'comma'`, which is spaces and
   * commas, as the Vantage API writes them. Under `'space'` a comma is part of a scope.
   *
   * Default: `'comma'` for a single issuer that is given as a text (option, variable or default), and for
   * `https://auth.vantage.omnivector.solutions` wherever it stands; `'space'` for all others of a list, also for those that
   * are texts.
   */
  scopeSeparator?: ScopeSeparator | undefined
  /** Claim that becomes `auth.tenant`. Default: none. */
  tenantClaim?: string | undefined
  /**
   * Claim that becomes `auth.clientId`, by which `tokens revoke --client-id` finds a token. It alone decides who the client
   * is: a token without it has none, and is refused unless the profile is lenient. It does not take the place of `client_id`
   * in the checks: under `rfc9068` a token has to have that one as well, a string that is not empty. Default:
   * `client_id`; under the lenient profile the first of `client_id`, `azp`, `cid` and `appid` that is a string.
   *
   * @see {@link https://www.rfc-editor.org/rfc/rfc9068#section-2.2 RFC 9068 §2.2}
   */
  clientIdClaim?: string | undefined
  /** Permits http for this issuer's configured URLs outside loopback. For closed networks only. Default: false. */
  allowInsecureHttp?: boolean | undefined
}

const SCOPE_SEPARATORS = ['space', 'comma'] as const

const PROFILES = ['rfc9068', 'lenient'] as const

export const DEFAULT_ISSUER = 'https://auth.vantage.omnivector.solutions'

/** The options that say where keys come from. {@link resolveEntry} reads each by its name. */
const SOURCE_NAMES = ['issuer', 'jwksUri', 'jwks', 'allowInsecureHttp'] as const

type OwnName = Exclude<keyof IssuerOptions, (typeof SOURCE_NAMES)[number]>
type OwnPolicy = { [N in OwnName]: NonNullable<IssuerPolicy[N]> }

/** How each option is read that replaces a shared one. An option without an entry does not compile. */
const OWN: { readonly [N in OwnName]: (given: Setting) => OwnPolicy[N] } = {
  audience: checkStrings,
  algorithms: checkAlgorithms,
  profile: checkProfile,
  scopeClaims: checkStrings,
  scopeSeparator: checkScopeSeparator,
  tenantClaim: checkClaimName,
  clientIdClaim: checkClaimName,
}
const OWN_NAMES = namesOf(OWN)

/** The policy of every issuer that has no options of its own. */
export type SharedPolicy = Omit<IssuerPolicy, 'issuer' | 'keySource' | 'scopeSeparator'> & {
  /** `undefined`: it depends on the issuer, see {@link IssuerOptions.scopeSeparator}. */
  readonly scopeSeparator: ScopeSeparator | undefined
}

/** The settings that say which issuers there are. `jwksUri` and `jwks` are for a single issuer. */
export interface IssuerSettings {
  readonly issuer: Setting
  readonly jwksUri: Setting
  readonly jwks: Setting
  /** Whether URLs of the environment may be http outside loopback. */
  readonly allowInsecureEnvironment: boolean
}

/**
 * The checked policy of each configured issuer.
 *
 * @throws {TypeError} that names the option, or the variable the value came from, and the cure
 */
export function resolveIssuers(settings: IssuerSettings, shared: SharedPolicy): readonly IssuerPolicy[] {
  const entries = readEntries(settings.issuer)
  const [only] = entries
  const single = entries.length === 1 && typeof only === 'string'
  for (const { value, name, fromEnvironment } of [settings.jwksUri, settings.jwks]) {
    if (value === undefined || single || (fromEnvironment && entries.length === 0)) continue
    throw new ArgumentError(
      name,
      'is for a single issuer; with several, put it into the entry of its issuer: issuer: [{ issuer, jwksUri }]',
    )
  }
  const policies = entries.map((entry, index) => {
    if (typeof entry !== 'string') return resolveEntry(entry, `issuer[${index}]`, shared)
    const issuer = checkIssuer(entry, settings.issuer.name)
    const none = optionSetting(undefined, '')
    const { jwksUri, jwks } = single ? settings : { jwksUri: none, jwks: none }
    const insecure = ({ fromEnvironment }: Setting) => fromEnvironment && settings.allowInsecureEnvironment
    const keySource = resolveKeySource(
      { ...settings.issuer, value: issuer },
      jwksUri,
      jwks,
      insecure,
      shared.algorithms,
    )
    // An issuer that is given as the one text is the product's own, wherever it runs. Others need not write commas like it.
    const isOwn = single && !Array.isArray(settings.issuer.value)
    const scopeSeparator = shared.scopeSeparator ?? (isOwn ? 'comma' : separatorOf(issuer))
    return Object.freeze({ ...shared, scopeSeparator, issuer, keySource })
  })
  if (new Set(policies.map(({ issuer }) => issuer)).size < policies.length) {
    throw new ArgumentError(settings.issuer.name, 'names one issuer twice; put both audiences into one entry')
  }
  return Object.freeze(policies)
}

/** The configured issuers, before their own options are looked at. */
function readEntries({ value, name, fromEnvironment }: Setting): readonly (string | object)[] {
  if (value === undefined) return [DEFAULT_ISSUER]
  if (value === false || (fromEnvironment && value === 'false')) return []
  const list = typeof value === 'string' ? (fromEnvironment ? splitList(value) : [value]) : value
  const entries = Array.isArray(list) ? [...list] : []
  if (entries.length > 0 && entries.every((entry) => typeof entry === 'string' || isRecord(entry))) return entries
  throw new ArgumentError(
    name,
    'must be an issuer URL, a list of { issuer, audience?, … } with one entry at least, or false to accept API keys only',
  )
}

/** An entry of a list. Each of its own options replaces the shared one. */
function resolveEntry(entry: object, at: string, shared: SharedPolicy): IssuerPolicy {
  const given = readOptions(entry, [...SOURCE_NAMES, ...OWN_NAMES], `${at} option`)
  const setting = (name: keyof IssuerOptions) => optionSetting(given[name], `${at}.${name}`)
  const issuer = checkIssuer(given.issuer, `${at}.issuer`)
  const insecure = given.allowInsecureHttp ?? false
  if (given.allowInsecureHttp === null || typeof insecure !== 'boolean') {
    throw new ArgumentError(`${at}.allowInsecureHttp`, 'must be true or false')
  }
  const own: Partial<OwnPolicy> = {}
  const readOwn = <N extends OwnName>(name: N) => {
    own[name] = OWN[name](setting(name))
  }
  for (const name of OWN_NAMES) if (given[name] !== undefined) readOwn(name)
  const scopeSeparator = own.scopeSeparator ?? shared.scopeSeparator ?? separatorOf(issuer)
  const policy = { ...shared, ...own, scopeSeparator, issuer }
  const [jwksUri, jwks] = [setting('jwksUri'), setting('jwks')]
  const keySource = resolveKeySource(setting('issuer'), jwksUri, jwks, () => insecure, policy.algorithms)
  return Object.freeze({ ...policy, keySource })
}

/** The default for an entry of a list. */
function separatorOf(issuer: string): ScopeSeparator {
  return issuer === DEFAULT_ISSUER ? 'comma' : 'space'
}

export function checkScopeSeparator(setting: Setting): ScopeSeparator {
  return checkOneOf(setting, SCOPE_SEPARATORS)
}

export function checkProfile(setting: Setting): Profile {
  return checkOneOf(setting, PROFILES)
}

export function checkAlgorithms({ value, name }: Setting): readonly string[] {
  const list: unknown[] = Array.isArray(value) ? [...value] : []
  if (list.length === 0 || !list.every(isAlgorithm)) {
    throw new ArgumentError(
      name,
      `must be a list of asymmetric algorithms with one entry at least, out of ${ALGORITHMS.join(' ')}`,
    )
  }
  const otherNames = list.flatMap((name) => findAlgorithm(name)?.names ?? [])
  return Object.freeze([...new Set([...list, ...otherNames])])
}

/** @throws {ArgumentError} for what is no issuer identifier (RFC 8414 §2) */
export function checkIssuer(value: unknown, name: string): string {
  if (typeof value !== 'string') {
    throw new ArgumentError(name, `must be the issuer's URL, exactly as in its tokens' iss claim`)
  }
  const url = checkUrl(value, name)
  if (value.includes('?') || value.includes('#')) {
    throw new ArgumentError(name, 'must have no query and no fragment (RFC 8414 §2)')
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new ArgumentError(name, 'must be an https URL')
  return value
}

/** A URL without user and password. The value is never shown: it may hold a secret. */
function checkUrl(value: string, name: string): URL {
  // The URL parser would silently drop white space, which the comparison with `iss` does not.
  const url = /^\S+$/.test(value) && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined) throw new ArgumentError(name, `is not a URL; it looks like ${DEFAULT_ISSUER}`)
  if (url.username !== '' || url.password !== '') throw new ArgumentError(name, 'must not contain a user or a password')
  return url
}

function resolveKeySource(
  issuer: Setting,
  jwksUri: Setting,
  jwks: Setting,
  mayBeInsecure: (url: Setting) => boolean,
  algorithms: readonly string[],
): KeySource {
  if (jwks.value !== undefined) {
    if (jwksUri.value !== undefined && !jwksUri.fromEnvironment) {
      throw new ArgumentError(jwks.name, `and ${jwksUri.name} exclude each other; leave one out`)
    }
    return Object.freeze({ kind: 'static', jwks: checkStaticKeys(jwks, algorithms) })
  }
  if (jwksUri.value === undefined)
    return Object.freeze({ kind: 'discovery', url: checkFetchable(issuer, mayBeInsecure) })
  return Object.freeze({ kind: 'jwks_uri', url: checkFetchable(jwksUri, mayBeInsecure) })
}

/** RFC 8414 §2 requires https. On loopback there is no network that others could listen to. */
function checkFetchable(setting: Setting, mayBeInsecure: (url: Setting) => boolean): URL {
  const { value, name, fromEnvironment } = setting
  if (typeof value !== 'string') throw new ArgumentError(name, 'must be the URL of the key set')
  const url = checkUrl(value, name)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))) return url
  if (url.protocol !== 'http:' || !mayBeInsecure(setting)) {
    throw new ArgumentError(
      name,
      'must be https; http is for loopback, for an issuer entry with allowInsecureHttp: true, or, in a closed network, for a URL of the environment with VANTAGE_ALLOW_INSECURE_HTTP=true',
    )
  }
  if (fromEnvironment) warnInsecureHttp(name)
  return url
}

/** A copy of a static key set with which a token can be verified at all. */
function checkStaticKeys({ value, name }: Setting, algorithms: readonly string[]): JSONWebKeySet {
  const list = keysOf(value)
  if (list !== undefined && list.length > MAX_KEYS) throw new ArgumentError(name, `holds more than ${MAX_KEYS} keys`)
  const copies = Array.from(list ?? [], copyKey)
  const keys = copies.filter((key) => key !== undefined)
  if (keys.length === 0) {
    throw new ArgumentError(name, 'must be a JSON Web Key Set with one key at least: { keys: [{ kty, … }] }')
  }
  for (const [index, key] of copies.entries()) {
    if (key === undefined) continue
    if (key.kty === 'oct' || hasPrivateMember(key)) {
      throw new ArgumentError(`${name}.keys[${index}]`, 'is a private or symmetric key; give public keys only')
    }
  }
  const set = parseKeySet({ keys })
  const kids = new Set(keys.map(({ kid }) => (typeof kid === 'string' ? kid : undefined)))
  if (!algorithms.some((alg) => [...kids].some((kid) => set.match(alg, kid).keys.length > 0))) {
    throw new ArgumentError(
      name,
      `holds no key that can verify a token: it takes public keys for signatures with ${algorithms.join(' ')}, RSA ones of 2048 to 8192 bits, and several need a kid each`,
    )
  }
  return deepFreeze({ keys }) as unknown as JSONWebKeySet
}

function keysOf(value: unknown): readonly unknown[] | undefined {
  try {
    const { keys } = value as { keys: unknown }
    return Array.isArray(keys) ? keys : undefined
  } catch {
    return undefined
  }
}

/**
 * A copy by way of JSON. Getters are read once, and later changes of the original change nothing. A key that cannot be
 * read is passed over, as it is in a set that is fetched.
 */
function copyKey(key: unknown): Record<string, unknown> | undefined {
  try {
    const copy: unknown = JSON.parse(JSON.stringify(key))
    return isRecord(copy) ? copy : undefined
  } catch {
    return undefined
  }
}
