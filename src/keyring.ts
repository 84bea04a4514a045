import type { Environment } from './api-key.js'

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

/** A key was inserted, changed or deleted; or so much happened that every key has to be looked at again. */
export type KeyChange = { readonly id: string } | { readonly all: true }

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
   * Follows changes to keys, by whatever program. Returns at once; connects in the background. A store without it is
   * asked on every request.
   */
  watch?(listener: (change: KeyChange) => void): ChangeFeed
  /** Creates or updates the schema, under a lock; called by the administering side only. Resolves to the schema version. */
  migrate?(): Promise<number>
  /** Closes what the store opened. Idempotent; later calls of the other methods reject. */
  close(): Promise<void>
}
