import type { JSONWebKeySet } from 'jose'
import { ArgumentError } from '../core/argument-error.js'
import { type Auth, DEFAULT_REALM } from '../core/auth.js'
import { isRealm } from '../core/challenge.js'
import { DEFAULT_TIMEOUT_MS } from '../core/deadline.js'
import { DEFAULT_ENVIRONMENT, ENVIRONMENTS, type Environment } from '../core/environments.js'
import { ofProcess } from '../core/of-process.js'
import type { ScopeSeparator } from '../core/scope.js'
import type { KeyStore } from '../store/contract.js'
import { ALGORITHMS, type Algorithm } from '../token/algorithms.js'
import type { Claim, ClaimReference } from '../token/claim-reference.js'
import type { ClaimValue } from '../token/grants.js'
import type { IssuerPolicy, Profile, RequiredClaim, ScopeRule } from '../token/policy.js'
import type { ScopeMap } from '../token/scope-map.js'
import {
  checkClock,
  checkFlag,
  checkFunction,
  checkInteger,
  checkNumber,
  checkOneOf,
  checkStrings,
  isRecord,
  namesOf,
  optionSetting,
  type Range,
  readOptions,
  type Setting,
} from './checks.js'
import { checkClaim, checkClaims, checkRequired, checkScopeMap, checkScopeRule } from './claim-options.js'
import { DEFAULT_ISSUER } from './issuer-identifier.js'
import {
  checkAlgorithms,
  checkProfile,
  checkScopeSeparator,
  ENTRY_NAMES,
  type IssuerOptions,
  resolveIssuers,
  type SharedPolicy,
} from './issuer-options.js'
import { checkResolver, createIssuerResolver, type IssuerResolver, type ResolveIssuer } from './issuer-resolver.js'
import { type AwaitedKeyStore, type ConfiguredKeyStore, resolveKeyStore } from './key-store.js'
import { tellDefaults } from './start-notices.js'
import { refusePlaceholder } from './tenants.js'

export type { IssuerOptions }

