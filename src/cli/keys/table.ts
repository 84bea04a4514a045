import type { KeyRecord } from '../../keyring/records.js'
import type { KeyState } from '../../store/contract.js'
import { print } from '../output.js'
import { type Column, formatTable } from '../table.js'
import { formatDay, formatMinute, outputColumns, type Style } from '../terminal.js'

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
  print(formatKeys(keys, outputColumns()))
}

/** @param width columns of the terminal; `undefined` when it is a pipe */
export function formatKeys(keys: readonly KeyRecord[], width: number | undefined, hasHeading = true): string {
  return formatTable(
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
    width,
    hasHeading,
  )
}
