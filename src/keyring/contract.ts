import type { VocabularyOptions } from '../config/vocabulary.js'
import type { Duration } from '../core/duration.js'
import type { Environment } from '../core/environments.js'
import type { Scope } from '../core/scope.js'
import type { DayUsage, KeyState, KeyUses } from '../store/contract.js'
import type { AuditEntry, KeyRecord, TokenRevocation } from './records.js'
import type { TokenSelector } from './token-selector.js'

/** See {@link createKeyring}. */
export interface KeyringOptions extends VocabularyOptions {
  /** Deployment that new keys belong to. Services of another one refuse them. Default: `'live'`. */
  environment?: Environment | undefined
  /**
   * Life of keys that are created without one of their own; `null` for keys without an end. A number is seconds: `90` is a
   * minute and a half, `'90d'` are 90 days. Default: `'365d'`.
   */
  expiresIn?: Duration | null | undefined
  /**
   * Whether the keyring creates the store's schema, or brings it up to date, before its first operation. With `false` it
   * never does: on a store without a schema, or with an old one, each operation rejects with a KeyStoreError that names the
   * cure. Default: `true`.
   */
  migrate?: boolean | undefined
  /** Milliseconds since the epoch; for tests. A store's own entries, of its audit trail for example, are not of this time. Default: `Date.now`. */
  clock?: (() => number) | undefined
}

/** See {@link Keyring.create}. Texts have 1 to 256 characters, none of them a control character. */
export interface CreateKeyOptions {
  /** Whom requests with this key stand for: what `auth.subject` will be. */
  subject: string
  /**
   * What the key grants: one scope at least, all of the vocabulary. A scope implies no other. `isScope(text)` tells whether
   * a text from outside is one.
   */
  scopes: readonly Scope[]
  /** What people call the key. */
  name?: string | null | undefined
  /** What `auth.tenant` will be. */
  tenant?: string | null | undefined
  /**
   * From now, at least one second; `null` for a key without an end. A number is seconds: `90` is a minute and a half, `'90d'`
   * are 90 days. Default: the keyring's `expiresIn`.
   */
  expiresIn?: Duration | null | undefined
  /** The key ends at this instant at the latest, whatever `expiresIn` says. Not past. Default: no such bound. */
  notAfter?: Date | undefined
  /** Deployment that the key belongs to. Default: the keyring's. */
  environment?: Environment | undefined
  /** Who creates it, for the record. */
  actor?: string | null | undefined
  /**
   * Milliseconds from the call after which nothing is written any more, 1 to 3 600 000: the call rejects with a KeyStoreError
   * then. For whoever waits no longer, and must not leave a key behind that nobody holds. It does not end the waiting: a
   * write that commits at that moment is still waited for. A store of your own may ignore it while it writes. Default: none.
   */
  timeoutMs?: number | undefined
}

/** See {@link Keyring.rotate}. */
export interface RotateKeyOptions {
  /** How long the old key is still accepted, at most to its own expiry; `'0s'` ends it at once. Default: `'24h'`. */
  overlap?: Duration | undefined
  /** The successor ends at this instant at the latest, whatever the life of the old key. Not past. Default: no such bound. */
  notAfter?: Date | undefined
  /** Who rotates it; becomes `createdBy` of the successor. */
  actor?: string | null | undefined
  /** As with {@link CreateKeyOptions.timeoutMs}. The old key keeps its end as well. */
  timeoutMs?: number | undefined
}

/** See {@link Keyring.edit}. At least one of `name` and `scopes` is given. */
export interface EditKeyOptions {
  /** What people call the key; `null` for no name. */
  name?: string | null | undefined
  /** The scopes that it keeps: one at least, and none that it does not have. */
  scopes?: readonly (Scope | (string & {}))[] | undefined
  /** Who edits it, for the audit trail. */
  actor?: string | null | undefined
}

/** See {@link Keyring.revoke}. */
export interface RevokeKeyOptions {
  reason?: string | null | undefined
  /** Who revokes it, for the record. */
  actor?: string | null | undefined
}

/** See {@link Keyring.revoke} and {@link Keyring.revokeTokens}. */
export interface ConfirmOptions {
  /**
   * How long to wait until each service that follows the store has said that it refuses what is revoked: 1 second to 10
   * minutes, from the commit. A number is seconds. It may take up to 5 seconds longer where the store itself is slow or out of
   * reach.
   *
   * A service that has lost the store, or whose session the server has just ended, is not counted, and may accept what is
   * revoked for 5 seconds more, and for its `storeMaxStaleSeconds` while it cannot reach the store.
   */
  confirm: Duration
}

/** What was revoked, and who has confirmed it. See {@link ConfirmOptions}. */
export interface Confirmed<Revoked> {
  readonly record: Revoked
  readonly confirmation: Confirmation
}

