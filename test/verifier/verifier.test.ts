import { spawn } from 'node:child_process'
import { pbkdf2 } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { VerifierOptions } from '../../src/config/options.js'
import type { Auth } from '../../src/core/auth.js'
import {
  InvalidTokenError,
  isAuthError,
  MissingCredentialsError,
  type UnavailableError,
} from '../../src/core/errors.js'
import type { StoreEvent } from '../../src/core/telemetry.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'
import { outputOf } from '../support/child-output.js'
import { outcomeOf } from '../support/outcome.js'
import { createDeferred, createOwnStore, createTestKey, turn } from '../support/stored-keys.js'
import { createTestIssuer, type TestIssuer } from '../support/tokens.js'

const START = Date.parse('2026-11-25T12:00:00Z')
const UNAVAILABLE = 'ERR_VANTAGE_UNAVAILABLE'

const opened: Verifier[] = []
afterEach(async () => {
  for (const verifier of opened.splice(0)) await verifier.close()
})

function verifierOf(options: VerifierOptions): Verifier {
  const verifier = createVerifier({ issuer: false, keys: false, timeoutMs: 50, ...options })
  opened.push(verifier)
  return verifier
}

function createClock(now = START) {
  const clock = () => clock.now as number
  clock.now = now as unknown
  return clock
}

function throwing(error: unknown = new Error('broken')): () => never {
  return () => {
    throw error
  }
}

function thenable(then: (resolve: (value: unknown) => void) => void): object {
  return Object.defineProperty({}, 'then', { value: then })
}

