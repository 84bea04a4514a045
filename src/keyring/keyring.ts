import { inspect } from 'node:util'
import { digestApiKey, generateApiKey, generateId } from '../api-key/format.js'
import { environmentScopes } from '../config/options.js'
import { checkVocabulary, readVocabulary } from '../config/vocabulary.js'
import { formatChoice } from '../core/choice.js'
import { type Duration, parseDuration } from '../core/duration.js'
import { DEFAULT_ENVIRONMENT, ENVIRONMENTS, type Environment, isEnvironment } from '../core/environments.js'
import { KeyNotFoundError, KeyStateError, KeyStoreError } from '../core/errors.js'
import type { Scope } from '../core/scope.js'
import {
  type DayUsage,
  type KeyQuery,
  type KeyState,
  type KeyStore,
  keyStateAt,
  type ListedKey,
  type StoredKey,
} from '../store/contract.js'
import { openKeyStore } from '../store/open.js'
import {
  checkId,
  checkNames,
  checkOptionalText,
  checkText,
  checkWhole,
  formatCursor,
  parseAuditCursor,
  parseCursor,
  parseLife,
} from './arguments.js'
import { type AuditEntry, toAuditEntry } from './audit.js'
import { type KeyRecord, toKeyRecord } from './record.js'
import { readTokenSelector, type TokenRevocation, type TokenSelector, toTokenRevocation } from './token-selector.js'

/** See {@link createKeyring}. */
export interface KeyringOptions {
  /** Scopes that keys may have besides the documented eight. [`VANTAGE_SCOPES`] Default: none. */
  scopes?: readonly string[] | undefined
  /** Deployment that new keys belong to; services of the other one refuse them. Default: `'live'`. */
  environment?: Environment | undefined
  /** Life of keys that are created without one of their own; `null` for keys without an end. Default: `'365d'`. */
  expiresIn?: Duration | null | undefined
}

/** See {@link Keyring.create}. Texts have 1 to 256 characters, none of them a control character. */
export interface CreateKeyOptions {
  /** Whom requests with this key stand for: what `auth.subject` will be. */
  subject: string
  /** What the key grants: one scope at least, all of the vocabulary. A scope implies no other. */
  scopes: readonly (Scope | (string & {}))[]
  /** What people call the key. */
  name?: string | null | undefined
  /** What `auth.tenant` will be. */
  tenant?: string | null | undefined
  /** From now, at least one second; `null` for a key without an end. Default: the keyring's `expiresIn`. */
  expiresIn?: Duration | null | undefined
  /** Who creates it, for the record. */
  actor?: string | null | undefined
}

/** See {@link Keyring.rotate}. */
export interface RotateKeyOptions {
  /** How long the old key is still accepted, at most to its own expiry; `'0s'` ends it at once. Default: `'24h'`. */
  overlap?: Duration | undefined
  /** Who rotates it; becomes `createdBy` of the successor. */
  actor?: string | null | undefined
}

/** See {@link Keyring.revoke}. */
export interface RevokeKeyOptions {
  reason?: string | null | undefined
  /** Who revokes it, for the record. */
  actor?: string | null | undefined
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
  /** Where the last page ended. */
  cursor?: string | null | undefined
  /** Length of a page, 1 to 1000. Default: 100. */
  limit?: number | undefined
}

/** See {@link Keyring.revokeTokens}. */
export interface RevokeTokensOptions {
  reason?: string | null | undefined
  /** Who revokes them, for the record. */
  actor?: string | null | undefined
  /**
   * How long a token of this issuer lives at most. That long after `issuedBefore`, or after now for a single token, the
   * revocation is dropped: what lived longer would be accepted again. Default: `'365d'`.
   */
  tokenLife?: Duration | undefined
}

/** See {@link Keyring.audit}. */
export interface AuditOptions {
  /** Of this key, as the old or the new one of a rotation. */
  id?: string | undefined
  /** Where the last page ended. */
  cursor?: string | null | undefined
  /** Length of a page, 1 to 1000. Default: 100. */
  limit?: number | undefined
}

/**
 * A key, in the one moment in which it can be seen. `key` is not enumerable: `JSON.stringify`, `console.log`, spreading and
 * cloning show the record alone.
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

/** Uses of a key. Services count in memory and write every ten seconds. */
export interface KeyUsage {
  /** All uses ever. */
  readonly total: number
  readonly lastUsedAt: Date | null
  /** The days (UTC) with uses, oldest first. */
  readonly days: readonly DayUsage[]
}

/**
 * The life of API keys: made, rotated, revoked, looked at.
 *
 * Each method rejects with a TypeError for a wrong argument, and with a {@link KeyStoreError} when the store cannot be
 * used. It does not decide who may call it: that is the application's part.
 */
