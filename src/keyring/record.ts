import { apiKeyHint } from '../api-key/format.js'
import type { Environment } from '../core/environments.js'
import { type KeyState, keyStateAt, type ListedKey } from '../store/contract.js'

/** A key as administration sees it. Its digest is not in it, and the key itself cannot be had from it. */
export interface KeyRecord {
  /** Public identifier: the twelve characters after the prefix. Safe to log. */
  readonly id: string
  /** The public beginning of the key, as tables and logs show it. */
  readonly hint: string
  readonly name: string | null
  /** Whom requests with this key stand for. */
  readonly subject: string
  readonly tenant: string | null
  readonly environment: Environment
  readonly scopes: readonly string[]
  /** State at the time of the call. */
  readonly state: KeyState
  readonly createdAt: Date
  /** The `actor` that created it, as the caller named them. */
  readonly createdBy: string | null
  /** The first instant at which it is no longer accepted; `null` for a key without an end. */
  readonly expiresAt: Date | null
  /** As of the last flush of the services that accept it, at most some seconds ago. */
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
  readonly revokedReason: string | null
  /** Id of the key that it took over from. */
  readonly replaces: string | null
  /** Id of the key that takes over from it. */
  readonly replacedBy: string | null
}

export function toKeyRecord(key: ListedKey, now: number): KeyRecord {
  return Object.freeze({
    id: key.id,
    hint: apiKeyHint(key.environment, key.id),
    name: key.name,
    subject: key.subject,
    tenant: key.tenant,
    environment: key.environment,
    scopes: Object.freeze([...key.scopes]),
    state: keyStateAt(key, now),
    createdAt: new Date(key.createdAt),
    createdBy: key.createdBy,
    expiresAt: toDate(key.expiresAt),
    lastUsedAt: toDate(key.lastUsedAt),
    revokedAt: toDate(key.revokedAt),
    revokedReason: key.revokedReason,
    replaces: key.replaces,
    replacedBy: key.replacedBy,
  })
}

function toDate(instant: number | null): Date | null {
  return instant === null ? null : new Date(instant)
}
