import type { Environment } from '../core/environments.js'

/**
 * Where keys live. Bring your own by implementing these methods: a keyring and the command line need all that are not
 * optional. `keyStoreContract()` of `vantage-auth/testing` has the tests that it must pass, and
 * `examples/json-file-store.ts` is a store that does.
 *
 * Methods reject when the store is out of reach, and a verifier answers 503 then. Only `migrate` may change a schema.
 */
export interface KeyStore {
  /**
   * The key with this id, or `undefined`. Ids are told apart by case.
   *
   * A verifier has at most 100 of these under way, and one that never settles counts as long as the verifier lives: give
   * your queries a time limit.
   */
  find(id: string): Promise<StoredKey | undefined>

  /**
   * Adds a key. Rejects, and writes nothing, when the id exists.
   *
   * @param limit until when; a store may ignore it, and may write what its caller has given up then
   */
  insert(key: StoredKey, limit?: WriteLimit): Promise<void>

  /**
   * Writes what differs between `current` and `next` and adds `successor`, in one transaction, if the stored key is still as
   * `current` says, in every field: what others have changed since it was read, by hand too, must not be undone. The id of
   * a key never changes. Rejects, and writes nothing, when the id of the successor exists.
   *
   * @param editor with a change of the name or the scopes: who makes it, for the audit trail. A store without `readAudit`
   *   may ignore it.
   * @param limit as with `insert`
   * @returns whether it was written; otherwise somebody else has changed the key, and nothing is written
   */
  update(
    current: StoredKey,
    next: StoredKey,
    successor?: StoredKey,
    editor?: string | null,
    limit?: WriteLimit,
  ): Promise<boolean>

  /**
   * Keys that meet the query, in the order of `sort`, and of equal ones by `id` in the same direction. Without `sort`, newest
   * first. At most `limit`.
   */
  list(query: KeyQuery): Promise<readonly ListedKey[]>

  /** Adds to the counts of uses. The last use only moves forward. Ids that are no longer there are ignored. */
  addUsage(increments: readonly UsageIncrement[]): Promise<void>

  /** Uses of a key on each day from `sinceDay` on, oldest first, and the total of all days. */
  readUsage(id: string, sinceDay: string): Promise<{ readonly total: number; readonly days: readonly DayUsage[] }>

  /**
   * Uses of all keys that are there and meet the query, by day and by key. A store without it has no total: `totalUsage()` of
   * a keyring rejects.
   */
  readTotalUsage?(query: TotalUsageQuery): Promise<StoredTotalUsage>

  /**
   * The ids of keys that were used for the first time on this day (UTC) or later, in any order. At most `limit`. `watch()` of
   * a keyring tells by it of first uses.
   */
  firstUses?(sinceDay: string, limit: number): Promise<readonly string[]>

  /**
   * Adds a revocation of tokens, and drops those that have ended by its `createdAt`, and those that it replaces: of the same
   * issuer and token id, subject, client or session, whose `issuedBefore` and `endsAt` are not later. No `issuedBefore` is the
   * latest one, and one of a subject replaces those `withoutSession` as well. Rejects when 100 000 single tokens, 10 000
   * subjects and clients together, or 100 000 sessions are revoked already: each service keeps all of them in memory. Subjects
   * `withoutSession` count with the sessions.
   *
   * A store without this and `tokenRevocations` refuses no tokens.
   */
  addTokenRevocation?(revocation: StoredTokenRevocation): Promise<void>

  /**
   * Notes an event, and adds the revocations that it asks for, each as `addTokenRevocation` does, in one transaction: all of
   * it is written, or nothing. The revocations may be none. An event whose `digest` is there already, and has not ended by the
   * `createdAt` of this one, has been done: nothing is written then. Of two calls with one digest at the same time, the
   * second one answers `false` only once the first one has committed. Drops events that have ended, at least some of them.
   * Rejects when 200 000 events are kept already.
   *
   * A store without it takes no events from an issuer: `revokeTokensOnce()` of a keyring rejects.
   *
   * @param limit as with `insert`
   * @returns whether it was written
   */
  addTokenRevocationsOnce?(
    event: StoredTokenEvent,
    revocations: readonly StoredTokenRevocation[],
    limit?: WriteLimit,
  ): Promise<boolean>

  /** The revocations of tokens that have not ended at an instant, in any order. */
  tokenRevocations?(now: number): Promise<readonly StoredTokenRevocation[]>

