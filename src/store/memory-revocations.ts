import { KeyStoreError } from '../core/errors.js'
import type { StoredTokenEvent, StoredTokenRevocation, TokenChange } from './contract.js'
import { describeNoRoom, MAX_EVENTS, ROOM, type RoomOf, replaces, roomOf } from './token-revocations.js'

/** The revocations of tokens, and the events of issuers, that are kept in memory. */
export interface MemoryRevocations {
  /**
   * Adds revocations, all of them or none.
   *
   * @returns what has changed; `undefined` where the event is there already, and nothing was added
   * @throws {KeyStoreError} where there is no room
   */
  add(added: readonly StoredTokenRevocation[], event?: StoredTokenEvent): TokenChange[] | undefined
  list(): StoredTokenRevocation[]
  clear(): void
}

export function createMemoryRevocations(): MemoryRevocations {
  const revocations = new Map<string, StoredTokenRevocation>()
  /** The same revocations, by what they name. */
  const byName = new Map<string, Set<StoredTokenRevocation>>()
  /** How many of the revocations there are in each room. */
  const counts = { tokens: 0, 'subjects and clients': 0, sessions: 0 }
  /** The ends of the events, by their digests. */
  const events = new Map<string, number>()
  /** When the first of them ends, at the earliest. */
  const firstEnd = { revocation: Number.POSITIVE_INFINITY, event: Number.POSITIVE_INFINITY }

  function put(revocation: StoredTokenRevocation): void {
    const sameName = byName.get(nameOf(revocation)) ?? new Set()
    revocations.set(revocation.id, revocation)
    byName.set(nameOf(revocation), sameName.add(revocation))
    counts[roomOf(revocation)]++
    firstEnd.revocation = Math.min(firstEnd.revocation, revocation.endsAt)
  }

  function drop(revocation: StoredTokenRevocation): void {
    revocations.delete(revocation.id)
    counts[roomOf(revocation)]--
    const sameName = byName.get(nameOf(revocation))
    sameName?.delete(revocation)
    if (sameName?.size === 0) byName.delete(nameOf(revocation))
  }

  function dropEnded(now: number): void {
    if (firstEnd.revocation > now) return
    firstEnd.revocation = Number.POSITIVE_INFINITY
    for (const revocation of revocations.values()) {
      if (revocation.endsAt > now) firstEnd.revocation = Math.min(firstEnd.revocation, revocation.endsAt)
      else drop(revocation)
    }
  }

  function dropEndedEvents(now: number): void {
    if (firstEnd.event > now) return
    firstEnd.event = Number.POSITIVE_INFINITY
    for (const [digest, endsAt] of events) {
      if (endsAt > now) firstEnd.event = Math.min(firstEnd.event, endsAt)
      else events.delete(digest)
    }
  }

  /** @returns those that it replaces, which are gone */
  function addOne(revocation: StoredTokenRevocation): StoredTokenRevocation[] {
    if (revocations.has(revocation.id)) throw new KeyStoreError('A revocation with this id exists')
    const replaced = [...(byName.get(nameOf(revocation)) ?? [])].filter((other) => replaces(revocation, other))
    const room: RoomOf = roomOf(revocation)
    const freed = replaced.filter((other) => roomOf(other) === room).length
    if (counts[room] - freed >= ROOM[room]) throw new KeyStoreError(describeNoRoom(room))
    for (const other of replaced) drop(other)
    put(revocation)
    return replaced
  }

  function addAll(added: readonly StoredTokenRevocation[]): TokenChange[] {
    const done: { added: StoredTokenRevocation; replaced: readonly StoredTokenRevocation[] }[] = []
    try {
      for (const one of added) done.push({ added: one, replaced: addOne(one) })
    } catch (error) {
      for (const { added: one, replaced } of done.reverse()) {
        drop(one)
        for (const other of replaced) put(other)
      }
      throw error
    }
    return done.flatMap(({ added: one, replaced }) => [
      { tokens: true as const, added: one },
      ...replaced.map(({ id }) => ({ tokens: true as const, removed: id })),
    ])
  }

  return {
    add(given, event) {
      const added = given.map((revocation) => Object.freeze({ ...revocation }))
      // Not what ends in the future: a creation date that lies ahead must not drop what is in force.
      const now = Math.min(event?.createdAt ?? added[0]?.createdAt ?? 0, Date.now())
      dropEnded(now)
      if (event === undefined) return addAll(added)
      dropEndedEvents(now)
      if (events.has(event.digest)) return undefined
      if (events.size >= MAX_EVENTS) throw new KeyStoreError(describeNoRoom('events'))
      const changes = addAll(added)
      events.set(event.digest, event.endsAt)
      firstEnd.event = Math.min(firstEnd.event, event.endsAt)
      return changes
    },

    list: () => [...revocations.values()],

    clear() {
      revocations.clear()
      byName.clear()
      events.clear()
    },
  }
}

/** Of a subject, those without a session stand beside the others: one of the others may replace them. */
function nameOf({ issuer, tokenId, subject, clientId, sessionId }: StoredTokenRevocation): string {
  return JSON.stringify([issuer, tokenId, subject, clientId, sessionId])
}