export interface Keyring {
  /** Makes a key and stores its digest. What it returns is the only sight of the key. */
  create(options: CreateKeyOptions): Promise<CreatedKey>
  /**
   * Makes a successor with the subject, scopes, tenant, name, environment and life of an active key, which itself is
   * accepted for the overlap and then no more. Of several rotations of one key at once, one succeeds.
   *
   * @throws {KeyNotFoundError} for an unknown id
   * @throws {KeyStateError} for a key that is revoked, expired or replaced
   */
  rotate(id: string, options?: RotateKeyOptions): Promise<RotatedKey>
  /**
   * Ends a key for good. A second call changes nothing: the first reason stays. A successor is a key of its own, and stays
   * valid.
   *
   * @throws {KeyNotFoundError} for an unknown id
   */
  revoke(id: string, options?: RevokeKeyOptions): Promise<KeyRecord>
  /** The record of a key; `undefined` for an unknown id. */
  get(id: string): Promise<KeyRecord | undefined>
  /**
   * How often a key was used, in all and on each of the last `days` days (1 to 366, today included; default 30).
   *
   * @throws {KeyNotFoundError} for an unknown id
   */
  usage(id: string, options?: { days?: number | undefined }): Promise<KeyUsage>
  /** Keys, newest first. `cursor` leads to the next page, and is `null` on the last one. */
  list(options?: ListKeysOptions): Promise<{ readonly keys: readonly KeyRecord[]; readonly cursor: string | null }>
  /**
   * Has services that use this store refuse access tokens: one, or all of a subject or of a client that were issued before
   * an instant. It travels like the revocation of a key, and cannot be taken back.
   *
   * It does not check that there are such tokens, nor that a service accepts the issuer.
   */
  revokeTokens(selector: TokenSelector, options?: RevokeTokensOptions): Promise<TokenRevocation>
  /** The revocations of tokens that are in force, newest first. */
  tokenRevocations(): Promise<readonly TokenRevocation[]>
  /** What was done to keys and tokens, newest first; nothing of it can be changed. `cursor` leads to the next page. */
  audit(options?: AuditOptions): Promise<{ readonly entries: readonly AuditEntry[]; readonly cursor: string | null }>
  /** Closes the store if the keyring opened it from a URL. Idempotent; other methods reject afterwards. */
  close(): Promise<void>
}

const LIST_OPTIONS = Object.keys({
  subject: 0,
  tenant: 0,
  state: 0,
  unusedFor: 0,
  expiringWithin: 0,
  olderThan: 0,
  supersededInUse: 0,
  cursor: 0,
  limit: 0,
} satisfies Record<keyof ListKeysOptions, 0>)
const STATES: readonly KeyState[] = ['active', 'superseded', 'expired', 'revoked']
const DEFAULT_LIFE = '365d'
const DEFAULT_OVERLAP = '24h'
const DAY_MS = 86_400_000
// Each round means that somebody else changed the same key in between.
const MAX_ROUNDS = 20

/**
 * Administers the keys of a store. Before its first operation it creates or updates the store's schema.
 *
 * @param store a store, which stays its owner's to close, or a URL for {@link openKeyStore}
 * @throws {TypeError} for a wrong store or option
 */