/** What a verifier accepts. Each option wins over its environment variable; an empty variable is unset. */
export interface VerifierOptions {
  /**
   * The issuer or issuers of access tokens; `false` accepts API keys only, and tokens of `resolveIssuer`.
   * [`VANTAGE_ISSUER`] Default: `https://auth.vantage.omnivector.solutions`.
   */
  issuer?: string | readonly (string | IssuerOptions)[] | false | undefined
  /**
   * Tells of issuers that `issuer` does not name, at run time: an entry as in `issuer`, whose `issuer` must equal `iss`, or
   * `undefined` for one that is not accepted (401, which stands for 30 seconds). It is asked before anything of the token is
   * verified, so `iss` is the text of anybody. It is asked only for an https URL (http on loopback) of at most 512 characters
   * without user, query and fragment; never for one that `issuer` names; and about 100 issuers at a time at most: beyond that
   * is 503, but an issuer with an accepted token waits for its turn. Anything else that it answers, a throw, a rejection, or
   * silence for `timeoutMs` is 503. An entry may have one of `tenants`, whose issuer is `iss`, and no `trustDomain`. With
   * `issuer: false` there are no issuers but those. Default: none.
   */
  resolveIssuer?: ResolveIssuer | undefined
  /**
   * How long an entry of `resolveIssuer` stands, in seconds, 1 to 86 400. Then it is asked again: `undefined` ends the issuer
   * and its cached tokens, another entry takes the place of the first, and while there is no answer its tokens are 503.
   * Default: 300.
   */
  issuerTtlSeconds?: number | undefined
  /**
   * Most issuers of `resolveIssuer` that are kept, 1 to 100 000: more than there are customers. Those without an accepted
   * token go first, then the one that was unused longest. Default: 1000.
   */
  maxIssuers?: number | undefined
  /** [`VANTAGE_AUDIENCE`] Default: `https://api.vantage.omnivector.solutions`. See {@link IssuerOptions.audience}. */
  audience?: string | readonly string[] | undefined
  /** [`VANTAGE_JWKS_URI`, where the issuer comes from the environment or is the default] For a single issuer. */
  jwksUri?: string | undefined
  /** For a single issuer. See {@link IssuerOptions.jwks}. */
  jwks?: JSONWebKeySet | undefined
  /** [`VANTAGE_PROFILE`] Default: `'rfc9068'`. */
  profile?: Profile | undefined
  /** See {@link IssuerOptions.algorithms}. */
  algorithms?: readonly Algorithm[] | undefined
  /** See {@link IssuerOptions.scopeClaims}. */
  scopeClaims?: string | readonly ClaimReference[] | undefined
  /** See {@link IssuerOptions.scopes}. */
  scopes?: ScopeRule | undefined
  /** See {@link IssuerOptions.scopeSeparator}. */
  scopeSeparator?: ScopeSeparator | undefined
  /** See {@link IssuerOptions.scopeMap}. */
  scopeMap?: Readonly<Record<string, string | readonly string[]>> | undefined
  /** See {@link IssuerOptions.subjectClaim}. */
  subjectClaim?: ClaimReference | undefined
  /** See {@link IssuerOptions.subjectAliases}. */
  subjectAliases?: string | readonly ClaimReference[] | undefined
  /** See {@link IssuerOptions.tenantClaim}. */
  tenantClaim?: ClaimReference | undefined
  /** See {@link IssuerOptions.clientIdClaim}. */
  clientIdClaim?: ClaimReference | undefined
  /** See {@link IssuerOptions.sessionClaim}. */
  sessionClaim?: ClaimReference | undefined
  /** See {@link IssuerOptions.required}. */
  required?: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>> | undefined
  /** Allowed difference of clocks when token times are compared, in seconds, 0 to 300. Default: 5. Not for API keys. */
  clockToleranceSeconds?: number | undefined
  /** Refuses tokens issued (`iat`) longer ago than this, in seconds, however long they live. Default: no such limit. */
  maxTokenAgeSeconds?: number | undefined
  /**
   * Where API keys are looked up: a store, a store URL, or `false` to refuse every API key.
   * [`VANTAGE_KEY_STORE`] Default: `sqlite:vantage-auth.db`, a file of the working directory at start. While it is absent, a
   * credential in the key format is answered 503, and a process warning (`VANTAGE_NO_KEY_STORE`) says so. It is looked for
   * again on requests, at most once a second, and never made; once it is there, tokens obey its revocations too.
   */
  keys?: KeyStore | string | false | undefined
  /** Deployment whose keys are accepted. [`VANTAGE_ENVIRONMENT`] Default: `'live'`. */
  environment?: Environment | undefined
  /**
   * Cache of verified credentials. `maxEntries` (default 10 000) bounds their number and `maxBytes` (default 16 MiB) the
   * length of all of them, tokens and keys together; parsed claims take more memory than their text (SECURITY.md). Each
   * serves for `ttlSeconds` (default 300, at most 86 400) and never beyond its own end. `false` verifies each time.
   */
  cache?: CacheOptions | false | undefined
  /**
   * Asked on every request, after verification; `true` refuses the credential. Anything but a boolean, a throw, a
   * rejection, or silence for `timeoutMs` is answered 503. Default: none.
   */
  isRevoked?: ((auth: Auth) => boolean | Promise<boolean>) | undefined
  /**
   * How long the last good key set serves after it was fetched, while its issuer is out of reach. Beyond 10 minutes one
   * request asks the issuer first, each time that an attempt is due, and waits for it `timeoutMs` at most. 1 to 604 800.
   * Default: 3600.
   */
  keySetMaxStaleSeconds?: number | undefined
  /**
   * How long a cached key, and a token of a store that keeps revocations of tokens, is accepted after its last confirmation
   * while the store is out of reach. 0 to 86 400. Default: 0, an outage of the store is 503. Such a service may accept for as
   * long what was revoked meanwhile, also when that revocation was confirmed (`confirm`): a service without the store is not
   * asked.
   */
  storeMaxStaleSeconds?: number | undefined
  /** Protection space in challenges: printable ASCII without `"` and `\`. Default: `'vantage'`. */
  realm?: string | undefined
  /** Used for metadata and key sets. Default: the global fetch. */
  fetch?: typeof globalThis.fetch | undefined
  /**
   * Limit for each fetch, store look-up and hook, in milliseconds, 1 to 60 000. Default: 3000. Under a flood of API keys a
   * look-up may wait for its turn as long again.
   */
  timeoutMs?: number | undefined
  /**
   * Whether outages are told of on standard error: one line, beginning with `vantage-auth: `, at the first failed fetch of an
   * issuer's keys or look-up in the key store, also while old keys serve, and one when it is back. For each dependency of the
   * process there is at most one such pair a minute. [`VANTAGE_OUTAGE_NOTICES`: `true` or `1`, `false` or `0`] Default: true.
   */
  outageNotices?: boolean | undefined
  /** Milliseconds since the epoch; for tests. Default: `Date.now`. */
  clock?: (() => number) | undefined
}

