import { KeyStoreError } from '../core/errors.js'
import {
  type ChangeFeed,
  type DayUsage,
  type KeyChange,
  type KeyQuery,
  type KeyState,
  type KeyStore,
  keyStateAt,
  type ListedKey,
  type StoredAuditEntry,
  type StoredKey,
  type StoredTokenRevocation,
} from './contract.js'
import { compareKeys, NEWEST_FIRST } from './key-order.js'
import { describeEdit, isSameKey } from './same-key.js'
import { createSearch } from './search.js'
import {
  describeNoRoom,
  describeTokenSelector,
  MAX_SUBJECTS_AND_CLIENTS,
  MAX_TOKENS,
  namesToken,
  replaces,
} from './token-revocations.js'
import { byDay, createUsageTotals, sumOf } from './usage-totals.js'
import { checkInTime } from './write-limit.js'

/**
 * Keeps keys in this process's memory, for tests and for trying things out: they are gone when it ends, and no other
 * process sees them. Changes reach verifiers of the same process at once.
 */
export function memoryKeyStore(): KeyStore {
  const keys = new Map<string, StoredKey>()
  const uses = new Map<string, Map<string, { count: number; lastUsedAt: number }>>()
  const listeners = new Set<(change: KeyChange) => void>()
  const audit: StoredAuditEntry[] = []
  const revocations = new Map<string, StoredTokenRevocation>()
  /** The same revocations, by what they name. */
  const revocationsByName = new Map<string, Set<StoredTokenRevocation>>()
  /** How many of the revocations there are of each kind. */
  const revoked = { tokens: 0, subjectsAndClients: 0 }
  /** When the first of them ends. */
  let firstEnd = Number.POSITIVE_INFINITY
  let closed = false

  function checkOpen(): void {
    if (closed) throw new KeyStoreError('The key store is closed')
  }

  function add(key: StoredKey): void {
    keys.set(key.id, copyOf(key))
  }

  function checkAbsent(id: string): void {
    if (keys.has(id)) throw new KeyStoreError('A key with this id exists')
  }

  function announce(...changes: KeyChange[]): void {
    const at = Date.now()
    for (const listener of listeners) for (const change of changes) listener({ ...change, at })
  }

  function note(entry: Omit<StoredAuditEntry, 'seq' | 'at'>): void {
    audit.push(Object.freeze({ seq: audit.length + 1, at: Date.now(), ...entry }))
  }

  function lastUse(id: string): number | null {
    const instants = [...(uses.get(id)?.values() ?? [])].map((use) => use.lastUsedAt)
    return instants.length === 0 ? null : Math.max(...instants)
  }

  function daysOf(id: string, sinceDay: string): DayUsage[] {
    return [...(uses.get(id) ?? [])]
      .filter(([day]) => day >= sinceDay)
      .map(([day, { count }]) => ({ day, count }))
      .sort(byDay)
  }

  function dropEnded(now: number): void {
    firstEnd = Number.POSITIVE_INFINITY
    for (const revocation of revocations.values()) {
      if (revocation.endsAt > now) firstEnd = Math.min(firstEnd, revocation.endsAt)
      else dropRevocation(revocation)
    }
  }

  function dropRevocation(revocation: StoredTokenRevocation): void {
    revocations.delete(revocation.id)
    revoked[kindOf(revocation)]--
    const sameName = revocationsByName.get(nameOf(revocation))
    sameName?.delete(revocation)
    if (sameName?.size === 0) revocationsByName.delete(nameOf(revocation))
  }

  return {
    describe: () => 'memory:',

    async find(id) {
      checkOpen()
      return keys.get(id)
    },

    async insert(key, limit) {
      checkOpen()
      checkInTime(limit)
      checkAbsent(key.id)
      add(key)
      note({ ...ofKey(key), action: 'create', actor: key.createdBy })
      announce({ id: key.id })
    },

    async update(current, next, successor, editor = null, limit = {}) {
      checkOpen()
      checkInTime(limit)
      const stored = keys.get(current.id)
      if (stored === undefined || !isSameKey(stored, current)) return false
      if (successor) checkAbsent(successor.id)
      add({ ...next, id: current.id })
      if (successor) {
        add(successor)
        const { id: successorId, createdBy: actor } = successor
        note({ ...ofKey(successor), action: 'rotate', keyId: current.id, successorId, actor })
      }
      if (stored.revokedAt === null && next.revokedAt !== null) {
        const { revokedBy: actor, revokedReason: reason } = next
        note({ ...ofKey(next), action: 'revoke', actor, reason })
      }
      const detail = describeEdit(stored, next)
      if (detail !== null) note({ ...ofKey(next), action: 'edited', actor: editor, detail })
      announce({ id: current.id }, ...(successor ? [{ id: successor.id }] : []))
      return true
    },

    async list(query) {
      checkOpen()
      const listed: ListedKey[] = []
      const { search, usageSince, sort = NEWEST_FIRST } = query
      const isFound = search === undefined ? undefined : createSearch(search)
      for (const key of keys.values()) {
        const listedKey = { ...key, lastUsedAt: lastUse(key.id) }
        const successor = key.replacedBy === null ? undefined : keys.get(key.replacedBy)
        const candidate = { key: listedKey, state: keyStateAt(key, query.now), successor }
        if (meetsAll(candidate, query) && (isFound?.(key) ?? true)) listed.push(listedKey)
      }
      const page = listed.sort((a, b) => compareKeys(a, b, sort)).slice(0, query.limit)
      return usageSince === undefined ? page : page.map((key) => ({ ...key, usage: daysOf(key.id, usageSince) }))
    },

    async addUsage(increments) {
      checkOpen()
      for (const { id, day, count, lastUsedAt } of increments) {
        if (!keys.has(id)) continue
        const days = uses.get(id) ?? new Map<string, { count: number; lastUsedAt: number }>()
        const before = days.get(day) ?? { count: 0, lastUsedAt: 0 }
        days.set(day, { count: before.count + count, lastUsedAt: Math.max(before.lastUsedAt, lastUsedAt) })
        uses.set(id, days)
      }
    },

    async readUsage(id, sinceDay) {
      checkOpen()
      return { total: sumOf(daysOf(id, '')), days: daysOf(id, sinceDay) }
    },

    async readTotalUsage({ subject, tenant, sinceDay, limit }) {
      checkOpen()
      const totals = createUsageTotals()
      for (const key of keys.values()) {
        if (subject !== undefined && key.subject !== subject) continue
        if (tenant !== undefined && key.tenant !== tenant) continue
        totals.add(key.id, daysOf(key.id, sinceDay))
      }
      return totals.result(limit)
    },

    async addTokenRevocation(revocation) {
      checkOpen()
      // Not what ends in the future: a creation date that lies ahead must not drop what is in force.
      const now = Math.min(revocation.createdAt, Date.now())
      if (firstEnd <= now) dropEnded(now)
      const kind = kindOf(revocation)
      const sameName = revocationsByName.get(nameOf(revocation)) ?? new Set()
      const replaced = [...sameName].filter((other) => replaces(revocation, other))
      if (replaced.length === 0 && revoked[kind] >= MOST_REVOCATIONS[kind])
        throw new KeyStoreError(describeNoRoom(revocation))
      if (revocations.has(revocation.id)) throw new KeyStoreError('A revocation with this id exists')
      const added = Object.freeze({ ...revocation })
      revocations.set(added.id, added)
      revocationsByName.set(nameOf(added), sameName.add(added))
      revoked[kind]++
      firstEnd = Math.min(firstEnd, added.endsAt)
      const { createdBy: actor, reason } = revocation
      note({ ...NOTHING, action: 'revoke_tokens', actor, reason, detail: describeTokenSelector(revocation) })
      for (const other of replaced) dropRevocation(other)
      announce({ tokens: true, added }, ...replaced.map(({ id }) => ({ tokens: true as const, removed: id })))
    },

    async tokenRevocations(now) {
      checkOpen()
      return [...revocations.values()].filter(({ endsAt }) => endsAt > now)
    },

    async findTokenRevocations(token) {
      checkOpen()
      return [...revocations.values()].filter((revocation) => namesToken(revocation, token))
    },

    async firstUses(sinceDay, limit) {
      checkOpen()
      return [...uses]
        .flatMap(([id, days]) => ([...days.keys()].every((day) => day >= sinceDay) ? id : []))
        .slice(0, limit)
    },

    async readAudit({ keyId, subject, tenant, before, after, limit }) {
      checkOpen()
      return audit
        .filter((entry) => keyId === undefined || entry.keyId === keyId || entry.successorId === keyId)
        .filter((entry) => subject === undefined || entry.subject === subject)
        .filter((entry) => tenant === undefined || entry.tenant === tenant)
        .filter(({ seq }) => (before === undefined || seq < before) && (after === undefined || seq > after))
        .reverse()
        .slice(0, limit)
    },

    watch(listener): ChangeFeed {
      // A function of its own for each feed, so that one listener given twice is two feeds.
      const deliver = (change: KeyChange) => listener(change)
      if (!closed) listeners.add(deliver)
      return {
        get state() {
          return listeners.has(deliver) ? 'live' : 'down'
        },
        epoch: 1,
        async close() {
          listeners.delete(deliver)
        },
      }
    },

    async close() {
      closed = true
      keys.clear()
      uses.clear()
      audit.length = 0
      revocations.clear()
      revocationsByName.clear()
      listeners.clear()
    },
  }
}

