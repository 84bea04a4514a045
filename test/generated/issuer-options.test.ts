import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { IssuerOptions } from '../../src/config/issuer-options.js'
import type { AccessTokenAuth } from '../../src/core/auth.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { createTestIssuer } from '../support/tokens.js'

const TOKENS = 1500
const SEED = 20_261_125
const AUDIENCE = 'https://api.example.com'

type Claims = Readonly<Record<string, unknown>>

// ---------------------------------------------------------------------------------------------------------------------
// The options of an issuer, read once more in the plainest way: no table of checks, no ranks, nothing compiled.

class Refused extends Error {}

function demand(holds: boolean): void {
  if (!holds) throw new Refused()
}

function find(claims: Claims, name: string | readonly string[]): unknown {
  const steps = typeof name !== 'string' ? name : name.includes('://') ? [name] : name.split('.')
  let value: unknown = claims
  for (const step of steps) {
    if (value === undefined) return undefined
    demand(Object.prototype.toString.call(value) === '[object Object]')
    value = Object.entries(value as object).find(([key]) => key === step)?.[1]
  }
  return value
}

function text(value: unknown): string {
  demand(typeof value === 'string' && value.length > 0)
  return value as string
}

function textOrNull(value: unknown): string | null {
  return value === undefined ? null : text(value)
}

function scopesIn(value: unknown): string[] {
  if (typeof value === 'string') return value.split(' ').filter(Boolean)
  demand(Array.isArray(value) && value.every((entry) => typeof entry === 'string'))
  return value as string[]
}

const keyed = (key: string) => (key.startsWith('[') ? (JSON.parse(key) as string[]) : key)

function granted(claims: Claims, grants: NonNullable<IssuerOptions['grants']>): readonly string[] {
  let best: { characters: number; patterns: number; scopes: readonly string[] } | undefined
  for (const { match, scopes } of grants) {
    let [characters, patterns, holds] = [0, 0, true]
    for (const [key, wanted] of Object.entries(match)) {
      const value = find(claims, keyed(key))
      const begin = typeof wanted === 'string' && wanted.endsWith('*') ? wanted.slice(0, -1) : undefined
      characters += (begin ?? String(wanted)).length
      if (begin !== undefined) patterns++
      if (begin === undefined) holds &&= value === wanted
      else holds &&= typeof value === 'string' && value.startsWith(begin) && value !== begin
    }
    const isBetter =
      best === undefined || characters > best.characters || (characters === best.characters && patterns < best.patterns)
    if (holds && isBetter) best = { characters, patterns, scopes }
  }
  return best?.scopes ?? []
}

function read(options: IssuerOptions, claims: Claims): object {
  const list = <T>(value: T | readonly T[]) => [value].flat() as T[]
  const sub = text(claims.sub)
  const subject = options.subjectClaim === undefined ? sub : text(find(claims, options.subjectClaim))
  for (const alias of list(options.subjectAliases ?? [])) textOrNull(find(claims, alias as string))
  for (const name of ['client_id', 'jti']) textOrNull(claims[name])
  const clientId =
    options.clientIdClaim === undefined
      ? (['client_id', 'azp', 'cid', 'appid']
          .map((name) => claims[name])
          .find((one) => one && typeof one === 'string') ?? null)
      : textOrNull(find(claims, options.clientIdClaim))
  if (options.requireClient) demand(clientId !== null)
  if (options.clients !== undefined) demand(options.clients.some((client) => client === clientId))
  if (claims.aud !== undefined || options.clients === undefined) demand(list(claims.aud).includes(AUDIENCE))
  const tenant = options.tenantClaim === undefined ? null : textOrNull(find(claims, options.tenantClaim))
  if (options.tenants !== undefined && options.tenantClaim !== undefined) demand(tenant === 'one')
  for (const [key, values] of Object.entries(options.required ?? {})) {
    demand(list(values).some((value) => value === find(claims, keyed(key))))
  }
  if (claims.act !== undefined) {
    demand(Object.prototype.toString.call(claims.act) === '[object Object]')
    textOrNull((claims.act as Claims).sub)
  }
  const given: unknown[] = []
  for (const name of list(options.scopeClaims ?? ['scope', 'scp'])) {
    if (given.length > 0 && options.scopes !== 'union') break
    const value = find(claims, name as string)
    if (value !== undefined) given.push(value)
  }
  const map = new Map(Object.entries(options.scopeMap ?? {}))
  const mapped = given.flatMap(scopesIn).flatMap((scope) => map.get(scope) ?? [scope])
  const scopes = given.length > 0 || options.grants === undefined ? mapped : granted(claims, options.grants)
  return { subject, clientId, tenant, scopes: [...new Set(scopes)] }
}

// ---------------------------------------------------------------------------------------------------------------------
// Issuers, each with some of the options, and tokens whose claims are often what one of them looks for.

