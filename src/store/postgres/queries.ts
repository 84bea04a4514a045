import { KeyStoreError } from '../../core/errors.js'
import { parseScopeClaim } from '../../core/scope.js'
import type {
  AuditQuery,
  DayUsage,
  KeyQuery,
  KeyState,
  ListedKey,
  StoredAuditEntry,
  StoredKey,
  StoredTokenRevocation,
  UsageIncrement,
} from '../contract.js'
import { KEY_COLUMNS } from '../key-columns.js'
import { MAX_TOKEN_REVOCATIONS, TOO_MANY_TOKEN_REVOCATIONS } from '../token-revocations.js'
import type { Ask } from './connections.js'
import { type PostgresRow, SQLSTATE, sqlState } from './driver.js'

/** An instant in milliseconds, exactly, whatever the time zone and the date style of the session. */
const MS = (column: string) => `round(extract(epoch FROM ${column}) * 1000)::bigint`

const SELECTED = KEY_COLUMNS.map((column) => (column.endsWith('_at') ? `${MS(column)} AS ${column}` : column)).join(
  ', ',
)

const FIND = `SELECT ${SELECTED} FROM vantage_keys WHERE id = ANY($1::text[])`

const INSERT = `INSERT INTO vantage_keys (${KEY_COLUMNS.join(', ')}) VALUES (${KEY_COLUMNS.map((_, i) => `$${i + 1}`).join(', ')})`

const UPDATE = `UPDATE vantage_keys SET ${KEY_COLUMNS.slice(1)
  .map((column, i) => `${column} = $${i + 2}`)
  .join(', ')}
  WHERE id = $1 AND expires_at IS NOT DISTINCT FROM $16::timestamptz
    AND revoked_at IS NOT DISTINCT FROM $17::timestamptz AND replaced_by IS NOT DISTINCT FROM $18`

const STATES: Record<KeyState, string> = {
  revoked: 'revoked_at IS NOT NULL',
  expired: 'revoked_at IS NULL AND expires_at <= ?::timestamptz',
  superseded: 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?::timestamptz) AND replaced_by IS NOT NULL',
  active: 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?::timestamptz) AND replaced_by IS NULL',
}

/** Most ids of one statement. */
const MAX_IDS = 100

/**
 * Looks keys up: one by one while there are few, and together those that came while the statements before were under way.
 * With the feed down each request asks, and a service has more of them than two connections answer one after the other.
 *
 * @param maxStatements how many may be under way
 */
export function createFinder(ask: Ask, maxStatements: number): (id: string) => Promise<StoredKey | undefined> {
  const waiting: { id: string; resolve(key: StoredKey | undefined): void; reject(error: unknown): void }[] = []
  let statements = 0

  async function askForAll(): Promise<void> {
    statements++
    while (waiting.length > 0) {
      const asked = waiting.splice(0, MAX_IDS)
      try {
        const { rows } = await ask(FIND, [asked.map(({ id }) => id)])
        const keys = new Map(rows.map((row) => [row.id, row]))
        for (const { id, resolve } of asked) {
          const row = keys.get(id)
          resolve(row && toKey(row))
        }
      } catch (error) {
        for (const { reject } of asked) reject(error)
      }
    }
    statements--
  }

  return (id) =>
    new Promise((resolve, reject) => {
      waiting.push({ id, resolve, reject })
      if (statements < maxStatements) void askForAll()
    })
}

/** Rejects when the id exists. */
export async function insertKey(ask: Ask, key: StoredKey): Promise<void> {
  try {
    await ask(INSERT, toParameters(key))
  } catch (error) {
    const state = sqlState(error)
    if (state === SQLSTATE.uniqueViolation) throw new KeyStoreError('A key with this id exists')
    // Classes of the SQL standard: a value that its type, or a check of the schema, does not admit.
    if (state?.startsWith('22') || state?.startsWith('23')) {
      throw new KeyStoreError('The key holds a value that the store does not accept')
    }
    throw error
  }
}