/** Which services have said that they refuse what was revoked. */
export interface Confirmation {
  /** How many services follow the store. */
  readonly services: number
  /** How many of them have said that they refuse it. */
  readonly confirmed: number
  /** When the last of these said so, in whole milliseconds after it was written; `null` where none did. */
  readonly lastAfterMs: number | null
  /** Those that have not answered in time; absent where all have. */
  readonly unanswered?: readonly ServiceName[]
}

/** By what people find a service. What is not known is `null`. */
export interface ServiceName {
  /** Name of the machine or container that it runs on. */
  readonly host: string | null
  /** Its process there. */
  readonly pid: number | null
  /** What its connection string calls it (`application_name`), or the name of its program's file. */
  readonly applicationName: string | null
}

/** A service that follows the store. See {@link Keyring.services}. */
export interface FollowingService extends ServiceName {
  /** Since when it has followed without a gap; `null` where it has not answered. */
  readonly since: Date | null
  /** The number of the newest change that it has heard of; `null` where that is not known. */
  readonly heardOf: string | null
  /** Whether it answered in time, and so has heard of everything that was committed before the question. */
  readonly isUpToDate: boolean
}

/** See {@link Keyring.list}. Every filter given must hold. */
export interface ListKeysOptions {
  subject?: string | undefined
  tenant?: string | undefined
  state?: KeyState | undefined
  /** Created before that time, and not used since. In any state: add `state: 'active'` for keys that still work. */
  unusedFor?: Duration | undefined
  /** Still accepted, and not beyond that time. */
  expiringWithin?: Duration | undefined
  /** Created longer ago. */
  olderThan?: Duration | undefined
  /** `true` for keys that were replaced, are still accepted, and were used since: whoever uses them has yet to change. */
  supersededInUse?: boolean | undefined
  /**
   * A text that the name, the hint or the subject contains, in any case: 1 to 256 characters, of which none stands for
   * another. An API key in it is refused.
   */
  search?: string | undefined
  /** `-` in front is descending. What never expires is the latest, never used the earliest, and no name the first. Default: `'-created'`. */
  sort?: KeySort | undefined
  /** Adds {@link KeyRecord.usage}: uses on each of the last so many days (UTC), 1 to 366, today included. Times `limit` at most 36 600. */
  usage?: number | undefined
  /** Where the last page ended. It goes with the same `sort` alone. */
  cursor?: string | null | undefined
  /** Length of a page, 1 to 1000. Default: 100. */
  limit?: number | undefined
}

/** The order of a list of keys. */
export type KeySort = SortName | `-${SortName}`
type SortName = 'created' | 'expires' | 'lastUsed' | 'name'

/** See {@link Keyring.totalUsage}. Every filter given must hold. */
export interface TotalUsageOptions {
  subject?: string | undefined
  tenant?: string | undefined
  /** The last so many days (UTC), 1 to 366, today included. Default: 30. */
  days?: number | undefined
}

/** Uses of several keys within some days. Services count in memory and write every ten seconds. */
export interface TotalUsage {
  readonly total: number
  /** The days (UTC) with uses, oldest first. */
  readonly days: readonly DayUsage[]
  /** The twenty keys with the most uses, most used first. */
  readonly keys: readonly KeyUses[]
}

/** See {@link Keyring.revokeTokens}. */
export interface RevokeTokensOptions {
  reason?: string | null | undefined
  /** Who revokes them, for the record. */
  actor?: string | null | undefined
  /**
   * How long tokens of this issuer live at most, from `iat` to `exp`. The revocation is dropped that long, and ten minutes,
   * after `issuedBefore`, or after now for a single token. A token that lives longer would then be accepted again. The ten
   * minutes are for the clocks: the issuer's may run ahead by `clockToleranceSeconds`, at most 300, and services accept a
   * token for as long after its `exp`. Default: `'365d'`.
   */
  tokenLife?: Duration | undefined
}

/** What an event that an issuer sent is known by. See {@link Keyring.revokeTokensOnce}. */
export interface TokenEvent {
  /** Who sent it. */
  readonly issuer: string
  /** The `jti` of what was sent: 1 to 8192 bytes, of any characters. Of both texts only a digest is stored. */
  readonly id: string
  /** Until when a repetition is recognized. What is more than 366 days from now counts as those 366 days. */
  readonly keepUntil: Date | number
}

/** See {@link Keyring.revokeTokensOnce}. */
export interface RevokeTokensOnceOptions extends RevokeTokensOptions {
  /**
   * Who revokes them, for the record: `receiver`, or a text that begins with `receiver:`, so that nobody takes what an event
   * did for what a person did. Default: `receiver`.
   */
  actor?: string | null | undefined
  /** How long to try, in milliseconds, 1 to 3 600 000. Afterwards nothing is written. Default: as long as the store tries. */
  timeoutMs?: number | undefined
}

