import type { JSONWebKeySet } from 'jose'
import { ArgumentError } from '../core/argument-error.js'
import type { ScopeSeparator } from '../core/scope.js'
import { ALGORITHMS, type Algorithm, findAlgorithm, isAlgorithm } from '../token/algorithms.js'
import type { ClaimReference } from '../token/claim-reference.js'
import type { ClaimValue } from '../token/grants.js'
import { keyUsesOf, SIGNATURE_USES } from '../token/key-set.js'
import type { IssuerPolicy, Profile, ScopeRule } from '../token/policy.js'
import {
  checkFlag,
  checkOneOf,
  checkStrings,
  isRecord,
  namesOf,
  optionSetting,
  readOptions,
  type Setting,
  splitList,
} from './checks.js'
import {
  checkClaim,
  checkClaims,
  checkGrants,
  checkPreset,
  checkRequired,
  checkScopeClaims,
  checkScopeMap,
  checkScopeRule,
  type GrantOptions,
  joinRequired,
} from './claim-options.js'
import { checkIssuer, checkTrustDomain, DEFAULT_ISSUER, issuerOfTrustDomain } from './issuer-identifier.js'
import { resolveKeySource } from './key-source.js'
import { expandTenants, refusePlaceholder } from './tenants.js'

/** What this service requires of the access tokens of one issuer. */
export interface IssuerOptions {
  /**
   * Issuer identifier that the `iss` claim must equal, character for character. It also decides where keys come from: a
   * token never chooses its own issuer. An https URL without query and fragment; http only on loopback. An entry has this or
   * `trustDomain`.
   *
   * @see {@link https://www.rfc-editor.org/rfc/rfc9068#section-4 RFC 9068 §4}
   */
  issuer?: string | undefined
  /**
   * Tenants of an issuer that has one identifier for each, with `{tenantid}` in `issuer`. Each is an issuer of its own, with
   * its own keys, and `auth.issuer` is its own. `{tenantid}` may also stand in `jwksUri`, and in the values of `required`
   * (`required: { org: 'org-{tenantid}' }`). With a `tenantClaim` every token must have that claim, and in it the tenant of its
   * `iss`. Texts without white space and `/ ? # % @ \\ { }`; no tenant beside these is accepted.
   */
  tenants?: readonly string[] | undefined
  /**
   * In place of `issuer`: name of a SPIFFE trust domain, such as `acme.org`, for tokens of workloads (JWT-SVID). It takes
   * tokens without `iss` whose `sub` begins with `spiffe://acme.org/`; `auth.issuer` is `spiffe://acme.org`. Needs `jwksUri`
   * or `jwks`, whose keys may have `use` `jwt-svid` as well. `typ` is JWT, JOSE or none, and all else as under the profile
   * `lenient`. A token with an `iss` goes by that alone.
   *
   * @see {@link https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md JWT-SVID}
   */
  trustDomain?: string | undefined
  /** Name of the preset that the entry came from, for `describe()`. It decides nothing. 1 to 64 characters. Default: none. */
  preset?: string | undefined
  /** The resource that this service is. One of them must be in the `aud` claim. Default: the `audience` option. */
  audience?: string | readonly string[] | undefined
  /**
   * Clients whose tokens are accepted, for an issuer that writes no `aud`, such as Amazon Cognito. The client of the token,
   * which is what `auth.clientId` says, must be one of them. A token with an `aud` must name the `audience` as well. Default:
   * each client, and `aud` is required.
   */
  clients?: readonly string[] | undefined
  /** Where the key set is. Skips discovery. Default: the `jwks_uri` of the issuer's metadata (RFC 8414, OpenID). */
  jwksUri?: string | undefined
  /**
   * A static key set of public keys, which is copied: nothing is ever fetched for this issuer, and a later change of the
   * object changes nothing. Excludes `jwksUri`.
   */
  jwks?: JSONWebKeySet | undefined
  /**
   * Asks for this issuer's metadata and key set in place of the shared `fetch`, which then never does: for a certificate
   * authority of its own, or for a bearer that its key set requires. No request for another issuer sees it. Excludes `jwks`.
   */
  fetch?: typeof globalThis.fetch | undefined
  /** Accepted signature algorithms. Default: all of {@link ALGORITHMS}. */
  algorithms?: readonly Algorithm[] | undefined
  /** Default: the `profile` option. */
  profile?: Profile | undefined
  /**
   * Claims that may hold the scopes, each a {@link ClaimReference}: a text, or a list of them. A path that is a list stands in
   * the list: `[['kubernetes.io', 'namespace']]`. Which of them count is said by `scopes`. In an entry with `grants` the list
   * may be empty: what the tokens themselves say of scopes then counts for nothing. Default: `['scope', 'scp']`.
   */
  scopeClaims?: string | readonly ClaimReference[] | undefined
  /**
   * Which of the `scopeClaims` count. `'first'`: the first that is present decides, and no other is looked at. `'union'`: all
   * that are present, in their order; one that is neither a string nor an array of strings refuses the token. Default:
   * `'first'`.
   */
  scopes?: ScopeRule | undefined
  /**
   * Names of the issuer's scopes or roles, and the scope, or list of scopes, that each stands for here:
   * `{ 'Jobs.Read': 'jobs:read' }`. What it does not name stays as it is; duplicates are dropped. 1000 names at most, each
   * with 50 scopes at most. Default: none.
   */
  scopeMap?: Readonly<Record<string, string | readonly string[]>> | undefined
  /**
   * What callers may do whose tokens have none of the `scopeClaims`, as those of workloads. A token with one of them, be it
   * empty, is not compared. Of several that match, the one with the most matched characters counts (those of all values, of a
   * pattern those before the `*`), then the one with fewer patterns, then the first. No match, no scopes; an empty list is as
   * none. Default: none.
   */
  grants?: readonly GrantOptions[] | undefined
  /**
   * What separates the scopes in a claim that is a string: `'space'` (RFC 6749 §3.3), or `'comma'`, which is spaces and
   * commas, as the Vantage API writes them. Under `'space'` a comma is part of a scope.
   *
   * Default: `'comma'` for a single issuer that is given as a text (option, variable or default), and for
   * `https://auth.vantage.omnivector.solutions` wherever it stands; `'space'` for all others of a list, also for those that
   * are texts.
   */
  scopeSeparator?: ScopeSeparator | undefined
  /**
   * Claim that becomes `auth.subject` in place of `sub`, which has to be there all the same. A token in which it is absent, or
   * anything but a string, is refused. Default: `sub`.
   */
  subjectClaim?: ClaimReference | undefined
  /**
   * Claims with further names of the subject, by which a revocation finds its tokens, besides `sub` and `auth.subject`: Okta's
   * events name the `uid`. One that is present must be a string. Default: none.
   */
  subjectAliases?: string | readonly ClaimReference[] | undefined
  /** Claim that becomes `auth.tenant`. One that is present must be a string; see also `tenants`. Default: none. */
  tenantClaim?: ClaimReference | undefined
  /**
   * Claim that becomes `auth.clientId`, by which `tokens revoke --client-id` finds a token. It alone decides who the client
   * is: a token without it has none, and is refused unless the profile is lenient. It does not take the place of `client_id`
   * in the checks: under `rfc9068` a token has to have that one as well, a string that is not empty. Default:
   * `client_id`; under the lenient profile the first of `client_id`, `azp`, `cid` and `appid` that is a string.
   *
   * @see {@link https://www.rfc-editor.org/rfc/rfc9068#section-2.2 RFC 9068 §2.2}
   */
  clientIdClaim?: ClaimReference | undefined
  /**
   * Refuses tokens that name no client (`claims`), under the lenient profile as well. ID tokens of many providers lack the
   * claim, and nothing else tells them from access tokens where their audience is that of this service. Default: false.
   */
  requireClient?: boolean | undefined
  /**
   * Claim that becomes `auth.sessionId`, by which a revocation finds the tokens of a session. One that is present must be a
   * string. Default: `sid`; there anything but a string is no session, and refuses nothing.
   */
  sessionClaim?: ClaimReference | undefined
  /**
   * Claims that every token must have, each with the value, or one of the values: `{ tid: '…', ver: '2.0' }`. The names are
   * {@link ClaimReference | references} that are texts; a path that is a list is written as JSON,
   * `'["kubernetes.io", "namespace"]'`. Strings, numbers and booleans are compared by `===`, and so with their type; a list in
   * the token equals none. What the shared option requires is required besides. Default: none.
   */
  required?: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>> | undefined
  /** Permits http for this issuer's configured URLs outside loopback. For closed networks only. Default: false. */
  allowInsecureHttp?: boolean | undefined
}

