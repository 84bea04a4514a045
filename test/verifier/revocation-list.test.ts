import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { VerifierOptions } from '../../src/config/options.js'
import type { Keyring } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyChange, KeyStore, StoredTokenRevocation } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { postgresKeyStore } from '../../src/store/postgres/store.js'
import { sqliteKeyStore } from '../../src/store/sqlite/store.js'
import { createTestIssuer } from '../../src/testing/issuer.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'
import { temporaryFolder } from '../store/sqlite-files.js'
import { decide } from '../support/outcome.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { until } from '../support/until.js'

const issuer = createTestIssuer()
const now = () => Math.floor(Date.now() / 1000)

let closers: (() => unknown)[]
beforeEach(() => {
  closers = []
})
afterEach(async () => {
  for (const close of closers.reverse()) await close()
})

function verifier(keys: KeyStore, options: VerifierOptions = {}): Verifier {
  const made = createVerifier({ ...issuer.options, keys, ...options })
  closers.push(() => made.close())
  return made
}

let server: Promise<PostgresServer> | undefined
afterAll(async () => (await server)?.stop())

/** Two stores of one fleet: that of the service, and that of the administration. */
const fleets: [string, () => Promise<[KeyStore, KeyStore]>][] = [
  [
    'in memory',
    async () => {
      const store = memoryKeyStore()
      return [store, store]
    },
  ],
  [
    'in SQLite',
    async () => {
      const folder = temporaryFolder()
      closers.push(folder.remove)
      const open = () => sqliteKeyStore({ path: folder.path('keys.db') })
      return [open(), open()]
    },
  ],
]
if (postgresIsThere()) {
  fleets.push([
    'in Postgres',
    async () => {
      server ??= startPostgres()
      const url = await (await server).emptyDatabase()
      return [
        postgresKeyStore({ connectionString: `${url}?application_name=service` }),
        postgresKeyStore({ connectionString: `${url}?application_name=administration` }),
      ]
    },
  ])
}

describe.each(fleets)('tokens revoked %s', (_, open) => {
  let by: Verifier
  let keyring: Keyring
  beforeEach(async () => {
    const [service, administration] = await open()
    closers.push(
      () => service.close(),
      () => administration.close(),
    )
    keyring = createKeyring(administration)
    await keyring.list()
    by = verifier(service)
  })

  test('are refused within the bound of the store, cached or not, one by its id and no other', async () => {
    const [token, other] = [issuer.mint({ jti: 'one' }), issuer.mint({ jti: 'other' })]
    for (const each of [token, other]) {
      expect(await decide(by, each)).toBe('accepted')
      await until(async () => !(by.authenticate({ authorization: `Bearer ${each}` }) instanceof Promise))
    }
    await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: 'one' })
    await until(async () => (await decide(by, token)) === '401 revoked')
    for (let i = 0; i < 20; i++) expect(await decide(by, token)).toBe('401 revoked')
    expect(await decide(by, other)).toBe('accepted')
  })

  test('are refused by a service that starts later', async () => {
    await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: 'one' })
    expect(await decide(by, issuer.mint({ jti: 'one' }))).toBe('401 revoked')
    expect(await decide(by, issuer.mint())).toBe('accepted')
  })

  test('are those of a subject or a client that were issued before', async () => {
    const instant = now()
    const of = { issuer: issuer.issuer, issuedBefore: new Date(instant * 1000) }
    await keyring.revokeTokens({ ...of, subject: 'stolen' })
    await keyring.revokeTokens({ ...of, clientId: 'leaky' })
    const minted = (claims: Record<string, unknown>) => decide(by, issuer.mint(claims))
    expect(await minted({ sub: 'stolen', iat: instant - 1 })).toBe('401 revoked')
    expect(await minted({ sub: 'stolen', iat: instant })).toBe('accepted')
    expect(await minted({ sub: 'other', iat: instant - 1 })).toBe('accepted')
    expect(await minted({ client_id: 'leaky', iat: instant - 1 })).toBe('401 revoked')
    expect(await minted({ client_id: 'leaky', iat: instant })).toBe('accepted')
    expect(await minted({ client_id: 'stolen', iat: instant - 1 })).toBe('accepted')
  })
})

describe('tokens revoked', () => {
  test('of another issuer do not matter', async () => {
    const store = memoryKeyStore()
    const keyring = createKeyring(store)
    await keyring.revokeTokens({ issuer: `${issuer.issuer}/`, tokenId: 'one' })
    expect(await decide(verifier(store), issuer.mint({ jti: 'one' }))).toBe('accepted')
  })

  test('before an instant are also those that do not say when they were issued', async () => {
    const store = memoryKeyStore()
    await createKeyring(store).revokeTokens({ issuer: issuer.issuer, subject: 'u', issuedBefore: new Date() })
    const by = verifier(store, { profile: 'lenient' })
    expect(await decide(by, issuer.mint({ sub: 'u', iat: undefined } as never))).toBe('401 revoked')
    expect(await decide(by, issuer.mint({ sub: 'v', iat: undefined } as never))).toBe('accepted')
  })

  test('are refused without a cache as well', async () => {
    const store = memoryKeyStore()
    const by = verifier(store, { cache: false })
    const token = issuer.mint({ jti: 'one' })
    expect(await decide(by, token)).toBe('accepted')
    await createKeyring(store).revokeTokens({ issuer: issuer.issuer, tokenId: 'one' })
    expect(await decide(by, token)).toBe('401 revoked')
  })

  test('do not reach isRevoked any more', async () => {
    const store = memoryKeyStore()
    await createKeyring(store).revokeTokens({ issuer: issuer.issuer, tokenId: 'one' })
    const asked: unknown[] = []
    const by = verifier(store, { isRevoked: (auth) => asked.push(auth) < 0 })
    expect(await decide(by, issuer.mint({ jti: 'one' }))).toBe('401 revoked')
    expect(asked).toEqual([])
    expect(await decide(by, issuer.mint())).toBe('accepted')
    expect(asked).toHaveLength(1)
  })
})