/** What `authenticate` throws at once; the test fails when it does not. */
function thrownBy(decide: () => unknown): unknown {
  try {
    decide()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

async function errorOf(verifier: Verifier, credential: string): Promise<UnavailableError> {
  try {
    await verifier.authenticate({ authorization: `Bearer ${credential}` })
  } catch (error) {
    return error as UnavailableError
  }
  throw new Error('it was accepted')
}

describe('the request', () => {
  const verifier = createVerifier({ issuer: false, keys: false, realm: 'here' })
  const codeFor = (authorization: unknown) =>
    (thrownBy(() => verifier.authenticate({ authorization: authorization as string })) as { code: string }).code

  test.each([
    ['no header', undefined],
    ['an empty header', ''],
    ['no header lines', []],
    ['what Headers.get() answers for no header', null],
    ['another scheme', 'Basic dXNlcjpwYXNz'],
  ])('%s is a request without credentials', (_, authorization) => {
    expect(codeFor(authorization)).toBe('ERR_VANTAGE_CREDENTIALS_MISSING')
  })

  test('two header lines are malformed, even identical ones', () => {
    expect(codeFor(['Bearer x', 'Bearer x'])).toBe('ERR_VANTAGE_REQUEST_INVALID')
  })

  test('a bearer scheme without a credential is a bad credential', () => {
    expect(codeFor('Bearer')).toBe('ERR_VANTAGE_TOKEN_INVALID')
  })

  test.each([
    ['no request at all', undefined],
    ['a null request', null],
    [
      'a getter that throws',
      {
        get authorization(): string {
          throw new MissingCredentialsError('x')
        },
      },
    ],
    ['a number', { authorization: 7 }],
    ['an object', { authorization: {} }],
    ['a list of numbers', { authorization: [7] }],
  ])('%s ends as an AuthError like anything else', (_, request) => {
    expect(isAuthError(thrownBy(() => verifier.authenticate(request as never)))).toBe(true)
  })

  test('answers with the configured realm', () => {
    const error = thrownBy(() => verifier.authenticate({ authorization: undefined })) as MissingCredentialsError
    expect(error.headers['WWW-Authenticate']).toBe('Bearer realm="here"')
  })
})

describe('an access token', () => {
  test('is decided synchronously once it is cached, with the same frozen Auth', async () => {
    const issuer = createTestIssuer({ alg: 'ES384' })
    const verifier = verifierOf(issuer.options)
    const request = { authorization: `Bearer ${issuer.mint({ sub: 'u' })}` }
    const first = verifier.authenticate(request)
    expect(first).toBeInstanceOf(Promise)
    const auth = await first
    expect(auth).toMatchObject({ kind: 'access_token', subject: 'u', scopes: ['jobs:read', 'clusters:read'] })
    expect(verifier.authenticate(request)).toBe(auth)
    expect(Object.isFrozen(auth)).toBe(true)
  })

  test('is not served from the cache at its end, nor past the TTL, nor when the clock was set back', async () => {
    const clock = createClock()
    const issuer = createTestIssuer({ clock })
    const verifier = verifierOf({ ...issuer.options, clock })
    const short = issuer.mint({ exp: START / 1000 + 100 })
    const long = { authorization: `Bearer ${issuer.mint()}` }
    const [, auth] = [await outcomeOf(verifier, short), await verifier.authenticate(long)]
    clock.now = START + 104_999
    expect(await outcomeOf(verifier, short)).toBe('accepted')
    clock.now = START + 105_000
    expect(await outcomeOf(verifier, short)).toBe('expired')
    clock.now = START + 299_999
    expect(verifier.authenticate(long)).toBe(auth)
    clock.now = START + 300_000
    expect(verifier.authenticate(long)).not.toBe(auth)
    const again = verifier.authenticate(long)
    expect(verifier.authenticate(long)).toBe(again)
    clock.now = START + 299_999
    expect(verifier.authenticate(long)).not.toBe(again)
  })

  test('of several issuers is bound to the keys and the audience of its own', async () => {
    const one = createTestIssuer({ issuer: 'https://one.example', audience: 'api:one' })
    const two = createTestIssuer({ issuer: 'https://two.example', audience: 'api:two' })
    const verifier = verifierOf({
      issuer: [
        { issuer: one.issuer, jwks: one.jwks, audience: 'api:one' },
        { issuer: two.issuer, jwks: two.jwks, audience: 'api:two' },
      ],
    })
    expect(await outcomeOf(verifier, one.mint())).toBe('accepted')
    expect(await outcomeOf(verifier, two.mint())).toBe('accepted')
    expect(await outcomeOf(verifier, one.mint({ aud: 'api:two' }))).toBe('audience')
    expect(await outcomeOf(verifier, one.mint({ iss: two.issuer }, { kid: two.kid }))).toBe('signature')
  })

  test('that is refused is refused again without another look, and not for ever', async () => {
    const clock = createClock()
    const issuer = createTestIssuer({ clock })
    const verifier = verifierOf({ ...issuer.options, clock })
    const token = issuer.mint({ exp: START / 1000 - 6 })
    expect(await outcomeOf(verifier, token)).toBe('expired')
    // Within five seconds nothing is compared again; a clock that was set back is.
    clock.now = START + 4999
    expect(await outcomeOf(verifier, token)).toBe('expired')
    clock.now = START - 2000
    expect(await outcomeOf(verifier, token)).toBe('accepted')
  })

  test('that is refused is refused again at once, without a look at its signature', async () => {
    const issuer = createTestIssuer({ alg: 'ES384' })
    const verifier = verifierOf(issuer.options)
    const request = { authorization: `Bearer ${issuer.mint({ aud: 'https://other.example' })}` }
    const first = verifier.authenticate(request)
    expect(first).toBeInstanceOf(Promise)
    await expect(first).rejects.toMatchObject({ reason: 'audience' })
    expect(thrownBy(() => verifier.authenticate(request))).toMatchObject({ reason: 'audience' })
  })

  test('whose key was withdrawn is refused, though it is cached', async () => {
    const clock = createClock()
    const issuer = createTestIssuer({ issuer: 'https://issuer.example', clock })
    const sets = [issuer.jwks, createTestIssuer({ kid: 'successor' }).jwks]
    const verifier = verifierOf({
      issuer: [{ issuer: issuer.issuer, jwksUri: 'https://issuer.example/jwks' }],
      clock,
      fetch: async () => Response.json(sets.length > 1 ? sets.shift() : sets[0]),
    })
    const token = issuer.mint()
    expect(await outcomeOf(verifier, token)).toBe('accepted')
    clock.now = START + 540_000
    // Cached no more by time: what is cached anew refreshes the set in the background.
    expect(await outcomeOf(verifier, token)).toBe('accepted')
    await vi.waitFor(async () => expect(await outcomeOf(verifier, token)).toBe('key'))
  })

  test('that expires while its keys are being fetched is expired', async () => {
    const clock = createClock()
    const issuer = createTestIssuer({ issuer: 'https://issuer.example', clock })
    const answer = createDeferred<Response>()
    const verifier = verifierOf({
      issuer: [{ issuer: issuer.issuer, jwksUri: 'https://issuer.example/jwks' }],
      clock,
      timeoutMs: 5000,
      fetch: () => answer.promise,
    })
    const outcome = outcomeOf(verifier, issuer.mint({ exp: START / 1000 + 10 }))
    await turn()
    clock.now = START + 20_000
    answer.resolve(Response.json(issuer.jwks))
    expect(await outcome).toBe('expired')
  })

  /** Decides on a token of `by` while the first key set of an issuer is replaced by the second. The last one stays. */
  async function decideWhileReplaced(clock: ReturnType<typeof createClock>, sets: object[], by: TestIssuer) {
    const loaded: number[] = []
    const listener = () => void loaded.push(sets.length)
    subscribe('vantage-auth:key-set', listener)
    const verifier = verifierOf({
      issuer: [{ issuer: 'https://issuer.example', jwksUri: 'https://issuer.example/jwks' }],
      clock,
      timeoutMs: 5000,
      fetch: async () => Response.json(sets.length > 1 ? sets.shift() : sets[0]),
    })
    await verifier.ready()
    clock.now = START + 540_000
    // Signatures with ES384 are verified on the thread pool: behind these, so that the new set is there before.
    const busy = Array.from({ length: 8 }, () => promisify(pbkdf2)('x', 'y', 300_000, 32, 'sha512'))
    const token = by.mint()
    const outcome = outcomeOf(verifier, token)
    await vi.waitFor(() => expect(loaded.length).toBeGreaterThanOrEqual(2))
    const decided = await outcome
    unsubscribe('vantage-auth:key-set', listener)
    await Promise.all(busy)
    return { verifier, token, decided }
  }

  test('that was refused by keys which were replaced meanwhile is looked at again', async () => {
    const clock = createClock()
    const [before, after] = ['ES384', 'ES384'].map(() =>
      createTestIssuer({ issuer: 'https://issuer.example', alg: 'ES384', clock }),
    ) as [TestIssuer, TestIssuer]
    const { verifier, token, decided } = await decideWhileReplaced(clock, [before.jwks, after.jwks], after)
    expect(decided).toBe('signature')
    expect(await outcomeOf(verifier, token)).toBe('accepted')
  })

  test('whose key is withdrawn while its signature is verified is refused', async () => {
    const clock = createClock()
    const issuer = createTestIssuer({ issuer: 'https://issuer.example', alg: 'ES384', clock })
    const successor = createTestIssuer({ alg: 'ES384', kid: 'successor' })
    const { decided } = await decideWhileReplaced(clock, [issuer.jwks, successor.jwks], issuer)
    expect(decided).toBe('key')
  })

  test('whose key gets another member while its signature is verified is accepted', async () => {
    const clock = createClock()
    const issuer = createTestIssuer({ issuer: 'https://issuer.example', alg: 'ES384', clock })
    const plain = { keys: issuer.jwks.keys.map(({ use: _, ...key }) => key) }
    const { verifier, token, decided } = await decideWhileReplaced(clock, [plain, issuer.jwks], issuer)
    expect(decided).toBe('accepted')
    expect(verifier.authenticate({ authorization: `Bearer ${token}` })).not.toBeInstanceOf(Promise)
  })

  test('that is not valid yet is looked at each time', async () => {
    const clock = createClock()
    const issuer = createTestIssuer({ clock })
    const verifier = verifierOf({ ...issuer.options, clock })
    const token = issuer.mint({ nbf: START / 1000 + 7 })
    expect(await outcomeOf(verifier, token)).toBe('not_active')
    clock.now = START + 2000
    expect(await outcomeOf(verifier, token)).toBe('accepted')
  })
})

describe('an API key', () => {
  test('is looked up once, then decided synchronously with the same frozen Auth', async () => {
    const key = createTestKey({ name: 'ci', tenant: 't', expiresAt: START + 1e12 })
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store })
    const request = { authorization: `Bearer ${key.key}` }
    const auth = await verifier.authenticate(request)
    expect(auth).toMatchObject({ kind: 'api_key', keyId: key.id, name: 'ci', tenant: 't', scopes: ['jobs:read'] })
    expect(auth.expiresAt).toEqual(new Date(START + 1e12))
    expect(verifier.authenticate(request)).toBe(auth)
    expect(store.asked).toEqual([key.id])
    expect(Object.isFrozen(auth) && Object.isFrozen(auth.scopes)).toBe(true)
  })

  test('is refused by its form, its checksum and its environment before the store is asked', async () => {
    const key = createTestKey()
    const other = createTestKey({ environment: 'test' })
    const store = createOwnStore(key, other)
    const verifier = verifierOf({ keys: store })
    expect(await outcomeOf(verifier, key.key.slice(0, -1))).toBe('malformed')
    expect(await outcomeOf(verifier, `${key.key.slice(0, -1)}${key.key.endsWith('a') ? 'b' : 'a'}`)).toBe('checksum')
    expect(await outcomeOf(verifier, other.key)).toBe('environment')
    expect(store.asked).toEqual([])
  })

  test.each([
    [
      'another secret for a known id',
      (key: ReturnType<typeof createTestKey>) => ({ digest: createTestKey().stored.digest, id: key.id }),
      'unknown',
    ],
    ['a digest of the same length that is not ASCII', () => ({ digest: `sha256:${'ä'.repeat(64)}` }), 'unknown'],
    ['a shorter digest', () => ({ digest: 'sha256:' }), 'unknown'],
    ['a revoked key', () => ({ revokedAt: START - 1 }), 'revoked'],
    ['a key whose revocation lies ahead', () => ({ revokedAt: START + 1e9 }), 'revoked'],
    ['an expired key, to the millisecond', () => ({ expiresAt: START }), 'expired'],
    ['a key that the store says is of the other environment', () => ({ environment: 'test' as const }), 'environment'],
  ])('refuses %s', async (_, over, reason) => {
    const key = createTestKey()
    const store = createOwnStore()
    store.rows.set(key.id, { ...key.stored, ...over(key) })
    const verifier = verifierOf({ keys: store, clock: createClock() })
    expect(await outcomeOf(verifier, key.key)).toBe(reason)
  })

  test('ends at its own end, also in the cache; tolerance is for tokens', async () => {
    const clock = createClock()
    const key = createTestKey({ expiresAt: START + 1000 })
    const verifier = verifierOf({ keys: createOwnStore(key), clock, clockToleranceSeconds: 300 })
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    clock.now = START + 999
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    clock.now = START + 1000
    expect(await outcomeOf(verifier, key.key)).toBe('expired')
  })

  test('without a configured store is 503 in the key format and 401 in any other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-'))
    const before = process.cwd()
    process.chdir(folder)
    try {
      const verifier = createVerifier({ issuer: false })
      opened.push(verifier)
      expect(await errorOf(verifier, createTestKey().key)).toMatchObject({
        code: UNAVAILABLE,
        cause: { message: expect.stringMatching(/^there is no vantage-auth\.db in /) },
      })
      expect(await outcomeOf(verifier, 'vak_live_x')).toBe('malformed')
      expect(verifier.describe().keys).toBeNull()
    } finally {
      process.chdir(before)
      rmSync(folder, { recursive: true })
    }
  })

  test('is refused where keys are off', async () => {
    expect(await outcomeOf(verifierOf({ keys: false }), createTestKey().key)).toBe('unknown')
  })

  test('is refused at once when its keyring revokes it, and accepted at once when it is new', async () => {
    const store = memoryKeyStore()
    const keyring = createKeyring(store)
    const verifier = verifierOf({ keys: store })
    const { key, record } = await keyring.create({ subject: 'u', scopes: ['jobs:read'] })
    expect(await outcomeOf(verifier, key)).toBe('accepted')
    await keyring.revoke(record.id)
    expect(await outcomeOf(verifier, key)).toBe('revoked')
    const { key: second } = await keyring.create({ subject: 'u', scopes: ['jobs:read'] })
    expect(await outcomeOf(verifier, second)).toBe('accepted')
  })
})

