import { setImmediate as nextTurn } from 'node:timers/promises'
import { type AccessTokenAuth, subjectsOf } from '../core/auth.js'
import type { StoredTokenRevocation } from '../store/contract.js'

/** Revocations of tokens, arranged so that one is found, added and removed without a look at the others. */
export interface RevocationIndex {
  /** Whether a verified token is among them. */
  lists(auth: AccessTokenAuth): boolean
  /**
   * Whether sessions of an issuer are revoked, the latest of them without a subject beside it: then nothing refuses the
   * tokens that say no session. An event that names both revokes both at one instant.
   */
  endsOnlySessionsOf(issuer: string): boolean
  /** The issuers whose tokens it names. */
  issuers(): Iterable<string>
  /**
   * Adds a revocation, in place of one with the same id.
   *
   * @throws {TypeError} for what is no revocation: stores may be the application's own, and one that cannot be read must
   *   not be skipped
   */
  add(revocation: unknown): void
  /** Removes the revocation with this id, if there is one. */
  remove(id: string): void
  /** Removes the revocations that have ended at an instant. */
  removeEnded(now: number): void
  readonly size: number
}

/** One revocation. */
interface Entry {
  /** The last second of issue that it refuses; infinite for a single token. */
  readonly until: number
  readonly endsAt: number
  /** Where it stands: among those of the same name. */
  readonly names: Map<string, SameName>
  readonly name: string
}

/** The revocations of one name. There may be thousands, so that each is added and removed without a look at the others. */
interface SameName {
  readonly entries: Set<Entry>
  /** The one that refuses most; `undefined` until somebody asks, after it was removed. */
  widest: Entry | undefined
}

/** What revocations name tokens by. */
const KINDS = ['tokenIds', 'subjects', 'subjectsWithoutSession', 'clients', 'sessions'] as const

type Kind = (typeof KINDS)[number]

/** The revocations of one issuer, by name. */
type IssuerRevocations = { readonly [K in Kind]: Map<string, SameName> } & {
  /** When the latest of a kind was made. A later one may have taken the place of an earlier one of the same name. */
  readonly latest: Map<Kind, number>
}

export function createRevocationIndex(): RevocationIndex {
  const issuers = new Map<string, IssuerRevocations>()
  const entries = new Map<string, Entry>()
  /** When the first of them ends, at the earliest. */
  let firstEnd = Number.POSITIVE_INFINITY

  function ofIssuer(issuer: string): IssuerRevocations {
    const known = issuers.get(issuer)
    if (known !== undefined) return known
    const names = Object.fromEntries(KINDS.map((kind) => [kind, new Map()])) as unknown as IssuerRevocations
    const created = { ...names, latest: new Map() }
    issuers.set(issuer, created)
    return created
  }

  function remove(id: string): void {
    const entry = entries.get(id)
    if (entry === undefined) return
    entries.delete(id)
    const { names, name } = entry
    const sameName = names.get(name)
    if (sameName === undefined) return
    sameName.entries.delete(entry)
    if (sameName.widest === entry) sameName.widest = undefined
    if (sameName.entries.size === 0) names.delete(name)
  }

  return {
    get size() {
      return entries.size
    },

    lists(auth) {
      const revoked = issuers.get(auth.issuer)
      if (revoked === undefined) return false
      const { tokenId, clientId, sessionId, claims } = auth
      // A token that does not say when it was issued counts as issued before any instant.
      const issuedAt = Math.floor(claims.iat ?? Number.NEGATIVE_INFINITY)
      return (
        (tokenId !== null && revoked.tokenIds.has(tokenId)) ||
        (clientId !== null && refuses(revoked.clients.get(clientId), issuedAt)) ||
        (sessionId !== null && refuses(revoked.sessions.get(sessionId), issuedAt)) ||
        refusesOneOf(revoked.subjects, auth, issuedAt) ||
        (sessionId === null && refusesOneOf(revoked.subjectsWithoutSession, auth, issuedAt))
      )
    },

    endsOnlySessionsOf(issuer) {
      const revoked = issuers.get(issuer)
      if (revoked === undefined || revoked.sessions.size === 0) return false
      const latest = (kind: Kind) => revoked.latest.get(kind) ?? Number.NEGATIVE_INFINITY
      return revoked.subjectsWithoutSession.size === 0 || latest('sessions') > latest('subjectsWithoutSession')
    },

    issuers: () => issuers.keys(),

    add(revocation) {
      const { id, issuer, kind, name, until, createdAt, endsAt } = read(revocation)
      remove(id)
      const revoked = ofIssuer(issuer)
      const names = revoked[kind]
      revoked.latest.set(kind, Math.max(createdAt, revoked.latest.get(kind) ?? createdAt))
      const entry = { until, endsAt, names, name }
      entries.set(id, entry)
      const sameName = names.get(name) ?? { entries: new Set(), widest: entry }
      sameName.entries.add(entry)
      if (sameName.widest !== undefined && sameName.widest.until < until) sameName.widest = entry
      names.set(name, sameName)
      firstEnd = Math.min(firstEnd, endsAt)
    },

    remove,

    removeEnded(now) {
      if (now < firstEnd) return
      firstEnd = Number.POSITIVE_INFINITY
      for (const [id, { endsAt }] of entries) {
        if (endsAt <= now) remove(id)
        else firstEnd = Math.min(firstEnd, endsAt)
      }
      for (const [issuer, revoked] of issuers) {
        if (KINDS.every((kind) => revoked[kind].size === 0)) issuers.delete(issuer)
      }
    },
  }
}

