import type { KeyLookup } from '../api-key/key-lookup.js'
import type { AccessTokenAuth } from '../core/auth.js'
import { answerWithin } from '../core/deadline.js'
import { UnavailableError } from '../core/errors.js'
import type { KeyStore, StoredTokenRevocation } from '../store/contract.js'

/** The access tokens that a store says are to be refused, in memory. */
export interface RevokedTokens {
  /**
   * Whether a verified token is revoked. Synchronous while nothing has changed since the store was read.
   *
   * While the store is out of reach what it said before holds: tokens do not need it otherwise.
   *
   * @throws {UnavailableError} (or rejects with it) when the store was never read, or has something new to say that cannot
   *   be read
   */
  has(auth: AccessTokenAuth): boolean | Promise<boolean>
  /** Resolves, for good, once the store was read. */
  ready(): Promise<void>
}

/** A store that changes during each of so many readings in a row is given up. */
const MAX_ROUNDS = 10
const MAX_WAITING = 1000
/** Distance of two readings of a store that cannot tell of changes, and of two attempts after a failure. */
const READ_AGAIN_MS = 1000

/** What a reading says of one issuer. */
interface IssuerRevocations {
  readonly tokenIds: Set<string>
  /** Instants before which tokens were issued that are refused, in seconds since the epoch. */
  readonly subjects: Map<string, number>
  readonly clients: Map<string, number>
}

interface Known {
  readonly issuers: ReadonlyMap<string, IssuerRevocations>
  readonly epoch: number | undefined
  readonly generation: number
}

export function createRevokedTokens(
  read: NonNullable<KeyStore['tokenRevocations']>,
  keys: Pick<KeyLookup, 'currentEpoch' | 'tokenGeneration'>,
  timeoutMs: number,
): RevokedTokens {
  let known: Known | undefined
  let reading: Promise<void> | undefined
  let failure: { readonly error: unknown; readonly at: number } | undefined
  let readAt = Number.NEGATIVE_INFINITY
  let waiting = 0

  function load(): Promise<void> {
    reading ??= begin().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function begin(): Promise<void> {
    readAt = performance.now()
    const { tokenGeneration: generation } = keys
    const epoch = keys.currentEpoch()
    try {
      const revocations: unknown = await answerWithin(timeoutMs, 'the key store', read(Date.now()))
      known = { issuers: indexOf(revocations), epoch, generation }
      failure = undefined
    } catch (error) {
      failure = { error, at: performance.now() }
      throw error
    }
  }

  /** What is known, if it can be relied upon now. */
  function current(): Known | undefined {
    const epoch = keys.currentEpoch()
    if (known === undefined || known.generation !== keys.tokenGeneration) return undefined
    if (epoch !== undefined) return epoch === known.epoch ? known : undefined
    if (performance.now() - readAt > READ_AGAIN_MS) load().catch(() => {})
    return known
  }

  async function reload(auth: AccessTokenAuth): Promise<boolean> {
    if (waiting >= MAX_WAITING) throw new UnavailableError(new Error('too many requests wait for the key store'))
    waiting++
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        if (failure !== undefined && performance.now() - failure.at < READ_AGAIN_MS) throw failure.error
        await load()
        const loaded = current()
        if (loaded !== undefined) return isIn(loaded, auth)
      }
      throw new Error('the revocations of tokens change faster than they can be read')
    } catch (error) {
      throw new UnavailableError(error)
    } finally {
      waiting--
    }
  }

  return {
    has(auth) {
      const now = current()
      return now === undefined ? reload(auth) : isIn(now, auth)
    },

    async ready() {
      if (known !== undefined) return
      try {
        await load()
      } catch (error) {
        throw new Error(`key store: ${(error as Error).message}`, { cause: error })
      }
    },
  }
}

/** Whether what a store answers revokes a verified token. */
export function isRevokedBy(revocations: unknown, auth: AccessTokenAuth): boolean {
  return isIn({ issuers: indexOf(revocations) }, auth)
}

function isIn({ issuers }: Pick<Known, 'issuers'>, auth: AccessTokenAuth): boolean {
  const revocations = issuers.get(auth.issuer)
  if (revocations === undefined) return false
  if (auth.tokenId !== null && revocations.tokenIds.has(auth.tokenId)) return true
  // A token that does not say when it was issued may have been issued before.
  const issuedAt = auth.claims.iat ?? Number.NEGATIVE_INFINITY
  const ofSubject = revocations.subjects.get(auth.subject)
  const ofClient = auth.clientId === null ? undefined : revocations.clients.get(auth.clientId)
  return (ofSubject !== undefined && issuedAt < ofSubject) || (ofClient !== undefined && issuedAt < ofClient)
}

/** A store may be the application's own, and a revocation that cannot be read must not be passed over. */
function indexOf(revocations: unknown): Known['issuers'] {
  const issuers = new Map<string, IssuerRevocations>()
  if (!Array.isArray(revocations)) throw new TypeError('KeyStore.tokenRevocations() must answer a list')
  for (const revocation of revocations as Partial<StoredTokenRevocation>[]) {
    const { issuer, tokenId, subject, clientId, issuedBefore } = revocation
    if (typeof issuer !== 'string') throw unreadable()
    const of = issuers.get(issuer) ?? { tokenIds: new Set(), subjects: new Map(), clients: new Map() }
    issuers.set(issuer, of)
    if (typeof tokenId === 'string') {
      of.tokenIds.add(tokenId)
      continue
    }
    if (typeof issuedBefore !== 'number' || !Number.isFinite(issuedBefore)) throw unreadable()
    const [instants, name] = typeof subject === 'string' ? [of.subjects, subject] : [of.clients, clientId]
    if (typeof name !== 'string') throw unreadable()
    instants.set(name, Math.max(instants.get(name) ?? 0, issuedBefore / 1000))
  }
  return issuers
}

function unreadable(): TypeError {
  return new TypeError('KeyStore.tokenRevocations() answered what is not a StoredTokenRevocation')
}