describe('a flood of well-formed keys that nobody was given', () => {
  test('turns no good key away, neither one that was accepted before nor one that is new', async () => {
    const known = createTestKey()
    const unseen = createTestKey()
    const store = createOwnStore(known, unseen)
    const verifier = verifierOf({ keys: store, cache: false, timeoutMs: 30_000 })
    const decide = async (key: string) => verifier.authenticate({ authorization: `Bearer ${key}` })
    await decide(known.key)
    store.onFind = async (id) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return store.rows.get(id)
    }
    const answers = Array.from({ length: 1150 }, () => decide(createTestKey().key).catch((error) => error.status))
    const good = [decide(known.key), decide(unseen.key)]
    expect(await Promise.all(good)).toMatchObject([{ keyId: known.id }, { keyId: unseen.id }])
    const statuses = await Promise.all(answers)
    expect(statuses.filter((status) => status === 503)).toHaveLength(52)
    expect(statuses.filter((status) => status === 401)).toHaveLength(1098)
  })
})

describe('a change of a key', () => {
  test('drops it from the cache, and no other', async () => {
    const [one, two] = [createTestKey(), createTestKey()]
    const store = createOwnStore(one, two)
    const verifier = verifierOf({ keys: store })
    for (const { key } of [one, two, one, two]) expect(await outcomeOf(verifier, key)).toBe('accepted')
    store.rows.set(one.id, { ...one.stored, revokedAt: 1 })
    store.announce({ id: one.id })
    expect(await outcomeOf(verifier, one.key)).toBe('revoked')
    expect(await outcomeOf(verifier, two.key)).toBe('accepted')
    expect(store.asked).toEqual([one.id, two.id, one.id])
  })

  test('of all keys drops all of them', async () => {
    const [one, two] = [createTestKey(), createTestKey()]
    const store = createOwnStore(one, two)
    const verifier = verifierOf({ keys: store })
    for (const { key } of [one, two]) await outcomeOf(verifier, key)
    store.rows.clear()
    store.announce({ all: true })
    for (const { key } of [one, two]) expect(await outcomeOf(verifier, key)).toBe('unknown')
  })

  test('that is heard of by polling counts for the request that polls', async () => {
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store })
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    store.rows.clear()
    store.feed.poll = () => store.announce({ id: key.id })
    expect(await outcomeOf(verifier, key.key)).toBe('unknown')
  })

  test.each([
    ['of that key', (id: string) => ({ id })],
    ['of all keys', () => ({ all: true as const })],
  ])('%s during its look-up: what was found is discarded, and looked up again', async (_, change) => {
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store, timeoutMs: 5000 })
    const answer = createDeferred<unknown>()
    store.onFind = () => answer.promise
    const decided = outcomeOf(verifier, key.key)
    await turn()
    store.onFind = undefined
    store.rows.set(key.id, { ...key.stored, revokedAt: 1 })
    store.announce(change(key.id))
    answer.resolve(key.stored)
    expect(await decided).toBe('revoked')
    expect(await outcomeOf(verifier, key.key)).toBe('revoked')
  })

  test('right behind the answer of the store leaves nothing outdated in the cache', async () => {
    const key = createTestKey()
    // However many turns of the microtask queue lie between the answer and the fill, the change comes in each of them.
    for (let turns = 0; turns < 12; turns++) {
      const store = createOwnStore(key)
      const verifier = verifierOf({ keys: store })
      store.onFind = (id) => {
        store.onFind = undefined
        const found = Promise.resolve(store.rows.get(id))
        let later = found.then(() => {})
        for (let i = 0; i < turns; i++) later = later.then(() => {})
        void later.then(() => {
          store.rows.set(id, { ...key.stored, revokedAt: 1 })
          store.announce({ id })
        })
        return found
      }
      await outcomeOf(verifier, key.key)
      await turn()
      expect(await outcomeOf(verifier, key.key)).toBe('revoked')
    }
  })

  test('on each look-up ends in 503 and holds nothing up', async () => {
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store, timeoutMs: 5000 })
    store.onFind = async (id) => {
      store.announce({ id })
      return store.rows.get(id)
    }
    expect((await errorOf(verifier, key.key)).cause).toMatchObject({ message: expect.stringContaining('faster') })
  })
})

