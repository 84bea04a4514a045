import type { KeyRecord } from '../keyring/records.js'
import type { KeyState } from '../store/contract.js'
import { type Column, printTable } from './table.js'
import { formatDay, formatMinute, type Style } from './terminal.js'

const STYLES: Readonly<Record<KeyState, Style>> = {
  active: 'green',
  superseded: 'yellow',
  expired: 'dim',
  revoked: 'red',
}

const COLUMNS: readonly (string | Column)[] = [
  'ID',
  { title: 'STATE', style: (cell) => STYLES[cell as KeyState] },
  'ENV',
  { title: 'SUBJECT', cut: true },
  { title: 'NAME', cut: true },
  { title: 'TENANT', cut: true },
  'CREATED',
  'EXPIRES',
  'LAST USED',
  { title: 'SCOPES', cut: true },
]

export function printKeys(keys: readonly KeyRecord[]): void {
  printTable(
    COLUMNS,
    keys.map((key) => [
      key.id,
      key.state,
      key.environment,
      key.subject,
      key.name,
      key.tenant,
      formatDay(key.createdAt),
      formatMinute(key.expiresAt) ?? 'never',
      formatMinute(key.lastUsedAt) ?? 'never',
      key.scopes.join(','),
    ]),
  )
}
