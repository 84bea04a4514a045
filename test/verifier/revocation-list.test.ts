import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { VerifierOptions } from '../../src/config/options.js'
import type { Keyring } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyChange, KeyStore, StoredTokenRevocation, TokenNames } from '../../src/store/contract.js'
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

/** Waits until a verifier decides on a credential without asking the store, and has no question of it left to ask. */
async function untilCached(by: Verifier, credential: string): Promise<void> {
  const underWay: Promise<unknown>[] = []
  await until(() => {
    const answer = by.authenticate({ authorization: `Bearer ${credential}` })
    if (!(answer instanceof Promise)) return true
    underWay.push(answer.catch(() => {}))
    return false
  })
  await Promise.all(underWay)
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
  let store: KeyStore
  let by: Verifier
  let keyring: Keyring
  beforeEach(async () => {
    const [service, administration] = await open()
    store = service
    closers.push(
      () => service.close(),
      () => administration.close(),
    )
    keyring = createKeyring(administration)
    await administration.migrate?.()
    by = verifier(service)
  })

  test('are refused within the bound of the store, cached or not, one by its id and no other', async () => {
    const [token, other] = [issuer.mint({ jti: 'one' }), issuer.mint({ jti: 'other' })]
    for (const each of [token, other]) {
      expect(await decide(by, each)).toBe('accepted')
      await untilCached(by, each)
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
    expect(await minted({ sub: 'stolen', iat: instant })).toBe('401 revoked')
    expect(await minted({ sub: 'stolen', iat: instant + 1 })).toBe('accepted')
    expect(await minted({ sub: 'other', iat: instant })).toBe('accepted')
    expect(await minted({ client_id: 'leaky', iat: instant })).toBe('401 revoked')
    expect(await minted({ client_id: 'leaky', iat: instant + 1 })).toBe('accepted')
    expect(await minted({ client_id: 'stolen', iat: instant })).toBe('accepted')
  })

  test('cost services what was revoked: the list is not read again, and no token is asked about', async () => {
    const asked: unknown[] = []
    const counted: KeyStore = {
      ...store,
      async tokenRevocations(at) {
        asked.push(at)
        return (await store.tokenRevocations?.(at)) ?? []
      },
      async findTokenRevocations(token) {
        asked.push(token)
        return (await store.findTokenRevocations?.(token)) ?? []
      },
    }
    by = verifier(counted)
    const cached = issuer.mint()
    await untilCached(by, cached)
    asked.length = 0
    for (let i = 0; i < 30; i++) {
      await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: `token ${i}` })
      expect(await decide(by, cached)).toBe('accepted')
    }
    await until(async () => (await decide(by, issuer.mint({ jti: 'token 29' }))) === '401 revoked')
    for (let i = 0; i < 30; i++) expect(await decide(by, issuer.mint({ jti: `token ${i}` }))).toBe('401 revoked')
    expect(asked).toEqual([])
  })

  test('by a keyring of the same store are refused in the very next decision', async () => {
    const own = createKeyring(store)
    const { key, record } = await own.create({ subject: 's', scopes: ['jobs:read'] })
    const replaced = await own.create({ subject: 's', scopes: ['jobs:read'] })
    const token = issuer.mint({ jti: 'one' })
    for (const credential of [key, replaced.key, token]) {
      await untilCached(by, credential)
    }
    await own.revokeTokens({ issuer: issuer.issuer, tokenId: 'one' })
    expect(() => by.authenticate({ authorization: `Bearer ${token}` })).toThrow(/invalid/)
    await own.revoke(record.id)
    expect(await decide(by, key)).toBe('401 revoked')
    await own.rotate(replaced.record.id, { overlap: '0s' })
    expect(await decide(by, replaced.key)).toBe('401 expired')
  })

  test('are refused at once by a service that cannot hear of changes', async () => {
    const { watch: _, ...deaf } = store
    by = verifier(deaf)
    const [token, other] = [issuer.mint({ jti: 'one' }), issuer.mint({ jti: 'other' })]
    for (let i = 0; i < 3; i++) expect(await decide(by, token)).toBe('accepted')
    await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: 'one' })
    expect(await decide(by, token)).toBe('401 revoked')
    expect(await decide(by, other)).toBe('accepted')
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

  test.each([0, 5, 300])(
    'stay refused until the last of them has ended, with a tolerance of %i s and an issuer that is ahead',
    async (clockToleranceSeconds) => {
      let clock = Date.now()
      const store = memoryKeyStore()
      const by = verifier(store, { clock: () => clock, clockToleranceSeconds })
      const iat = Math.floor(clock / 1000) + clockToleranceSeconds
      const claims = { iat, exp: iat + 3600 }
      const [single, bySubject] = [issuer.mint({ ...claims, jti: 'one' }), issuer.mint({ ...claims, sub: 'stolen' })]
      const of = { issuer: issuer.issuer }
      const keyring = createKeyring(store)
      await keyring.revokeTokens({ ...of, tokenId: 'one' }, { tokenLife: '1h' })
      await keyring.revokeTokens({ ...of, subject: 'stolen', issuedBefore: iat * 1000 }, { tokenLife: '1h' })
      const later = verifier(store, { clock: () => clock, clockToleranceSeconds })
      for (const at of [clock, 1000 * (iat + 3600 + clockToleranceSeconds) - 1]) {
        clock = at
        for (const each of [single, bySubject]) {
          expect(await decide(by, each)).toBe('401 revoked')
          expect(await decide(later, each)).toBe('401 revoked')
        }
      }
      clock += 1
      expect(await decide(by, single)).toBe('401 expired')
    },
  )

  test('while isRevoked is asked are refused, cached or not', async () => {
    for (const cache of [undefined, false] as const) {
      const store = memoryKeyStore()
      const keyring = createKeyring(store)
      const by = verifier(store, {
        cache,
        isRevoked: async () => {
          await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: 'one' })
          return false
        },
      })
      expect(await decide(by, issuer.mint({ jti: 'one' }))).toBe('401 revoked')
    }
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
function ownStore(answer: { revocations: () => Promise<unknown>; state?: string; canFind?: boolean }) {
  let tell: ((change: KeyChange) => void) | undefined
  const reads: number[] = []
  const asked: unknown[] = []
  const store = {
    find: async () => undefined,
    tokenRevocations(now: number) {
      reads.push(now)
      return answer.revocations()
    },
    ...(answer.canFind && {
      async findTokenRevocations(token: TokenNames) {
        asked.push(token.tokenId)
        return ((await answer.revocations()) as StoredTokenRevocation[]).filter(
          ({ tokenId }) => tokenId === token.tokenId,
        )
      },
    }),
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
  return { store: store as never, reads, asked, tell: (change: KeyChange) => tell?.(change) }
}

const one: StoredTokenRevocation = {
  id: 'r',
  issuer: issuer.issuer,
  tokenId: 'one',
  subject: null,
  clientId: null,
  sessionId: null,
  withoutSession: false,
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

  test('that tells of a revocation while it is asked about the token, and answers as before it, has revoked it', async () => {
    let answerNow = () => {}
    const revocations = new Promise<unknown>((resolve) => {
      answerNow = () => resolve([])
    })
    const { store, tell, asked } = ownStore({ revocations: () => revocations, state: 'down', canFind: true })
    const decision = decide(verifier(store), issuer.mint({ jti: 'one' }))
    await until(() => asked.length > 0)
    tell({ tokens: true, added: one })
    answerNow()
    expect(await decision).toBe('401 revoked')
  })

  test.each([true, false])('means 503 to tokens that it did not confirm (asked one by one: %s)', async (canFind) => {
    const answer = { revocations: async (): Promise<unknown> => [one], state: 'live', canFind }
    const by = verifier(ownStore(answer).store)
    const other = issuer.mint({ jti: 'other' })
    await untilCached(by, other)
    answer.state = 'down'
    answer.revocations = () => Promise.reject(new Error('down'))
    expect(await decide(by, other)).toBe('503')
    // What is known to be revoked stays so.
    expect(await decide(by, issuer.mint({ jti: 'one' }))).toBe('401 revoked')
    answer.revocations = async () => [one, { ...one, id: 's', tokenId: 'other' }]
    expect(await decide(by, other)).toBe('401 revoked')
    answer.state = 'live'
    expect(await decide(by, other)).toBe('401 revoked')
  })

  test.each([true, false])(
    'leaves in force what it said before for storeMaxStaleSeconds (asked one by one: %s)',
    async (canFind) => {
      let clock = Date.now()
      const answer = { revocations: async (): Promise<unknown> => [one], state: 'live', canFind }
      const by = verifier(ownStore(answer).store, { storeMaxStaleSeconds: 60, clock: () => clock })
      const [other, another] = [issuer.mint({ jti: 'other' }), issuer.mint({ jti: 'another' })]
      await untilCached(by, other)
      answer.state = 'down'
      clock += 30_000
      // Confirmed by a question of its own.
      expect(await decide(by, another)).toBe('accepted')
      answer.revocations = () => Promise.reject(new Error('down'))
      clock += 29_999
      expect(await decide(by, other)).toBe('accepted')
      expect(await decide(by, issuer.mint({ jti: 'one' }))).toBe('401 revoked')
      clock += 30_000
      expect(await decide(by, another)).toBe('accepted')
      if (canFind) expect(await decide(by, other)).toBe('503')
      clock += 1
      expect(await decide(by, another)).toBe('503')
    },
  )

  test.each([true, false])(
    'is none because too many requests wait: nothing stale is served for it (asked one by one: %s)',
    async (canFind) => {
      const answer = { revocations: async (): Promise<unknown> => [], state: 'down', canFind }
      const by = verifier(ownStore(answer).store, { storeMaxStaleSeconds: 600 })
      const token = issuer.mint({ jti: 'one' })
      expect(await decide(by, token)).toBe('accepted')
      // It is up, and has revoked the token.
      let answerAll = () => {}
      answer.revocations = () =>
        new Promise((resolve) => {
          answer.revocations = async () => [one]
          answerAll = () => resolve([one])
        })
      const outcomes = Promise.all(Array.from({ length: 1001 }, () => decide(by, token)))
      await new Promise(setImmediate)
      answerAll()
      expect((await outcomes).sort()).toEqual([...Array(1000).fill('401 revoked'), '503'])
    },
  )

  test.each([true, false])(
    'is none whose answer cannot be read: nothing stale is served for it (asked one by one: %s)',
    async (canFind) => {
      const answer = { revocations: async (): Promise<unknown> => [], state: 'down', canFind }
      const by = verifier(ownStore(answer).store, { storeMaxStaleSeconds: 600 })
      const token = issuer.mint({ jti: 'one' })
      expect(await decide(by, token)).toBe('accepted')
      answer.revocations = async () => [{ ...one, endsAt: 'soon' }]
      expect(await decide(by, token)).toBe('503')
      answer.revocations = () => Promise.reject(new Error('down'))
      expect(await decide(by, token)).toBe('accepted')
    },
  )

  test.each(['down', 'deaf'])('accepts nothing that it refused while its changes were not heard: %s', async (how) => {
    let clock = Date.now()
    const bySubject = { ...one, tokenId: null, subject: 'victim', issuedBefore: clock, endsAt: clock + 30_000 }
    const answer = { revocations: async (): Promise<unknown> => [], state: 'live', canFind: true }
    const { store } = ownStore(answer)
    const { watch: _, ...deaf } = store as KeyStore
    const findTokenRevocations = async () => (await answer.revocations()) as StoredTokenRevocation[]
    const keys = { ...(how === 'deaf' ? deaf : (store as KeyStore)), findTokenRevocations }
    const by = verifier(keys, { storeMaxStaleSeconds: 60, clock: () => clock })
    // Issued at the instant of the revocation, however late it is minted.
    const iat = Math.floor(clock / 1000)
    const mint = (jti: string) => issuer.mint({ sub: 'victim', jti, iat, exp: iat + 3600 })
    const [token, another] = [mint('first'), mint('second')]
    for (const each of [token, another]) expect(await decide(by, each)).toBe('accepted')
    answer.state = 'down'
    answer.revocations = async () => [bySubject]
    expect(await decide(by, token)).toBe('401 revoked')
    answer.revocations = () => Promise.reject(new Error('out of reach'))
    for (const each of [token, another]) expect(await decide(by, each)).toBe('401 revoked')
    clock += 29_999
    expect(await decide(by, token)).toBe('401 revoked')
  })

  test('does not forget what it refused while its list was being read', async () => {
    const answer = { revocations: async (): Promise<unknown> => [one], state: 'live', canFind: true }
    const { store } = ownStore(answer)
    let endReading = (_: StoredTokenRevocation[]) => {}
    const tokenRevocations = () =>
      new Promise<StoredTokenRevocation[]>((resolve) => {
        endReading = resolve
      })
    const by = verifier({ ...(store as KeyStore), tokenRevocations }, { storeMaxStaleSeconds: 60 })
    const token = issuer.mint({ jti: 'one' })
    expect(await decide(by, token)).toBe('401 revoked')
    answer.state = 'down'
    // It was asked before the token was revoked.
    endReading([])
    await new Promise(setImmediate)
    answer.revocations = () => Promise.reject(new Error('out of reach'))
    expect(await decide(by, token)).toBe('401 revoked')
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

  test('after it told of a change leaves nothing in force that it said before', async () => {
    const answer = { revocations: async (): Promise<unknown> => [], canFind: true }
    const { store, tell, asked } = ownStore(answer)
    const by = verifier(store, { storeMaxStaleSeconds: 600 })
    await by.ready()
    const token = issuer.mint({ jti: 'one' })
    expect(await decide(by, token)).toBe('accepted')
    // The list was enough.
    expect(asked).toEqual([])
    answer.revocations = () => Promise.reject(new Error('down'))
    tell({ tokens: true })
    expect(await decide(by, token)).toBe('503')
  })

  test('answered before with what has ended: that refuses nothing', async () => {
    const clock = Date.now()
    const answer = {
      revocations: async (): Promise<unknown> => [{ ...one, endsAt: clock }],
      state: 'down',
      canFind: true,
    }
    const by = verifier(ownStore(answer).store, { storeMaxStaleSeconds: 60, clock: () => clock })
    const token = issuer.mint({ jti: 'one' })
    for (let i = 0; i < 2; i++) expect(await decide(by, token)).toBe('accepted')
    answer.revocations = () => Promise.reject(new Error('down'))
    expect(await decide(by, token)).toBe('accepted')
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

describe('a feed that is not up', () => {
  test.each(['down', 'broken'])('has each token confirmed after its request has arrived: %s', async (state) => {
    const { store, asked, reads } = ownStore({ revocations: async () => [one], state, canFind: true })
    const by = verifier(store)
    expect(await decide(by, issuer.mint({ jti: 'one' }))).toBe('401 revoked')
    const other = issuer.mint({ jti: 'other' })
    for (let i = 0; i < 3; i++) expect(await decide(by, other)).toBe('accepted')
    expect(asked).toEqual(['one', 'other', 'other', 'other'])
    expect(reads).toEqual([])
  })

  test('has the whole list read by a store that cannot be asked about a token, once for all that wait', async () => {
    const { store, reads } = ownStore({ revocations: async () => [one], state: 'down' })
    const by = verifier(store)
    const other = issuer.mint({ jti: 'other' })
    expect(await decide(by, other)).toBe('accepted')
    expect(reads).toHaveLength(1)
    await Promise.all(Array.from({ length: 50 }, () => decide(by, other)))
    expect(reads).toHaveLength(2)
    expect(await decide(by, other)).toBe('accepted')
    expect(reads).toHaveLength(3)
  })
})

describe('a change of the revocations', () => {
  test('that says what was added or removed costs no reading, and one that does not costs one', async () => {
    const { store, reads, tell } = ownStore({ revocations: async () => [], canFind: true })
    const by = verifier(store)
    const token = issuer.mint({ jti: 'one' })
    const served = () => untilCached(by, token)
    await served()
    tell({ tokens: true, added: one })
    expect(await decide(by, token)).toBe('401 revoked')
    tell({ tokens: true, removed: one.id })
    expect(await decide(by, token)).toBe('accepted')
    expect(reads).toHaveLength(1)
    tell({ tokens: true, added: { ...one, endsAt: undefined } as never })
    expect(await decide(by, token)).toBe('accepted')
    await served()
    expect(reads).toHaveLength(2)
  })

  test('that is heard while the list is being read is not lost', async () => {
    let answer = (_: unknown) => {}
    const answered = new Promise((resolve) => {
      answer = resolve
    })
    const { store, tell } = ownStore({ revocations: () => answered })
    const by = verifier(store)
    const waiting = decide(by, issuer.mint({ jti: 'one' }))
    await new Promise((resolve) => setTimeout(resolve, 20))
    tell({ tokens: true, added: one })
    answer([])
    expect(await waiting).toBe('401 revoked')
    expect(await decide(by, issuer.mint({ jti: 'one' }))).toBe('401 revoked')
  })

  test('is forgotten once it has ended', async () => {
    let clock = Date.now()
    const { store, tell } = ownStore({ revocations: async () => [] })
    const by = verifier(store, { clock: () => clock })
    const token = issuer.mint({ jti: 'one', exp: now() + 7200 })
    expect(await decide(by, token)).toBe('accepted')
    tell({ tokens: true, added: { ...one, endsAt: clock + 3_600_000 } })
    expect(await decide(by, token)).toBe('401 revoked')
    clock += 3_600_000
    expect(await decide(by, token)).toBe('accepted')
  })
})

describe('a clock that runs ahead for a while and is set back', () => {
  const HOUR = 3_600_000
  /** A service whose list was read, with one revocation that ends in an hour; tokens outlive all that its clock does. */
  async function setUp({ storeMaxStaleSeconds = 0, canFind = true } = {}) {
    const clock = { now: Date.now() }
    const start = clock.now
    const revoked = { ...one, endsAt: start + HOUR }
    const answer = { revocations: async (): Promise<unknown> => [], state: 'live', canFind }
    const own = ownStore(answer)
    // Like any store, it leaves out what has ended by the clock of who asks.
    answer.revocations = async () => [revoked].filter(({ endsAt }) => endsAt > (own.reads.at(-1) as number))
    const by = verifier(own.store, { clock: () => clock.now, storeMaxStaleSeconds })
    const exp = Math.floor(start / 1000) + 48 * 3600
    const [token, other] = [issuer.mint({ jti: 'one', exp }), issuer.mint({ jti: 'other', exp })]
    await by.ready()
    expect(await decide(by, token)).toBe('401 revoked')
    return { ...own, by, clock, start, answer, token, other, exp }
  }

  test.each([true, false])('brings back what has not ended (asked one by one: %s)', async (canFind) => {
    const { by, clock, start, token, other, reads } = await setUp({ canFind })
    clock.now = start + 5 * HOUR
    expect(await decide(by, other)).toBe('accepted')
    clock.now = start
    expect(await decide(by, token)).toBe('401 revoked')
    await until(async () => {
      expect(await decide(by, token)).toBe('401 revoked')
      return reads.length === 2
    })
    await untilCached(by, other)
    expect(await decide(by, token)).toBe('401 revoked')
    expect(reads).toEqual([start, start])
  })

  test('brings back what was not read meanwhile', async () => {
    const { by, clock, start, token, other, tell, reads } = await setUp({ canFind: false })
    clock.now = start + 5 * HOUR
    tell({ tokens: true })
    expect(await decide(by, other)).toBe('accepted')
    clock.now = start
    expect(await decide(by, token)).toBe('401 revoked')
    expect(reads).toEqual([start, start + 5 * HOUR, start])
  })

  test('while the list is being read: nobody is accepted by that reading', async () => {
    const { by, clock, start, token, other, answer, tell, reads } = await setUp({ canFind: false })
    clock.now = start + 5 * HOUR
    expect(await decide(by, other)).toBe('accepted')
    let endReading = () => {}
    const { revocations } = answer
    answer.revocations = async () => {
      await new Promise<void>((resolve) => (endReading = resolve))
      return []
    }
    tell({ tokens: true })
    const waiting = decide(by, token)
    await until(() => reads.length === 2)
    answer.revocations = revocations
    clock.now = start
    endReading()
    expect(await waiting).toBe('503')
    expect(await decide(by, token)).toBe('401 revoked')
  })

  test('by a second or less has nothing read again, however often', async () => {
    const { by, clock, start, other, reads } = await setUp({ canFind: false })
    for (let i = 0; i < 20; i++) {
      clock.now = start + (i % 2 === 0 ? -1000 : 3)
      expect(await decide(by, other)).toBe('accepted')
    }
    expect(reads).toEqual([start])
    clock.now = start - 1001
    expect(await decide(by, other)).toBe('accepted')
    expect(reads).toEqual([start, start - 1001])
  })

  test('leaves nothing in force that the store confirmed before, when the store is out of reach', async () => {
    const { by, clock, start, answer, other, exp } = await setUp({ storeMaxStaleSeconds: 60 })
    clock.now = start + 5 * HOUR
    expect(await decide(by, other)).toBe('accepted')
    answer.state = 'down'
    answer.revocations = () => Promise.reject(new Error('down'))
    clock.now = start
    expect(await decide(by, issuer.mint({ jti: 'one', exp }))).toBe('503')
    // Five hours later nothing was confirmed a moment ago.
    clock.now = start + 5 * HOUR + 1000
    expect(await decide(by, other)).toBe('503')
  })
})

test('a store without revocations of tokens is not asked for them', async () => {
  const store = { find: () => Promise.reject(new Error('down')) } as never
  expect(await decide(verifier(store), issuer.mint())).toBe('accepted')
})