/** A store of an application, whose answers the test decides. */
function ownStore(answer: { revocations: () => Promise<unknown>; state?: string }) {
  let tell: ((change: KeyChange) => void) | undefined
  const reads: number[] = []
  const store = {
    find: async () => undefined,
    tokenRevocations(now: number) {
      reads.push(now)
      return answer.revocations()
    },
    watch(listener: (change: KeyChange) => void) {
      tell = listener
      return {
        get state() {
          return answer.state ?? 'live'
        },
        epoch: 1,
        async close() {},
      }
    },
  }
  return { store: store as never, reads, tell: (change: KeyChange) => tell?.(change) }
}

const one: StoredTokenRevocation = {
  id: 'r',
  issuer: issuer.issuer,
  tokenId: 'one',
  subject: null,
  clientId: null,
  issuedBefore: null,
  createdAt: 0,
  createdBy: null,
  reason: null,
  endsAt: 1e15,
}

describe('a store out of reach', () => {
  test('that never said which tokens are revoked means 503, and not ready', async () => {
    const answer = { revocations: () => Promise.reject(new Error('down')) as Promise<unknown> }
    const by = verifier(ownStore(answer).store)
    expect(await decide(by, issuer.mint())).toBe('503')
    await expect(by.ready()).rejects.toThrow(/down/)
    answer.revocations = async () => [one]
    await until(async () => (await decide(by, issuer.mint())) === 'accepted')
    expect(await decide(by, issuer.mint({ jti: 'one' }))).toBe('401 revoked')
    await by.ready()
  })

  test('leaves in force what it said before, and hears of more once it is back', async () => {
    const answer = { revocations: async (): Promise<unknown> => [one], state: 'live' }
    const { store } = ownStore(answer)
    const by = verifier(store)
    const other = issuer.mint({ jti: 'other' })
    expect(await decide(by, other)).toBe('accepted')
    answer.state = 'down'
    answer.revocations = () => Promise.reject(new Error('down'))
    expect(await decide(by, other)).toBe('accepted')
    expect(await decide(by, issuer.mint({ jti: 'one' }))).toBe('401 revoked')
    answer.revocations = async () => [one, { ...one, tokenId: 'other' }]
    answer.state = 'live'
    await until(async () => (await decide(by, other)) === '401 revoked')
  })

  test('after it told of a change means 503 until that can be read', async () => {
    const answer = { revocations: async (): Promise<unknown> => [] }
    const { store, tell } = ownStore(answer)
    const by = verifier(store)
    const token = issuer.mint({ jti: 'one' })
    expect(await decide(by, token)).toBe('accepted')
    answer.revocations = () => Promise.reject(new Error('down'))
    tell({ tokens: true })
    expect(await decide(by, token)).toBe('503')
    answer.revocations = async () => [one]
    await until(async () => (await decide(by, token)) === '401 revoked')
  })

  test.each([
    ['no list', null],
    ['no issuer', [{ ...one, issuer: undefined }]],
    ['nothing that is revoked', [{ ...one, tokenId: null }]],
    ['no instant', [{ ...one, tokenId: null, subject: 'u', issuedBefore: Number.NaN }]],
  ])('or one that answers %s, means 503', async (_, revocations) => {
    const by = verifier(ownStore({ revocations: async () => revocations }).store)
    expect(await decide(by, issuer.mint())).toBe('503')
  })
})

test('a store is read once for many tokens, and again after a change', async () => {
  const { store, reads, tell } = ownStore({ revocations: async () => [one] })
  const by = verifier(store)
  await Promise.all(Array.from({ length: 50 }, () => decide(by, issuer.mint())))
  for (let i = 0; i < 10; i++) await decide(by, issuer.mint())
  expect(reads).toHaveLength(1)
  tell({ id: 'some key' })
  await decide(by, issuer.mint())
  expect(reads).toHaveLength(1)
  for (const change of [{ tokens: true }, { all: true }] as const) {
    tell(change)
    await decide(by, issuer.mint())
  }
  expect(reads).toHaveLength(3)
})

test('a store without revocations of tokens is not asked for them', async () => {
  const store = { find: () => Promise.reject(new Error('down')) } as never
  expect(await decide(verifier(store), issuer.mint())).toBe('accepted')
})
