import type { StoredTokenRevocation, TokenNames } from '../contract.js'
import { namesToken } from '../token-revocations.js'
import { createParameters, type Dialect, type SqlRow, type Statement } from './dialect.js'
import { defineTable, fromRow, insertInto, selectList } from './tables.js'

/** A revocation as its row holds it. */
interface TokenRevocationRow extends Omit<StoredTokenRevocation, 'withoutSession'> {
  /** 1 with a subject whose tokens are refused only where they carry no session id. */
  readonly withoutSession: number
  /** 1 where the name, such as the token id, is written as JSON. */
  readonly escaped: number
}

const COLUMNS = {
  id: ['id', 'text'],
  issuer: ['issuer', 'text'],
  tokenId: ['token_id', 'text'],
  subject: ['subject', 'text'],
  clientId: ['client_id', 'text'],
  sessionId: ['session_id', 'text'],
  withoutSession: ['without_session', 'number'],
  issuedBefore: ['issued_before', 'instant'],
  createdAt: ['created_at', 'instant'],
  createdBy: ['created_by', 'text'],
  reason: ['reason', 'text'],
  endsAt: ['ends_at', 'instant'],
  escaped: ['escaped', 'number'],
} as const

export const TOKEN_REVOCATIONS = defineTable<TokenRevocationRow>('vantage_token_revocations', COLUMNS)

/** With the sender whose event asked for it; that is nothing that a service reads. A row by hand has none. */
export const ADDED_TOKEN_REVOCATIONS = defineTable<TokenRevocationRow & { readonly sender: string | null }>(
  'vantage_token_revocations',
  { ...COLUMNS, sender: ['sender', 'text'] },
)

/** The columns by which a revocation names tokens: `tokenId`, `subject`, `clientId` and `sessionId`. */
export const NAME_COLUMNS = ['token_id', 'subject', 'client_id', 'session_id'] as const

// A token can hold what no database keeps in a text: the character U+0000, and halves of surrogate pairs.
const UNSTORABLE = /\0|\p{Cs}/u

/** A name of a token, as its column holds it. */
export function escapeName(name: string): string {
  return UNSTORABLE.test(name) ? JSON.stringify(name) : name
}

/** The columns that name tokens, as a revocation has them. */
function nameColumns({ tokenId, subject, clientId, sessionId }: StoredTokenRevocation) {
  const toColumn = (name: string | null) => (name === null ? null : escapeName(name))
  const names = {
    tokenId: toColumn(tokenId),
    subject: toColumn(subject),
    clientId: toColumn(clientId),
    sessionId: toColumn(sessionId),
  }
  // One of them is given.
  const isWritten = [tokenId, subject, clientId, sessionId].some((name) => name !== null && escapeName(name) !== name)
  return { ...names, escaped: isWritten ? 1 : 0 }
}

/** A revocation as its row holds it. */
export function toTokenRevocationRow(revocation: StoredTokenRevocation): TokenRevocationRow {
  return { ...revocation, ...nameColumns(revocation), withoutSession: revocation.withoutSession ? 1 : 0 }
}

/** @param sender whose event asks for it, if one does */
export function insertTokenRevocation(
  revocation: StoredTokenRevocation,
  sender: string | null,
  dialect: Dialect,
): Statement {
  return insertInto(ADDED_TOKEN_REVOCATIONS, { sender, ...toTokenRevocationRow(revocation) }, dialect)
}

/**
 * Deletes those that a revocation replaces. It comes after the insertion, so that no service is told of a removal first, and
 * the audit trail has no entry for what is still in force.
 *
 * @see replaces
 */
export function deleteReplacedTokenRevocations(revocation: StoredTokenRevocation, dialect: Dialect): Statement {
  const { instant, value, values } = createParameters(dialect)
  const { escaped, tokenId, subject, clientId, sessionId } = nameColumns(revocation)
  const names = [tokenId, subject, clientId, sessionId]
  const place = names.findIndex((name) => name !== null)
  const conditions = [
    `issuer = ${value(revocation.issuer)}`,
    `${NAME_COLUMNS[place]} = ${value(names[place] ?? null)}`,
    `escaped = ${value(escaped)}`,
    `id <> ${value(revocation.id)}`,
    `ends_at <= ${instant(revocation.endsAt)}`,
    ...(revocation.withoutSession ? ['without_session = 1'] : []),
    ...(revocation.issuedBefore === null ? [] : [`issued_before <= ${instant(revocation.issuedBefore)}`]),
  ]
  return { text: `DELETE FROM ${dialect.table(TOKEN_REVOCATIONS.name)} WHERE ${conditions.join(' AND ')}`, values }
}

