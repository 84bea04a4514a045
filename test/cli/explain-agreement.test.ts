import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateApiKey } from '../../src/api-key/format.js'
import { conclude } from '../../src/cli/explain/conclusion.js'
import { explainCredential } from '../../src/cli/explain/credential.js'
import type { Service } from '../../src/cli/service.js'
import { resolveOptions, type VerifierOptions } from '../../src/config/options.js'
import { isAuthError } from '../../src/core/errors.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { createTestIssuer } from '../support/tokens.js'

const NOW = Math.floor(Date.now() / 1000)
const strict = createTestIssuer({ issuer: 'https://strict.example' })
const lenient = createTestIssuer({ issuer: 'https://lenient.example', alg: 'RS256' })
const stranger = createTestIssuer({ issuer: 'https://stranger.example' })
const forger = createTestIssuer({ issuer: strict.issuer, kid: 'forged' })

const store = memoryKeyStore()
const options: VerifierOptions = {
  issuer: [
    { issuer: strict.issuer, jwks: strict.jwks },
    { issuer: lenient.issuer, jwks: lenient.jwks, profile: 'lenient' },
  ],
  maxTokenAgeSeconds: 3600,
  cache: false,
  keys: store,
}
const service: Service = {
  config: resolveOptions({ ...options, keys: false }),
  keys: { kind: 'own', store },
  defaults: { issuer: false, audience: false },
}
const verifier = createVerifier(options)

async function decidedBy(credential: string): Promise<string> {
  try {
    return `accepted as ${(await verifier.authenticate({ authorization: `Bearer ${credential}` })).subject}`
  } catch (error) {
    if (!isAuthError(error)) throw error
    return error.code === 'ERR_VANTAGE_TOKEN_INVALID' ? error.reason : error.code
  }
}

async function explained(credential: string): Promise<string> {
  const explanation = await explainCredential(credential, service, false)
  const { verdict, reason, summary, cure } = conclude(explanation)
  expect(summary).toMatch(/^(?:accepted as|refused because|undecided because) \S/)
  expect(cure).not.toBe('')
  expect(JSON.stringify([summary, cure, explanation.findings])).not.toContain(credential.slice(-40))
  return verdict === 'accepted' ? `accepted as ${explanation.auth?.subject}` : (reason ?? verdict)
}

afterAll(() => verifier.close())

describe('explain and the service agree on a token:', () => {
  const tokens: readonly [what: string, decision: string, token: string][] = [
    ['a good token', 'accepted as user_123', strict.mint()],
    ['a good token of a lenient issuer', 'accepted as u', lenient.mint({ sub: 'u', jti: undefined }, { typ: 'JWT' })],
    ['a token without a scope', 'accepted as user_123', strict.mint({ scope: undefined })],
    ['text', 'malformed', 'some-other-text'],
    ['two parts', 'malformed', strict.mint().split('.').slice(0, 2).join('.')],
    ['padding', 'malformed', `${strict.mint()}==`],
    ['a header that is no object', 'malformed', strict.mintRaw({ header: '[]' })],
    ['a payload that is no object', 'malformed', strict.mintRaw({ payload: '7' })],
    ['crit', 'malformed', strict.mint({}, { crit: ['exp'] })],
    ['an ID token of a strict issuer', 'type', strict.mint({}, { typ: 'JWT' })],
    ['an ID token of a lenient issuer', 'type', lenient.mint({ at_hash: 'x' }, { typ: 'JWT' })],
    ['alg none', 'algorithm', strict.mint({}, { alg: 'none' })],
    ['another issuer', 'issuer', stranger.mint()],
    ['an issuer with a slash too much', 'issuer', strict.mint({ iss: `${strict.issuer}/` })],
    ['an unknown kid', 'key', strict.mint({}, { kid: 'other' })],
    ['a forged token', 'signature', forger.mint({}, { kid: strict.kid })],
    ['a forged token that has also expired', 'signature', forger.mint({ exp: NOW - 60 }, { kid: strict.kid })],
    ['another audience', 'audience', strict.mint({ aud: 'https://other.example' })],
    ['an audience that is no text', 'claims', strict.mint({ aud: [7] })],
    ['an end', 'expired', strict.mint({ exp: NOW - 60 })],
    ['a beginning', 'not_active', strict.mint({ nbf: NOW + 600 })],
    ['an age', 'too_old', strict.mint({ iat: NOW - 7200 })],
    ['no subject', 'claims', strict.mint({ sub: undefined })],
    ['no client', 'claims', strict.mint({ client_id: undefined })],
    ['a scope that is a number', 'claims', strict.mint({ scope: 7 })],
    ['a bound token', 'sender_constrained', strict.mint({ cnf: { jkt: 'x' } })],
    ['a revoked token', 'revoked', strict.mint({ jti: 'stolen' })],
    ['a token of 9000 bytes', 'malformed', strict.mint({ sub: 'x'.repeat(9000) })],
  ]

  beforeAll(async () => {
    await createKeyring(store).revokeTokens({ issuer: strict.issuer, tokenId: 'stolen' })
  })

  test.each(tokens)('%s: %s', async (_, decision, token) => {
    expect([await decidedBy(token), await explained(token)]).toEqual([decision, decision])
  })
})