/** See {@link Keyring.revokeTokensOnce}. */
export interface RevokedTokensOnce {
  /** Whether the event was there already, so that nothing was written. */
  readonly repeated: boolean
  /** What was written. */
  readonly revocations: readonly TokenRevocation[]
}

/** See {@link Keyring.audit}. */
export interface AuditOptions {
  /** Of this key, as the old or the new one of a rotation. */
  id?: string | undefined
  /** Of keys that had this subject then. */
  subject?: string | undefined
  /** Of keys that had this tenant then. Revocations of tokens are of no tenant. */
  tenant?: string | undefined
  /** Where the last page ended. */
  cursor?: string | null | undefined
  /** Length of a page, 1 to 1000. Default: 100. */
  limit?: number | undefined
}

/**
 * A new key. This is the only time that it can be seen. `key` is not enumerable: `JSON.stringify`, `console.log`, spreading
 * and cloning show only the record.
 */
export interface CreatedKey {
  /** The credential. It is not stored, and cannot be had again. */
  readonly key: string
  readonly record: KeyRecord
}

/** See {@link Keyring.rotate}. */
export interface RotatedKey extends CreatedKey {
  /** The old key, as it is now. */
  readonly previous: KeyRecord
}

/** See {@link Keyring.describe}. */
export interface KeyringDescription {
  /** The scopes that keys may be given, in the order of the vocabulary. */
  readonly scopes: readonly string[]
  /** All deployments that there are. */
  readonly environments: readonly Environment[]
  /** The one that new keys belong to. */
  readonly environment: Environment
  /** Life of a key that is made without one of its own, in the largest unit that tells it whole: `365d`. `null` for no end. */
  readonly defaultLife: string | null
}

/** Uses of a key. Services count in memory and write every ten seconds. */
export interface KeyUsage {
  /** All uses ever. */
  readonly total: number
  readonly lastUsedAt: Date | null
  /** The days (UTC) with uses, oldest first. */
  readonly days: readonly DayUsage[]
}

/** What {@link Keyring.watch} tells. The record is the key as it is when it is told. */
export type KeyEvent =
  | { readonly type: 'created' | 'changed' | 'revoked' | 'first-use'; readonly at: Date; readonly record: KeyRecord }
  /** It cannot tell: many keys have changed at once, keys were deleted, or the store was out of reach. Look at all again. */
  | { readonly type: 'reload' }

/** See {@link Keyring.watch}. */
export interface KeyWatch {
  /** The listener is not called again. May be called again. */
  close(): Promise<void>
}

/**
 * Administers API keys, and revokes access tokens.
 *
 * Each method rejects with a TypeError for a wrong argument, and with a {@link KeyStoreError} when the store cannot be
 * used. It does not decide who may call it: that is the application's part.
 */
