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
import { RESULT, type SqliteDatabase, type SqliteRow, type SqliteValue, sqliteResultCode } from './driver.js'
import { inTransaction } from './schema.js'

/** What a store asks of one open connection; all of it synchronous. */
export interface KeyQueries {
  find(id: string): StoredKey | undefined
  insert(key: StoredKey): void
  update(current: StoredKey, next: StoredKey, successor?: StoredKey): boolean
  list(query: KeyQuery): ListedKey[]
  addUsage(increments: readonly UsageIncrement[]): void
  readUsage(id: string, sinceDay: string): { readonly total: number; readonly days: readonly DayUsage[] }
  addTokenRevocation(revocation: StoredTokenRevocation): void
  tokenRevocations(now: number): StoredTokenRevocation[]
  readAudit(query: AuditQuery): StoredAuditEntry[]
}

const STATES: Record<KeyState, string> = {
  revoked: 'revoked_at IS NOT NULL',
  expired: 'revoked_at IS NULL AND expires_at <= ?',
  superseded: 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) AND replaced_by IS NOT NULL',
  active: 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) AND replaced_by IS NULL',
}

export function createKeyQueries(database: SqliteDatabase): KeyQueries {
  const select = database.prepare(`SELECT ${KEY_COLUMNS.join(', ')} FROM vantage_keys WHERE id = ?`)
  const insert = database.prepare(
    `INSERT INTO vantage_keys (${KEY_COLUMNS.join(', ')}) VALUES (${KEY_COLUMNS.map(() => '?').join(', ')})`,
  )
  const update = database.prepare(
    `UPDATE vantage_keys SET ${KEY_COLUMNS.slice(1)
      .map((column) => `${column} = ?`)
      .join(', ')} WHERE id = ? AND expires_at IS ? AND revoked_at IS ? AND replaced_by IS ?`,
  )
  const count = database.prepare(
    `INSERT INTO vantage_usage (id, day, count, last_used_at)
      SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM vantage_keys WHERE id = ?)
      ON CONFLICT (id, day) DO UPDATE SET count = count + excluded.count,
        last_used_at = max(last_used_at, excluded.last_used_at)`,
  )
  const total = database.prepare('SELECT sum(count) AS total FROM vantage_usage WHERE id = ?')
  const endTokenRevocations = database.prepare('DELETE FROM vantage_token_revocations WHERE ends_at <= ?')
  const insertTokenRevocation = database.prepare(
    `INSERT INTO vantage_token_revocations
      (id, issuer, token_id, subject, client_id, issued_before, created_at, created_by, reason, ends_at)
      SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
      WHERE (SELECT count(*) FROM vantage_token_revocations) < ${MAX_TOKEN_REVOCATIONS}`,
  )
  const tokenRevocations = database.prepare('SELECT * FROM vantage_token_revocations WHERE ends_at > ?')
  const audit = database.prepare(
    'SELECT * FROM vantage_audit WHERE (? IS NULL OR key_id = ? OR successor_id = ?) AND seq < ? ORDER BY seq DESC LIMIT ?',
  )
  const days = database.prepare('SELECT day, count FROM vantage_usage WHERE id = ? AND day >= ? ORDER BY day')

  function add(key: StoredKey): void {
    try {
      insert.run(...toParameters(key))
    } catch (error) {
      if (sqliteResultCode(error) !== RESULT.constraint) throw error
      throw new KeyStoreError(
        select.get(key.id) ? 'A key with this id exists' : 'The key holds a value that the store does not accept',
        { cause: error },
      )
    }
  }

  return {
    find(id) {
      const row = select.get(id)
      return row && toKey(row)
    },

    insert(key) {
      inTransaction(database, () => add(key))
    },

    update(current, next, successor) {
      return inTransaction(database, () => {
        const [, ...values] = toParameters(next)
        const { changes } = update.run(...values, current.id, current.expiresAt, current.revokedAt, current.replacedBy)
        if (Number(changes) === 0) return false
        if (successor) add(successor)
        return true
      })
    },

    list(query) {
      const { sql, parameters } = toSql(query)
      return database
        .prepare(sql)
        .all(...parameters)
        .map((row) => ({ ...toKey(row), lastUsedAt: row.last_used_at as number | null }))
    },

    addUsage(increments) {
      inTransaction(database, () => {
        for (const { id, day, count: uses, lastUsedAt } of increments) count.run(id, day, uses, lastUsedAt, id)
      })
    },

    readUsage(id, sinceDay) {
      return {
        total: Number(total.get(id)?.total ?? 0),
        days: days.all(id, sinceDay).map((row) => ({ day: String(row.day), count: Number(row.count) })),
      }
    },

    addTokenRevocation(given) {
      inTransaction(database, () => {
        endTokenRevocations.run(given.createdAt)
        const { changes } = insertTokenRevocation.run(
          given.id,
          given.issuer,
          given.tokenId,
          given.subject,
          given.clientId,
          given.issuedBefore,
          given.createdAt,
          given.createdBy,
          given.reason,
          given.endsAt,
        )
        if (Number(changes) === 0) throw new KeyStoreError(TOO_MANY_TOKEN_REVOCATIONS)
      })
    },

    tokenRevocations: (now) => tokenRevocations.all(now).map(toTokenRevocation),

    readAudit({ keyId = null, before = Number.MAX_SAFE_INTEGER, limit }) {
      return audit.all(keyId, keyId, keyId, before, limit).map(toAuditEntry)
    },
  }
}

