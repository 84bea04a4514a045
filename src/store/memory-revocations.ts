import { KeyStoreError } from '../core/errors.js'
import type { StoredTokenEvent, StoredTokenRevocation, TokenChange } from './contract.js'
import { describeNoRoom, type RevocationRoom, ROOM, type RoomOf, replaces, roomOf } from './token-revocations.js'

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
  const counts: Record<RevocationRoom, number> = { tokens: 0, 'subjects and clients': 0, sessions: 0 }
  /** Whose event asked for a revocation, by its id. */
  const senders = new Map<string, string>()
  const ofSender = createTally()
  /** The events, by their digests. */
  const events = new Map<string, StoredTokenEvent>()
  const eventsOfSender = createTally()
  /** When the first of them ends, at the earliest. */
  const firstEnd = { revocation: Number.POSITIVE_INFINITY, event: Number.POSITIVE_INFINITY }

  const senderOf = ({ id }: StoredTokenRevocation) => senders.get(id) ?? null

  function put(revocation: StoredTokenRevocation, sender: string | null): void {
    const sameName = byName.get(nameOf(revocation)) ?? new Set()
    revocations.set(revocation.id, revocation)
    byName.set(nameOf(revocation), sameName.add(revocation))
    counts[roomOf(revocation, sender)]++
    if (sender !== null) senders.set(revocation.id, sender)
    ofSender.add(sender, 1)
    firstEnd.revocation = Math.min(firstEnd.revocation, revocation.endsAt)
  }

  function drop(revocation: StoredTokenRevocation): void {
    const sender = senderOf(revocation)
    revocations.delete(revocation.id)
    counts[roomOf(revocation, sender)]--
    senders.delete(revocation.id)
    ofSender.add(sender, -1)
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
    for (const { digest, sender, endsAt } of events.values()) {
      if (endsAt > now) {
        firstEnd.event = Math.min(firstEnd.event, endsAt)
      } else {
        events.delete(digest)
        eventsOfSender.add(sender, -1)
      }
    }
  }

  function noteEvent(event: StoredTokenEvent): void {
    events.set(event.digest, { ...event })
    eventsOfSender.add(event.sender, 1)
    firstEnd.event = Math.min(firstEnd.event, event.endsAt)
  }

  /** @returns those that it replaces, which are gone */
  function addOne(revocation: StoredTokenRevocation, sender: string | null): Replaced[] {
    if (revocations.has(revocation.id)) throw new KeyStoreError('A revocation with this id exists')
    const replaced = [...(byName.get(nameOf(revocation)) ?? [])]
      .filter((other) => replaces(revocation, other))
      .map((other) => ({ other, sender: senderOf(other) }))
    const room = roomOf(revocation, sender)
    const inRoom = replaced.filter((one) => roomOf(one.other, one.sender) === room)
    checkRoom(counts[room] - inRoom.length, room)
    if (sender !== null)
      checkRoom(ofSender.count(sender) - inRoom.filter((one) => one.sender === sender).length, 'one sender')
    for (const { other } of replaced) drop(other)
    put(revocation, sender)
    return replaced
  }

  function addAll(added: readonly StoredTokenRevocation[], sender: string | null): TokenChange[] {
    const done: { added: StoredTokenRevocation; replaced: readonly Replaced[] }[] = []
    try {
      for (const one of added) done.push({ added: one, replaced: addOne(one, sender) })
    } catch (error) {
      for (const { added: one, replaced } of done.reverse()) {
        drop(one)
        for (const { other, sender: by } of replaced) put(other, by)
      }
      throw error
    }
    return done.flatMap(({ added: one, replaced }) => [
      { tokens: true as const, added: one },
      ...replaced.map(({ other }) => ({ tokens: true as const, removed: other.id })),
    ])
  }

  return {
    add(given, event) {
      const added = given.map((revocation) => Object.freeze({ ...revocation }))
      // Not what ends in the future: a creation date that lies ahead must not drop what is in force.
      const now = Math.min(event?.createdAt ?? added[0]?.createdAt ?? 0, Date.now())
      dropEnded(now)
      if (event === undefined) return addAll(added, null)
      dropEndedEvents(now)
      if (events.has(event.digest)) return undefined
      checkRoom(events.size, 'events')
      checkRoom(eventsOfSender.count(event.sender), 'events of a sender')
      const changes = addAll(added, event.sender)
      noteEvent(event)
      return changes
    },

    list: () => [...revocations.values()],

    clear() {
      revocations.clear()
      byName.clear()
      senders.clear()
      ofSender.clear()
      events.clear()
      eventsOfSender.clear()
    },
  }
}

/** A revocation that another one has replaced, and whose event had asked for it. */
interface Replaced {
  readonly other: StoredTokenRevocation
  readonly sender: string | null
}

/** @throws {KeyStoreError} where there are as many as there may be */
function checkRoom(count: number, room: RoomOf): void {
  if (count >= ROOM[room]) throw new KeyStoreError(describeNoRoom(room))
}

/** Counts by sender. */
function createTally() {
  const counts = new Map<string, number>()
  const count = (sender: string) => counts.get(sender) ?? 0
  return {
    count,
    add(sender: string | null, by: number): void {
      if (sender === null) return
      counts.set(sender, count(sender) + by)
      if (count(sender) === 0) counts.delete(sender)
    },
    clear: () => counts.clear(),
  }
}

/** Of a subject, those without a session stand beside the others: one of the others may replace them. */
function nameOf({ issuer, tokenId, subject, clientId, sessionId }: StoredTokenRevocation): string {
  return JSON.stringify([issuer, tokenId, subject, clientId, sessionId])
}