export function createKeyring(store: KeyStore | string, options: KeyringOptions = {}): Keyring {
  checkNames('createKeyring()', options, ['scopes', 'environment', 'expiresIn'])
  const vocabulary = readVocabulary(options.scopes ?? environmentScopes())
  const environment = options.environment ?? DEFAULT_ENVIRONMENT
  if (!isEnvironment(environment)) {
    throw new TypeError(`environment must be ${formatChoice(ENVIRONMENTS.map((name) => `'${name}'`))}`)
  }
  const defaultLifeMs = parseLife(options.expiresIn, DEFAULT_LIFE)
  const keys = typeof store === 'string' ? openKeyStore(store) : checkKeyStore(store)
  let migration: Promise<unknown> | undefined
  let closed = false

  /** A migration that failed is tried again by the next operation. */
  async function ready(): Promise<void> {
    if (closed) throw new KeyStoreError('The keyring is closed')
    migration ??= Promise.resolve(keys.migrate?.())
    try {
      await migration
    } catch (error) {
      migration = undefined
      throw error
    }
  }

  async function read(id: string, now: number): Promise<ListedKey | undefined> {
    const [key] = await keys.list({ id, now, limit: 1 })
    return key
  }

  async function readKnown(id: string, now: number): Promise<ListedKey> {
    const key = await read(id, now)
    if (key === undefined) throw new KeyNotFoundError(`There is no key with the id ${JSON.stringify(id)}`)
    return key
  }

  /** Compare and set, again while somebody else changes the key in between. `change` throws where it must not go on. */
  async function change<T>(id: string, decide: (current: ListedKey, now: number) => Decision<T>): Promise<T> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const now = Date.now()
      const current = await readKnown(id, now)
      const { next, successor, result } = decide(current, now)
      if (next === undefined || (await keys.update(withoutUse(current), next, successor))) return result
    }
    throw new KeyStateError('The key is being changed by others at the moment; try again')
  }

  /** A method that an application's own store may lack. */
  function supported<T extends (...given: never[]) => unknown>(method: T | undefined): T {
    if (method === undefined)
      throw new KeyStoreError('This key store keeps neither revocations of tokens nor an audit trail')
    return method.bind(keys) as T
  }

  return {
    async create(given) {
      checkNames('create()', given, ['subject', 'scopes', 'name', 'tenant', 'expiresIn', 'actor'])
      const subject = checkText(given.subject, 'subject')
      const scopes = checkVocabulary(given.scopes, vocabulary, 'scopes')
      const name = checkOptionalText(given.name, 'name')
      const tenant = checkOptionalText(given.tenant, 'tenant')
      const createdBy = checkOptionalText(given.actor, 'actor')
      const lifeMs = given.expiresIn === undefined ? defaultLifeMs : parseLife(given.expiresIn, DEFAULT_LIFE)
      await ready()
      const { key, stored } = newKey({ environment, subject, scopes, name, tenant, createdBy, replaces: null }, lifeMs)
      await keys.insert(stored)
      return show(key, { record: toKeyRecord({ ...stored, lastUsedAt: null }, Date.now()) })
    },

    async rotate(id, given = {}) {
      checkId(id)
      checkNames('rotate()', given, ['overlap', 'actor'])
      const overlapMs = parseDuration(given.overlap ?? DEFAULT_OVERLAP, 'overlap', 0)
      const createdBy = checkOptionalText(given.actor, 'actor')
      await ready()
      return change(id, (current, now) => {
        checkActive(current, now)
        const lifeMs = current.expiresAt === null ? null : current.expiresAt - current.createdAt
        const { key, stored } = newKey({ ...current, createdBy, replaces: id }, lifeMs, now)
        const next = {
          ...withoutUse(current),
          expiresAt: Math.min(current.expiresAt ?? Number.POSITIVE_INFINITY, now + overlapMs),
          replacedBy: stored.id,
        }
        const record = toKeyRecord({ ...stored, lastUsedAt: null }, now)
        return {
          next,
          successor: stored,
          result: show(key, { record, previous: toKeyRecord({ ...current, ...next }, now) }),
        }
      })
    },

    async revoke(id, given = {}) {
      checkId(id)
      checkNames('revoke()', given, ['reason', 'actor'])
      const revokedReason = checkOptionalText(given.reason, 'reason')
      const revokedBy = checkOptionalText(given.actor, 'actor')
      await ready()
      return change(id, (current, now) => {
        if (current.revokedAt !== null) return { result: toKeyRecord(current, now) }
        const next = { ...withoutUse(current), revokedAt: now, revokedBy, revokedReason }
        return { next, result: toKeyRecord({ ...current, ...next }, now) }
      })
    },

    async get(id) {
      checkId(id)
      await ready()
      const now = Date.now()
      const key = await read(id, now)
      return key && toKeyRecord(key, now)
    },

    async usage(id, given = {}) {
      checkId(id)
      checkNames('usage()', given, ['days'])
      const count = checkWhole(given.days ?? 30, 'days', 366)
      await ready()
      const now = Date.now()
      const { lastUsedAt } = await readKnown(id, now)
      const since = new Date(now - (count - 1) * DAY_MS).toISOString().slice(0, 10)
      const { total, days } = await keys.readUsage(id, since)
      return { total, lastUsedAt: lastUsedAt === null ? null : new Date(lastUsedAt), days }
    },

    async list(given = {}) {
      checkNames('list()', given, LIST_OPTIONS)
      const { subject, tenant, state, unusedFor, expiringWithin, olderThan, supersededInUse, cursor } = given
      if (state !== undefined && !STATES.includes(state))
        throw new TypeError(`state must be one of ${STATES.join(', ')}`)
      if (supersededInUse !== undefined && typeof supersededInUse !== 'boolean')
        throw new TypeError('supersededInUse must be true or false')
      const limit = checkWhole(given.limit ?? 100, 'limit', 1000)
      const now = Date.now()
      const query: KeyQuery = {
        now,
        // One more than asked for tells whether there is another page.
        limit: limit + 1,
        ...(subject !== undefined && { subject: checkText(subject, 'subject') }),
        ...(tenant !== undefined && { tenant: checkText(tenant, 'tenant') }),
        ...(state !== undefined && { state }),
        ...(unusedFor !== undefined && { unusedSince: now - parseDuration(unusedFor, 'unusedFor') }),
        ...(expiringWithin !== undefined && { expiringBefore: now + parseDuration(expiringWithin, 'expiringWithin') }),
        ...(olderThan !== undefined && { createdBefore: now - parseDuration(olderThan, 'olderThan') }),
        ...(supersededInUse === true && { supersededInUse }),
        ...(cursor !== undefined && cursor !== null && { after: parseCursor(cursor) }),
      }
      await ready()
      const found = await keys.list(query)
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return {
        keys: page.map((key) => toKeyRecord(key, now)),
        cursor: found.length > limit && last ? formatCursor(last) : null,
      }
    },

    async revokeTokens(selector, given = {}) {
      const selected = readTokenSelector(selector)
      checkNames('revokeTokens()', given, ['reason', 'actor', 'tokenLife'])
      const reason = checkOptionalText(given.reason, 'reason')
      const createdBy = checkOptionalText(given.actor, 'actor')
      const lifeMs = parseDuration(given.tokenLife ?? DEFAULT_LIFE, 'tokenLife')
      await ready()
      const createdAt = Date.now()
      const endsAt = Math.max(createdAt, selected.issuedBefore ?? 0) + lifeMs
      const stored = { id: generateId(), ...selected, createdAt, createdBy, reason, endsAt }
      await supported(keys.addTokenRevocation)(stored)
      return toTokenRevocation(stored)
    },

    async tokenRevocations() {
      await ready()
      const stored = await supported(keys.tokenRevocations)(Date.now())
      return [...stored].sort((a, b) => b.createdAt - a.createdAt).map(toTokenRevocation)
    },

    async audit(given = {}) {
      checkNames('audit()', given, ['id', 'cursor', 'limit'])
      const { id, cursor } = given
      if (id !== undefined) checkId(id)
      const limit = checkWhole(given.limit ?? 100, 'limit', 1000)
      const before = cursor === undefined || cursor === null ? undefined : parseAuditCursor(cursor)
      await ready()
      const found = await supported(keys.readAudit)({
        limit: limit + 1,
        ...(id !== undefined && { keyId: id }),
        ...(before !== undefined && { before }),
      })
      const page = found.slice(0, limit)
      return {
        entries: page.map(toAuditEntry),
        cursor: found.length > limit ? String(page.at(-1)?.seq) : null,
      }
    },

    async close() {
      if (closed) return
      closed = true
      if (typeof store === 'string') await keys.close()
    },
  }
}