describe('explain and the service agree on', () => {
  const keys = new Map<string, string>()
  const subject = { subject: 'user_1', scopes: ['jobs:read'] } as const

  beforeAll(async () => {
    const keyring = createKeyring(store)
    const create = async () => keyring.create(subject)
    keys.set('a good key', (await create()).key)
    const revoked = await create()
    await keyring.revoke(revoked.record.id, { reason: 'left' })
    keys.set('a revoked key', revoked.key)
    const superseded = await create()
    keys.set('its successor', (await keyring.rotate(superseded.record.id, { overlap: '1h' })).key)
    keys.set('a superseded key', superseded.key)
    const replaced = await create()
    await keyring.rotate(replaced.record.id, { overlap: '0s' })
    keys.set('a replaced key', replaced.key)
    keys.set(
      'a key of the other environment',
      (await createKeyring(store, { environment: 'test' }).create(subject)).key,
    )
    const { key } = await create()
    keys.set('a mistyped key', key.slice(0, -1) + (key.endsWith('0') ? '1' : '0'))
    keys.set('half of a key', key.slice(0, 40))
    keys.set('an unknown key', generateApiKey('live').key)
  })

  test.each([
    ['a good key', 'accepted as user_1'],
    ['a revoked key', 'revoked'],
    ['a superseded key', 'accepted as user_1'],
    ['its successor', 'accepted as user_1'],
    ['a replaced key', 'expired'],
    ['a key of the other environment', 'environment'],
    ['a mistyped key', 'checksum'],
    ['half of a key', 'malformed'],
    ['an unknown key', 'unknown'],
  ])('%s: %s', async (name, decision) => {
    const key = keys.get(name) as string
    expect([await decidedBy(key), await explained(key)]).toEqual([decision, decision])
  })

  test('a superseded key, and names the one to change to', async () => {
    const explanation = await explainCredential(keys.get('a superseded key') as string, service, false)
    const successor = (keys.get('its successor') as string).slice('vak_live_'.length, 'vak_live_'.length + 12)
    expect(conclude(explanation).cure).toContain(`change to the key that replaces it, ${successor}`)
  })
})

test('a store that fails leaves the answer open, where a service answers 503', async () => {
  const failing = { ...memoryKeyStore(), find: () => Promise.reject(new Error('the disk is gone')) }
  const { key } = generateApiKey('live')
  const explanation = await explainCredential(key, { ...service, keys: { kind: 'own', store: failing } }, false)
  expect(conclude(explanation)).toMatchObject({
    verdict: 'undecided',
    summary: 'undecided because the disk is gone',
    cure: expect.stringContaining('503'),
  })
  const other = createVerifier({ ...options, keys: failing })
  await expect(other.authenticate({ authorization: `Bearer ${key}` })).rejects.toMatchObject({ status: 503 })
  await other.close()
})

test('isRevoked is not called, and the answer says so', async () => {
  let calls = 0
  const isRevoked = () => {
    calls++
    return true
  }
  const config = resolveOptions({ ...options, keys: false, isRevoked })
  const explanation = await explainCredential(strict.mint(), { ...service, config }, false)
  expect(conclude(explanation)).toMatchObject({ verdict: 'accepted', cure: expect.stringContaining('isRevoked') })
  expect(explanation.findings.at(-1)).toMatchObject({ check: 'isRevoked', outcome: 'skipped' })
  expect(calls).toBe(0)
})