const SCOPE_SEPARATORS = ['space', 'comma'] as const

const PROFILES = ['rfc9068', 'lenient'] as const

/** The options that say where keys come from. {@link resolveEntry} reads each by its name. */
const SOURCE_NAMES = ['issuer', 'tenants', 'trustDomain', 'jwksUri', 'jwks', 'fetch', 'allowInsecureHttp'] as const

type OwnName = Exclude<keyof IssuerOptions, (typeof SOURCE_NAMES)[number]>
type OwnPolicy = { [N in OwnName]: NonNullable<IssuerPolicy[N]> }

/** How each option is read that replaces a shared one. An option without an entry does not compile. */
const OWN: { readonly [N in OwnName]: (given: Setting) => OwnPolicy[N] } = {
  preset: checkPreset,
  audience: checkStrings,
  clients: checkClients,
  algorithms: checkAlgorithms,
  profile: checkProfile,
  scopeClaims: checkScopeClaims,
  scopes: checkScopeRule,
  scopeSeparator: checkScopeSeparator,
  scopeMap: checkScopeMap,
  grants: checkGrants,
  subjectClaim: checkClaim,
  subjectAliases: checkClaims,
  tenantClaim: checkClaim,
  clientIdClaim: checkClaim,
  requireClient: checkFlag,
  sessionClaim: checkClaim,
  required: checkRequired,
}
const OWN_NAMES = namesOf(OWN)

