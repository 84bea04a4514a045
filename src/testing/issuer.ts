import { randomUUID } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import { checkClock, checkOneOf, checkStrings, namesOf, optionSetting, readOptions } from '../config/checks.js'
import type { IssuerOptions } from '../config/issuer-options.js'
import { metadataUrls } from '../token/issuer/discovery.js'
import { markInProcess } from '../token/issuer/in-process-fetch.js'
import { PROVIDERS, RFC9068, type TestProvider } from './providers.js'
import { createSigningKey, TEST_ALGORITHMS, type TestAlgorithm } from './signing-key.js'

/** See {@link createTestIssuer}. */
export interface TestIssuerOptions {
  /** Default: `https://issuer.test`, or one that looks like the provider's. */
  issuer?: string | undefined
  /** Default: the default audience of a verifier. */
  audience?: string | readonly string[] | undefined
  /** What it signs with. RSA keys take a tenth of a second to make. Default: `'ES256'`. */
  algorithm?: TestAlgorithm | undefined
  /**
   * Whose access tokens its own look like: type, names of the claims for client and scopes, further claims. Its `options`
   * are those of the provider's preset. Default: RFC 9068, as the Vantage API's own.
   */
  provider?: TestProvider | undefined
  /** The clients that the preset of Cognito accepts, whose tokens name no audience. Default: `client_123`. */
  clients?: readonly string[] | undefined
  /** What `iat` and `exp` are counted from, in milliseconds since the epoch. Default: `Date.now`. */
  clock?: (() => number) | undefined
}

/** Claims of a token, in place of what {@link TestIssuer.mint} writes; `undefined` leaves a claim out. */
export interface TestClaims {
  iss?: string | undefined
  sub?: string | undefined
  aud?: string | readonly string[] | undefined
  /** Seconds since the epoch. */
  exp?: number | undefined
  /** Seconds since the epoch. */
  nbf?: number | undefined
  /** Seconds since the epoch. */
  iat?: number | undefined
  jti?: string | undefined
  /** Goes into the claim that the provider names the client with. */
  client_id?: string | undefined
  /** Separated by spaces. Goes into the claim that the provider keeps scopes in, as a list where that is one. */
  scope?: string | undefined
  [claim: string]: unknown
}

/** The options that say who issues: its name, or for a provider a list with the entry that the preset returns. */
export interface ProviderOptions {
  readonly issuer: string | readonly IssuerOptions[]
  readonly jwksUri?: string
}

/** An issuer inside a test: it signs real tokens, and there is no network. */
export interface TestIssuer<Options extends ProviderOptions = { readonly issuer: string; readonly jwksUri: string }> {
  readonly issuer: string
  /**
   * Its public key, as the option `jwks` takes it, for a verifier that is to fetch nothing: `{ issuer, audience, jwks }`.
   * After `rotate()` it is the new one, of which a verifier that was given the old one never hears.
   */
  readonly jwks: JSONWebKeySet
  /**
   * Options for `vantageAuth()` and `createVerifier()` that accept its tokens. The key set is fetched, in this process:
   * `fetch` answers for this issuer and for nobody else. A `kid` that is not known yet is asked for at once, however many
   * there are.
   */
  readonly options: Options & {
    readonly audience: string | readonly string[]
    readonly fetch: typeof globalThis.fetch
    /** Where the issuer was given one. */
    readonly clock?: () => number
  }
  /**
   * Signs an access token: subject `user_123`, client `client_123`, no scope, good for five minutes.
   *
   * @param claims in place of those; `undefined` leaves a claim out
   * @param header members in place of `{ alg, kid, typ }`, for what must be refused
   */
  mint(claims?: TestClaims, header?: Readonly<Record<string, unknown>>): string
  /** A token that ended an hour ago: refused as `expired`. */
  expired(claims?: TestClaims): string
  /** A token for another API: refused as `audience`. */
  wrongAudience(claims?: TestClaims): string
  /** A token that names another issuer: refused as `issuer`. */
  wrongIssuer(claims?: TestClaims): string
  /** A token of another kind than access tokens: refused as `type`. */
  wrongType(claims?: TestClaims): string
  /** A token signed with a key that the issuer does not publish: refused as `key`. */
  wrongKey(claims?: TestClaims): string
  /** A token that is good in an hour: refused as `not_active`. */
  notYetValid(claims?: TestClaims): string
  /** A token without any scope: accepted, and refused as `scope` (403) by `requireScope()`. */
  withoutScope(claims?: TestClaims): string
  /**
   * Signs with a new key from now on, and publishes no other. A token of the new key is accepted at once, since its `kid` is
   * asked for. One of the old key is accepted until then: while the last set serves, nobody asks.
   */
  rotate(): void
  /**
   * Takes its key set off the network: fetches fail. A verifier that has no key set yet answers 503. One that has loaded it
   * goes on: for ten minutes it does not ask, and then the last set serves until `keySetMaxStaleSeconds` (default an hour)
   * after it was fetched; only a `kid` that it does not know is 503.
   */
  down(): void
  /**
   * Puts it back. A verifier asks again when its back-off has passed, which is 1 to 1.5 s after a first failure and at most
   * 30 s: `clock.advance('30s')` where it has a test clock.
   */
  up(): void
}

