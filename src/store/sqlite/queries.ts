import { KeyStoreError } from '../../core/errors.js'
import type {
  AuditQuery,
  DayUsage,
  KeyQuery,
  ListedKey,
  StoredAuditEntry,
  StoredKey,
  StoredTokenEvent,
  StoredTokenRevocation,
  TokenNames,
  UsageIncrement,
  WriteLimit,
} from '../contract.js'
import { isSameKey } from '../same-key.js'
import { HINT_START, type SearchedKey } from '../search.js'
import type { Dialect, Parameters, Statement } from '../sql/dialect.js'
import * as statements from '../sql/statements.js'
import { AUDIT, fromRow, KEYS, selectList } from '../sql/tables.js'
import { deleteEndedEvents, TOKEN_EVENTS } from '../sql/token-events.js'
import {
  deleteEndedTokenRevocations,
  deleteReplacedTokenRevocations,
  escapeName,
  findByName,
  insertTokenRevocation,
  namingToken,
  pageOfTokenRevocations,
  TOKEN_REVOCATIONS,
  toTokenRevocation,
} from '../sql/token-revocations.js'
import { toDayUsage, toListedKey } from '../sql/usage-rows.js'
import { describeNoRoom, ROOM, type RoomOf, roomOf } from '../token-revocations.js'
import { RESULT, type SqliteDatabase, type SqliteRow, type SqliteStatement, sqliteResultCode } from './driver.js'
import { ROOM_OF_ROW } from './migrations.js'
import { inTransaction } from './schema.js'

/** What a store asks of one open connection; all of it synchronous. */
export interface KeyQueries {
  /** Those of these ids that there are, by their id. */
  find(ids: readonly string[]): ReadonlyMap<string, StoredKey>
  insert(key: StoredKey, limit?: WriteLimit): void
  update(
    current: StoredKey,
    next: StoredKey,
    successor?: StoredKey,
    editor?: string | null,
    limit?: WriteLimit,
  ): boolean
  /** @param found the ids of the keys that the search of the query finds */
  list(query: KeyQuery, found?: readonly string[]): ListedKey[]
  /** The ids of the keys that meet a query, its search aside. */
  idsOf(query: KeyQuery): string[]
  /** Those of these keys that have a text without capitals. Of letters, SQLite knows the capitals of ASCII alone. */
  foundIn(ids: readonly string[], text: string): string[]
  /** What a search looks at, of the keys with these ids. */
  searched(ids: readonly string[]): SearchedKey[]
  addUsage(increments: readonly UsageIncrement[]): void
  readUsage(id: string, sinceDay: string): { readonly total: number; readonly days: readonly DayUsage[] }
  /** The days with uses of each of these keys, from a day on. */
  usesOf(ids: readonly string[], sinceDay: string): ReadonlyMap<string, readonly DayUsage[]>
  firstUses(sinceDay: string, limit: number): string[]
  addTokenRevocation(revocation: StoredTokenRevocation): void
  addTokenRevocationsOnce(
    event: StoredTokenEvent,
    revocations: readonly StoredTokenRevocation[],
    limit?: WriteLimit,
  ): boolean
  /** The next page, in the order of their ids. */
  pageOfTokenRevocations(now: number, afterId: string | undefined): StoredTokenRevocation[]
  findTokenRevocations(token: TokenNames): StoredTokenRevocation[]
  readAudit(query: AuditQuery): StoredAuditEntry[]
}

/** Instants are stored as milliseconds. */
export const DIALECT: Dialect = {
  table: (name) => name,
  parameter: () => '?',
  instantParameter: () => '?',
  instantValue: (ms) => ms,
  notAfterNow: (parameter) => `min(${parameter}, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))`,
  readInstant: (expression) => expression,
  dayParameter: () => '?',
  readDay: (expression) => expression,
  plainText: (expression) => expression,
  joinTexts: (expression) => `group_concat(${expression})`,
}

/** The values of a parameter that holds them as JSON: one parameter, however many they are. */
const listed = (parameter: string) => `SELECT value FROM json_each(${parameter})`