  /**
   * The revocations that name a token: of its issuer, with its token id, one of its subjects, its client or its session; those
   * `withoutSession` name only tokens that have none. Ended ones may be among them. Services ask it about each token that they decide on while the feed is not up, or not read to its end. Without it
   * they read the whole list each time. At most 100 are under way, as with `find()`: one that never settles counts as well.
   */
  findTokenRevocations?(token: TokenNames): Promise<readonly StoredTokenRevocation[]>

  /**
   * What was done to keys and tokens, newest first. The methods that write add the entries in their own transaction:
   * `insert` a creation; `update` a rotation when there is a successor, a revocation when `revokedAt` is new, and an edit
   * when the name or the scopes differ; `addTokenRevocation` and `addTokenRevocationsOnce` a revocation of tokens. What the query asks must hold of each
   * entry.
   */
  readAudit?(query: AuditQuery): Promise<readonly StoredAuditEntry[]>

  /**
   * Tells of changes to keys and to revocations of tokens, whichever program makes them. A change may be told more than
   * once. Returns at once, and connects in the background. A store without it is asked on every request.
   *
   * Nothing is heard before the first reading, and what was changed by then may be cached: a feed that was `down` until then
   * tells of a change of everything before it is up.
   *
   * @param follower who listens. Default: `'service'`.
   */
  watch?(listener: (change: KeyChange) => void, follower?: Follower): ChangeFeed

  /**
   * Asks each service that follows the store whether it has heard of everything that was committed before. Resolves to all
   * services that followed when the question was put: once each of them has answered, or the time is over. Who answers has
   * dropped what it had cached of what changed, and refuses from then on what is revoked.
   *
   * It costs a service nothing until it is asked. Rejects where services cannot be asked.
   *
   * @param limitMs how long to wait for answers, from the question on
   * @param written the question is put once this has resolved, so that a store can get ready to hear the answers while
   *   something is being written. Where it rejects nothing is asked, and the same is rejected. Default: at once.
   */
  askServices?(limitMs: number, written?: Promise<unknown>): Promise<readonly AskedService[]>

  /**
   * Creates the schema or brings it up to date, under a lock. Services never call it. Resolves to the schema's version.
   *
   * @param onNotice is given each thing that the administrator should know of the database, such as grants that are too wide,
   *   as a sentence
   */
  migrate?(onNotice?: (notice: string) => void): Promise<number>

  /**
   * Rejects unless the schema is the one that this store reads. It changes nothing. A keyring with `migrate: false` calls it
   * in place of `migrate`.
   */
  checkSchema?(): Promise<void>

  /**
   * Where the store is, without a password: `postgres://service@db.example:5432/keys` or `sqlite:./keys.db`. It is shown by
   * `describe()` of a verifier, and in notices of outages.
   */
  describe?(): string

  /** Closes what the store opened. May be called again. Afterwards the other methods reject, and feeds are `down`. */
  close(): Promise<void>
}

/** See {@link KeyStore.insert} and {@link KeyStore.update}. */
export interface WriteLimit {
  /**
   * An instant as `performance.now()` counts, in milliseconds. A write that has not begun to commit by then rejects, and
   * nothing of it is written. Default: none.
   */
  readonly before?: number | undefined
}

/** One key as a store keeps it. Instants are milliseconds since the epoch. */
export interface StoredKey {
  /** The public identifier, and the primary key. */
  readonly id: string
  /** `sha256:<hex>` of the whole key. The key itself is stored nowhere. */
  readonly digest: string
  readonly subject: string
  readonly tenant: string | null
  readonly name: string | null
  readonly environment: Environment
  readonly scopes: readonly string[]
  readonly createdAt: number
  readonly createdBy: string | null
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  readonly revokedBy: string | null
  readonly revokedReason: string | null
  /** Id of the key that this one took over from. */
  readonly replaces: string | null
  /** Id of the key that takes over from this one. */
  readonly replacedBy: string | null
}

/** A stored key with its last use, as administration sees it. */
export interface ListedKey extends StoredKey {
  readonly lastUsedAt: number | null
  /** Uses on each day from {@link KeyQuery.usageSince} on, oldest first; absent where the query does not ask. */
  readonly usage?: readonly DayUsage[]
}

/** `superseded`: another key has replaced it, and it is still accepted during the overlap. */
export type KeyState = (typeof KEY_STATES)[number]

export const KEY_STATES = ['active', 'superseded', 'expired', 'revoked'] as const

/** The state of a key at an instant. Revocation outranks expiry, since it is final. */
export function keyStateAt(key: StoredKey, now: number): KeyState {
  if (key.revokedAt !== null) return 'revoked'
  if (key.expiresAt !== null && key.expiresAt <= now) return 'expired'
  return key.replacedBy === null ? 'active' : 'superseded'
}