export interface Keyring {
  /** What keys can be made of. Asks no store. */
  describe(): KeyringDescription
  /** Makes a key and stores its digest. The key itself is returned here and cannot be had again. */
  create(options: CreateKeyOptions): Promise<CreatedKey>
  /**
   * Replaces an active key. The successor gets its subject, scopes, tenant, name, environment and life; the old key is
   * accepted until the overlap ends. When one key is rotated several times at once, one rotation succeeds.
   *
   * @throws {KeyNotFoundError} for an unknown id
   * @throws {KeyStateError} for a key that is revoked, expired or replaced
   */
  rotate(id: string, options?: RotateKeyOptions): Promise<RotatedKey>
  /**
   * Changes the name of a key, or takes scopes away from it; services hear of it as fast as of a revocation. What others
   * change at the same time stays: scopes are compared with those that the key has when the edit is written. A successor
   * is a key of its own, and keeps its scopes; one that is made afterwards gets those that are left. An edit that changes
   * nothing has no entry in the audit trail.
   *
   * @throws {TypeError} for a scope that the key does not have: make another key for it
   * @throws {KeyNotFoundError} for an unknown id
   * @throws {KeyStateError} for a key that is revoked or expired
   */
  edit(id: string, options: EditKeyOptions): Promise<KeyRecord>
  /**
   * Ends a key for good. A second call changes nothing: the first reason stays. A successor is a key of its own, and stays
   * valid.
   *
   * With `confirm` it resolves once each service that follows the store has said that it refuses the key, or when that time
   * is over: `confirmation.unanswered` names who has not, which is no error. The key is revoked in either case; a second
   * call asks again.
   *
   * @throws {KeyNotFoundError} for an unknown id
   * @throws {KeyStoreError} with `confirm`, for a store of the application's own without `askServices`, before anything is
   *   written
   * @throws {UnconfirmedError} with `confirm`, where the key is revoked and services could not be asked
   */
  revoke(id: string, options: RevokeKeyOptions & ConfirmOptions): Promise<Confirmed<KeyRecord>>
  revoke(id: string, options?: RevokeKeyOptions & { confirm?: undefined }): Promise<KeyRecord>
  revoke(
    id: string,
    options: RevokeKeyOptions & { confirm?: Duration | undefined },
  ): Promise<KeyRecord | Confirmed<KeyRecord>>
  /** The record of a key; `undefined` for an unknown id. */
  get(id: string): Promise<KeyRecord | undefined>
  /**
   * How often a key was used, in all and on each of the last `days` days (1 to 366, today included; default 30).
   *
   * @throws {KeyNotFoundError} for an unknown id
   */
  usage(id: string, options?: { days?: number | undefined }): Promise<KeyUsage>
  /**
   * How often all keys were used together, on each of the last `days` days.
   *
   * @throws {KeyStoreError} for a store of the application's own that keeps no total
   */
  totalUsage(options?: TotalUsageOptions): Promise<TotalUsage>
  /**
   * Keys, newest first unless `sort` says otherwise. `cursor` leads to the next page, and is `null` on the last one.
   *
   * @throws {KeyStoreError} for a store of the application's own that gives keys of another subject or tenant than was asked
   */
  list(options?: ListKeysOptions): Promise<{ readonly keys: readonly KeyRecord[]; readonly cursor: string | null }>
  /**
   * Revokes access tokens in all services that use this store: one token, or all tokens of a subject, of a client or of a
   * session that were issued before an instant. It takes effect as fast as the revocation of a key, and cannot be taken back.
   *
   * It does not check that there are such tokens, nor that a service accepts the issuer. `confirm` is as with `revoke`.
   */
  revokeTokens(
    selector: TokenSelector,
    options: RevokeTokensOptions & ConfirmOptions,
  ): Promise<Confirmed<TokenRevocation>>
  revokeTokens(
    selector: TokenSelector,
    options?: RevokeTokensOptions & { confirm?: undefined },
  ): Promise<TokenRevocation>
  revokeTokens(
    selector: TokenSelector,
    options: RevokeTokensOptions & { confirm?: Duration | undefined },
  ): Promise<TokenRevocation | Confirmed<TokenRevocation>>
  /**
   * Revokes tokens because an issuer's event says so, and once: that the event came and what it revokes are one transaction.
   * Without selectors the event is only noted. It resolves after the commit; also a repetition, which changes nothing,
   * resolves after the commit of the first.
   *
   * It does not check who sent the event: `createRevocationReceiver` does.
   *
   * @throws {TypeError} for a wrong event, selector or option, and for more than 100 selectors
   * @throws {KeyStoreError} for a store of the application's own without `addTokenRevocationsOnce`, and where there is no room
   */
  revokeTokensOnce(
    event: TokenEvent,
    selectors: readonly TokenSelector[],
    options?: RevokeTokensOnceOptions,
  ): Promise<RevokedTokensOnce>
  /**
   * The services that follow the store, by host, process and application name: each is asked, and has `timeout` to answer
   * (1 second to 10 minutes; default 2 seconds).
   *
   * A service is here while it caches what the store holds. One that hears of changes by reading alone, behind a proxy that
   * pools transactions or from a read replica, cannot be asked, and is not.
   *
   * @throws {KeyStoreError} for a store of the application's own without `askServices`, and where services cannot be asked
   */
  services(options?: { timeout?: Duration | undefined }): Promise<readonly FollowingService[]>
  /** The revocations of tokens that are in force, newest first. */
  tokenRevocations(): Promise<readonly TokenRevocation[]>
  /**
   * What was done to keys and tokens, newest first. Entries cannot be changed. `cursor` leads to the next page.
   *
   * @throws {KeyStoreError} for a store of the application's own that gives entries of another subject or tenant than was asked
   */
  audit(options?: AuditOptions): Promise<{ readonly entries: readonly AuditEntry[]; readonly cursor: string | null }>
  /**
   * Tells of what is done to keys, by whomever: by this process, another one, or hand-written SQL. Within three seconds, and
   * of a key's first use within twenty: services write uses every ten seconds. A rotation is a `changed` key and a `created`
   * one. Nothing is lost while the store is out of reach: `reload` follows when it is back.
   *
   * It returns at once and never throws for a store. All listeners of a keyring share one watch of its store, which ends with
   * the last of them, and keeps no process alive. What a listener throws is ignored. A store of the application's own
   * without `readAudit` or `firstUses` tells `reload` every five seconds; without `watch` it is asked every few seconds.
   *
   * @throws {TypeError} for what is no function
   * @throws {KeyStoreError} for a keyring that is closed
   */
  watch(listener: (event: KeyEvent) => void): KeyWatch
  /** Ends its watches, and closes the store if the keyring opened it from a URL. Idempotent; other methods reject afterwards. */
  close(): Promise<void>
}