/** See {@link VerifierOptions.cache}. */
export interface CacheOptions {
  maxEntries?: number | undefined
  maxBytes?: number | undefined
  ttlSeconds?: number | undefined
}

/** Options and environment, checked once and frozen. */
export interface Configuration {
  readonly issuers: readonly IssuerPolicy[]
  /** The same in the policy of each issuer. */
  readonly clockToleranceSeconds: number
  /** Tells of more issuers at run time. */
  readonly resolver: IssuerResolver | undefined
  /** `false`: every API key is refused. While a store is awaited, none can be decided. */
  readonly keys: ConfiguredKeyStore | AwaitedKeyStore | false
  readonly environment: Environment
  readonly cache: { readonly maxEntries: number; readonly maxBytes: number; readonly ttlMs: number } | false
  readonly isRevoked: ((auth: Auth) => boolean | Promise<boolean>) | undefined
  readonly keySetMaxStaleMs: number
  readonly storeMaxStaleMs: number
  readonly realm: string
  readonly fetch: typeof globalThis.fetch
  readonly timeoutMs: number
  readonly outageNotices: boolean
  readonly clock: () => number
}

const DEFAULT_AUDIENCE = 'https://api.vantage.omnivector.solutions'

// Looked up on each call, so that they can be replaced later, as tests do.
/** The same for the ESM and the CommonJS build: what it cannot reach is one outage. */
const globalFetch = ofProcess<typeof globalThis.fetch>('fetch', () => (input, init) => globalThis.fetch(input, init))
const systemClock = () => Date.now()

/** How one option is read. */
interface Reader<T> {
  /** Variable that counts where the option is not given. */
  readonly variable?: string
  check(given: Setting): T
  /** What it is where neither is given. */
  readonly otherwise: T
}

function reader<T>(check: (given: Setting) => T, otherwise: T, variable?: string): Reader<T> {
  return { check, otherwise, ...(variable !== undefined && { variable }) }
}

function number(range: Range, otherwise: number): Reader<number> {
  return reader(({ value, name }) => checkNumber(value, name, range), otherwise)
}

function integer(range: Range, otherwise: number): Reader<number> {
  return reader(({ value, name }) => checkInteger(value, name, range), otherwise)
}

// Each option of the interfaces above is in one of these, and what a table reads goes into the configuration. An option that
// is in none does not compile: it would be accepted and ignored.

/** The options that say which issuers and which store there are. {@link resolveOptions} reads each by its name. */
type SourceName = 'issuer' | 'jwksUri' | 'jwks' | 'keys'

