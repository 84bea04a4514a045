import type { KeyRecord } from '../../keyring/records.js'
import type { Arguments } from '../command.js'
import { printFields } from '../table.js'
import { formatInstant, printJson } from '../terminal.js'

/** Prints one key: its fields, or the record as JSON. */
export function printRecord(given: Arguments, record: KeyRecord): void {
  if (given.is('json')) {
    printJson(record)
    return
  }
  printFields([
    ['id', record.id],
    ['hint', record.hint],
    ['state', record.state],
    ['subject', record.subject],
    ['name', record.name],
    ['tenant', record.tenant],
    ['environment', record.environment],
    ['scopes', record.scopes.join(',')],
    ['created', formatInstant(record.createdAt)],
    ['created by', record.createdBy],
    ['expires', formatInstant(record.expiresAt) ?? 'never'],
    ['last used', formatInstant(record.lastUsedAt) ?? 'never'],
    ['revoked', formatInstant(record.revokedAt)],
    ['revoked by', record.revokedBy],
    ['reason', record.revokedReason],
    ['replaces', record.replaces],
    ['replaced by', record.replacedBy],
  ])
}