/** @returns false when the stored row is no longer as `current` says */
export async function updateKey(ask: Ask, current: StoredKey, next: StoredKey): Promise<boolean> {
  const [, ...values] = toParameters(next)
  const { rowCount } = await ask(UPDATE, [
    current.id,
    ...values,
    toInstant(current.expiresAt),
    toInstant(current.revokedAt),
    current.replacedBy,
  ])
  return rowCount === 1
}

export async function listKeys(ask: Ask, query: KeyQuery): Promise<ListedKey[]> {
  const { text, values } = toSql(query)
  return (await ask(text, values)).rows.map((row) => ({ ...toKey(row), lastUsedAt: toNumber(row.last_used_at) }))
}

export async function addUsage(ask: Ask, increments: readonly UsageIncrement[]): Promise<void> {
  await ask('SELECT vantage_add_usage($1::text[], $2::date[], $3::bigint[], $4::timestamptz[])', [
    increments.map(({ id }) => id),
    increments.map(({ day }) => day),
    increments.map(({ count }) => count),
    increments.map(({ lastUsedAt }) => toInstant(lastUsedAt)),
  ])
}

export async function readUsage(
  ask: Ask,
  id: string,
  sinceDay: string,
): Promise<{ readonly total: number; readonly days: readonly DayUsage[] }> {
  const { rows } = await ask(
    `SELECT to_char(day, 'YYYY-MM-DD') AS day, count, day >= $2::date AS asked FROM vantage_usage
      WHERE id = $1 ORDER BY vantage_usage.day`,
    [id, sinceDay],
  )
  const days = rows.map((row) => ({ day: String(row.day), count: Number(row.count), asked: row.asked === 't' }))
  return {
    total: days.reduce((sum, { count }) => sum + count, 0),
    days: days.filter(({ asked }) => asked).map(({ day, count }) => ({ day, count })),
  }
}

export async function addTokenRevocation(ask: Ask, given: StoredTokenRevocation): Promise<void> {
  await ask('DELETE FROM vantage_token_revocations WHERE ends_at <= $1::timestamptz', [toInstant(given.createdAt)])
  const { rowCount } = await ask(
    `INSERT INTO vantage_token_revocations
      (id, issuer, token_id, subject, client_id, issued_before, created_at, created_by, reason, ends_at)
      SELECT $1, $2, $3, $4, $5, $6::timestamptz, $7::timestamptz, $8, $9, $10::timestamptz
      WHERE (SELECT count(*) FROM vantage_token_revocations) < ${MAX_TOKEN_REVOCATIONS}`,
    [
      given.id,
      given.issuer,
      given.tokenId,
      given.subject,
      given.clientId,
      toInstant(given.issuedBefore),
      toInstant(given.createdAt),
      given.createdBy,
      given.reason,
      toInstant(given.endsAt),
    ],
  )
  if (rowCount !== 1) throw new KeyStoreError(TOO_MANY_TOKEN_REVOCATIONS)
}

export async function listTokenRevocations(ask: Ask, now: number): Promise<StoredTokenRevocation[]> {
  const { rows } = await ask(
    `SELECT id, issuer, token_id, subject, client_id, ${MS('issued_before')} AS issued_before,
      ${MS('created_at')} AS created_at, created_by, reason, ${MS('ends_at')} AS ends_at
      FROM vantage_token_revocations WHERE ends_at > $1::timestamptz`,
    [toInstant(now)],
  )
  return rows.map((row) => ({
    id: row.id as string,
    issuer: row.issuer as string,
    tokenId: row.token_id as string | null,
    subject: row.subject as string | null,
    clientId: row.client_id as string | null,
    issuedBefore: toNumber(row.issued_before),
    createdAt: toNumber(row.created_at) as number,
    createdBy: row.created_by as string | null,
    reason: row.reason as string | null,
    endsAt: toNumber(row.ends_at) as number,
  }))
}

export async function readAudit(ask: Ask, { keyId, before, limit }: AuditQuery): Promise<StoredAuditEntry[]> {
  const { rows } = await ask(
    `SELECT seq, ${MS('at')} AS at, action, key_id, successor_id, actor, reason, detail FROM vantage_audit
      WHERE ($1::text IS NULL OR key_id = $1 OR successor_id = $1) AND ($2::bigint IS NULL OR seq < $2)
      ORDER BY seq DESC LIMIT $3`,
    [keyId ?? null, before ?? null, limit],
  )
  return rows.map((row) => ({
    seq: Number(row.seq),
    at: toNumber(row.at) as number,
    action: row.action as StoredAuditEntry['action'],
    keyId: row.key_id as string | null,
    successorId: row.successor_id as string | null,
    actor: row.actor as string | null,
    reason: row.reason as string | null,
    detail: row.detail as string | null,
  }))
}

