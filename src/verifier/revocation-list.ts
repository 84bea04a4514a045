import type { StoreChanges } from '../api-key/store-changes.js'
import type { AccessTokenAuth } from '../core/auth.js'
import { answerWithin } from '../core/deadline.js'
import { UnavailableError } from '../core/errors.js'
import type { KeyStore, StoredTokenRevocation } from '../store/contract.js'

/** A copy, in memory, of what a store says of revoked access tokens. */
export interface RevocationList {
  /**
   * Whether a verified token is revoked. Synchronous while nothing has changed since the store was read.
   *
   * While the store is out of reach, what it said before stands: a token needs the store for nothing else.
   *
   * @throws {UnavailableError} (or rejects with it) when the store was never read, or when the list has changed and cannot
   *   be read
   */
  has(auth: AccessTokenAuth): boolean | Promise<boolean>
  /** Resolves, for good, once the store was read. */
  ready(): Promise<void>
}

/** A list that changes during this many readings in a row is given up. */
const MAX_ROUNDS = 10
const MAX_WAITING = 1000
/** Time between two readings of a store that cannot tell of changes, and between two attempts after a failure. */
const READ_AGAIN_MS = 1000

/** The revoked tokens of one issuer. Instants are seconds since the epoch, like `iat`. */
interface IssuerRevocations {
  readonly tokenIds: Set<string>
  /** By subject: tokens issued before this instant are refused. */
  readonly subjects: Map<string, number>
  /** By client: tokens issued before this instant are refused. */
  readonly clients: Map<string, number>
}

type RevocationsByIssuer = ReadonlyMap<string, IssuerRevocations>

/** A reading of the store, and what had been heard of its changes when it began. */
interface Reading {
  readonly revocations: RevocationsByIssuer
  readonly epoch: number | undefined
  readonly generation: number
}

export function createRevocationList(
  read: NonNullable<KeyStore['tokenRevocations']>,
  changes: Pick<StoreChanges, 'currentEpoch' | 'tokenGeneration'>,
  timeoutMs: number,
): RevocationList {
  let latest: Reading | undefined
  let underWay: Promise<void> | undefined
  let failure: { readonly error: unknown; readonly at: number } | undefined
  let begunAt = Number.NEGATIVE_INFINITY
  let waiting = 0

  function readOnce(): Promise<void> {
    underWay ??= readStore().finally(() => {
      underWay = undefined
    })
    return underWay
  }

  async function readStore(): Promise<void> {
    begunAt = performance.now()
    const { tokenGeneration: generation } = changes
    const epoch = changes.currentEpoch()
    try {
      const answer: unknown = await answerWithin(timeoutMs, 'the key store', read(Date.now()))
      latest = { revocations: indexByIssuer(answer), epoch, generation }
      failure = undefined
    } catch (error) {
      failure = { error, at: performance.now() }
      throw error
    }
  }

  /** The latest reading, if nothing is known to have changed since. */
  function findCurrent(epoch = changes.currentEpoch()): Reading | undefined {
    if (latest === undefined || latest.generation !== changes.tokenGeneration) return undefined
    return epoch === undefined || epoch === latest.epoch ? latest : undefined
  }

  /** For a store that tells of no changes at the moment. */
  function refreshInBackground(): void {
    if (performance.now() - begunAt > READ_AGAIN_MS) readOnce().catch(() => {})
  }

  async function readUntilCurrent(): Promise<RevocationsByIssuer> {
    if (waiting >= MAX_WAITING) throw new UnavailableError(new Error('too many requests wait for the key store'))
    waiting++
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        if (failure !== undefined && performance.now() - failure.at < READ_AGAIN_MS) throw failure.error
        await readOnce()
        const current = findCurrent()
        if (current !== undefined) return current.revocations
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
      const epoch = changes.currentEpoch()
      const current = findCurrent(epoch)
      if (current === undefined) return readUntilCurrent().then((revocations) => isListed(revocations, auth))
      if (epoch === undefined) refreshInBackground()
      return isListed(current.revocations, auth)
    },

    async ready() {
      if (latest !== undefined) return
      try {
        await readOnce()
      } catch (error) {
        throw new Error(`key store: ${(error as Error).message}`, { cause: error })
      }
    },
  }
}

/**
 * Whether what a store answered revokes a verified token.
 *
 * @throws {TypeError} for an answer that is not a list of revocations
 */
export function isRevokedBy(answer: unknown, auth: AccessTokenAuth): boolean {
  return isListed(indexByIssuer(answer), auth)
}

function isListed(revocations: RevocationsByIssuer, auth: AccessTokenAuth): boolean {
  const ofIssuer = revocations.get(auth.issuer)
  if (ofIssuer === undefined) return false
  if (auth.tokenId !== null && ofIssuer.tokenIds.has(auth.tokenId)) return true
  // A token that does not say when it was issued counts as issued before any instant.
  const issuedAt = auth.claims.iat ?? Number.NEGATIVE_INFINITY
  const subjectBefore = ofIssuer.subjects.get(auth.subject)
  const clientBefore = auth.clientId === null ? undefined : ofIssuer.clients.get(auth.clientId)
  return (
    (subjectBefore !== undefined && issuedAt < subjectBefore) || (clientBefore !== undefined && issuedAt < clientBefore)
  )
}

/** Stores may be the application's own. A revocation that cannot be read is an error, never one that is skipped. */
function indexByIssuer(answer: unknown): RevocationsByIssuer {
  const byIssuer = new Map<string, IssuerRevocations>()
  if (!Array.isArray(answer)) throw new TypeError('KeyStore.tokenRevocations() must answer a list')
  for (const revocation of answer as Partial<StoredTokenRevocation>[]) {
    const { issuer, tokenId, subject, clientId, issuedBefore } = revocation
    if (typeof issuer !== 'string') throw unreadable()
    const ofIssuer = byIssuer.get(issuer) ?? { tokenIds: new Set(), subjects: new Map(), clients: new Map() }
    byIssuer.set(issuer, ofIssuer)
    if (typeof tokenId === 'string') {
      ofIssuer.tokenIds.add(tokenId)
      continue
    }
    if (typeof issuedBefore !== 'number' || !Number.isFinite(issuedBefore)) throw unreadable()
    const [instants, name] = typeof subject === 'string' ? [ofIssuer.subjects, subject] : [ofIssuer.clients, clientId]
    if (typeof name !== 'string') throw unreadable()
    instants.set(name, Math.max(instants.get(name) ?? 0, issuedBefore / 1000))
  }
  return byIssuer
}

function unreadable(): TypeError {
  return new TypeError('KeyStore.tokenRevocations() answered what is not a StoredTokenRevocation')
}
