import type { Environment } from '../core/environments.js'

/** One key as a store keeps it. Instants are milliseconds since the epoch. */
export interface StoredKey {
  /** Public identifier, the primary key. */
  readonly id: string
  /** `sha256:<hex>` of the whole key. */
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
}

/** `superseded`: replaced, and still within the overlap. */
export type KeyState = 'active' | 'superseded' | 'expired' | 'revoked'

/** What `KeyStore.list` filters by. Every filter given must hold. */
export interface KeyQuery {
  /** The instant at which `state` is judged. */
  readonly now: number
  readonly id?: string
  readonly subject?: string
  readonly tenant?: string
  readonly state?: KeyState
  /** Not used at or after this instant, and created before it. */
  readonly unusedSince?: number
  /** Neither revoked nor expired, and expires before this instant. */
  readonly expiringBefore?: number
  /** Created before this instant. */
  readonly createdBefore?: number
  /** Replaced, still accepted, and used since its successor was created. */
  readonly supersededInUse?: true
  /** Only what comes after this key in the order of the list. */
  readonly after?: { readonly createdAt: number; readonly id: string }
  readonly limit: number
}

/** Uses of one key on one day (UTC) since the last flush. */
export interface UsageIncrement {
  readonly id: string
  /** `2026-11-25` */
  readonly day: string
  readonly count: number
  readonly lastUsedAt: number
}

/** Uses of one key on one day. */
export interface DayUsage {
  readonly day: string
  readonly count: number
}

/**
 * A key was inserted, changed or deleted; the revocations of tokens have changed; or so much happened that all of it has
 * to be looked at again.
 */
export type KeyChange = ({ readonly id: string } | { readonly tokens: true } | { readonly all: true }) & {
  /** When the change was made, in milliseconds since the epoch, where the store knows: telemetry tells how long it travelled. */
  readonly at?: number | undefined
}

/** How a verifier hears of changes that others make. */
export interface ChangeFeed {
  /**
   * `live`: changes are pushed, and the feed caught up within 5 s. `polling`: push is proven absent, the feed caught up
   * within 5 s. `down`: neither; every cached key is confirmed with the store before it is served.
   */
  readonly state: 'live' | 'polling' | 'down'
  /** Goes up when changes may have been missed; what was cached in an older epoch is confirmed on its next use. */
  readonly epoch: number
  /**
   * Called synchronously before a cached key is served, on every request: a store that has to look for changes looks
   * here, and calls the listener before it returns. Must not throw.
   */
  poll?(): void
  /** Ends the feed; the listener is not called afterwards. */
  close(): Promise<void>
}

/**
 * Where keys live. Bring your own by implementing these few methods; `test/stores.test.ts` is the contract.
 *
 * Methods reject when the store is out of reach; a verifier answers 503 then. None may change a schema but `migrate`.
 */
export interface KeyStore {
  /** The key with this id; `undefined` when there is none. The one method that a verifier needs. */
  find(id: string): Promise<StoredKey | undefined>
  /** Adds a key. Rejects, and writes nothing, when the id exists. */
  insert(key: StoredKey): Promise<void>
  /**
   * Compare and set: in one transaction replaces `current` by `next` and adds `successor`, if the stored row still has
   * `current`'s `expiresAt`, `revokedAt` and `replacedBy`.
   *
   * @returns false, with nothing written, when it has not
   */
  update(current: StoredKey, next: StoredKey, successor?: StoredKey): Promise<boolean>
  /** Newest first: by `createdAt`, then `id`, both descending. At most `limit`. */
  list(query: KeyQuery): Promise<readonly ListedKey[]>
  /** Adds counts; last use only moves forward. Ids that are no longer there are ignored. */
  addUsage(increments: readonly UsageIncrement[]): Promise<void>
  /** Uses of a key per day, oldest first, from `sinceDay` on, and its total over all days. */
  readUsage(id: string, sinceDay: string): Promise<{ readonly total: number; readonly days: readonly DayUsage[] }>
  /**
   * Adds a revocation of tokens, and drops those that have ended. Rejects when there are 100 000 already. A store without
   * it, and without `tokenRevocations`, refuses no tokens.
   */
  addTokenRevocation?(revocation: StoredTokenRevocation): Promise<void>
  /** The revocations of tokens that have not ended at an instant, in any order. */
  tokenRevocations?(now: number): Promise<readonly StoredTokenRevocation[]>
  /**
   * What was done to keys and tokens, newest first. `insert`, `update` and `addTokenRevocation` write it in their own
   * transaction: a creation, a rotation where there is a successor, and a revocation where `revokedAt` is new.
   */
  readAudit?(query: AuditQuery): Promise<readonly StoredAuditEntry[]>
  /**
   * Follows changes to keys and to revocations of tokens, by whatever program. Returns at once; connects in the
   * background. A store without it is asked on every request.
   */
  watch?(listener: (change: KeyChange) => void): ChangeFeed
  /** Creates or updates the schema, under a lock; called by the administering side only. Resolves to the schema version. */
  migrate?(): Promise<number>
  /** Closes what the store opened. Idempotent; later calls of the other methods reject. */
  close(): Promise<void>
}

/** Access tokens that are refused, as a store keeps it. Of token id, subject and client one is given. Instants are milliseconds. */
export interface StoredTokenRevocation {
  readonly id: string
  readonly issuer: string
  readonly tokenId: string | null
  readonly subject: string | null
  readonly clientId: string | null
  /** With a subject or a client. */
  readonly issuedBefore: number | null
  readonly createdAt: number
  readonly createdBy: string | null
  readonly reason: string | null
  /** From then on no token that it means can still be alive. */
  readonly endsAt: number
}

/** What was done. The last three are what hand-written SQL can do beside it. */
export type AuditAction = 'create' | 'rotate' | 'revoke' | 'revoke_tokens' | 'change' | 'restore' | 'delete'

/** One entry of the audit trail, as a store keeps it. The instant is in milliseconds since the epoch. */
export interface StoredAuditEntry {
  /** Grows with each entry. */
  readonly seq: number
  readonly at: number
  readonly action: AuditAction
  /** The key; with `rotate` the old one. `null` with `revoke_tokens`, and where all keys were deleted. */
  readonly keyId: string | null
  /** With `rotate`, the new key. */
  readonly successorId: string | null
  readonly actor: string | null
  readonly reason: string | null
  /** With `revoke_tokens`, which tokens, as JSON. */
  readonly detail: string | null
}

/** What {@link KeyStore.readAudit} filters by. */
export interface AuditQuery {
  /** Of this key, as the old or the new one. */
  readonly keyId?: string
  /** Only what came before this entry. */
  readonly before?: number
  readonly limit: number
}

/** The state of a key at an instant. Revocation outranks expiry, since it is final. */
export function keyStateAt(key: StoredKey, now: number): KeyState {
  if (key.revokedAt !== null) return 'revoked'
  if (key.expiresAt !== null && key.expiresAt <= now) return 'expired'
  return key.replacedBy === null ? 'active' : 'superseded'
}