/** Names of the options; one that is not here does not compile. */
const OPTIONS: { readonly [N in keyof TestIssuerOptions]-?: true } = {
  issuer: true,
  audience: true,
  algorithm: true,
  provider: true,
  clients: true,
  clock: true,
}
const HOUR = 3600

/**
 * Creates an issuer with a new key, for unit tests of routes. It belongs into tests alone: whoever holds it can be
 * anybody.
 *
 * ```ts
 * const issuer = createTestIssuer()
 * app.use(vantageAuth({ ...issuer.options, keys: false }))
 * const authorization = `Bearer ${issuer.mint({ scope: 'jobs:read' })}`
 * ```
 *
 * @throws {TypeError} for a wrong or unknown option
 */
export function createTestIssuer(options?: TestIssuerOptions & { provider?: undefined }): TestIssuer
export function createTestIssuer(options: TestIssuerOptions): TestIssuer<ProviderOptions>
export function createTestIssuer(options: TestIssuerOptions = {}): TestIssuer<ProviderOptions> {
  const given = readOptions(options, namesOf(OPTIONS), 'option of createTestIssuer()') as TestIssuerOptions
  const { provider, algorithm = 'ES256' } = given
  checkOneOf(optionSetting(algorithm, 'algorithm'), TEST_ALGORITHMS)
  if (provider !== undefined) checkOneOf(optionSetting(provider, 'provider'), namesOf(PROVIDERS))
  const shape = provider === undefined ? RFC9068 : PROVIDERS[provider]
  const { issuer = shape.issuer, audience = 'https://api.vantage.omnivector.solutions' } = given
  const clients = checkStrings(optionSetting(given.clients ?? ['client_123'], 'clients'))
  const clock = given.clock && checkClock(optionSetting(given.clock, 'clock'))

  let key = createSigningKey(algorithm)
  let isDown = false
  const jwksUri = `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`
  const metadata = metadataUrls(issuer).map(({ href }) => href)

  const nowSeconds = () => Math.floor((clock ?? Date.now)() / 1000)
  const keySet = (): JSONWebKeySet => ({ keys: [key.jwk] })

  const fetch = markInProcess(async (input, init) => {
    const { href } = new URL(input instanceof Request ? input.url : input)
    init?.signal?.throwIfAborted()
    if (isDown) throw new TypeError('fetch failed', { cause: new Error(`the test issuer ${issuer} is down`) })
    if (href === new URL(jwksUri).href) return Response.json(keySet())
    if (metadata.includes(href)) return Response.json({ issuer, jwks_uri: jwksUri })
    throw new TypeError('fetch failed', { cause: new Error(`the test issuer ${issuer} answers for itself alone`) })
  })

  /** Client and scopes go into the claims that the shape has for them. */
  function rename(claims: TestClaims): TestClaims {
    const { client_id, scope, ...others } = claims
    const scopes = shape.scopeIsList ? scope?.split(/ +/).filter((text) => text !== '') : scope
    return {
      ...('client_id' in claims && { [shape.client]: client_id }),
      ...('scope' in claims && { [shape.scope]: scopes }),
      ...others,
    }
  }

  function mint(claims: TestClaims = {}, header: Readonly<Record<string, unknown>> = {}, signer = key): string {
    const now = nowSeconds()
    const { sub = 'user_123' } = claims
    const standard = {
      iss: issuer,
      ...(!shape.withoutAudience && { aud: audience }),
      sub,
      ...(shape.subject !== undefined && { [shape.subject]: sub }),
      [shape.client]: 'client_123',
      iat: now,
      exp: now + 300,
    }
    const payload = { ...standard, ...shape.claims(now, audience, issuer), ...rename(claims) }
    const heading = { alg: algorithm, kid: signer.kid, typ: shape.typ, ...header }
    const input = `${encode(heading)}.${encode(payload)}`
    return `${input}.${signer.sign(input).toString('base64url')}`
  }

  const entry = shape.entry?.({ issuer, audience, clients })
  return Object.freeze({
    issuer,
    get jwks() {
      return keySet()
    },
    options: Object.freeze({
      ...(entry === undefined ? { issuer, jwksUri } : { issuer: Object.freeze([{ ...entry, issuer, jwksUri }]) }),
      audience,
      fetch,
      ...(clock && { clock }),
    }),

    mint: (claims?: TestClaims, header?: Readonly<Record<string, unknown>>) => mint(claims, header),
    expired: (claims) => mint({ iat: nowSeconds() - 2 * HOUR, nbf: undefined, exp: nowSeconds() - HOUR, ...claims }),
    wrongAudience: (claims) => mint({ aud: 'https://another-api.test', ...claims }),
    wrongIssuer: (claims) => mint({ iss: `https://another-issuer.test/${randomUUID()}`, ...claims }),
    wrongType: (claims) => mint(claims, { typ: 'logout+jwt' }),
    wrongKey: (claims) => mint(claims, {}, createSigningKey(algorithm)),
    notYetValid: (claims) => mint({ nbf: nowSeconds() + HOUR, exp: nowSeconds() + 2 * HOUR, ...claims }),
    withoutScope: (claims) =>
      mint({
        ...claims,
        ...Object.fromEntries(['scope', ...(shape.otherScopes ?? [])].map((name) => [name, undefined])),
      }),

    rotate() {
      key = createSigningKey(algorithm)
    },
    down() {
      isDown = true
    },
    up() {
      isDown = false
    },
  } satisfies TestIssuer<ProviderOptions>)
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