/** The policy of every issuer that has no option of its own. */
const POLICY: { readonly [N in keyof SharedPolicy]-?: Reader<SharedPolicy[N]> } = {
  audience: reader(checkStrings, Object.freeze([DEFAULT_AUDIENCE]), 'VANTAGE_AUDIENCE'),
  profile: reader(checkProfile, 'rfc9068', 'VANTAGE_PROFILE'),
  algorithms: reader(checkAlgorithms, ALGORITHMS),
  scopeClaims: reader(checkClaims, checkClaims(optionSetting(['scope', 'scp'], 'scopeClaims'))),
  scopes: reader<ScopeRule | undefined>(checkScopeRule, undefined),
  scopeSeparator: reader<ScopeSeparator | undefined>(checkScopeSeparator, undefined),
  scopeMap: reader<ScopeMap | undefined>(checkScopeMap, undefined),
  subjectClaim: reader<Claim | undefined>(checkClaim, undefined),
  subjectAliases: reader<readonly Claim[] | undefined>(checkClaims, undefined),
  tenantClaim: reader<Claim | undefined>(checkClaim, undefined),
  clientIdClaim: reader<Claim | undefined>(checkClaim, undefined),
  sessionClaim: reader<Claim | undefined>(checkClaim, undefined),
  required: reader<readonly RequiredClaim[] | undefined>(checkSharedRequired, undefined),
  clockToleranceSeconds: number({ min: 0, max: 300 }, 5),
  maxTokenAgeSeconds: reader<number | undefined>(
    ({ value, name }) => checkNumber(value, name, { min: 1, max: 315_360_000 }),
    undefined,
  ),
}

/** The policy of an issuer where nothing is said, by an option or by the environment. */
export const DEFAULT_POLICY: SharedPolicy = Object.freeze(readAll(POLICY, (name) => optionSetting(undefined, name)))

const CACHE = {
  maxEntries: integer({ min: 1, max: 10_000_000 }, 10_000),
  maxBytes: integer({ min: 1, max: 2 ** 34 }, 16 * 2 ** 20),
  ttlSeconds: number({ min: 1, max: 86_400 }, 300),
} satisfies { readonly [N in keyof CacheOptions]-?: Reader<number> }

/** Everything else. */
const SETTINGS = {
  environment: reader<Environment>(
    (given) => checkOneOf(given, ENVIRONMENTS),
    DEFAULT_ENVIRONMENT,
    'VANTAGE_ENVIRONMENT',
  ),
  resolveIssuer: reader<ResolveIssuer | undefined>(({ value, name }) => checkResolver(value, name), undefined),
  issuerTtlSeconds: number({ min: 1, max: 86_400 }, 300),
  maxIssuers: integer({ min: 1, max: 100_000 }, 1000),
  cache: reader(({ value }) => resolveCache(value), resolveCache({})),
  isRevoked: reader<Configuration['isRevoked']>(({ value, name }) => checkFunction(value, name), undefined),
  keySetMaxStaleSeconds: number({ min: 1, max: 604_800 }, 3600),
  storeMaxStaleSeconds: number({ min: 0, max: 86_400 }, 0),
  realm: reader(checkRealm, DEFAULT_REALM),
  fetch: reader<typeof globalThis.fetch>(({ value, name }) => checkFunction(value, name), globalFetch),
  timeoutMs: number({ min: 1, max: 60_000 }, DEFAULT_TIMEOUT_MS),
  outageNotices: reader(checkFlag, true, 'VANTAGE_OUTAGE_NOTICES'),
  clock: reader(checkClock, systemClock),
} satisfies {
  readonly [N in Exclude<keyof VerifierOptions, keyof SharedPolicy | SourceName>]-?: Reader<unknown>
}

/** Every option of a verifier. */
export const OPTION_NAMES = [
  'issuer',
  ...namesOf(POLICY),
  'jwksUri',
  'jwks',
  'keys',
  ...namesOf(SETTINGS),
] satisfies (keyof VerifierOptions)[]

/** Options of entries that all issuers cannot share. */
function placeOf(name: string): string | undefined {
  if (!(ENTRY_NAMES as readonly string[]).includes(name)) return undefined
  return `put it into the entry of its issuer: issuer: [{ …, ${name} }]`
}

/**
 * Turns options and environment into one checked, frozen configuration. Nothing that was given is held on to but
 * functions and the store.
 *
 * @throws {TypeError} that names the option, or the variable the value came from, and the cure
 */
