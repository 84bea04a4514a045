import type { KeyChange, StoredTokenRevocation } from '../contract.js'
import type { SqlRow } from './dialect.js'
import { toTokenRevocation } from './token-revocations.js'

/** Stands in the log of changes, where the id of a key would, for a change of the revocations of tokens. */
export const TOKENS_CHANGED = '(token revocations)'

/** One entry of the log of changes. A reader keeps the last one that it has read. */
export interface Position {
  /** Which log it is in: a random text, made with the schema. */
  readonly feed: string
  /** Its number, in decimal digits: PostgreSQL counts further than a number can. `'0'` stands before the first entry. */
  readonly seq: string
  /** The key that was changed; `null` for every key. */
  readonly id: string | null
  readonly at: number
}

/** An entry with what it tells. */
export interface Change extends Position {
  /** Which revocation of tokens was changed, and what it is now, if it is there; `undefined` when the entry does not say. */
  readonly revocation: { readonly id: string; readonly stored: StoredTokenRevocation | undefined } | undefined
}

/** What a reader of the log learns. */
export interface News {
  /** Whether the history is broken, so that there may be changes that it does not tell of. */
  readonly missed: boolean
  readonly changes: readonly KeyChange[]
  /** Where to read on from; `undefined` for the newest entry, which has to be read before the changes are told. */
  readonly position: Position | undefined
}

/** A row with `seq`, `id` and `at`; the first two are absent or `null` where the log is empty. */
export function toPosition(feed: string, row: SqlRow | undefined): Position {
  const { seq, id, at } = row ?? {}
  return { feed, seq: String(seq ?? 0), id: (id ?? null) as string | null, at: Number(at ?? 0) }
}

/** What the columns of the revocation that an entry names are called: `r_id` and so on. */
export const REVOCATION_ALIAS = 'r'

/** A row as {@link toPosition} takes it, with `revocation`, and the columns of that revocation. */
export function toChange(feed: string, row: SqlRow): Change {
  const id = row.revocation
  const stored = row.r_id === null || row.r_id === undefined ? undefined : toTokenRevocation(row, REVOCATION_ALIAS)
  return { ...toPosition(feed, row), revocation: typeof id === 'string' ? { id, stored } : undefined }
}

/**
 * Judges what has happened since a position.
 *
 * @param feed the log that is there now
 * @param entries its entries from the position's number on, that one included, oldest first
 * @param most longer news are told as a change of everything
 */
export function judgeChanges(last: Position, feed: string, entries: readonly Change[], most: number): News {
  // The entry that was the newest must be there still, and be the same. A restored backup may count past our position
  // along another history, and nobody knows what was in between.
  const first = last.seq === '0' ? last : entries[0]
  const others = last.seq === '0' ? entries : entries.slice(1)
  const unbroken = feed === last.feed && first?.seq === last.seq && first.id === last.id && first.at === last.at
  if (!unbroken || others.length > most) {
    return { missed: !unbroken, changes: [{ all: true }], position: undefined }
  }
  return { missed: false, changes: toChanges(others), position: toLast(others) ?? last }
}

function toLast(entries: readonly Change[]): Position | undefined {
  const newest = entries.at(-1)
  return newest && { feed: newest.feed, seq: newest.seq, id: newest.id, at: newest.at }
}

/** Each key and each revocation once, with its latest change. */
function toChanges(entries: readonly Change[]): KeyChange[] {
  const keys = new Map<string, KeyChange>()
  const revocations = new Map<string | undefined, KeyChange>()
  for (const { id, at, revocation } of entries) {
    if (id === null) return [{ all: true }]
    if (id !== TOKENS_CHANGED) keys.set(id, { id, at })
    else if (revocation === undefined) revocations.set(undefined, { tokens: true, at })
    else if (revocation.stored === undefined)
      revocations.set(revocation.id, { tokens: true, removed: revocation.id, at })
    else revocations.set(revocation.id, { tokens: true, added: revocation.stored, at })
  }
  return [...keys.values(), ...revocations.values()]
}