/** What an operation makes of the key that it found; without `next` it leaves it as it is. */
interface Decision<T> {
  readonly next?: StoredKey
  readonly successor?: StoredKey
  readonly result: T
}

type NewKey = Pick<StoredKey, 'environment' | 'subject' | 'scopes' | 'name' | 'tenant' | 'createdBy' | 'replaces'>

function newKey(values: NewKey, lifeMs: number | null, createdAt = Date.now()): { key: string; stored: StoredKey } {
  const { environment, subject, scopes, name, tenant, createdBy, replaces } = values
  const { id, key } = generateApiKey(environment)
  const stored = {
    id,
    digest: digestApiKey(key),
    subject,
    tenant,
    name,
    environment,
    scopes,
    createdAt,
    createdBy,
    expiresAt: lifeMs === null ? null : createdAt + lifeMs,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    replaces,
    replacedBy: null,
  }
  return { key, stored }
}

function withoutUse({ lastUsedAt: _, ...key }: ListedKey): StoredKey {
  return key
}

/** Adds the key where code that asks for it finds it, and logging, serializing and cloning do not. */
function show<T extends { readonly record: KeyRecord }>(key: string, records: T): T & { readonly key: string } {
  return Object.freeze(
    Object.defineProperties({ ...records } as T & { readonly key: string }, {
      key: { value: key },
      toJSON: { value: () => records },
      [inspect.custom]: { value: () => ({ key: records.record.hint, ...records }) },
    }),
  )
}

function checkActive(key: StoredKey, now: number): void {
  const state = keyStateAt(key, now)
  if (state === 'active') return
  const successor = key.replacedBy === null ? '' : `; its successor is ${JSON.stringify(key.replacedBy)}`
  throw new KeyStateError(`Only an active key can be rotated, and this one is ${state}${successor}`)
}

function checkKeyStore(store: unknown): KeyStore {
  const methods = ['find', 'insert', 'update', 'list', 'addUsage', 'readUsage', 'close'] as const
  const candidate = store as Partial<Record<string, unknown>> | null | undefined
  if (typeof store !== 'object' || methods.some((method) => typeof candidate?.[method] !== 'function')) {
    throw new TypeError(
      `createKeyring() needs a KeyStore or a store URL such as 'sqlite:./keys.db'; a KeyStore has the methods ${methods.join(', ')}`,
    )
  }
  return store as KeyStore
}
