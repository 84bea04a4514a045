import { KeyStoreError } from '../../core/errors.js'
import { createBatches } from '../batches.js'
import type { StoredTokenEvent, StoredTokenRevocation, TokenNames } from '../contract.js'
import {
  deleteEndedTokenRevocations,
  deleteReplacedTokenRevocations,
  escapeName,
  findByName,
  insertTokenRevocation,
  namingToken,
  PAGE,
  pageOfTokenRevocations,
  TOKEN_REVOCATIONS,
  toTokenRevocation,
  toTokenRevocationRow,
} from '../sql/token-revocations.js'
import { describeNoRoom, ROOM, type RoomOf } from '../token-revocations.js'
import type { Ask } from './connections.js'
import { SQLSTATE, sqlState } from './driver.js'
import { DIALECT, readAll, run, toInstant } from './queries.js'

const FIND_TOKENS = findByName(
  DIALECT,
  (column, place) => `${column} OPERATOR(pg_catalog.=) ANY ($${place + 1}::pg_catalog.text[])`,
)

/** @param maxStatements how many may be under way at a time */
export function createTokenFinder(
  ask: Ask,
  maxStatements: number,
): (token: TokenNames) => Promise<readonly StoredTokenRevocation[]> {
  return createBatches(async (tokens: readonly TokenNames[]) => {
    const written = (namesOf: (token: TokenNames) => readonly (string | null)[]) => [
      ...new Set(tokens.flatMap(namesOf).flatMap((name) => (name === null ? [] : [escapeName(name)]))),
    ]
    const { rows } = await ask(FIND_TOKENS, [
      written(({ tokenId }) => [tokenId]),
      written(({ subjects }) => subjects),
      written(({ clientId }) => [clientId]),
      written(({ sessionId }) => [sessionId]),
    ])
    const found = rows.map((row) => toTokenRevocation(row))
    return (token) => namingToken(token, found)
  }, maxStatements)
}

/** Rejects when there are too many: a trigger counts them. */
export async function addTokenRevocation(ask: Ask, revocation: StoredTokenRevocation): Promise<void> {
  await run(ask, deleteEndedTokenRevocations(revocation.createdAt, DIALECT))
  const insert = insertTokenRevocation(revocation, null, DIALECT)
  const deleteReplaced = deleteReplacedTokenRevocations(revocation, DIALECT)
  await ask('SAVEPOINT vantage_room')
  try {
    await run(ask, insert)
  } catch (error) {
    if (sqlState(error) !== SQLSTATE.limitExceeded) throw error
    await ask('ROLLBACK TO SAVEPOINT vantage_room')
    // Those that it replaces may stand in another room.
    await run(ask, deleteReplaced)
    await run(ask, insert).catch(explainNoRoom)
  }
  await run(ask, deleteReplaced)
}

const REVOKE_ONCE = `SELECT {schema}.vantage_revoke_tokens_once($1::pg_catalog.text, $2::pg_catalog.text,
  $3::pg_catalog.timestamptz, $4::pg_catalog.timestamptz, $5::pg_catalog.json) AS added`

/**
 * By a function of the schema, so that who receives events needs no more than the right to call it.
 *
 * @returns false where the event is there already
 */
export async function addTokenRevocationsOnce(
  ask: Ask,
  { digest, sender, createdAt, endsAt }: StoredTokenEvent,
  revocations: readonly StoredTokenRevocation[],
): Promise<boolean> {
  const values = [digest, sender, toInstant(endsAt), toInstant(createdAt), JSON.stringify(revocations.map(toJson))]
  const { rows } = await ask(REVOKE_ONCE, values).catch(explainNoRoom)
  return rows[0]?.added === 't'
}

/** A row by the names of its columns. */
function toJson(revocation: StoredTokenRevocation): Record<string, unknown> {
  const row: Readonly<Record<string, unknown>> = { ...toTokenRevocationRow(revocation) }
  return Object.fromEntries(
    TOKEN_REVOCATIONS.columns.map(({ property, name, kind }) => {
      const value = row[property]
      return [name, kind === 'instant' && typeof value === 'number' ? toInstant(value) : value]
    }),
  )
}

/** The triggers that count say of what there are too many, in words of ours. */
function explainNoRoom(error: unknown): never {
  if (sqlState(error) !== SQLSTATE.limitExceeded) throw error
  const rooms = Object.keys(ROOM) as RoomOf[]
  const full = rooms.find((room) => String((error as Error).message).endsWith(` ${room}`))
  throw full === undefined ? error : new KeyStoreError(describeNoRoom(full))
}

export async function listTokenRevocations(ask: Ask, now: number): Promise<StoredTokenRevocation[]> {
  const found: StoredTokenRevocation[] = []
  for (;;) {
    const rows = await readAll(ask, pageOfTokenRevocations(now, found.at(-1)?.id, DIALECT))
    found.push(...rows.map((row) => toTokenRevocation(row)))
    if (rows.length < PAGE) return found
  }
}
