import { randomBytes } from 'node:crypto'

/** Events that are kept for clients that come back. */
const JOURNAL_LENGTH = 1000

/** The latest events, of all tenants. */
export interface EventJournal<E> {
  /** Where the journal ends now. */
  position(): string
  /** @param make given the position behind the event */
  add(make: (position: string) => E): E
  /** What came behind a position; `undefined` where that is not known any more, or never was one. */
  since(position: string): readonly E[] | undefined
  /** Forgets everything, since something was missed: no earlier position leads anywhere. */
  restart(): void
}

/**
 * Positions are random texts and no numbers: a client could count the events between two of its own, which are those of
 * other tenants. Nothing in a position that a client sends is read; it is one of ours or it is not.
 */
export function createEventJournal<E>(): EventJournal<E> {
  const newPosition = () => randomBytes(12).toString('base64url')
  let start = newPosition()
  let entries: { readonly position: string; readonly event: E }[] = []

  return {
    position: () => entries.at(-1)?.position ?? start,
    add(make) {
      const position = newPosition()
      const event = make(position)
      entries.push({ position, event })
      if (entries.length > JOURNAL_LENGTH) start = (entries.shift() as (typeof entries)[number]).position
      return event
    },
    since(position) {
      if (position === start) return entries.map(({ event }) => event)
      const index = entries.findIndex((entry) => entry.position === position)
      return index < 0 ? undefined : entries.slice(index + 1).map(({ event }) => event)
    },
    restart() {
      start = newPosition()
      entries = []
    },
  }
}
