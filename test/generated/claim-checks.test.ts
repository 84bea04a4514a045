import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { IssuerOptions } from '../../src/config/issuer-options.js'
import { resolveOptions, type VerifierOptions } from '../../src/config/options.js'
import { checkClaims, claimedAuth } from '../../src/token/access-token.js'
import { claimChecks } from '../../src/token/claim-checks.js'
import { createIssuer } from '../../src/token/issuer/issuer.js'
import type { VerifiedAccessToken } from '../../src/token/signature.js'
import { createTestIssuer, DEFAULT_AUDIENCE, DEFAULT_ISSUER } from '../support/tokens.js'

const TOKENS = 100_000
const SEED = 20_261_130
const NOW = 2_000_000_000
const clock = () => NOW * 1000

const { jwks } = createTestIssuer({ clock })

/** Each option that asks for a check by itself, and all of them together. */
const entries: Readonly<Record<string, Partial<IssuerOptions>>> = {
  'RFC 9068': {},
  lenient: { profile: 'lenient' },
  subject: { subjectClaim: 'uid' },
  aliases: { subjectAliases: ['uid', ['ext', 'name']] },
  client: { clientIdClaim: 'azp' },
  'lenient, client': { profile: 'lenient', clientIdClaim: 'azp' },
  'required client': { profile: 'lenient', requireClient: true },
  clients: { profile: 'lenient', clients: ['app', 'other'] },
  grants: {
    grants: [
      { match: { sub: 'user:*' }, scopes: ['jobs:read'] },
      { match: { 'ext.name': 'one' }, scopes: ['jobs:write'] },
    ],
  },
  union: { scopes: 'union', scopeClaims: ['scope', 'scp', 'ext.roles'] },
  tenant: { tenantClaim: 'tid' },
  session: { sessionClaim: 'ext.name' },
  required: { required: { tid: 'one', 'ext.name': ['one', 'two', true] } },
  everything: {
    profile: 'lenient',
    subjectClaim: 'uid',
    subjectAliases: 'ext.name',
    clientIdClaim: 'azp',
    requireClient: true,
    clients: ['app', 'other'],
    grants: [{ match: { sub: 'user:*' }, scopes: ['jobs:read'] }],
    scopes: 'union',
    tenantClaim: 'tid',
    sessionClaim: 'sid',
    required: { tid: ['one', 'two'] },
  },
}

function issuersOf(options: VerifierOptions) {
  const config = resolveOptions({ keys: false, audience: DEFAULT_AUDIENCE, ...options }, {})
  return config.issuers.map((policy) => createIssuer(policy, config))
}

const issuers = [
  ...[{}, { maxTokenAgeSeconds: 60 }].flatMap((shared) =>
    Object.values(entries).flatMap((entry) =>
      issuersOf({ ...shared, issuer: [{ issuer: DEFAULT_ISSUER, jwks, ...entry }] }),
    ),
  ),
  ...issuersOf({ issuer: [{ trustDomain: 'acme.org', jwks }] }),
]

/** Claims that all of the issuers accept, or nearly so. */
const good = {
  iss: DEFAULT_ISSUER,
  sub: 'user:1',
  aud: DEFAULT_AUDIENCE,
  client_id: 'app',
  azp: 'app',
  jti: 'token',
  iat: NOW - 30,
  exp: NOW + 300,
  scope: 'jobs:read jobs:write',
  uid: 'one',
  tid: 'one',
  sid: 'one',
  ext: { name: 'one', roles: ['a'] },
}

const text = fc.constantFrom(
  '',
  'one',
  'app',
  'user:1',
  'spiffe://acme.org/a',
  'spiffe://acme.org/../a',
  'Bearer',
  'ID',
)
const time = fc.constantFrom(-1, 0, NOW - 61, NOW - 5, NOW, NOW + 4.5, NOW + 5, NOW + 5.5, NOW + 6, 1e20)
const other = fc.constantFrom<unknown>(
  undefined,
  null,
  true,
  {},
  [],
  [DEFAULT_AUDIENCE],
  ['x', 1],
  { sub: '' },
  { sub: 'x' },
)
const value = fc.oneof(text, time, other, fc.constantFrom({ name: 1 }, { name: 'two' }, { roles: 1, name: true }))

/** Every claim that a check looks at. */
const NAMES = [
  ...Object.keys(good),
  ...['nbf', 'act', 'cnf', 'scp', 'nonce', 'typ', 'token_use', 'at_hash', 'c_hash', 's_hash', 'events', 'cid', 'appid'],
]

const cases = fc.record({
  issuer: fc.constantFrom(...issuers),
  isWorkload: fc.boolean(),
  changes: fc.array(fc.tuple(fc.constantFrom(...NAMES), value), { maxLength: 3 }),
})

test(`${TOKENS} sets of claims: the checks of one issuer decide as the whole table does`, () => {
  const refusedBy = new Set<string>()
  let accepted = 0
  for (const { issuer, isWorkload, changes } of fc.sample(cases, { seed: SEED, numRuns: TOKENS })) {
    const { policy } = issuer
    const sub = isWorkload && policy.trustDomain !== undefined ? 'spiffe://acme.org/a' : good.sub
    const claims = JSON.parse(JSON.stringify({ ...good, sub, ...Object.fromEntries(changes) }))
    const signer = { kid: undefined, keyObject: {}, isCurrent: () => true }
    const token = { text: '', issuer, policy, header: {}, alg: 'ES256', kid: undefined, claims, signer }
    const verified = token as unknown as VerifiedAccessToken

    const failed = claimChecks.find((check) => !check.holds(verified, NOW))
    const ends = claimChecks.map(({ endsAt }) => endsAt?.(verified) ?? Number.POSITIVE_INFINITY)
    const outcome = checkClaims(verified, NOW)
    const expected = failed?.reason ?? Math.min(...ends) + policy.clockToleranceSeconds
    const found = typeof outcome === 'string' ? outcome : outcome.endsAt
    if (found !== expected) expect(found, JSON.stringify({ policy, claims })).toBe(expected)
    if (failed === undefined) accepted++
    else refusedBy.add(failed.name)
    if ((claimedAuth(verified, NOW) === undefined) !== (failed !== undefined)) expect.fail(JSON.stringify(claims))
  }

  // Each check has had the first word, and enough have come through for an end to be compared.
  expect(claimChecks.map(({ name }) => name).filter((name) => !refusedBy.has(name))).toEqual([])
  expect(accepted).toBeGreaterThan(TOKENS / 10)
})