export function resolveOptions(options: VerifierOptions = {}, env: NodeJS.ProcessEnv = process.env): Configuration {
  const given = readOptions(options, OPTION_NAMES, 'option', placeOf)
  /** An empty variable is unset. */
  const variableSetting = (variable: string): Setting | undefined => {
    const text = env[variable]?.trim()
    return text ? { value: text, name: variable, fromEnvironment: true } : undefined
  }
  /** An option wins over its variable. */
  const setting = (name: keyof VerifierOptions, variable: string | undefined): Setting =>
    (given[name] === undefined && variable !== undefined && variableSetting(variable)) ||
    optionSetting(given[name], name)

  const policy = readAll(POLICY, setting)
  const { keySetMaxStaleSeconds, storeMaxStaleSeconds, resolveIssuer, issuerTtlSeconds, maxIssuers, ...others } =
    readAll(SETTINGS, setting)
  if (resolveIssuer === undefined) {
    const stray = (['issuerTtlSeconds', 'maxIssuers'] as const).find((name) => given[name] !== undefined)
    if (stray !== undefined)
      throw new ArgumentError(stray, 'is for issuers of resolveIssuer; give that as well, or leave it out')
  }
  const allowInsecure = variableSetting('VANTAGE_ALLOW_INSECURE_HTTP')
  const sources = {
    issuer: setting('issuer', 'VANTAGE_ISSUER'),
    // VANTAGE_JWKS_URI belongs to the issuer of the environment, not to one that the program names.
    jwksUri: setting('jwksUri', given.issuer === undefined ? 'VANTAGE_JWKS_URI' : undefined),
    jwks: setting('jwks', undefined),
    allowInsecureEnvironment: allowInsecure !== undefined && checkFlag(allowInsecure),
  }
  const issuers = resolveIssuers(sources, policy)
  // Last: it opens something, which would stay open if another option were wrong.
  const keys = resolveKeyStore(setting('keys', 'VANTAGE_KEY_STORE'))
  const usesDefaultAudience = issuers.length > 0 && setting('audience', 'VANTAGE_AUDIENCE').value === undefined
  tellDefaults(
    sources.issuer.value === undefined ? DEFAULT_ISSUER : undefined,
    usesDefaultAudience && issuers.some(({ audience }) => audience === policy.audience) ? DEFAULT_AUDIENCE : undefined,
  )
  return Object.freeze({
    ...others,
    keySetMaxStaleMs: 1000 * keySetMaxStaleSeconds,
    storeMaxStaleMs: 1000 * storeMaxStaleSeconds,
    issuers,
    clockToleranceSeconds: policy.clockToleranceSeconds,
    resolver: resolveIssuer && createIssuerResolver(resolveIssuer, policy, { issuerTtlSeconds, maxIssuers }),
    keys,
  })
}

/** What each entry of a table reads. */
type ReadValues<Readers> = { readonly [N in keyof Readers]: Readers[N] extends Reader<infer T> ? T : never }

function readAll<Readers extends { readonly [name: string]: Reader<unknown> }>(
  readers: Readers,
  setting: (name: keyof Readers & string, variable: string | undefined) => Setting,
): ReadValues<Readers> {
  const values = namesOf(readers).map((name) => {
    const { check, otherwise, variable } = readers[name] as Reader<unknown>
    const given = setting(name, variable)
    return [name, given.value === undefined ? otherwise : check(given)]
  })
  // `fromEntries` forgets the names; they are those of the table.
  return Object.fromEntries(values) as ReadValues<Readers>
}

function checkSharedRequired(setting: Setting): readonly RequiredClaim[] {
  refusePlaceholder(setting)
  return checkRequired(setting)
}

function checkRealm({ value, name }: Setting): string {
  if (isRealm(value)) return value
  throw new ArgumentError(name, 'must be printable ASCII without " and \\, for example "vantage"')
}

function resolveCache(option: unknown): Configuration['cache'] {
  if (option === false) return false
  if (!isRecord(option)) throw new ArgumentError('cache', 'must be { maxEntries?, maxBytes?, ttlSeconds? } or false')
  const given = readOptions(option, namesOf(CACHE), 'cache option')
  const { ttlSeconds, ...limits } = readAll(CACHE, (name) => optionSetting(given[name], `cache.${name}`))
  return Object.freeze({ ...limits, ttlMs: 1000 * ttlSeconds })
}