describe('the change feed', () => {
  test.each(['live', 'polling'] as const)('that is %s lets cached keys be served', async (state) => {
    const key = createTestKey()
    const store = createOwnStore(key)
    store.feed.state = state
    const verifier = verifierOf({ keys: store })
    for (let i = 0; i < 3; i++) expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    expect(store.asked).toHaveLength(1)
  })

  test('in a new epoch has each cached key confirmed once', async () => {
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store })
    await outcomeOf(verifier, key.key)
    store.feed.epoch = 2
    for (let i = 0; i < 3; i++) expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    expect(store.asked).toHaveLength(2)
    store.rows.clear()
    store.feed.epoch = 1
    expect(await outcomeOf(verifier, key.key)).toBe('unknown')
  })

  test('that was down and is up again has each cached key confirmed, whatever it says of its epoch', async () => {
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store })
    await outcomeOf(verifier, key.key)
    store.feed.state = 'down'
    await outcomeOf(verifier, createTestKey().key)
    store.feed.state = 'live'
    store.rows.clear()
    expect(await outcomeOf(verifier, key.key)).toBe('unknown')
  })

  const broken: [string, (store: ReturnType<typeof createOwnStore>) => unknown][] = [
    ['is down', (store) => Object.assign(store.feed, { state: 'down' })],
    ['is not there', (store) => Object.assign(store, { watch: undefined })],
    ['is no function', (store) => Object.assign(store, { watch: 7 })],
    ['throws when it is asked for', (store) => Object.assign(store, { watch: throwing() })],
    ['is undefined', (store) => Object.assign(store, { watch: () => undefined as never })],
    ['is a number', (store) => Object.assign(store, { watch: () => 7 as never })],
    ['is a promise', (store) => Object.assign(store, { watch: () => Promise.resolve(store.feed) as never })],
    [
      'throws as it is polled',
      (store) => Object.assign(store.feed, { poll: throwing(new MissingCredentialsError('x')) }),
    ],
    [
      'throws as its state is read',
      (store) =>
        Object.defineProperty(store.feed, 'state', {
          get: throwing(),
        }),
    ],
    [
      'throws as its epoch is read',
      (store) =>
        Object.defineProperty(store.feed, 'epoch', {
          get: throwing(),
        }),
    ],
    ['is in a state that there is not', (store) => Object.assign(store.feed, { state: 'LIVE' as never })],
    ['has no number for an epoch', (store) => Object.assign(store.feed, { epoch: Number.NaN })],
  ]
  test.each(broken)('that %s: each request asks the store, also for an unknown key', async (_, breakFeed) => {
    const [key, later] = [createTestKey(), createTestKey()]
    const store = createOwnStore(key)
    breakFeed(store)
    const verifier = verifierOf({ keys: store })
    for (let i = 0; i < 3; i++) expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    expect(store.asked).toEqual([key.id, key.id, key.id])
    expect(await outcomeOf(verifier, later.key)).toBe('unknown')
    store.rows.set(later.id, later.stored)
    expect(await outcomeOf(verifier, later.key)).toBe('accepted')
  })

  test('of an unknown key: a refusal is remembered until any change, and not for longer than five seconds', async () => {
    const clock = createClock()
    const [key, other] = [createTestKey(), createTestKey()]
    const store = createOwnStore()
    const verifier = verifierOf({ keys: store, clock })
    for (let i = 0; i < 3; i++) expect(await outcomeOf(verifier, key.key)).toBe('unknown')
    expect(store.asked).toHaveLength(1)
    store.announce({ id: other.id })
    store.rows.set(key.id, key.stored)
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    expect(await outcomeOf(verifier, other.key)).toBe('unknown')
    store.rows.set(other.id, other.stored)
    clock.now = START + 4999
    expect(await outcomeOf(verifier, other.key)).toBe('unknown')
    clock.now = START + 5000
    expect(await outcomeOf(verifier, other.key)).toBe('accepted')
  })

  test('that missed something: a refusal of an unknown key does not outlive its epoch, nor a feed that is down', async () => {
    const key = createTestKey()
    const store = createOwnStore()
    const verifier = verifierOf({ keys: store })
    expect(await outcomeOf(verifier, key.key)).toBe('unknown')
    store.feed.epoch = 2
    expect(await outcomeOf(verifier, key.key)).toBe('unknown')
    expect(store.asked).toHaveLength(2)
    store.rows.set(key.id, key.stored)
    store.feed.state = 'down'
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
  })

  test('in a new epoch during a look-up: the refusal is not remembered', async () => {
    const key = createTestKey()
    const store = createOwnStore()
    const verifier = verifierOf({ keys: store, timeoutMs: 5000 })
    const answer = createDeferred<unknown>()
    store.onFind = () => answer.promise
    const decided = outcomeOf(verifier, key.key)
    await turn()
    store.onFind = undefined
    store.feed.epoch = 2
    await outcomeOf(verifier, createTestKey().key)
    answer.resolve(undefined)
    expect(await decided).toBe('unknown')
    store.rows.set(key.id, key.stored)
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
  })
})

describe('a store that fails', () => {
  const answers: [string, () => unknown][] = [
    ['throws', throwing()],
    ['throws an AuthError', throwing(new InvalidTokenError('x', 'unknown'))],
    ['rejects', () => Promise.reject(new Error('broken'))],
    ['rejects with an AuthError', () => Promise.reject(new MissingCredentialsError('x'))],
    ['rejects with undefined', () => Promise.reject(undefined)],
    ['never settles', () => new Promise(() => {})],
    ['answers a thenable that never settles', () => thenable(() => {})],
    ['answers a thenable that throws', () => thenable(throwing())],
  ]
  test.each(answers)('and %s is 503 with Retry-After, and asked again', async (_, find) => {
    const key = createTestKey()
    const store = createOwnStore(key)
    store.onFind = find
    const verifier = verifierOf({ keys: store })
    const error = await errorOf(verifier, key.key)
    expect(error).toMatchObject({ status: 503, headers: { 'Retry-After': '1' } })
    store.onFind = undefined
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
  })

  const rows: [string, (stored: ReturnType<typeof createTestKey>['stored']) => unknown][] = [
    ['null', () => null],
    ['true', () => true],
    ['a string', (stored) => stored.digest],
    ['an empty object', () => ({})],
    ['an array', (stored) => [stored]],
    ['another key', () => createTestKey().stored],
    ['a key without a digest', ({ digest: _, ...rest }) => rest],
    ['a key without its revocation', ({ revokedAt: _, ...rest }) => rest],
    ['a key without its end', ({ expiresAt: _, ...rest }) => rest],
    ['a key that ends at NaN', (stored) => ({ ...stored, expiresAt: Number.NaN })],
    ['a key that ends at a Date', (stored) => ({ ...stored, expiresAt: new Date(START + 1e12) })],
    ['a key revoked at false', (stored) => ({ ...stored, revokedAt: false })],
    ['scopes as text', (stored) => ({ ...stored, scopes: 'jobs:read' })],
    ['scopes that are no texts', (stored) => ({ ...stored, scopes: [7] })],
    ['scopes with a hole', (stored) => ({ ...stored, scopes: new Array(1) })],
    ['no subject', (stored) => ({ ...stored, subject: undefined })],
    ['a tenant that is an object', (stored) => ({ ...stored, tenant: {} })],
    ['a name that is a number', (stored) => ({ ...stored, name: 7 })],
    ['no environment', (stored) => ({ ...stored, environment: undefined })],
  ]
  test.each(rows)('and answers %s is 503', async (_, row) => {
    const key = createTestKey()
    const store = createOwnStore(key)
    store.rows.set(key.id, row(key.stored))
    const error = await errorOf(verifierOf({ keys: store }), key.key)
    expect(error.code).toBe(UNAVAILABLE)
    expect(error.cause).toMatchObject({ message: expect.stringMatching(/^KeyStore\.find\(\) /) })
  })

  test('and answers too late has been answered 503; what comes late changes nothing', async () => {
    const key = createTestKey()
    const store = createOwnStore()
    const [late, lateError] = [createDeferred<unknown>(), createDeferred<unknown>()]
    const verifier = verifierOf({ keys: store, storeMaxStaleSeconds: 60 })
    store.onFind = () => late.promise
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
    store.onFind = () => lateError.promise
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
    late.resolve(key.stored)
    lateError.reject(new Error('late'))
    await turn()
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
  })

  test('gives each waiting request an error of its own', async () => {
    const key = createTestKey()
    const store = createOwnStore(key)
    store.onFind = () => Promise.reject(new Error('broken'))
    const verifier = verifierOf({ keys: store })
    const [one, two] = await Promise.all([errorOf(verifier, key.key), errorOf(verifier, key.key)])
    expect(one).not.toBe(two)
    expect(store.asked).toHaveLength(1)
  })
})

