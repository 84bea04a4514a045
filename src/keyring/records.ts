import { apiKeyHint } from '../api-key/format.js'
import type { Environment } from '../core/environments.js'
import {
  type DayUsage,
  type KeyState,
  keyStateAt,
  type ListedKey,
  type StoredAuditEntry,
  type StoredTokenRevocation,
} from '../store/contract.js'

/** A key as administration sees it, without the key itself and without its digest. */
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
  /** Up to some seconds late: services count uses in memory and write every ten seconds. */
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
  /** The `actor` that revoked it, as the caller named them. */
  readonly revokedBy: string | null
  readonly revokedReason: string | null
  /** Id of the key that it took over from. */
  readonly replaces: string | null
  /** Id of the key that takes over from it. */
  readonly replacedBy: string | null
  /** Uses on each day (UTC) that `list({ usage })` asked for, oldest first, today last; absent where nobody asked. */
  readonly usage?: readonly number[]
}

/** @param days the days of {@link KeyRecord.usage}, oldest first */
export function toKeyRecord(key: ListedKey, now: number, days?: readonly string[]): KeyRecord {
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
    revokedBy: key.revokedBy,
    revokedReason: key.revokedReason,
    replaces: key.replaces,
    replacedBy: key.replacedBy,
    ...(days !== undefined && { usage: countsOf(key.usage ?? [], days) }),
  })
}

function countsOf(usage: readonly DayUsage[], days: readonly string[]): readonly number[] {
  const counts = new Map(usage.map(({ day, count }) => [day, count]))
  return Object.freeze(days.map((day) => counts.get(day) ?? 0))
}

/** A revocation of access tokens, as administration sees it. */
export interface TokenRevocation {
  readonly id: string
  readonly issuer: string
  readonly tokenId: string | null
  readonly subject: string | null
  readonly clientId: string | null
  readonly sessionId: string | null
  /** With a subject: only its tokens that carry no session id are revoked. */
  readonly withoutSession: boolean
  /** `null` with a token id, and with a session whose tokens are all revoked. */
  readonly issuedBefore: Date | null
  readonly createdAt: Date
  readonly createdBy: string | null
  readonly reason: string | null
  /** When the revocation is dropped: all tokens that it revokes have expired by then. */
  readonly endsAt: Date
}

export function toTokenRevocation(stored: StoredTokenRevocation): TokenRevocation {
  // A store of the application's own may be older than the two.
  const { issuedBefore, createdAt, endsAt, sessionId = null, withoutSession = false } = stored
  return Object.freeze({
    ...stored,
    sessionId,
    withoutSession,
    issuedBefore: issuedBefore === null ? null : new Date(issuedBefore),
    createdAt: new Date(createdAt),
    endsAt: new Date(endsAt),
  })
}

/** One entry of the audit trail. */
export interface AuditEntry extends Omit<StoredAuditEntry, 'at'> {
  readonly at: Date
}

export function toAuditEntry(stored: StoredAuditEntry): AuditEntry {
  // A store of the application's own may be older than the two.
  const { subject = null, tenant = null } = stored
  return Object.freeze({ ...stored, subject, tenant, at: new Date(stored.at) })
}

function toDate(instant: number | null): Date | null {
  return instant === null ? null : new Date(instant)
}
