import { randomBytes } from 'node:crypto'
import type { AuditQuery, KeyQuery, StoredKey, TotalUsageQuery } from '../contract.js'
import { NEWEST_FIRST } from '../key-order.js'
import { createParameters, type Dialect, type Parameters, type Statement } from './dialect.js'
import { writeKeyFilters } from './key-filters.js'
import { lastUse, orderValue } from './key-order.js'
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

/**
 * Each row has the columns of a key, `last_used_at`, and with `usageSince` the column `usage`. The page is found first, by as
 * little as its order needs, so that the rest is read of its keys alone.
 *
 * @param found the condition that the search of the query finds a key, given the parameters to write it with
 */
export function listKeys(query: KeyQuery, dialect: Dialect, found?: (parameters: Parameters) => string): Statement {
  const parameters = createParameters(dialect)
  const { table, value, day } = parameters
  const order = query.sort ?? NEWEST_FIRST
  const direction = order.descending ? 'DESC' : 'ASC'
  const keys = table(KEYS.name)
  const usage =
    query.usageSince === undefined
      ? ''
      : `, (SELECT ${dialect.joinTexts(`${dialect.readDay('u.day')} || ' ' || u.count`)} FROM ${table('vantage_usage')} u
        WHERE u.id = ${KEYS.name}.id AND u.day >= ${day(query.usageSince)}) AS usage`
  const text = `SELECT ${selectList(KEYS, dialect)}, ${lastUse(parameters, dialect.readInstant)} AS last_used_at${usage}
    FROM (SELECT id AS page_id, ${orderValue(order.by, parameters)} AS place FROM ${keys}
      ${whereAll([...writeKeyFilters(query, parameters), ...(found ? [found(parameters)] : [])])}
      ORDER BY place ${direction}, ${KEYS.name}.id ${direction} LIMIT ${value(query.limit)}) page
    JOIN ${keys} ON ${KEYS.name}.id = page_id
    ORDER BY place ${direction}, page_id ${direction}`
  return { text, values: parameters.values }
}

/** Each row has the `id` of a key that meets the query, its search aside. */
export function idsOfKeys(query: KeyQuery, dialect: Dialect): Statement {
  const parameters = createParameters(dialect)
  const text = `SELECT id FROM ${dialect.table(KEYS.name)} ${whereAll(writeKeyFilters(query, parameters))}`
  return { text, values: parameters.values }
}

/** Each row has `day` and `count`. */
export function usesByDay(query: TotalUsageQuery, dialect: Dialect): Statement {
  const parameters = createParameters(dialect)
  const text = `SELECT ${dialect.readDay('u.day')} AS day, sum(u.count) AS count ${usesOf(query, parameters)}
    GROUP BY u.day ORDER BY u.day`
  return { text, values: parameters.values }
}

/** Each row has `id` and `count`. */
export function usesByKey(query: TotalUsageQuery, dialect: Dialect): Statement {
  const parameters = createParameters(dialect)
  const text = `SELECT u.id, sum(u.count) AS count ${usesOf(query, parameters)}
    GROUP BY u.id ORDER BY sum(u.count) DESC, u.id LIMIT ${parameters.value(query.limit)}`
  return { text, values: parameters.values }
}

/** Each row has `id`. */
export function firstUses(sinceDay: string, limit: number, dialect: Dialect): Statement {
  const { table, value, day, values } = createParameters(dialect)
  const usage = table('vantage_usage')
  const text = `SELECT DISTINCT u.id FROM ${usage} u WHERE u.day >= ${day(sinceDay)}
      AND NOT EXISTS (SELECT 1 FROM ${usage} earlier WHERE earlier.id = u.id AND earlier.day < ${day(sinceDay)})
    LIMIT ${value(limit)}`
  return { text, values }
}

/** With the keys: uses of a key that was deleted may still be there. */
function usesOf({ subject, tenant, sinceDay }: TotalUsageQuery, { table, value, day }: Parameters): string {
  const conditions = [`u.id = k.id AND u.day >= ${day(sinceDay)}`]
  if (subject !== undefined) conditions.push(`k.subject = ${value(subject)}`)
  if (tenant !== undefined) conditions.push(`k.tenant = ${value(tenant)}`)
  return `FROM ${table(KEYS.name)} k CROSS JOIN ${table('vantage_usage')} u ${whereAll(conditions)}`
}

export function readAudit({ keyId, subject, tenant, before, after, limit }: AuditQuery, dialect: Dialect): Statement {
  const { value, values } = createParameters(dialect)
  const conditions: string[] = []
  if (keyId !== undefined) conditions.push(`(key_id = ${value(keyId)} OR successor_id = ${value(keyId)})`)
  if (subject !== undefined) conditions.push(`subject = ${value(subject)}`)
  if (tenant !== undefined) conditions.push(`tenant = ${value(tenant)}`)
  if (before !== undefined) conditions.push(`seq < ${value(before)}`)
  if (after !== undefined) conditions.push(`seq > ${value(after)}`)
  const text = `SELECT ${selectList(AUDIT, dialect)} FROM ${dialect.table(AUDIT.name)} ${whereAll(conditions)}
    ORDER BY seq DESC LIMIT ${value(limit)}`
  return { text, values }
}

function whereAll(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
}