const MOST_REVOCATIONS = { tokens: MAX_TOKENS, subjectsAndClients: MAX_SUBJECTS_AND_CLIENTS }

function kindOf({ tokenId }: StoredTokenRevocation): 'tokens' | 'subjectsAndClients' {
  return tokenId === null ? 'subjectsAndClients' : 'tokens'
}

function nameOf({ issuer, tokenId, subject, clientId }: StoredTokenRevocation): string {
  return JSON.stringify([issuer, tokenId, subject, clientId])
}

const NOTHING: Omit<StoredAuditEntry, 'seq' | 'at' | 'action'> = {
  keyId: null,
  successorId: null,
  actor: null,
  reason: null,
  detail: null,
  subject: null,
  tenant: null,
}

function ofKey({ id: keyId, subject, tenant }: StoredKey): typeof NOTHING {
  return { ...NOTHING, keyId, subject, tenant }
}

function copyOf(key: StoredKey): StoredKey {
  return Object.freeze({ ...key, scopes: Object.freeze([...key.scopes]) })
}

interface Candidate {
  readonly key: ListedKey
  readonly state: KeyState
  /** The key that takes over from it, if the store has it. */
  readonly successor: StoredKey | undefined
}

type Filters = Required<Omit<KeyQuery, NoFilter>>
/** `search` is prepared once for all keys. */
type NoFilter = 'now' | 'limit' | 'sort' | 'usageSince' | 'search'

