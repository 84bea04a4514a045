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
  type StoredTokenEvent,
  type StoredTokenRevocation,
} from './contract.js'
import { compareKeys, NEWEST_FIRST } from './key-order.js'
import { createMemoryRevocations } from './memory-revocations.js'
import { describeEdit, isSameKey } from './same-key.js'
import { createSearch } from './search.js'
import { thisService } from './this-service.js'
import { describeTokenSelector, namesToken } from './token-revocations.js'
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
  /** Those of the listeners that are services, and since when each follows. */
  const services = new Map<object, number>()
  const audit: StoredAuditEntry[] = []
  const revocations = createMemoryRevocations()
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

  /** All of them or none: `add` throws before it has changed anything. */
  function addRevocations(added: readonly StoredTokenRevocation[], event?: StoredTokenEvent): boolean {
    const changes = revocations.add(added, event)
    if (changes === undefined) return false
    for (const one of added) {
      const { createdBy: actor, reason } = one
      note({ ...NOTHING, action: 'revoke_tokens', actor, reason, detail: describeTokenSelector(one) })
    }
    announce(...changes)
    return true
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
      addRevocations([revocation])
    },

    async addTokenRevocationsOnce(event, added, limit) {
      checkOpen()
      checkInTime(limit)
      return addRevocations(added, event)
    },

    async tokenRevocations(now) {
      checkOpen()
      return revocations.list().filter(({ endsAt }) => endsAt > now)
    },

    async findTokenRevocations(token) {
      checkOpen()
      return revocations.list().filter((revocation) => namesToken(revocation, token))
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

    watch(listener, follower = 'service'): ChangeFeed {
      // A function of its own for each feed, so that one listener given twice is two feeds.
      const deliver = (change: KeyChange) => listener(change)
      if (!closed) listeners.add(deliver)
      if (!closed && follower === 'service') services.set(deliver, Date.now())
      return {
        get state() {
          return listeners.has(deliver) ? 'live' : 'down'
        },
        epoch: 1,
        async close() {
          listeners.delete(deliver)
          services.delete(deliver)
        },
      }
    },

    // A listener is told of a change before the method that makes it resolves.
    async askServices(_limitMs, written) {
      checkOpen()
      await written
      return [...services.values()].map((since) => ({ since, heardOf: null, answeredAfterMs: 0, ...thisService() }))
    },

    async close() {
      closed = true
      keys.clear()
      uses.clear()
      audit.length = 0
      revocations.clear()
      listeners.clear()
      services.clear()
    },
  }
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
