import { KeyStoreError } from '../errors.js'
import { keyStateAt } from '../key-record.js'
import type { ChangeFeed, KeyChange, KeyQuery, KeyStore, ListedKey, StoredKey } from '../keyring.js'

/**
 * Keeps keys in this process's memory, for tests and for trying things out: they are gone when it ends, and no other
 * process sees them. Changes reach verifiers of the same process at once.
 */
export function memoryKeyStore(): KeyStore {
  const keys = new Map<string, StoredKey>()
  const uses = new Map<string, Map<string, { count: number; lastUsedAt: number }>>()
  const listeners = new Set<(change: KeyChange) => void>()
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

  function announce(...ids: string[]): void {
    const at = Date.now()
    for (const listener of listeners) for (const id of ids) listener({ id, at })
  }

  function lastUse(id: string): number | null {
    const instants = [...(uses.get(id)?.values() ?? [])].map((use) => use.lastUsedAt)
    return instants.length === 0 ? null : Math.max(...instants)
  }

  return {
    async find(id) {
      checkOpen()
      return keys.get(id)
    },

    async insert(key) {
      checkOpen()
      checkAbsent(key.id)
      add(key)
      announce(key.id)
    },

    async update(current, next, successor) {
      checkOpen()
      const stored = keys.get(current.id)
      if (
        stored === undefined ||
        stored.expiresAt !== current.expiresAt ||
        stored.revokedAt !== current.revokedAt ||
        stored.replacedBy !== current.replacedBy
      ) {
        return false
      }
      if (successor) checkAbsent(successor.id)
      add({ ...next, id: current.id })
      if (successor) add(successor)
      announce(current.id, ...(successor ? [successor.id] : []))
      return true
    },

    async list(query) {
      checkOpen()
      const listed: ListedKey[] = []
      for (const key of keys.values()) {
        const candidate = { ...key, lastUsedAt: lastUse(key.id) }
        if (matches(candidate, query)) listed.push(candidate)
      }
      return listed.sort(newestFirst).slice(0, query.limit)
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
      const days = [...(uses.get(id) ?? [])].map(([day, { count }]) => ({ day, count }))
      return {
        total: days.reduce((sum, { count }) => sum + count, 0),
        days: days.filter(({ day }) => day >= sinceDay).sort((a, b) => (a.day < b.day ? -1 : 1)),
      }
    },

    watch(listener): ChangeFeed {
      // A wrapper of its own, so that one listener given twice is two feeds.
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
      listeners.clear()
    },
  }
}

function copyOf(key: StoredKey): StoredKey {
  return Object.freeze({ ...key, scopes: Object.freeze([...key.scopes]) })
}

function matches(key: ListedKey, query: KeyQuery): boolean {
  const { now, id, subject, tenant, state, unusedSince, expiringBefore, after } = query
  return (
    (id === undefined || key.id === id) &&
    (subject === undefined || key.subject === subject) &&
    (tenant === undefined || key.tenant === tenant) &&
    (state === undefined || keyStateAt(key, now) === state) &&
    (unusedSince === undefined ||
      (key.createdAt < unusedSince && (key.lastUsedAt === null || key.lastUsedAt < unusedSince))) &&
    (expiringBefore === undefined ||
      (key.revokedAt === null && key.expiresAt !== null && key.expiresAt > now && key.expiresAt < expiringBefore)) &&
    (after === undefined || newestFirst(after, key) < 0)
  )
}

type Place = Pick<StoredKey, 'createdAt' | 'id'>

function newestFirst(a: Place, b: Place): number {
  return b.createdAt - a.createdAt || (a.id === b.id ? 0 : a.id < b.id ? 1 : -1)
}