/** Whether a key meets a filter. A new filter does not compile until it has its line here. */
const FILTERS: {
  readonly [F in keyof Filters]: (candidate: Candidate, given: Filters[F], query: KeyQuery) => boolean
} = {
  id: ({ key }, id) => key.id === id,
  subject: ({ key }, subject) => key.subject === subject,
  tenant: ({ key }, tenant) => key.tenant === tenant,
  state: (candidate, state) => candidate.state === state,
  unusedSince: ({ key }, since) => key.createdAt < since && (key.lastUsedAt === null || key.lastUsedAt < since),
  expiringBefore: ({ key }, before, { now }) =>
    key.revokedAt === null && key.expiresAt !== null && key.expiresAt > now && key.expiresAt < before,
  createdBefore: ({ key }, before) => key.createdAt < before,
  supersededInUse: ({ key, state, successor }) =>
    state === 'superseded' &&
    key.lastUsedAt !== null &&
    successor !== undefined &&
    key.lastUsedAt >= successor.createdAt,
  after: ({ key }, place, { sort = NEWEST_FIRST }) => compareKeys(place, key, sort) < 0,
}

function meetsAll(candidate: Candidate, query: KeyQuery): boolean {
  const asked: { readonly [F in keyof Filters]?: Filters[F] } = query
  const meets = <F extends keyof Filters>(name: F): boolean => {
    const given = asked[name]
    return given === undefined || FILTERS[name](candidate, given, query)
  }
  return (Object.keys(FILTERS) as (keyof Filters)[]).every((name) => meets(name))
}