/** How many revocations are added before requests are served in between. */
const ADDED_AT_A_TIME = 1000

/**
 * The index of what a store answered.
 *
 * @throws {TypeError} rejects with it for anything but a list of revocations
 */
export async function indexRevocations(answer: unknown): Promise<RevocationIndex> {
  const index = createRevocationIndex()
  if (!Array.isArray(answer)) throw new TypeError('A KeyStore must answer a list of revocations of tokens')
  for (const [i, revocation] of answer.entries()) {
    index.add(revocation)
    if (i % ADDED_AT_A_TIME === ADDED_AT_A_TIME - 1) await nextTurn()
  }
  return index
}

function refuses(revocations: SameName | undefined, issuedAt: number): boolean {
  if (revocations === undefined) return false
  revocations.widest ??= findWidest(revocations.entries)
  return revocations.widest !== undefined && issuedAt <= revocations.widest.until
}

/** Whether a revocation names the subject of a token, by any name that it has. */
function refusesOneOf(revoked: ReadonlyMap<string, SameName>, auth: AccessTokenAuth, issuedAt: number): boolean {
  return revoked.size > 0 && subjectsOf(auth).some((subject) => refuses(revoked.get(subject), issuedAt))
}

function findWidest(entries: Iterable<Entry>): Entry | undefined {
  let widest: Entry | undefined
  for (const entry of entries) if (widest === undefined || entry.until > widest.until) widest = entry
  return widest
}

interface ReadRevocation {
  readonly id: string
  readonly issuer: string
  readonly kind: Kind
  readonly name: string
  readonly until: number
  readonly createdAt: number
  readonly endsAt: number
}

function read(revocation: unknown): ReadRevocation {
  const given = (revocation ?? {}) as Partial<StoredTokenRevocation>
  const { id, issuer, issuedBefore, endsAt } = given
  // It decides nothing; a store of one's own may leave it out.
  const createdAt = Number(given.createdAt) || 0
  const [kind, name] = readName(given)
  if (
    typeof id !== 'string' ||
    typeof issuer !== 'string' ||
    typeof name !== 'string' ||
    typeof endsAt !== 'number' ||
    Number.isNaN(endsAt)
  ) {
    throw new TypeError(NO_REVOCATION)
  }
  return { id, issuer, kind, name, until: readUntil(kind, issuedBefore), createdAt, endsAt }
}

const NO_REVOCATION = 'A KeyStore answered what is not a StoredTokenRevocation'

/** A store that knows of no sessions leaves out what it knows nothing of. */
function readName({
  tokenId,
  subject,
  clientId,
  sessionId,
  withoutSession = false,
}: Partial<StoredTokenRevocation>): readonly [kind: Kind, name: unknown] {
  if (typeof tokenId === 'string') return ['tokenIds', tokenId]
  if (typeof sessionId === 'string') return ['sessions', sessionId]
  if (typeof subject !== 'string') return ['clients', clientId]
  if (typeof withoutSession !== 'boolean') throw new TypeError(NO_REVOCATION)
  return [withoutSession ? 'subjectsWithoutSession' : 'subjects', subject]
}

function readUntil(kind: Kind, issuedBefore: unknown): number {
  // Without an instant, all tokens of a session.
  if (kind === 'tokenIds' || (kind === 'sessions' && issuedBefore === null)) return Number.POSITIVE_INFINITY
  // `iat` has whole seconds: the second in which the instant lies is refused as well.
  const until = Math.floor(Number(issuedBefore ?? Number.NaN) / 1000)
  if (Number.isNaN(until)) throw new TypeError(NO_REVOCATION)
  return until
}