function toSql(query: KeyQuery): { text: string; values: unknown[] } {
  const conditions: string[] = []
  const values: unknown[] = []
  const placed = (condition: string, given: readonly unknown[]) => {
    let next = 0
    return condition.replaceAll('?', () => `$${values.push(given[next++])}`)
  }
  const where = (condition: string, ...given: unknown[]) => conditions.push(`(${placed(condition, given)})`)
  const { now, id, subject, tenant, state, unusedSince, expiringBefore, after, limit } = query
  const { createdBefore, supersededInUse } = query
  if (id !== undefined) where('id = ?', id)
  if (subject !== undefined) where('subject = ?', subject)
  if (tenant !== undefined) where('tenant = ?', tenant)
  if (state !== undefined) where(STATES[state], toInstant(now))
  if (unusedSince !== undefined) {
    where(
      `created_at < ?::timestamptz AND NOT EXISTS (
        SELECT FROM vantage_usage u WHERE u.id = vantage_keys.id AND u.last_used_at >= ?::timestamptz)`,
      toInstant(unusedSince),
      toInstant(unusedSince),
    )
  }
  if (expiringBefore !== undefined) {
    where(
      'revoked_at IS NULL AND expires_at > ?::timestamptz AND expires_at < ?::timestamptz',
      toInstant(now),
      toInstant(expiringBefore),
    )
  }
  if (createdBefore !== undefined) where('created_at < ?::timestamptz', toInstant(createdBefore))
  if (supersededInUse) {
    where(
      `${STATES.superseded} AND EXISTS (SELECT FROM vantage_usage u JOIN vantage_keys s ON s.id = vantage_keys.replaced_by
        WHERE u.id = vantage_keys.id AND u.last_used_at >= s.created_at)`,
      toInstant(now),
    )
  }
  if (after !== undefined) where('(created_at, id) < (?::timestamptz, ?)', toInstant(after.createdAt), after.id)
  const text = `SELECT ${SELECTED},
      (SELECT ${MS('max(last_used_at)')} FROM vantage_usage u WHERE u.id = vantage_keys.id) AS last_used_at
    FROM vantage_keys ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
    ORDER BY vantage_keys.created_at DESC, id DESC LIMIT ${placed('?', [limit])}`
  return { text, values }
}

function toParameters(key: StoredKey): unknown[] {
  return [
    key.id,
    key.digest,
    key.subject,
    key.tenant,
    key.name,
    key.environment,
    key.scopes.join(' '),
    toInstant(key.createdAt),
    key.createdBy,
    toInstant(key.expiresAt),
    toInstant(key.revokedAt),
    key.revokedBy,
    key.revokedReason,
    key.replaces,
    key.replacedBy,
  ]
}

/** As text: the driver would write a Date in the time zone of the process. */
function toInstant(instant: number | null): string | null {
  return instant === null ? null : new Date(instant).toISOString()
}

function toNumber(value: string | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(value)
}

/** The types are those of the columns. */
function toKey(row: PostgresRow): StoredKey {
  return {
    id: row.id as string,
    digest: row.digest as string,
    subject: row.subject as string,
    tenant: row.tenant as string | null,
    name: row.name as string | null,
    environment: row.environment as StoredKey['environment'],
    // A hand-written list may use commas.
    scopes: parseScopeClaim(row.scopes) ?? [],
    createdAt: toNumber(row.created_at) as number,
    createdBy: row.created_by as string | null,
    expiresAt: toNumber(row.expires_at),
    revokedAt: toNumber(row.revoked_at),
    revokedBy: row.revoked_by as string | null,
    revokedReason: row.revoked_reason as string | null,
    replaces: row.replaces as string | null,
    replacedBy: row.replaced_by as string | null,
  }
}