function toSql(query: KeyQuery): { sql: string; parameters: SqliteValue[] } {
  const conditions: string[] = []
  const parameters: SqliteValue[] = []
  const where = (condition: string, ...values: SqliteValue[]) => {
    conditions.push(`(${condition})`)
    parameters.push(...values)
  }
  const { now, id, subject, tenant, state, unusedSince, expiringBefore, after, limit } = query
  const { createdBefore, supersededInUse } = query
  if (id !== undefined) where('id = ?', id)
  if (subject !== undefined) where('subject = ?', subject)
  if (tenant !== undefined) where('tenant = ?', tenant)
  if (state !== undefined) where(STATES[state], ...(state === 'revoked' ? [] : [now]))
  if (unusedSince !== undefined) {
    where(
      'created_at < ? AND NOT EXISTS (SELECT 1 FROM vantage_usage u WHERE u.id = vantage_keys.id AND u.last_used_at >= ?)',
      unusedSince,
      unusedSince,
    )
  }
  if (expiringBefore !== undefined)
    where('revoked_at IS NULL AND expires_at > ? AND expires_at < ?', now, expiringBefore)
  if (createdBefore !== undefined) where('created_at < ?', createdBefore)
  if (supersededInUse) {
    where(
      `${STATES.superseded} AND EXISTS (SELECT 1 FROM vantage_usage u JOIN vantage_keys s ON s.id = vantage_keys.replaced_by
        WHERE u.id = vantage_keys.id AND u.last_used_at >= s.created_at)`,
      now,
    )
  }
  if (after !== undefined) where('(created_at, id) < (?, ?)', after.createdAt, after.id)
  const sql = `SELECT ${KEY_COLUMNS.join(', ')},
      (SELECT max(last_used_at) FROM vantage_usage u WHERE u.id = vantage_keys.id) AS last_used_at
    FROM vantage_keys ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
    ORDER BY created_at DESC, id DESC LIMIT ?`
  return { sql, parameters: [...parameters, limit] }
}

function toParameters(key: StoredKey): SqliteValue[] {
  return [
    key.id,
    key.digest,
    key.subject,
    key.tenant,
    key.name,
    key.environment,
    key.scopes.join(' '),
    key.createdAt,
    key.createdBy,
    key.expiresAt,
    key.revokedAt,
    key.revokedBy,
    key.revokedReason,
    key.replaces,
    key.replacedBy,
  ]
}

function toTokenRevocation(row: SqliteRow): StoredTokenRevocation {
  return {
    id: row.id as string,
    issuer: row.issuer as string,
    tokenId: row.token_id as string | null,
    subject: row.subject as string | null,
    clientId: row.client_id as string | null,
    issuedBefore: row.issued_before as number | null,
    createdAt: row.created_at as number,
    createdBy: row.created_by as string | null,
    reason: row.reason as string | null,
    endsAt: row.ends_at as number,
  }
}

function toAuditEntry(row: SqliteRow): StoredAuditEntry {
  return {
    seq: row.seq as number,
    at: row.at as number,
    action: row.action as StoredAuditEntry['action'],
    keyId: row.key_id as string | null,
    successorId: row.successor_id as string | null,
    actor: row.actor as string | null,
    reason: row.reason as string | null,
    detail: row.detail as string | null,
  }
}

/** The types are those that the checks of the schema enforce. */
function toKey(row: SqliteRow): StoredKey {
  return {
    id: row.id as string,
    digest: row.digest as string,
    subject: row.subject as string,
    tenant: row.tenant as string | null,
    name: row.name as string | null,
    environment: row.environment as StoredKey['environment'],
    // A hand-written list may use commas.
    scopes: parseScopeClaim(row.scopes) ?? [],
    createdAt: row.created_at as number,
    createdBy: row.created_by as string | null,
    expiresAt: row.expires_at as number | null,
    revokedAt: row.revoked_at as number | null,
    revokedBy: row.revoked_by as string | null,
    revokedReason: row.revoked_reason as string | null,
    replaces: row.replaces as string | null,
    replacedBy: row.replaced_by as string | null,
  }
}
