import type { KeyChange } from '../contract.js'
import type { SqlRow } from './dialect.js'

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

/**
 * Judges what has happened since a position.
 *
 * @param feed the log that is there now
 * @param entries its entries from the position's number on, that one included, oldest first
 * @param most longer news are told as a change of everything
 */
export function judgeChanges(last: Position, feed: string, entries: readonly Position[], most: number): News {
  // The entry that was the newest must be there still, and be the same. A restored backup may count past our position
  // along another history, and nobody knows what was in between.
  const [first, ...others] = last.seq === '0' ? [last, ...entries] : entries
  const unbroken = feed === last.feed && first?.seq === last.seq && first.id === last.id && first.at === last.at
  if (!unbroken || others.length > most) {
    return { missed: !unbroken, changes: [{ all: true }], position: undefined }
  }
  return { missed: false, changes: toChanges(others), position: others.at(-1) ?? last }
}

/** Each key once, with its latest change. */
function toChanges(entries: readonly Position[]): KeyChange[] {
  const changedAt = new Map<string, number>()
  for (const { id, at } of entries) {
    if (id === null) return [{ all: true }]
    changedAt.set(id, at)
  }
  return [...changedAt].map(([id, at]) => (id === TOKENS_CHANGED ? { tokens: true, at } : { id, at }))
}