/** What {@link KeyStore.list} filters by. Every filter given must hold. */
export interface KeyQuery {
  /** The instant at which states and ends are judged. */
  readonly now: number
  readonly id?: string
  readonly subject?: string
  readonly tenant?: string
  readonly state?: KeyState
  /** Created before this instant, and not used at or after it. */
  readonly unusedSince?: number
  /** Neither revoked nor expired, and expires before this instant. */
  readonly expiringBefore?: number
  /** Created before this instant. */
  readonly createdBefore?: number
  /** Replaced, still accepted, and used since its successor was created. */
  readonly supersededInUse?: true
  /**
   * A text that the name, the subject or the hint (`vak_live_0123456789ab…`) contains, in any case: each character stands
   * for its lower-case and its upper-case form as well; of more than 40 different letters beyond A to Z the first 40. 1 to 256
   * characters, none of them a control character.
   */
  readonly search?: string
  /** Only what comes after this place in the order of the list. */
  readonly after?: KeyPlace
  /** Default: by `createdAt`, descending. */
  readonly sort?: KeyOrder
  /** With each key its uses on each day (UTC) from this one on: `2026-11-25`. */
  readonly usageSince?: string
  readonly limit: number
}

/**
 * What keys are sorted by. `null` counts as the latest end, as the earliest use, and as the first name. Names compare by the
 * code points of their first 256 characters, without regard to the case of the letters A to Z.
 */
export interface KeyOrder {
  readonly by: 'createdAt' | 'expiresAt' | 'lastUsedAt' | 'name'
  readonly descending: boolean
}

/**
 * A place in a list of keys: `id`, and the value by which the list is sorted, as the key there had it. Of a name at least its
 * first 256 characters.
 */
export type KeyPlace = Pick<ListedKey, 'id' | 'createdAt'> &
  Partial<Pick<ListedKey, 'expiresAt' | 'lastUsedAt' | 'name'>>

/** What {@link KeyStore.readTotalUsage} counts. Every filter given must hold. */
export interface TotalUsageQuery {
  readonly subject?: string
  readonly tenant?: string
  /** The first day (UTC) that counts: `2026-11-25`. */
  readonly sinceDay: string
  /** How many keys are told. */
  readonly limit: number
}

/** See {@link KeyStore.readTotalUsage}. */
export interface StoredTotalUsage {
  /** Days with uses, oldest first. */
  readonly days: readonly DayUsage[]
  /** The keys with the most uses on those days, most used first, then by id. */
  readonly keys: readonly KeyUses[]
}

/** Uses of one key. */
export interface KeyUses {
  readonly id: string
  readonly count: number
}

/** Uses of one key on one day (UTC) since the last time that they were written. */
export interface UsageIncrement {
  readonly id: string
  /** `2026-11-25` */
  readonly day: string
  readonly count: number
  readonly lastUsedAt: number
}

/** Uses of one key on one day (UTC). */
export interface DayUsage {
  /** `2026-11-25` */
  readonly day: string
  readonly count: number
}

/**
 * What has changed: one key, which was inserted, changed or deleted; the revocations of tokens; or so much that everything
 * has to be looked at again.
 */
export type KeyChange = ({ readonly id: string } | TokenChange | { readonly all: true }) & {
  /** When it was changed, in milliseconds since the epoch, if the store knows. Telemetry shows how long the news took. */
  readonly at?: number | undefined
}

/**
 * A change of the revocations of tokens. A store that says which one was added, changed or removed spares services the
 * reading of all of them.
 */
export interface TokenChange {
  readonly tokens: true
  /** The revocation that was added or changed, as it is now. */
  readonly added?: StoredTokenRevocation
  /** The id of a revocation that is no longer there. */
  readonly removed?: string
}

/** How a verifier hears of changes that others make. */
export interface ChangeFeed {
  /**
   * - `live`: changes are pushed, and the feed has caught up within the last 5 s.
   * - `polling`: changes are not pushed but read again and again, and the feed has caught up within the last 5 s.
   * - `down`: neither. Every cached key and token is confirmed with the store before it is served.
   */
  readonly state: 'live' | 'polling' | 'down'
  /**
   * Goes up when changes may have been missed. What was cached in an older epoch is confirmed on its next use, and may serve for
   * `storeMaxStaleSeconds` in an outage, unless the listener is told of a change of everything.
   */
  readonly epoch: number
  /**
   * Called before a cached key is served, on every request. A store that has to look for changes does it here, and calls
   * the listener before it returns. Must not throw.
   */
  poll?(): void
  /** Ends the feed: it is `down`, and the listener is not called again. May be called again. */
  close(): Promise<void>
}

