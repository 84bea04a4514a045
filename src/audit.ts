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

/** One entry of the audit trail. */
export interface AuditEntry extends Omit<StoredAuditEntry, 'at'> {
  readonly at: Date
}

/** What {@link KeyStore.readAudit} filters by. */
export interface AuditQuery {
  /** Of this key, as the old or the new one. */
  readonly keyId?: string
  /** Only what came before this entry. */
  readonly before?: number
  readonly limit: number
}

export function toAuditEntry(stored: StoredAuditEntry): AuditEntry {
  return Object.freeze({ ...stored, at: new Date(stored.at) })
}