/** Every option of an entry. */
export const ENTRY_NAMES = [...SOURCE_NAMES, ...OWN_NAMES]

/**
 * What an entry alone can say. Who a client is, and what a claim of a workload means, is a matter of one issuer: another one
 * could write the same names.
 */
const NOT_SHARED = { preset: undefined, clients: undefined, requireClient: undefined, grants: undefined }

/** The policy of every issuer that has no options of its own. */
export type SharedPolicy = Omit<
  IssuerPolicy,
  'issuer' | 'tenant' | 'trustDomain' | 'keySource' | 'scopeSeparator' | keyof typeof NOT_SHARED
> & {
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
  const policies = entries.flatMap((entry, index) => {
    if (typeof entry !== 'string') return resolveEntries(entry, `issuer[${index}]`, shared)
    const issuer = checkIssuer(entry, settings.issuer.name)
    const none = optionSetting(undefined, '')
    const { jwksUri, jwks } = single ? settings : { jwksUri: none, jwks: none }
    for (const given of [{ ...settings.issuer, value: issuer }, jwksUri]) refusePlaceholder(given)
    const insecure = ({ fromEnvironment }: Setting) => fromEnvironment && settings.allowInsecureEnvironment
    const keySource = resolveKeySource({
      issuer: { ...settings.issuer, value: issuer },
      jwksUri,
      jwks,
      fetch: none,
      mayBeInsecure: insecure,
      algorithms: shared.algorithms,
      uses: SIGNATURE_USES,
    })
    // An issuer that is given as the one text is the product's own, wherever it runs. Others need not write commas like it.
    const isOwn = single && !Array.isArray(settings.issuer.value)
    const scopeSeparator = shared.scopeSeparator ?? (isOwn ? 'comma' : separatorOf(issuer))
    return Object.freeze({
      ...NOT_SHARED,
      ...shared,
      scopeSeparator,
      issuer,
      tenant: undefined,
      trustDomain: undefined,
      keySource,
    })
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

/** The policies of an entry of a list: one, or one for each of its tenants. */
function resolveEntries(entry: object, at: string, shared: SharedPolicy): readonly IssuerPolicy[] {
  const given = readOptions(entry, ENTRY_NAMES, `${at} option`)
  return expandTenants(given, at).map((one) => resolveEntry(one.given, at, shared, one.tenant))
}

/**
 * One entry, whose tenant stands in its place. Each of its own options replaces the shared one; both of `required` hold.
 *
 * @param given read by {@link readOptions}
 */
export function resolveEntry(given: GivenEntry, at: string, shared: SharedPolicy, tenant?: string): IssuerPolicy {
  const setting = (name: keyof IssuerOptions) => optionSetting(given[name], `${at}.${name}`)
  const { issuer, trustDomain } = readIdentifier(given, at)
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
  const profile = trustDomain === undefined ? (own.profile ?? shared.profile) : profileOfWorkloads(own.profile, at)
  const required = joinRequired(shared.required, own.required, `${at}.required`)
  const policy = { ...NOT_SHARED, ...shared, ...own, required, profile, scopeSeparator, issuer, tenant, trustDomain }
  if (policy.scopeClaims.length === 0 && policy.grants === undefined) {
    throw new ArgumentError(
      `${at}.scopeClaims`,
      'must be a text, or a list with one entry at least, unless the entry has grants: nothing would say what a token may do',
    )
  }
  const keySource = resolveKeySource({
    issuer: trustDomain === undefined ? setting('issuer') : undefined,
    jwksUri: setting('jwksUri'),
    jwks: setting('jwks'),
    fetch: setting('fetch'),
    mayBeInsecure: () => insecure,
    algorithms: policy.algorithms,
    uses: keyUsesOf(policy),
  })
  return Object.freeze({ ...policy, keySource })
}

export type GivenEntry = { readonly [N in keyof IssuerOptions]?: unknown }

/** Whose tokens an entry is for. */
function readIdentifier(given: GivenEntry, at: string): Pick<IssuerPolicy, 'issuer' | 'trustDomain'> {
  if (given.trustDomain === undefined)
    return { issuer: checkIssuer(given.issuer, `${at}.issuer`), trustDomain: undefined }
  if (given.issuer !== undefined) {
    throw new ArgumentError(`${at}.trustDomain`, `and ${at}.issuer exclude each other; give each an entry of its own`)
  }
  const trustDomain = checkTrustDomain(given.trustDomain, `${at}.trustDomain`)
  return { issuer: issuerOfTrustDomain(trustDomain), trustDomain }
}

/** The shared profile is not for them: no JWT-SVID has the `typ` of RFC 9068. */
function profileOfWorkloads(own: Profile | undefined, at: string): Profile {
  if (own !== 'rfc9068') return 'lenient'
  throw new ArgumentError(
    `${at}.profile`,
    'cannot be "rfc9068" for a trust domain, whose tokens never follow it; leave it out',
  )
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

function checkClients(setting: Setting): readonly string[] {
  const { value, name } = setting
  if (Array.isArray(value)) return checkStrings(setting)
  throw new ArgumentError(name, 'must be a list of client ids with one entry at least')
}
