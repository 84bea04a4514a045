import type { JSONWebKeySet } from 'jose'
import { ArgumentError } from '../core/argument-error.js'
import { deepFreeze } from '../core/auth.js'
import { isLoopback } from '../token/issuer/local-address.js'
import { hasPrivateMember, MAX_KEYS, parseKeySet } from '../token/key-set.js'
import type { KeySource } from '../token/policy.js'
import { checkFunction, isRecord, type Setting } from './checks.js'
import { checkUrl } from './issuer-identifier.js'
import { warnInsecureHttp } from './start-notices.js'

/** What says where an issuer's keys come from. */
export interface KeySourceSettings {
  /** The issuer's URL, whose metadata leads to its keys; `undefined` for one that has no metadata. */
  readonly issuer: Setting | undefined
  readonly jwksUri: Setting
  readonly jwks: Setting
  readonly fetch: Setting
  /** Whether a URL may be http outside loopback. */
  mayBeInsecure(url: Setting): boolean
  readonly algorithms: readonly string[]
  /** What the `use` of its keys may be. */
  readonly uses: readonly string[]
}

export function resolveKeySource(settings: KeySourceSettings): KeySource {
  const { issuer, jwksUri, jwks, mayBeInsecure, algorithms, uses } = settings
  if (jwks.value !== undefined) {
    for (const other of [jwksUri, settings.fetch]) {
      if (other.value === undefined || other.fromEnvironment) continue
      throw new ArgumentError(jwks.name, `and ${other.name} exclude each other; leave one out`)
    }
    return Object.freeze({ kind: 'static', jwks: checkStaticKeys(jwks, algorithms, uses) })
  }
  const fetch = settings.fetch.value === undefined ? undefined : checkFetch(settings.fetch)
  if (jwksUri.value !== undefined) {
    return Object.freeze({ kind: 'jwks_uri', url: checkFetchable(jwksUri, mayBeInsecure), fetch })
  }
  if (issuer === undefined) {
    throw new ArgumentError(jwksUri.name, 'is missing: a trust domain has no metadata; give jwksUri, or jwks')
  }
  return Object.freeze({ kind: 'discovery', url: checkFetchable(issuer, mayBeInsecure), fetch })
}

function checkFetch({ value, name }: Setting): typeof globalThis.fetch {
  return checkFunction(value, name)
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
function checkStaticKeys(
  { value, name }: Setting,
  algorithms: readonly string[],
  uses: readonly string[],
): JSONWebKeySet {
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
  const set = parseKeySet({ keys }, uses)
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