/**
 * Who follows a store: a `service` decides on credentials, and is asked by {@link KeyStore.askServices}; an `observer` only
 * looks, as `watch()` of a keyring does.
 */
export type Follower = 'service' | 'observer'

/** A service that follows a store, as {@link KeyStore.askServices} found it. What it says of itself may be `null`. */
export interface AskedService {
  /** Name of the machine or container that it runs on. */
  readonly host: string | null
  /** Its process there. */
  readonly pid: number | null
  /** What the connection string calls it (`application_name`), or the name of its program's file. */
  readonly applicationName: string | null
  /** Since when it has followed without a gap, in milliseconds since the epoch; `null` where it has not answered. */
  readonly since: number | null
  /** The number of the newest change that it has heard of, as the store's log counts; `null` where that is not known. */
  readonly heardOf: string | null
  /** How long after the question it answered, in milliseconds; `null` where it has not. */
  readonly answeredAfterMs: number | null
}

/** What a revocation can name a token by. */
export interface TokenNames {
  readonly issuer: string
  readonly tokenId: string | null
  /** Its subject as services show it, which is the first of `subjects`. */
  readonly subject: string
  /** All subjects that it can be revoked by. One at least. */
  readonly subjects: readonly string[]
  readonly clientId: string | null
  readonly sessionId: string | null
}

/**
 * Access tokens that are refused. One of `tokenId`, `subject`, `clientId` and `sessionId` is given. Instants are milliseconds.
 */
export interface StoredTokenRevocation {
  readonly id: string
  readonly issuer: string
  readonly tokenId: string | null
  readonly subject: string | null
  readonly clientId: string | null
  readonly sessionId: string | null
  /** With a subject: only its tokens that carry no session id are refused. */
  readonly withoutSession: boolean
  /**
   * With a subject or a client: tokens that were issued before this instant, or in the same second, are refused. `null` with
   * a token id, and with a session whose tokens are all refused.
   */
  readonly issuedBefore: number | null
  readonly createdAt: number
  readonly createdBy: string | null
  readonly reason: string | null
  /** When all tokens that it refuses have expired, so that it may be dropped. */
  readonly endsAt: number
}

/** An event of an issuer that was acted upon. Instants are milliseconds. */
export interface StoredTokenEvent {
  /** `sha256:<hex>` of its issuer and its id. Neither is stored: they are texts that others choose, of any length. */
  readonly digest: string
  /** `sha256:<hex>` of its issuer alone, so that a store can bound what one of several senders takes. */
  readonly sender: string
  readonly createdAt: number
  /** Until when a repetition is recognized. */
  readonly endsAt: number
}

/** What was done. `change`, `restore` and `delete` happen by hand-written SQL alone. */
export type AuditAction = 'create' | 'edited' | 'rotate' | 'revoke' | 'revoke_tokens' | 'change' | 'restore' | 'delete'

/** One entry of the audit trail. The instant is in milliseconds since the epoch. */
export interface StoredAuditEntry {
  /** Grows with each entry. */
  readonly seq: number
  readonly at: number
  readonly action: AuditAction
  /** The key; with `rotate` the old one. `null` for revocations of tokens, and when all keys were deleted. */
  readonly keyId: string | null
  /** With `rotate`, the new key. */
  readonly successorId: string | null
  readonly actor: string | null
  readonly reason: string | null
  /**
   * A JSON object, or `null` where there is no more to tell.
   *
   * - Of tokens: which were revoked, or had been by a revocation that was changed or deleted by hand. A revocation that has
   *   ended is dropped without an entry.
   * - `edited`: `name` where the name was changed, as it is now; `scopes` and `scopesBefore`, separated by spaces, where
   *   scopes were taken away. The old name is left out: it may be what had to go.
   * - `revoke`: `{"by":"sql"}` where hand-written SQL revoked the key.
   */
  readonly detail: string | null
  /** Subject of the key, as it was then; of a change by hand, before it and after it. `null` for what is of no key. */
  readonly subject: string | null
  /** Tenant of the key, likewise. */
  readonly tenant: string | null
}

/** What {@link KeyStore.readAudit} filters by. */
export interface AuditQuery {
  /** Entries about this key, as the old one or the new one. */
  readonly keyId?: string
  /** Entries of keys of this subject. */
  readonly subject?: string
  /** Entries of keys of this tenant. */
  readonly tenant?: string
  /** Only what came before the entry with this number. */
  readonly before?: number
  /** Only what came after the entry with this number. */
  readonly after?: number
  readonly limit: number
}