const GRANTS: IssuerOptions['grants'] = [
  { match: { sub: 'a:*' }, scopes: ['x'] },
  { match: { sub: 'a:b' }, scopes: ['y', 'z'] },
  // As many characters as the first, and no pattern.
  { match: { uid: 'u2' }, scopes: ['u'] },
  { match: { 'org.id': 'one', n: 1 }, scopes: ['z'] },
  { match: { '["k.io", "ns"]': 'one' }, scopes: ['w'] },
  { match: { sub: 'a:b/*', yes: true }, scopes: ['v'] },
]
const OPTIONS: readonly IssuerOptions[] = [
  { subjectClaim: 'org.id', subjectAliases: ['uid', ['k.io', 'ns']] },
  { tenantClaim: ['k.io', 'ns'], clientIdClaim: 'azp', requireClient: true },
  { clients: ['c1', 'c2'], scopeClaims: ['scope', 'org.roles'], scopes: 'union', scopeMap: { x: 'y', y: ['z', 'x'] } },
  { scopeClaims: ['org.roles', 'scope'], required: { n: [1, '2'], 'org.id': 'one' } },
  { grants: GRANTS },
  { grants: GRANTS, scopeClaims: [], required: { '["k.io", "ns"]': ['one', 'two'] } },
  { tenants: ['one', 'two'], tenantClaim: 'org.id', scopeClaims: 'https://x.example/a.b', scopes: 'union' },
]

const issuers = OPTIONS.map((options, index) => {
  const base = `https://${index}.example`
  const issuer = createTestIssuer({ issuer: `${base}/one`, alg: 'EdDSA', kid: String(index) })
  const entry: IssuerOptions = {
    ...options,
    issuer: options.tenants === undefined ? issuer.issuer : `${base}/{tenantid}`,
    jwks: issuer.jwks,
    audience: AUDIENCE,
    profile: 'lenient',
  }
  return { options, issuer, entry }
})
const verifier = createVerifier({ issuer: issuers.map(({ entry }) => entry), keys: false, cache: false })

const odd = fc.constantFrom<unknown>(null, 0, 1, '1', '', true, [], {}, ['one'], 'constructor', '__proto__')
const or = (weight: number, ...values: unknown[]) =>
  fc.oneof({ weight, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: odd })
const scopeValue = or(8, 'x', 'x y', 'y z x', '', ['x'], ['y', 'x'], ['constructor'], [1], undefined, undefined)
const objectOf = (members: Record<string, fc.Arbitrary<unknown>>) =>
  fc.oneof({ weight: 8, arbitrary: fc.record(members, { requiredKeys: [] }) }, { weight: 1, arbitrary: odd })

const claims = fc.record(
  {
    sub: or(20, 'a:b', 'a:', 'a:c', 'a:b/c', 'user'),
    client_id: or(12, 'c1', 'c2', undefined),
    azp: or(12, 'c1', 'c3', undefined),
    aud: fc.constantFrom<unknown>(AUDIENCE, AUDIENCE, AUDIENCE, [AUDIENCE, 'x'], 'x', undefined),
    act: or(20, undefined, { sub: 'svc' }, { client_id: 'c' }, { sub: 7 }),
    scope: scopeValue,
    scp: scopeValue,
    org: objectOf({ id: or(9, 'one', 'two', undefined), roles: scopeValue }),
    'k.io': objectOf({ ns: or(9, 'one', 'two', undefined) }),
    'https://x.example/a.b': scopeValue,
    uid: or(9, 'u', 'u2', undefined),
    n: or(3, 1, '1', '2', 2),
    yes: or(3, true, 'true'),
  },
  { requiredKeys: ['sub', 'aud'] },
)

async function decided(token: string): Promise<object | 'refused'> {
  try {
    const auth = (await verifier.authenticate({ authorization: `Bearer ${token}` })) as AccessTokenAuth
    const { subject, clientId, tenant, scopes } = auth
    return { subject, clientId, tenant, scopes }
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_VANTAGE_TOKEN_INVALID') throw error
    return 'refused'
  }
}

test(`reads ${TOKENS} tokens of each issuer by its options as a plain reading does`, { timeout: 120_000 }, async () => {
  const samples = fc.sample(claims, { seed: SEED, numRuns: TOKENS })
  for (const { options, issuer } of issuers) {
    const counts = { accepted: 0, refused: 0 }
    for (const sample of samples) {
      const payload = { ...issuer.claims({ scope: undefined, client_id: undefined, aud: undefined }), ...sample }
      let expected: object | 'refused' = 'refused'
      try {
        // As it comes out of the token: without what JSON does not write.
        expected = read(options, JSON.parse(JSON.stringify(payload)))
      } catch (error) {
        if (!(error instanceof Refused)) throw error
      }
      const found = await decided(issuer.mintRaw({ payload }))
      if (expected === 'refused') counts.refused++
      else counts.accepted++
      expect(found, JSON.stringify({ options, sample })).toEqual(expected)
    }
    // Each of them is decided both ways, many times.
    expect(Math.min(counts.accepted, counts.refused), JSON.stringify(options)).toBeGreaterThan(TOKENS / 50)
  }
})