test.each([
  ['https://strict.example/', 'a slash at its end'],
  ['http://strict.example', 'http, not https'],
  ['https://strict.example:8443', 'another port'],
  ['https://other.example', 'another host'],
  ['https://strict.example/realms/a', 'another path'],
  ['https://STRICT.example', 'another spelling of it'],
  [' https://strict.example', 'white space around it'],
  ['strict', 'no URL'],
  ['http://other.example/', 'http, not https and another host and a slash at its end'],
])('of the issuer %s it says how it differs: %s', async (iss, difference) => {
  const { findings } = await explainCredential(strict.mint({ iss }), service, false)
  expect(findings.at(-1)).toMatchObject({ check: 'iss', outcome: 'failed', reason: 'issuer' })
  expect(findings.at(-1)?.expected).toContain(`"https://strict.example" (the token has ${difference})`)
  expect(findings.at(-1)?.expected).toContain('"https://lenient.example"')
})

describe('of an issuer with options for its claims it shows', () => {
  const dialect = createTestIssuer({ issuer: 'https://dialect.example' })
  const config = resolveOptions(
    {
      issuer: [
        {
          issuer: dialect.issuer,
          jwks: dialect.jwks,
          clients: ['client_1'],
          subjectClaim: 'oid',
          subjectAliases: ['uid'],
          sessionClaim: 'session.id',
          scopeClaims: ['scp', 'realm_access.roles'],
          scopes: 'union',
          grants: [
            { match: { oid: 'repo:acme/*' }, scopes: ['jobs:read'] },
            { match: { oid: 'repo:acme/app:*' }, scopes: ['jobs:write', 'jobs:read'] },
            { match: { 'pod.name': 'p' }, scopes: ['teams:read'] },
          ],
          required: { ver: '2.0' },
        },
      ],
      keys: false,
    },
    {},
  )
  const explain = async (claims: Record<string, unknown>) => {
    const token = dialect.mint({ scope: undefined, aud: undefined, oid: 'o', ver: '2.0', ...claims })
    const explanation = await explainCredential(token, { ...service, config }, false)
    return { ...conclude(explanation), findings: explanation.findings }
  }

  test.each<[what: string, claims: Record<string, unknown>, check: string, found: string, summary: RegExp]>([
    ['whom it is about', {}, 'subject', '"o"', /^accepted as o without a scope/],
    ['no subject', { oid: undefined }, 'subject', 'none', /^refused because its subject is none \(claims\)/],
    ['another name of the subject', { uid: 7 }, 'alias', '7', /^refused because its alias is 7 \(claims\)/],
    ['the client', { client_id: 'x' }, 'client of ours', '"x"', /^refused because its client is "x" \(audience\)/],
    ['another audience', { aud: 'x' }, 'aud', '"x"', /^refused because it is for "x" \(audience\)/],
    ['the session', { session: { id: 's' } }, 'session', '"s"', /^accepted as o/],
    [
      'a path that leads nowhere',
      { session: ['s'] },
      'session',
      'something else than an object on the way',
      /^refused because its session is something else than an object on the way/,
    ],
    [
      'each claim that has scopes',
      { scp: 'a b', realm_access: { roles: ['c'] } },
      'scope',
      '"a b" in "scp", ["c"] in "realm_access.roles"',
      /^accepted as o with a b c /,
    ],
    ['that grants decide', {}, 'scope', 'none in "scp", "realm_access.roles": grants decide', /^accepted/],
    ['that no grant matches', {}, 'grants', 'none matches: no scope', /^accepted as o without a scope/],
    [
      'which grant matches',
      { oid: 'repo:acme/app:main' },
      'grants',
      'grants[1]: jobs:write jobs:read',
      /^accepted as repo:acme\/app:main with jobs:write jobs:read/,
    ],
    [
      'that grants are not asked',
      { oid: 'repo:acme/app:main', scp: 'x' },
      'grants',
      'not asked: the token has a claim for scopes',
      /^accepted as repo:acme\/app:main with x/,
    ],
    [
      'what grants cannot compare',
      { pod: 'p' },
      'grants',
      'pod.name: something else than an object on the way',
      /^refused because a claim that grants compare is pod\.name: something else/,
    ],
    [
      'the claims that are required',
      { ver: '1.0' },
      'required claims',
      'ver "1.0"',
      /^refused because of the claims that the service requires it has ver "1\.0" \(claims\)/,
    ],
  ])('%s', async (_, claims, check, found, summary) => {
    const explained = await explain(claims)
    expect(explained.findings.find((finding) => finding.check === check)).toMatchObject({ found })
    expect(explained.summary).toMatch(summary)
    expect(explained.cure).not.toBe('')
  })
})