export function createKeyQueries(database: SqliteDatabase): KeyQueries {
  const select = database.prepare(`SELECT ${selectList(KEYS, DIALECT)} FROM ${KEYS.name} WHERE id = ?`)
  const selectListed = database.prepare(
    `SELECT ${selectList(KEYS, DIALECT)} FROM ${KEYS.name} WHERE id IN (${listed('?')})`,
  )
  const selectSearched = database.prepare(
    `SELECT id, name, subject, environment FROM ${KEYS.name} WHERE id IN (${listed('?')})`,
  )
  const selectFound = database.prepare(
    `SELECT id FROM ${KEYS.name} WHERE id IN (${listed('?')}) AND (instr(lower(coalesce(name, '')), ?) > 0
      OR instr(lower(subject), ?) > 0 OR instr(lower('${HINT_START}' || environment || '_' || id), ?) > 0)`,
  )
  const selectUses = database.prepare(
    `SELECT id, day, count FROM vantage_usage WHERE id IN (${listed('?')}) AND day >= ?`,
  )
  const addUse = database.prepare(
    `INSERT INTO vantage_usage (id, day, count, last_used_at)
      SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM vantage_keys WHERE id = ?)
      ON CONFLICT (id, day) DO UPDATE SET count = count + excluded.count,
        last_used_at = max(last_used_at, excluded.last_used_at)`,
  )
  const sumUses = database.prepare('SELECT sum(count) AS total FROM vantage_usage WHERE id = ?')
  const selectDays = database.prepare('SELECT day, count FROM vantage_usage WHERE id = ? AND day >= ? ORDER BY day')

  const selectByName = database.prepare(findByName(DIALECT, (column) => `${column} IN (${listed('?')})`))
  // SQLite counts all rows of a table quickly, and goes through those of a condition one by one.
  const countRevocations = database.prepare(`SELECT count(*) AS count FROM ${TOKEN_REVOCATIONS.name}`)
  const hasEvent = database.prepare(`SELECT 1 FROM ${TOKEN_EVENTS} WHERE digest = ?`)
  const countEvents = database.prepare(`SELECT count(*) AS count FROM ${TOKEN_EVENTS}`)
  const countEventsOf = database.prepare(`SELECT count(*) AS count FROM ${TOKEN_EVENTS} WHERE sender = ?`)
  const insertEvent = database.prepare(`INSERT INTO ${TOKEN_EVENTS} (digest, sender, ends_at) VALUES (?, ?, ?)`)
  const countRoom = database.prepare(`SELECT count(*) AS count FROM ${TOKEN_REVOCATIONS.name} WHERE ${ROOM_OF_ROW} = ?`)
  const countOf = database.prepare(`SELECT count(*) AS count FROM ${TOKEN_REVOCATIONS.name} WHERE sender = ?`)

  const countBy = (statement: SqliteStatement, ...values: string[]) => Number(statement.get(...values)?.count)

  /** @returns what there is no room for, if anything */
  function fullRoom(revocation: StoredTokenRevocation, sender: string | null): RoomOf | undefined {
    const room = roomOf(revocation, sender)
    const all = countBy(countRevocations)
    if (all >= ROOM[room] && countBy(countRoom, room) >= ROOM[room]) return room
    const isShareTaken = sender !== null && all >= ROOM['one sender'] && countBy(countOf, sender) >= ROOM['one sender']
    return isShareTaken ? 'one sender' : undefined
  }

  function addRevocation(revocation: StoredTokenRevocation, sender: string | null): void {
    const deleteReplaced = deleteReplacedTokenRevocations(revocation, DIALECT)
    let full = fullRoom(revocation, sender)
    // Those that it replaces may stand in another room.
    if (full !== undefined && run(deleteReplaced) > 0) full = fullRoom(revocation, sender)
    if (full !== undefined) throw new KeyStoreError(describeNoRoom(full))
    run(insertTokenRevocation(revocation, sender, DIALECT))
    run(deleteReplaced)
  }

  /** @returns false where it is there already */
  function addEvent(event: StoredTokenEvent): boolean {
    run(deleteEndedEvents(event, DIALECT))
    if (hasEvent.get(event.digest)) return false
    const noted = countBy(countEvents)
    if (noted >= ROOM.events) throw new KeyStoreError(describeNoRoom('events'))
    if (noted >= ROOM['events of a sender'] && countBy(countEventsOf, event.sender) >= ROOM['events of a sender'])
      throw new KeyStoreError(describeNoRoom('events of a sender'))
    insertEvent.run(event.digest, event.sender, event.endsAt)
    return true
  }

  const all = ({ text, values }: Statement): SqliteRow[] => database.prepare(text).all(...values)

  /** @returns how many rows were written */
  const run = ({ text, values }: Statement): number => Number(database.prepare(text).run(...values).changes)

  function add(key: StoredKey): void {
    try {
      run(statements.insertKey(key, DIALECT))
    } catch (error) {
      if (sqliteResultCode(error) !== RESULT.constraint) throw error
      throw new KeyStoreError(
        select.get(key.id) ? 'A key with this id exists' : 'The key holds a value that the store does not accept',
        { cause: error },
      )
    }
  }

  return {
    find(ids) {
      const [id] = ids
      // One with get(), as wherever else this statement is used: with libsql get() finds no row behind an all().
      const one = id !== undefined && ids.length === 1 ? select.get(id) : undefined
      const rows = ids.length === 1 ? (one ? [one] : []) : selectListed.all(JSON.stringify(ids))
      return new Map(rows.map((row) => [row.id as string, fromRow(KEYS, row)]))
    },

    insert(key, limit) {
      inTransaction(database, () => add(key), limit)
    },

    update(current, next, successor, editor, limit) {
      function write(): boolean {
        const row = select.get(current.id)
        if (row === undefined || !isSameKey(fromRow(KEYS, row), current)) return false
        // The successor first: the audit trail tells a rotation from a change by hand by it.
        if (successor) add(successor)
        const update = statements.updateKey(current, next, DIALECT, editor)
        if (update) run(update)
        return true
      }
      return inTransaction(database, write, limit)
    },

    list(query, found) {
      const isFound = found && (({ value }: Parameters) => `id IN (${listed(value(JSON.stringify(found)))})`)
      return all(statements.listKeys(query, DIALECT, isFound)).map(toListedKey)
    },

    idsOf: (query) => all(statements.idsOfKeys(query, DIALECT)).map(({ id }) => String(id)),

    foundIn: (ids, text) => selectFound.all(JSON.stringify(ids), text, text, text).map(({ id }) => String(id)),

    searched: (ids) => selectSearched.all(JSON.stringify(ids)) as unknown as SearchedKey[],

    addUsage(increments) {
      inTransaction(database, () => {
        for (const { id, day, count, lastUsedAt } of increments) addUse.run(id, day, count, lastUsedAt, id)
      })
    },

    readUsage(id, sinceDay) {
      return {
        total: Number(sumUses.get(id)?.total ?? 0),
        days: selectDays.all(id, sinceDay).map((row) => ({ day: String(row.day), count: Number(row.count) })),
      }
    },

    usesOf(ids, sinceDay) {
      const uses = new Map<string, DayUsage[]>()
      for (const row of selectUses.all(JSON.stringify(ids), sinceDay)) {
        const id = String(row.id)
        const days = uses.get(id) ?? []
        uses.set(id, days)
        days.push(toDayUsage(row))
      }
      return uses
    },

    firstUses: (sinceDay, limit) => all(statements.firstUses(sinceDay, limit, DIALECT)).map(({ id }) => String(id)),

    addTokenRevocation(revocation) {
      inTransaction(database, () => {
        run(deleteEndedTokenRevocations(revocation.createdAt, DIALECT))
        addRevocation(revocation, null)
      })
    },

    addTokenRevocationsOnce(event, revocations, limit) {
      function write(): boolean {
        if (!addEvent(event)) return false
        if (revocations.length > 0) run(deleteEndedTokenRevocations(event.createdAt, DIALECT))
        for (const revocation of revocations) addRevocation(revocation, event.sender)
        return true
      }
      return inTransaction(database, write, limit)
    },

    pageOfTokenRevocations: (now, afterId) =>
      all(pageOfTokenRevocations(now, afterId, DIALECT)).map((row) => toTokenRevocation(row)),

    findTokenRevocations(token) {
      const of = (names: readonly (string | null)[]) =>
        JSON.stringify(names.flatMap((name) => (name === null ? [] : [escapeName(name)])))
      const names = [of([token.tokenId]), of(token.subjects), of([token.clientId]), of([token.sessionId])]
      return namingToken(
        token,
        selectByName.all(...names).map((row) => toTokenRevocation(row)),
      )
    },

    readAudit: (query) => all(statements.readAudit(query, DIALECT)).map((row) => fromRow(AUDIT, row)),
  }
}
