import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { VerifierOptions } from '../../src/config/options.js'
import type { KeyStore } from '../../src/store/contract.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'
import { createOwnStore, createTestKey } from '../support/stored-keys.js'
import { createTestIssuer } from '../support/tokens.js'

// Whatever answers 503 for want of an answer is told of on standard error.

const UNAVAILABLE = 'ERR_VANTAGE_UNAVAILABLE'
const issuer = createTestIssuer()
const open: Verifier[] = []
let lines: string[]

beforeEach(() => {
  lines = []
  vi.spyOn(process.stderr, 'write').mockImplementation(((line: string, done?: () => void) => {
    lines.push(line.trimEnd())
    done?.()
    return true
  }) as never)
})
afterEach(async () => {
  for (const verifier of open.splice(0)) await verifier.close()
  vi.restoreAllMocks()
})

function start(options: VerifierOptions): Verifier {
  const verifier = createVerifier({ ...issuer.options, keys: false, ...options })
  open.push(verifier)
  return verifier
}

function outcome(verifier: Verifier, credential: string): Promise<unknown> {
  return (async () => verifier.authenticate({ authorization: `Bearer ${credential}` }))().then(
    () => 'accepted',
    ({ code }) => code,
  )
}

const revokedProxy = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

test.each<[string, Partial<KeyStore>]>([
  ['answers what is no key', { find: async () => 'nonsense' as never }],
  ['rejects with what cannot be read', { find: () => Promise.reject(revokedProxy()) }],
])('a store that %s', async (_, methods) => {
  const verifier = start({ keys: { ...createOwnStore(), ...methods } })
  expect(await outcome(verifier, createTestKey().key)).toBe(UNAVAILABLE)
  expect(await outcome(verifier, createTestKey().key)).toBe(UNAVAILABLE)
  expect(lines).toEqual([expect.stringMatching(/^vantage-auth: key store of the application failed: ./)])
})

test.each<[string, Partial<KeyStore>]>([
  ['no list', { tokenRevocations: async () => 'nonsense' as never }],
  ['no revocations', { tokenRevocations: async () => [{}] as never }],
  [
    'none of a token',
    { tokenRevocations: () => new Promise(() => {}), findTokenRevocations: async () => [{}] as never },
  ],
])('a store whose revocations of tokens are %s; its look-ups of keys are another matter', async (_, methods) => {
  const { key, stored } = createTestKey()
  const verifier = start({ keys: { ...createOwnStore(), find: async () => stored, ...methods } })
  for (let i = 0; i < 2; i++) {
    expect(await outcome(verifier, issuer.mint({ jti: String(i) }))).toBe(UNAVAILABLE)
    expect(await outcome(verifier, key)).toBe('accepted')
  }
  expect(lines).toEqual([
    expect.stringMatching(/^vantage-auth: the list of revoked tokens in the key store of the application failed: ./),
  ])
})

test('an issuer that answers one fetch or one URL, and not another', async () => {
  const options = { jwks: undefined }
  const token = issuer.mint()
  const answering = (async () => Response.json(issuer.jwks)) as typeof fetch
  const failing = (async () => Response.json({}, { status: 500 })) as typeof fetch
  const jwksUri = 'https://keys.example/one'
  const byFetch = [failing, answering].map((fetch) => start({ ...options, jwksUri, fetch }))
  const both = (async (url: URL) => (String(url) === jwksUri ? answering : failing)(url)) as typeof fetch
  const byUrl = [`${jwksUri}-not`, jwksUri].map((jwksUri) => start({ ...options, jwksUri, fetch: both }))
  for (const verifiers of [byFetch, byUrl]) {
    expect(await Promise.all(verifiers.map((verifier) => outcome(verifier, token)))).toEqual([UNAVAILABLE, 'accepted'])
  }
  // A second mount of the first is told of already.
  expect(await outcome(start({ ...options, jwksUri, fetch: failing }), token)).toBe(UNAVAILABLE)
  expect(lines).toEqual([expect.stringMatching(/ failed: /), expect.stringMatching(/ failed: /)])
})

test.each<[string, () => unknown]>([
  [
    'throws',
    () => {
      throw new Error('no answer')
    },
  ],
  ['rejects', async () => Promise.reject(revokedProxy())],
  ['answers no boolean', () => 'yes'],
])('an isRevoked that %s, and when it is back', async (_, fail) => {
  let isRevoked = fail
  const verifier = start({ isRevoked: () => isRevoked() as boolean })
  for (let i = 0; i < 2; i++) expect(await outcome(verifier, issuer.mint())).toBe(UNAVAILABLE)
  isRevoked = () => false
  expect(await outcome(verifier, issuer.mint())).toBe('accepted')
  expect(lines).toEqual([
    expect.stringMatching(/^vantage-auth: isRevoked of the application failed: ./),
    expect.stringMatching(/^vantage-auth: isRevoked of the application is back after /),
  ])
})
