import { digestApiKey, generateApiKey } from '../../src/api-key/format.js'
import type { ChangeFeed, KeyChange, KeyStore, StoredKey } from '../../src/store/contract.js'

/** What a store may hold of an ordinary key that has no end. */
export function storedKey(id: string, over: Partial<StoredKey> = {}): StoredKey {
  return {
    id,
    digest: `sha256:${id}`,
    subject: 'user_123',
    tenant: null,
    name: null,
    environment: 'live',
    scopes: ['jobs:read'],
    createdAt: 1_700_000_000_123,
    createdBy: null,
    expiresAt: null,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    replaces: null,
    replacedBy: null,
    ...over,
  }
}

/** A key and what a store holds of it. */
export interface TestKey {
  readonly id: string
  readonly key: string
  readonly stored: StoredKey
}

export function createTestKey(over: Partial<StoredKey> = {}): TestKey {
  const { id, key } = generateApiKey(over.environment ?? 'live')
  return { id, key, stored: storedKey(id, { digest: digestApiKey(key), subject: 'user_1', createdAt: 0, ...over }) }
}

/** A KeyStore that an application brings: it keeps what a test puts into it, and counts. */
export interface OwnStore extends KeyStore {
  /** Rows by id; a change is heard only when it is announced. */
  readonly rows: Map<string, unknown>
  /** Ids in the order in which they were asked for. */
  readonly asked: string[]
  /** Uses that were written. */
  readonly used: { id: string; count: number }[]
  /** Replaces what `find` does. */
  onFind: ((id: string) => unknown) | undefined
  /** Replaces what `addUsage` does. */
  onAddUsage: (() => unknown) | undefined
  readonly feed: { state: ChangeFeed['state']; epoch: number; poll?: () => void; close(): Promise<void> }
  announce(change: KeyChange): void
}

export function createOwnStore(...keys: TestKey[]): OwnStore {
  const listeners = new Set<(change: KeyChange) => void>()
  const never = async (): Promise<never> => {
    throw new Error('a verifier does not administer')
  }
  const store: OwnStore = {
    rows: new Map(keys.map(({ id, stored }) => [id, stored])),
    asked: [],
    used: [],
    onFind: undefined,
    onAddUsage: undefined,
    feed: { state: 'live', epoch: 1, close: async () => listeners.clear() },
    announce(change) {
      for (const listener of listeners) listener(change)
    },
    find(id) {
      store.asked.push(id)
      return (store.onFind ? store.onFind(id) : Promise.resolve(store.rows.get(id))) as Promise<StoredKey | undefined>
    },
    async addUsage(increments) {
      await store.onAddUsage?.()
      store.used.push(...increments.map(({ id, count }) => ({ id, count })))
    },
    watch(listener) {
      listeners.add(listener)
      return store.feed
    },
    insert: never,
    update: never,
    list: never,
    readUsage: never,
    close: async () => {},
  }
  return store
}

/** A promise and what settles it. */
export function createDeferred<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((...settlers) => {
    ;[resolve, reject] = settlers
  })
  return { promise, resolve, reject }
}

/** Lets everything happen that waits for nothing but a promise. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
