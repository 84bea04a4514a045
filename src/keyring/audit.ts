import type { StoredAuditEntry } from '../store/contract.js'

/** One entry of the audit trail. */
export interface AuditEntry extends Omit<StoredAuditEntry, 'at'> {
  readonly at: Date
}

export function toAuditEntry(stored: StoredAuditEntry): AuditEntry {
  return Object.freeze({ ...stored, at: new Date(stored.at) })
}