describe('storeMaxStaleSeconds', () => {
  async function setUp(options: VerifierOptions = {}, over = {}) {
    const clock = createClock()
    const key = createTestKey(over)
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store, clock, storeMaxStaleSeconds: 60, ...options })
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    const outage = () => {
      store.feed.state = 'down'
      store.onFind = () => Promise.reject(new Error('out of reach'))
    }
    return { clock, key, store, verifier, outage }
  }

  test('is 0 unless it is set: an outage is 503 for a cached key too', async () => {
    const { key, verifier, outage } = await setUp({ storeMaxStaleSeconds: undefined })
    outage()
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
  })

  test('counts from the last confirmation', async () => {
    const { clock, key, store, verifier, outage } = await setUp()
    clock.now = START + 30_000
    store.feed.epoch = 2
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    outage()
    clock.now = START + 89_999
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    clock.now = START + 90_000
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
  })

  test('serves past the TTL of the cache, and nothing when the clock was set back', async () => {
    const { clock, key, verifier, outage } = await setUp({ storeMaxStaleSeconds: 600 })
    outage()
    clock.now = START + 599_999
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    clock.now = START - 1
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
  })

  test('serves no unknown key, and asks the store first each time', async () => {
    const { key, store, verifier, outage } = await setUp()
    outage()
    const before = store.asked.length
    expect(await outcomeOf(verifier, createTestKey().key)).toBe(UNAVAILABLE)
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    expect(store.asked.length).toBe(before + 2)
  })

  test('never serves an expired key', async () => {
    const { clock, key, verifier, outage } = await setUp({}, { expiresAt: START + 10_000 })
    outage()
    clock.now = START + 9999
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    clock.now = START + 10_000
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
  })

  test('never serves a key that the store has refused since, though no change was heard of', async () => {
    const { key, store, verifier, outage } = await setUp()
    store.feed.state = 'down'
    store.rows.set(key.id, { ...key.stored, revokedAt: 1 })
    expect(await outcomeOf(verifier, key.key)).toBe('revoked')
    outage()
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
  })

  test('never serves a key because too many requests wait: the store is up, and may have revoked it', async () => {
    const { key, store, verifier } = await setUp()
    store.feed.state = 'down'
    store.rows.set(key.id, { ...key.stored, revokedAt: 1 })
    const [found, answer] = [store.rows.get(key.id), createDeferred<unknown>()]
    store.onFind = () => answer.promise
    const outcomes = Promise.all(Array.from({ length: 1001 }, () => outcomeOf(verifier, key.key)))
    await turn()
    answer.resolve(found)
    expect((await outcomes).sort()).toEqual([UNAVAILABLE, ...Array(1000).fill('revoked')])
  })

  test('never serves a key of which what the store says cannot be read', async () => {
    const { key, store, verifier } = await setUp()
    store.feed.state = 'down'
    store.rows.set(key.id, { ...key.stored, revokedAt: 'yesterday' })
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
  })

  test('never serves a key of which a change was heard since', async () => {
    const { key, store, verifier, outage } = await setUp()
    store.announce({ id: key.id })
    outage()
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
  })

  test('never serves a key of which a change is heard during the failing look-up', async () => {
    const { key, store, verifier, outage } = await setUp()
    outage()
    const answer = createDeferred<unknown>()
    store.onFind = () => answer.promise
    const decided = outcomeOf(verifier, key.key)
    await turn()
    store.announce({ id: key.id })
    answer.reject(new Error('out of reach'))
    expect(await decided).toBe(UNAVAILABLE)
  })

  test('holds for a store that cannot be watched', async () => {
    const key = createTestKey()
    const store = createOwnStore(key)
    Object.assign(store, { watch: undefined })
    const verifier = verifierOf({ keys: store, storeMaxStaleSeconds: 60 })
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    store.onFind = () => Promise.reject(new Error('out of reach'))
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
  })

  test('does not go past the application', async () => {
    let revoked = false
    const { key, verifier, outage } = await setUp({ isRevoked: () => revoked })
    outage()
    revoked = true
    expect(await outcomeOf(verifier, key.key)).toBe('revoked')
  })
})

describe('isRevoked', () => {
  const issuer = createTestIssuer()

  test('is asked on every request, cached or not, with the Auth and nothing else', async () => {
    const asked: unknown[][] = []
    let self: unknown = 'never called'
    const verifier = verifierOf({
      ...issuer.options,
      isRevoked(...given) {
        self = this
        asked.push(given)
        return false
      },
    })
    const request = { authorization: `Bearer ${issuer.mint()}` }
    const auth = await verifier.authenticate(request)
    expect(verifier.authenticate(request)).toBe(auth)
    expect(asked).toEqual([[auth], [auth]])
    // The configuration holds the store.
    expect(self).toBeUndefined()
  })

  test('refuses by true, at once or later, and is not remembered', async () => {
    const answers: (boolean | Promise<boolean>)[] = [true, false, Promise.resolve(true), Promise.resolve(false)]
    const verifier = verifierOf({ ...issuer.options, isRevoked: () => answers.shift() as boolean })
    const token = issuer.mint()
    expect(await outcomeOf(verifier, token)).toBe('revoked')
    expect(await outcomeOf(verifier, token)).toBe('accepted')
    expect(await outcomeOf(verifier, token)).toBe('revoked')
    expect(await outcomeOf(verifier, token)).toBe('accepted')
  })

  test('is not asked about what was refused before', async () => {
    const verifier = verifierOf({
      ...issuer.options,
      isRevoked() {
        throw new Error('asked')
      },
    })
    expect(await outcomeOf(verifier, issuer.mint({ aud: 'other' }))).toBe('audience')
    expect(await outcomeOf(verifier, createTestKey().key)).toBe('unknown')
  })

  const hooks: [string, () => unknown][] = [
    ['throws', throwing()],
    ['throws what stands for no credential', throwing(new MissingCredentialsError('x'))],
    ['rejects', () => Promise.reject(new Error('broken'))],
    ['rejects with what stands for no credential', () => Promise.reject(new MissingCredentialsError('x'))],
    ['never settles', () => new Promise(() => {})],
    ['answers undefined', () => undefined],
    ['answers null', () => null],
    ['answers 0', () => 0],
    ['answers text', () => 'false'],
    ['answers an object', () => ({ revoked: false })],
    ['answers later with undefined', async () => undefined],
    ['answers later with 0', async () => 0],
    ['answers a thenable that never settles', () => thenable(() => {})],
    ['answers a thenable that throws', () => thenable(throwing())],
    ['answers a thenable with nonsense', () => thenable((resolve) => resolve('no'))],
    ['answers something whose then cannot be read', () => Object.defineProperty({}, 'then', { get: throwing() })],
  ]
  test.each(hooks)('that %s is 503, for a new and for a cached credential', async (_, hook) => {
    const verifier = verifierOf({ ...issuer.options, isRevoked: hook as () => boolean })
    const token = issuer.mint()
    for (let i = 0; i < 2; i++) expect(await outcomeOf(verifier, token)).toBe(UNAVAILABLE)
  })

  test('may answer with a thenable', async () => {
    const verifier = verifierOf({
      ...issuer.options,
      isRevoked: () => thenable((resolve) => resolve(false)) as Promise<boolean>,
    })
    expect(await outcomeOf(verifier, issuer.mint())).toBe('accepted')
  })

  test('that answers too late has been answered 503', async () => {
    const late = [createDeferred<boolean>(), createDeferred<boolean>()] as const
    const hooks = [late[0].promise, late[1].promise]
    const verifier = verifierOf({ ...issuer.options, isRevoked: () => hooks.shift() as Promise<boolean> })
    const token = issuer.mint()
    expect(await outcomeOf(verifier, token)).toBe(UNAVAILABLE)
    expect(await outcomeOf(verifier, token)).toBe(UNAVAILABLE)
    late[0].resolve(false)
    late[1].reject(new Error('late'))
    await turn()
  })

  describe.each([undefined, false] as const)('that takes time (cache: %s) lets nothing through', (cache) => {
    /** What a verifier decides when something happens while the hook is asked; the hook itself refuses nothing. */
    async function decideWhile(options: VerifierOptions, credential: string, happens: () => unknown): Promise<string> {
      let asked = 0
      const isRevoked = async () => {
        asked++
        await happens()
        return false
      }
      const verifier = verifierOf({ ...options, cache, timeoutMs: 2000, isRevoked })
      const outcome = await outcomeOf(verifier, credential)
      expect(asked).toBe(1)
      return outcome
    }

    test('whose token ends meanwhile', async () => {
      const clock = createClock()
      const issuer = createTestIssuer({ clock })
      const token = issuer.mint({ exp: START / 1000 + 10 })
      const decide = (endsAt: number) =>
        decideWhile({ ...issuer.options, clock }, token, () => {
          clock.now = endsAt
        })
      expect(await decide(START + 14_999)).toBe('accepted')
      expect(await decide(START + 15_000)).toBe('expired')
    })

    test('whose signing key is withdrawn meanwhile', async () => {
      const clock = createClock()
      const issuer = createTestIssuer({ issuer: 'https://issuer.example', clock })
      const successor = createTestIssuer({ issuer: 'https://issuer.example', clock, kid: 'successor' })
      let set = issuer.jwks
      const options = {
        issuer: [{ issuer: issuer.issuer, jwksUri: 'https://issuer.example/jwks' }],
        clock,
        fetch: async () => Response.json(set),
      }
      const outcome = await decideWhile(options, issuer.mint(), async () => {
        set = successor.jwks
        clock.now = START + 700_000
      })
      expect(outcome).toBe('key')
    })

    test('whose API key is revoked meanwhile, or ends', async () => {
      const store = memoryKeyStore()
      const keyring = createKeyring(store)
      const clock = createClock(Date.now())
      for (const [expected, happens] of [
        ['revoked', (id: string) => keyring.revoke(id)],
        [
          'expired',
          async (id: string) => {
            await keyring.rotate(id, { overlap: '0s' })
            clock.now = Date.now()
          },
        ],
        ['expired', () => Object.assign(clock, { now: Date.now() + 3_600_001 })],
      ] as const) {
        const { key, record } = await keyring.create({ subject: 's', scopes: ['jobs:read'], expiresIn: '1h' })
        expect(await decideWhile({ keys: store, clock }, key, () => happens(record.id))).toBe(expected)
      }
    })

    test('whose API key is revoked meanwhile in a store that tells of no changes', async () => {
      const { watch: _, ...store } = memoryKeyStore()
      const keyring = createKeyring(store)
      const { key, record } = await keyring.create({ subject: 's', scopes: ['jobs:read'] })
      expect(await decideWhile({ keys: store }, key, () => keyring.revoke(record.id))).toBe('revoked')
    })
  })

  test('cannot change what it is asked about', async () => {
    const failures: unknown[] = []
    const verifier = verifierOf({
      ...issuer.options,
      isRevoked(auth: Auth) {
        for (const write of [
          () => Object.assign(auth, { subject: 'admin' }),
          () => (auth.scopes as string[]).push('teams:write'),
          () => Object.assign((auth as { claims: object }).claims, { sub: 'admin' }),
        ]) {
          try {
            write()
          } catch (error) {
            failures.push(error)
          }
        }
        return false
      },
    })
    const auth = await verifier.authenticate({ authorization: `Bearer ${issuer.mint()}` })
    expect(failures).toHaveLength(3)
    expect(auth).toMatchObject({ subject: 'user_123', scopes: ['jobs:read', 'clusters:read'] })
  })
})

