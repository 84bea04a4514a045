import { parseScopeClaim } from '../../core/scope.js'
import type { StoredAuditEntry, StoredKey } from '../contract.js'
import { LAST_INSTANT } from '../key-order.js'
import {
  createParameters,
  type Dialect,
  type Parameters,
  type SqlRow,
  type SqlValue,
  type Statement,
} from './dialect.js'

/** What a column holds, and so how its value is written and read. */
type Kind = 'text' | 'number' | 'instant' | 'scopes'

interface Column {
  readonly property: string
  readonly name: string
  readonly kind: Kind
}

/** A table whose rows are values of one type. */
export interface Table<T> {
  readonly name: string
  readonly columns: readonly Column[]
  /** Only for the compiler: it tells the tables apart. */
  readonly row?: T
}

/** The type demands a column for each property. */
export function defineTable<T>(
  name: string,
  columns: { readonly [P in keyof T]-?: readonly [name: string, kind: Kind] },
): Table<T> {
  const entries = Object.entries(columns) as [string, readonly [string, Kind]][]
  return { name, columns: entries.map(([property, [name, kind]]) => ({ property, name, kind })) }
}

export const KEYS = defineTable<StoredKey>('vantage_keys', {
  id: ['id', 'text'],
  digest: ['digest', 'text'],
  subject: ['subject', 'text'],
  tenant: ['tenant', 'text'],
  name: ['name', 'text'],
  environment: ['environment', 'text'],
  scopes: ['scopes', 'scopes'],
  createdAt: ['created_at', 'instant'],
  createdBy: ['created_by', 'text'],
  expiresAt: ['expires_at', 'instant'],
  revokedAt: ['revoked_at', 'instant'],
  revokedBy: ['revoked_by', 'text'],
  revokedReason: ['revoked_reason', 'text'],
  replaces: ['replaces', 'text'],
  replacedBy: ['replaced_by', 'text'],
})

export const AUDIT = defineTable<StoredAuditEntry>('vantage_audit', {
  seq: ['seq', 'number'],
  at: ['at', 'instant'],
  action: ['action', 'text'],
  keyId: ['key_id', 'text'],
  successorId: ['successor_id', 'text'],
  actor: ['actor', 'text'],
  reason: ['reason', 'text'],
  detail: ['detail', 'text'],
  subject: ['subject', 'text'],
  tenant: ['tenant', 'text'],
})

/**
 * The columns of a table, as a SELECT names them.
 *
 * @param alias names the table in a join; then the columns are called `alias_name`
 */
export function selectList({ columns }: Table<unknown>, dialect: Dialect, alias?: string): string {
  return columns
    .map(({ name, kind }) => {
      const column = alias === undefined ? name : `${alias}.${name}`
      const value = kind === 'instant' ? dialect.readInstant(column) : column
      return value === name ? name : `${value} AS ${labelOf(name, alias)}`
    })
    .join(', ')
}

/** The condition that a row still holds what {@link selectList} has read of it. */
export function isStill({ columns }: Table<unknown>, row: SqlRow, dialect: Dialect, parameters: Parameters): string {
  return columns
    .map(({ name, kind }) => {
      const value = kind === 'instant' ? dialect.readInstant(name) : name
      return `${value} IS NOT DISTINCT FROM ${parameters.value(row[name] ?? null)}`
    })
    .join(' AND ')
}

function labelOf(name: string, alias: string | undefined): string {
  return alias === undefined ? name : `${alias}_${name}`
}

export function insertInto<T>(table: Table<T>, value: T, dialect: Dialect): Statement {
  const parameters = createParameters(dialect)
  const columns = writeColumns(table, value, parameters)
  const text = `INSERT INTO ${dialect.table(table.name)} (${columns.map(({ name }) => name).join(', ')})
    VALUES (${columns.map(({ parameter }) => parameter).join(', ')})`
  return { text, values: parameters.values }
}

/** For each column its name, and the parameter that holds the value to write. */
export function writeColumns<T>(
  { columns }: Table<T>,
  value: T,
  parameters: Parameters,
): { readonly name: string; readonly parameter: string }[] {
  const given = value as Readonly<Record<string, unknown>>
  return columns.map(({ property, name, kind }) => ({ name, parameter: write(given[property], kind, parameters) }))
}

/** The columns in which two values of a table differ. */
export function columnsThatDiffer<T>({ columns }: Table<T>, one: T, other: T): readonly Column[] {
  const [a, b] = [one, other] as Readonly<Record<string, unknown>>[]
  return columns.filter(({ property, kind }) => toColumn(a?.[property], kind) !== toColumn(b?.[property], kind))
}

function write(value: unknown, kind: Kind, parameters: Parameters): string {
  if (kind === 'instant') return parameters.instant(value as number | null)
  return parameters.value(toColumn(value, kind))
}

function toColumn(value: unknown, kind: Kind): SqlValue {
  return kind === 'scopes' ? (value as readonly string[]).join(' ') : (value as SqlValue)
}

/** The value that a row holds. The checks of the schema keep out what is of another type. */
export function fromRow<T>({ columns }: Table<T>, row: SqlRow, alias?: string): T {
  const value: Record<string, unknown> = {}
  for (const { property, name, kind } of columns) value[property] = read(row[labelOf(name, alias)] ?? null, kind)
  return value as T
}

function read(value: SqlValue, kind: Kind): unknown {
  if (kind === 'text') return value
  // People who write SQL by hand may separate scopes by commas.
  if (kind === 'scopes') return parseScopeClaim(value) ?? []
  return kind === 'instant' ? toMilliseconds(value) : toNumber(value)
}

/**
 * An instant that a Date can hold, and that is written with four digits of the year. What lies beyond, PostgreSQL's
 * `infinity` too, is read as the nearest one: a key must be listed, and so revoked, whatever its row holds.
 */
export function toMilliseconds(value: SqlValue | undefined): number | null {
  if (value === 'infinity') return LAST_INSTANT
  if (value === '-infinity') return 0
  const ms = toNumber(value)
  return ms === null ? null : Math.min(Math.max(ms, 0), LAST_INSTANT)
}

/** A count of uses, from 0 to the largest number that is exact. */
export function toCount(value: SqlValue | undefined): number {
  return Math.min(Math.max(toNumber(value) ?? 0, 0), Number.MAX_SAFE_INTEGER)
}

/** PostgreSQL gives numbers as text. */
export function toNumber(value: SqlValue | undefined): number | null {
  return value === null || value === undefined ? null : Number(value)
}
