import { randomBytes } from 'node:crypto'
import type { AuditQuery, KeyQuery, StoredKey } from '../contract.js'
import { createParameters, type Dialect, type Parameters, type Statement } from './dialect.js'
import { writeKeyFilters } from './key-filters.js'
import { AUDIT, columnsThatDiffer, insertInto, KEYS, selectList, writeColumns } from './tables.js'

// The statements that read the same in SQLite and PostgreSQL.

export function insertKey(key: StoredKey, dialect: Dialect): Statement {
  return insertInto(KEYS, key, dialect)
}

/**
 * Writes the columns in which two states of a key differ; the id stays. By a new `change_id` the triggers tell a change of
 * ours from hand-written SQL.
 *
 * @param editor who edits the key; `undefined` for what is no edit
 * @param condition what else must hold of the row, given the parameters to write it with
 * @returns `undefined` when there is nothing to write
 */
export function updateKey(
  current: StoredKey,
  next: StoredKey,
  dialect: Dialect,
  editor?: string | null,
  condition?: (parameters: Parameters) => string,
): Statement | undefined {
  const parameters = createParameters(dialect)
  const columns = columnsThatDiffer(KEYS, current, { ...next, id: current.id })
  if (columns.length === 0) return undefined
  const written = [
    ...writeColumns({ ...KEYS, columns }, next, parameters),
    { name: 'change_id', parameter: parameters.value(randomBytes(12).toString('base64url')) },
    ...(editor === undefined ? [] : [{ name: 'edited_by', parameter: parameters.value(editor) }]),
  ]
  const conditions = [`id = ${parameters.value(current.id)}`]
  if (condition) conditions.push(condition(parameters))
  const text = `UPDATE ${dialect.table(KEYS.name)}
    SET ${written.map(({ name, parameter }) => `${name} = ${parameter}`).join(', ')} ${whereAll(conditions)}`
  return { text, values: parameters.values }
}

/** Each row has the columns of a key, and `last_used_at`. */
export function listKeys(query: KeyQuery, dialect: Dialect): Statement {
  const parameters = createParameters(dialect)
  const filters = writeKeyFilters(query, parameters)
  // The columns of the order are named with their table, so that the databases use the index and not the selected values.
  const text = `SELECT ${selectList(KEYS, dialect)},
      (SELECT ${dialect.readInstant('max(last_used_at)')} FROM ${dialect.table('vantage_usage')} u WHERE u.id = ${KEYS.name}.id) AS last_used_at
    FROM ${dialect.table(KEYS.name)} ${whereAll(filters)}
    ORDER BY ${KEYS.name}.created_at DESC, ${KEYS.name}.id DESC LIMIT ${parameters.value(query.limit)}`
  return { text, values: parameters.values }
}

export function readAudit({ keyId, before, limit }: AuditQuery, dialect: Dialect): Statement {
  const { value, values } = createParameters(dialect)
  const conditions: string[] = []
  if (keyId !== undefined) conditions.push(`(key_id = ${value(keyId)} OR successor_id = ${value(keyId)})`)
  if (before !== undefined) conditions.push(`seq < ${value(before)}`)
  const text = `SELECT ${selectList(AUDIT, dialect)} FROM ${dialect.table(AUDIT.name)} ${whereAll(conditions)}
    ORDER BY seq DESC LIMIT ${value(limit)}`
  return { text, values }
}

function whereAll(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
}