describe('a clock that fails', () => {
  const faults: [string, () => unknown][] = [
    ['throws', throwing()],
    ['throws what stands for no credential', throwing(new MissingCredentialsError('x'))],
    ['answers NaN', () => Number.NaN],
    ['answers Infinity', () => Number.POSITIVE_INFINITY],
    ['answers -Infinity', () => Number.NEGATIVE_INFINITY],
    ['answers a negative number', () => -1],
    ['answers more than a Date can hold', () => 1e20],
    ['answers undefined', () => undefined],
    ['answers a Date', () => new Date()],
    ['answers a bigint', () => 1n],
    ['answers a promise', () => Promise.resolve(START)],
  ]
  test.each(faults)(
    'and %s makes every credential 503, cached or new, and no longer than it lasts',
    async (_, fault) => {
      let tell: () => unknown = () => START
      const clock = () => tell() as number
      const issuer = createTestIssuer({ clock: () => START })
      const [known, unseen, expired] = [
        createTestKey({ expiresAt: START + 1000 }),
        createTestKey(),
        createTestKey({ expiresAt: START - 1 }),
      ]
      const store = createOwnStore(known, unseen, expired)
      const verifier = verifierOf({ ...issuer.options, keys: store, clock, storeMaxStaleSeconds: 60 })
      const token = issuer.mint()
      for (const credential of [token, known.key]) expect(await outcomeOf(verifier, credential)).toBe('accepted')
      tell = fault
      for (const credential of [token, issuer.mint(), known.key, unseen.key, expired.key]) {
        expect(await outcomeOf(verifier, credential)).toBe(UNAVAILABLE)
      }
      tell = () => START
      for (const credential of [token, known.key, unseen.key]) {
        expect(await outcomeOf(verifier, credential)).toBe('accepted')
      }
    },
  )

  test('in the middle of a decision ends it as 503', async () => {
    const key = createTestKey()
    const issuer = createTestIssuer({ alg: 'ES384' })
    for (let good = 0; good < 5; good++) {
      let asked = 0
      const clock = () => (asked++ < good ? Date.now() : Number.NaN)
      const verifier = verifierOf({ ...issuer.options, keys: createOwnStore(key), clock, storeMaxStaleSeconds: 60 })
      const outcome = await outcomeOf(verifier, key.key)
      expect(asked > good ? UNAVAILABLE : 'accepted').toBe(outcome)
      asked = 0
      const tokenOutcome = await outcomeOf(verifier, issuer.mint())
      expect(asked > good ? UNAVAILABLE : 'accepted').toBe(tokenOutcome)
    }
  })

  test('in one moment of a look-up is no outage of the store: nothing stale is served for it', async () => {
    const key = createTestKey()
    let bad = Number.POSITIVE_INFINITY
    let asked = 0
    const clock = () => (asked++ === bad ? Number.NaN : START)
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store, clock, storeMaxStaleSeconds: 60 })
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    for (bad = 0; bad < 10; bad++) {
      store.feed.epoch++
      asked = 0
      const outcome = await outcomeOf(verifier, key.key)
      expect(outcome).toBe(asked > bad ? UNAVAILABLE : 'accepted')
    }
  })

  test('during a fetch of keys in the background brings nothing down', async () => {
    const issuer = createTestIssuer({ issuer: 'https://issuer.example', clock: () => START })
    let now: number = START
    const clock = () => now
    const answer = createDeferred<Response>()
    const answers = [Promise.resolve(Response.json(issuer.jwks)), answer.promise]
    const verifier = verifierOf({
      issuer: [{ issuer: issuer.issuer, jwksUri: 'https://issuer.example/jwks' }],
      clock,
      timeoutMs: 5000,
      fetch: () => answers.shift() as Promise<Response>,
    })
    const token = issuer.mint()
    expect(await outcomeOf(verifier, token)).toBe('accepted')
    now = START + 590_000
    expect(await outcomeOf(verifier, token)).toBe('accepted')
    expect(answers).toHaveLength(0)
    now = Number.NaN
    answer.reject(new Error('out of reach'))
    await turn()
    expect(await outcomeOf(verifier, token)).toBe(UNAVAILABLE)
  })
})