/**
 * The condition that a row replaces another one of the table, for triggers.
 *
 * @param row what the other one is called there
 */
export function replacedIn(table: string, row: string): string {
  return `EXISTS (SELECT 1 FROM ${table} o
    WHERE (${NAME_COLUMNS.map((column) => `o.${column} = ${row}.${column}`).join(' OR ')})
      AND o.issuer = ${row}.issuer AND o.escaped = ${row}.escaped AND o.id <> ${row}.id AND o.ends_at >= ${row}.ends_at
      AND o.without_session <= ${row}.without_session
      AND (o.issued_before IS NULL OR o.issued_before >= ${row}.issued_before))`
}

/** Of those that have ended: a clock that runs ahead must not delete what is in force, so the database's counts too. */
export function deleteEndedTokenRevocations(now: number, dialect: Dialect): Statement {
  const { instant, values } = createParameters(dialect)
  const text = `DELETE FROM ${dialect.table(TOKEN_REVOCATIONS.name)} WHERE ends_at <= ${dialect.notAfterNow(instant(now))}`
  return { text, values }
}

/** How many revocations are read at a time, so that a service answers requests in between. */
export const PAGE = 500

/**
 * The next page of those in force, in the order of their ids.
 *
 * @param afterId the last id of the page before; `undefined` for the first page: a row by hand may have an empty id
 */
export function pageOfTokenRevocations(now: number, afterId: string | undefined, dialect: Dialect): Statement {
  const { instant, value, values } = createParameters(dialect)
  const text = `SELECT ${selectList(TOKEN_REVOCATIONS, dialect)} FROM ${dialect.table(TOKEN_REVOCATIONS.name)}
    WHERE ${afterId === undefined ? '' : `id > ${value(afterId)} AND `}ends_at > ${instant(now)} ORDER BY ${TOKEN_REVOCATIONS.name}.id LIMIT ${PAGE}`
  return { text, values }
}

/**
 * The text of a statement that finds revocations by their names.
 *
 * @param condition of a column. A select of its own for each column, so that each uses its index.
 */
export function findByName(dialect: Dialect, condition: (column: string, place: number) => string): string {
  return NAME_COLUMNS.map(
    (column, place) =>
      `SELECT ${selectList(TOKEN_REVOCATIONS, dialect)} FROM ${dialect.table(TOKEN_REVOCATIONS.name)} WHERE ${condition(column, place)}`,
  ).join(' UNION ALL ')
}

/** The revocations that name a token, of rows that were found by its names. */
export function namingToken(token: TokenNames, found: readonly StoredTokenRevocation[]): StoredTokenRevocation[] {
  return found.filter((revocation) => namesToken(revocation, token))
}

export function toTokenRevocation(row: SqlRow, alias?: string): StoredTokenRevocation {
  const { escaped, ...columns } = fromRow(TOKEN_REVOCATIONS, row, alias)
  const revocation = { ...columns, withoutSession: columns.withoutSession === 1 }
  if (escaped !== 1) return revocation
  const fromColumn = (name: string | null) => (name === null ? null : unescapeName(name))
  const { tokenId, subject, clientId, sessionId } = revocation
  return {
    ...revocation,
    tokenId: fromColumn(tokenId),
    subject: fromColumn(subject),
    clientId: fromColumn(clientId),
    sessionId: fromColumn(sessionId),
  }
}

/** What is no JSON text, which only a row by hand can hold, counts as it stands: one row must not take the list down. */
function unescapeName(column: string): string {
  try {
    const name: unknown = JSON.parse(column)
    return typeof name === 'string' ? name : column
  } catch {
    return column
  }
}