describe('the cache', () => {
  test('that is off decides each time, remembers no refusal and watches no store', async () => {
    const [key, later] = [createTestKey(), createTestKey()]
    const store = createOwnStore(key)
    let watched = 0
    store.watch = () => {
      watched++
      return store.feed
    }
    const issuer = createTestIssuer()
    const verifier = verifierOf({ ...issuer.options, keys: store, cache: false, storeMaxStaleSeconds: 60 })
    for (let i = 0; i < 2; i++) expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    expect(store.asked).toHaveLength(2)
    expect(await outcomeOf(verifier, later.key)).toBe('unknown')
    store.rows.set(later.id, later.stored)
    expect(await outcomeOf(verifier, later.key)).toBe('accepted')
    const request = { authorization: `Bearer ${issuer.mint()}` }
    expect(await verifier.authenticate(request)).not.toBe(await verifier.authenticate(request))
    store.onFind = () => Promise.reject(new Error('out of reach'))
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
    expect(watched).toBe(0)
  })

  test('holds no more than it may', async () => {
    const keys = [createTestKey(), createTestKey(), createTestKey()] as const
    const store = createOwnStore(...keys)
    const verifier = verifierOf({ keys: store, cache: { maxEntries: 2 } })
    for (const { key } of keys) await outcomeOf(verifier, key)
    await outcomeOf(verifier, keys[2].key)
    expect(store.asked).toHaveLength(3)
    await outcomeOf(verifier, keys[0].key)
    expect(store.asked).toHaveLength(4)
  })

  test('keeps a key for its TTL', async () => {
    const clock = createClock()
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store, clock, cache: { ttlSeconds: 10 } })
    await outcomeOf(verifier, key.key)
    clock.now = START + 9999
    await outcomeOf(verifier, key.key)
    expect(store.asked).toHaveLength(1)
    clock.now = START + 10_000
    await outcomeOf(verifier, key.key)
    expect(store.asked).toHaveLength(2)
  })
})

describe('revocations of tokens in the store', () => {
  test.each([{}, { cache: false }] as const)('are heeded, and heard of, with %j', async (options) => {
    const issuer = createTestIssuer()
    const store = memoryKeyStore()
    const verifier = verifierOf({ ...issuer.options, ...options, keys: store })
    const [before, after] = ['a', 'b'].map((jti) => issuer.mint({ jti })) as [string, string]
    const keyring = createKeyring(store)
    await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: 'a' })
    expect(await outcomeOf(verifier, before)).toBe('revoked')
    expect(await outcomeOf(verifier, after)).toBe('accepted')
    await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: 'b' })
    expect(await outcomeOf(verifier, after)).toBe('revoked')
  })

  test('are not asked for where no issuer is accepted, and without them nothing is ready where one is', async () => {
    const issuer = createTestIssuer()
    const tokenRevocations = vi.fn(() => Promise.reject(new Error('out of reach')))
    const store = { ...createOwnStore(), tokenRevocations }
    await verifierOf({ keys: store }).ready()
    expect(tokenRevocations).not.toHaveBeenCalled()
    await expect(verifierOf({ ...issuer.options, keys: store }).ready()).rejects.toThrow('out of reach')
  })
})

describe('usage', () => {
  test('is counted for accepted keys alone, cached ones included, and written on close', async () => {
    const [good, bad] = [createTestKey(), createTestKey({ revokedAt: 1 })]
    const issuer = createTestIssuer()
    const store = createOwnStore(good, bad)
    let revoked = false
    const verifier = verifierOf({ ...issuer.options, keys: store, isRevoked: () => revoked })
    for (let i = 0; i < 3; i++) await outcomeOf(verifier, good.key)
    expect(await outcomeOf(verifier, issuer.mint())).toBe('accepted')
    await outcomeOf(verifier, bad.key)
    revoked = true
    await outcomeOf(verifier, good.key)
    expect(store.used).toEqual([])
    await verifier.close()
    expect(store.used).toEqual([{ id: good.id, count: 3 }])
  })

  test('is not counted where the application has a store that only finds', async () => {
    const key = createTestKey()
    const events: string[] = []
    const listener = (message: unknown) => void events.push((message as StoreEvent).event)
    subscribe('vantage-auth:store', listener)
    const verifier = verifierOf({ keys: { find: async () => key.stored } as never })
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    await verifier.close()
    unsubscribe('vantage-auth:store', listener)
    expect(events).toEqual([])
  })
})

describe('close', () => {
  test('makes every bearer credential 503, and nothing else', async () => {
    const issuer = createTestIssuer()
    const key = createTestKey()
    const verifier = verifierOf({ ...issuer.options, keys: createOwnStore(key) })
    const token = issuer.mint()
    for (const credential of [token, key.key]) await outcomeOf(verifier, credential)
    const closed = verifier.close()
    expect(verifier.close()).toBe(closed)
    for (const credential of [token, key.key, issuer.mint(), 'x', 'a b', '']) {
      expect(await outcomeOf(verifier, credential)).toBe(UNAVAILABLE)
    }
    await closed
    for (const credential of [token, key.key]) {
      expect(await errorOf(verifier, credential)).toMatchObject({
        code: UNAVAILABLE,
        cause: { message: 'the verifier is closed' },
      })
    }
    expect(thrownBy(() => verifier.authenticate({ authorization: undefined }))).toMatchObject({ status: 401 })
    await expect(verifier.ready()).rejects.toThrow('the verifier is closed')
  })

  test('leaves a store that was passed in open', async () => {
    const key = createTestKey()
    const store = createOwnStore(key)
    let closed = 0
    store.close = async () => void closed++
    const verifier = verifierOf({ keys: store })
    await outcomeOf(verifier, key.key)
    await verifier.close()
    expect(closed).toBe(0)
  })

  test('closes a store that it opened', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-'))
    const url = `sqlite:${join(folder, 'keys.db')}`
    const keyring = createKeyring(url)
    const { key, record } = await keyring.create({ subject: 'u', scopes: ['jobs:read'] })
    await keyring.close()
    const verifier = verifierOf({ keys: url, timeoutMs: 3000 })
    expect(await outcomeOf(verifier, key)).toBe('accepted')
    await verifier.close()
    // What the verifier wrote last is in there until the last one who has the database open closes it.
    expect(statSync(join(folder, 'keys.db-wal'), { throwIfNoEntry: false })?.size ?? 0).toBe(0)
    const again = createKeyring(url)
    expect((await again.usage(record.id)).total).toBe(1)
    await again.close()
    rmSync(folder, { recursive: true })
  })

  test('waits for the usage that is being written', async () => {
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store, timeoutMs: 5000 })
    await outcomeOf(verifier, key.key)
    store.onAddUsage = () => new Promise((resolve) => setTimeout(resolve, 20))
    await verifier.close()
    expect(store.used).toEqual([{ id: key.id, count: 1 }])
  })

  test('counts the keys that are accepted while it waits for their look-ups', async () => {
    const keys = [createTestKey(), createTestKey()]
    const store = createOwnStore(...keys)
    store.onFind = (id) => new Promise((resolve) => setTimeout(resolve, 20, keys.find((key) => key.id === id)?.stored))
    const verifier = verifierOf({ keys: store, timeoutMs: 5000 })
    const outcomes = keys.map(({ key }) => outcomeOf(verifier, key))
    await turn()
    await verifier.close()
    expect(await Promise.all(outcomes)).toEqual(['accepted', 'accepted'])
    expect(store.used).toEqual(keys.map(({ id }) => ({ id, count: 1 })))
  })

  const stuck: [string, (store: ReturnType<typeof createOwnStore>) => unknown][] = [
    ['addUsage never settles', (store) => Object.assign(store, { onAddUsage: () => new Promise(() => {}) })],
    ['addUsage rejects', (store) => Object.assign(store, { onAddUsage: () => Promise.reject(new Error('broken')) })],
    ['addUsage throws', (store) => Object.assign(store, { addUsage: throwing() })],
    ['the feed never closes', (store) => Object.assign(store.feed, { close: () => new Promise(() => {}) })],
    ['the feed rejects', (store) => Object.assign(store.feed, { close: () => Promise.reject(new Error('broken')) })],
    ['the feed throws', (store) => Object.assign(store.feed, { close: throwing() })],
    ['the feed has no close', (store) => Object.assign(store.feed, { close: undefined })],
  ]
  test.each(stuck)('resolves though %s', async (_, breakStore) => {
    const key = createTestKey()
    const store = createOwnStore(key)
    breakStore(store)
    const verifier = verifierOf({ keys: store })
    expect(await outcomeOf(verifier, key.key)).toBe('accepted')
    await expect(verifier.close()).resolves.toBeUndefined()
    expect(await outcomeOf(verifier, key.key)).toBe(UNAVAILABLE)
  })

  test('leaves no decision open: what is being looked up ends within the time limit', async () => {
    const [waiting, answered] = [createTestKey(), createTestKey()]
    const store = createOwnStore(waiting, answered)
    const answer = createDeferred<unknown>()
    store.onFind = (id) => (id === answered.id ? answer.promise : new Promise(() => {}))
    const verifier = verifierOf({ keys: store })
    const outcomes = [outcomeOf(verifier, waiting.key), outcomeOf(verifier, answered.key)]
    await turn()
    const closed = verifier.close()
    answer.resolve(answered.stored)
    expect(await Promise.all(outcomes)).toEqual([UNAVAILABLE, 'accepted'])
    await closed
  })

  test('ends the wait for a key set', async () => {
    const issuer = createTestIssuer({ issuer: 'https://issuer.example' })
    const verifier = verifierOf({ issuer: issuer.issuer, timeoutMs: 60_000, fetch: () => new Promise(() => {}) })
    const outcome = outcomeOf(verifier, issuer.mint())
    await turn()
    await verifier.close()
    expect(await outcome).toBe(UNAVAILABLE)
  })
})

describe('ready', () => {
  test('rejects with all that is missing, and resolves for good once everything has loaded once', async () => {
    const issuer = createTestIssuer({ issuer: 'https://issuer.example' })
    const clock = createClock()
    const store = createOwnStore()
    let reachable = false
    const down = async () => {
      throw new Error('the database is away')
    }
    store.onFind = down
    const verifier = verifierOf({
      issuer: [{ issuer: issuer.issuer, jwksUri: 'https://issuer.example/jwks' }],
      keys: store,
      clock,
      fetch: async () => {
        if (!reachable) throw new Error('no route to the issuer')
        return Response.json(issuer.jwks)
      },
    })
    await expect(verifier.ready()).rejects.toThrow(
      /^not ready: issuer https:\/\/issuer\.example: .*no route to the issuer.*; key store: the database is away$/,
    )
    store.onFind = undefined
    await expect(verifier.ready()).rejects.toThrow(/^not ready: issuer https:\/\/issuer\.example: [^;]*$/)
    // The store has loaded once; that it is away again is no reason any more.
    store.onFind = down
    reachable = true
    clock.now = START + 60_000
    await expect(verifier.ready()).resolves.toBeUndefined()
    reachable = false
    await expect(verifier.ready()).resolves.toBeUndefined()
  })

  test('is bounded in time', async () => {
    const store = createOwnStore()
    store.onFind = () => new Promise(() => {})
    await expect(verifierOf({ keys: store }).ready()).rejects.toThrow('did not answer within 50 ms')
  })
})

describe('describe and inspect', () => {
  const key = createTestKey()
  const issuer = createTestIssuer({ issuer: 'https://one.example' })

  test('tell what is checked, and no secret', () => {
    const verifier = verifierOf({
      issuer: [
        { issuer: issuer.issuer, jwks: issuer.jwks, audience: ['a', 'b'], algorithms: ['ES256'] },
        { issuer: 'https://two.example', jwksUri: 'https://two.example/jwks?secret=hunter2', profile: 'lenient' },
        { issuer: 'https://three.example/tenant' },
      ],
      keys: createOwnStore(key),
      storeMaxStaleSeconds: 7,
      cache: { ttlSeconds: 60 },
      isRevoked: () => false,
    })
    const policy = verifier.describe()
    expect(policy).toMatchObject({
      issuers: [
        { issuer: 'https://one.example', audience: ['a', 'b'], algorithms: ['ES256'], keySource: 'static' },
        { profile: 'lenient', keySource: 'jwks_uri https://two.example/jwks' },
        { profile: 'rfc9068', keySource: 'discovery https://three.example/tenant', clockToleranceSeconds: 5 },
      ],
      keys: { store: 'a KeyStore of the application', environment: 'live' },
      cache: { maxEntries: 10_000, maxBytes: 16 * 2 ** 20, ttlSeconds: 60 },
      keySetMaxStaleSeconds: 3600,
      storeMaxStaleSeconds: 7,
      isRevoked: true,
      realm: 'vantage',
      timeoutMs: 50,
    })
    expect(JSON.stringify(policy)).not.toContain('hunter2')
    Object.assign(policy, { realm: 'x' })
    expect(verifier.describe().realm).toBe('vantage')
  })

  test('show no credential of a verifier that knows some, nor of its answers', async () => {
    const token = issuer.mint()
    const verifier = verifierOf({ issuer: [{ issuer: issuer.issuer, jwks: issuer.jwks }], keys: createOwnStore(key) })
    const shown = [
      await verifier.authenticate({ authorization: `Bearer ${token}` }),
      await verifier.authenticate({ authorization: `Bearer ${key.key}` }),
      await errorOf(verifier, `${token.slice(0, -8)}AAAAAAAA`),
      await errorOf(verifier, `${key.key.slice(0, -6)}000000`),
      verifier,
    ].map((value) => inspect(value, { depth: 20, showHidden: true, getters: true }))
    for (const text of shown) {
      expect(text).not.toContain(token.slice(0, 40))
      expect(text).not.toContain(token.split('.')[2]?.slice(0, 40))
      expect(text).not.toContain(key.key.slice(21, 60))
      expect(text).not.toContain(key.stored.digest.slice(7))
    }
  })
})

describe('a process with a verifier', () => {
  test('ends by itself while usage is pending, feeds are open and fetches hang', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-'))
    const program = `
      import { createKeyring, createVerifier } from 'vantage-auth'
      const url = ${JSON.stringify(`sqlite:${join(folder, 'keys.db')}`)}
      const keyring = createKeyring(url)
      const { key } = await keyring.create({ subject: 'u', scopes: ['jobs:read'] })
      const verifier = createVerifier({
        issuer: 'https://issuer.example',
        keys: url,
        timeoutMs: 60000,
        fetch: () => new Promise(() => {}),
        isRevoked: (auth) => (auth.name === null ? false : new Promise(() => {})),
      })
      await verifier.authenticate({ authorization: 'Bearer ' + key })
      verifier.ready().catch(() => {})
      const { key: named } = await keyring.create({ subject: 'u', scopes: ['jobs:read'], name: 'n' })
      verifier.authenticate({ authorization: 'Bearer ' + named })
      console.log('decided')
    `
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
      cwd: new URL('../..', import.meta.url),
      env: { ...process.env, NODE_OPTIONS: '', TSX_TSCONFIG_PATH: 'tsconfig.json' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 30_000,
    })
    expect(await outputOf(child)).toEqual({ code: 0, stdout: 'decided\n', stderr: '' })
    rmSync(folder, { recursive: true })
  }, 40_000)
})
