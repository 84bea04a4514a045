import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { ChangeFeed, KeyChange, KeyStore } from '../../store/contract.js'

/** What a runner calls. Vitest and node:test give a context that can skip; Jest gives nothing. */
export type TestBody = (...context: unknown[]) => Promise<void>

/** See {@link keyStoreContract}. `describe` and `test` are those of Vitest, Jest or node:test. */
export interface KeyStoreContractOptions {
  /** Called once in each test: a new store without keys, ready for use. The suite calls `migrate()` if there is one. */
  create(): KeyStore | Promise<KeyStore>
  /**
   * A second store on the keys of the one that `create` has made last, as another process would have it. Without it the
   * suite does not test what several processes see of each other.
   */
  another?: (() => KeyStore | Promise<KeyStore>) | undefined
  describe(name: string, body: () => void): unknown
  /** Either this or `it`. Tests must run one after another, as they do by default. */
  test?: ((name: string, body: TestBody) => unknown) | undefined
  it?: ((name: string, body: TestBody) => unknown) | undefined
}

type OptionalMethod =
  | 'readTotalUsage'
  | 'firstUses'
  | 'addTokenRevocation'
  | 'addTokenRevocationsOnce'
  | 'tokenRevocations'
  | 'findTokenRevocations'
  | 'readAudit'
  | 'watch'
  | 'askServices'
  | 'migrate'
  | 'checkSchema'

/** A store that certainly has some of the optional methods. */
export type StoreWith<M extends OptionalMethod> = KeyStore & Required<Pick<KeyStore, M>>

export interface Opened<M extends OptionalMethod> {
  readonly store: StoreWith<M>
  /** A store on the same keys; the same store when there is no other. It is closed after the test. */
  another(): Promise<StoreWith<M>>
}

/** Declares tests, each with a store of its own. */
export interface Suite {
  describe(name: string, body: () => void): unknown
  /** A test of methods that every store has. */
  test(name: string, body: (opened: Opened<never>) => Promise<void>): void
  /** A test that is skipped when the store lacks one of the optional methods. */
  testWith<M extends OptionalMethod>(
    methods: readonly M[],
    name: string,
    body: (opened: Opened<M>) => Promise<void>,
  ): void
}

export function createSuite({ create, another, describe, test, it }: KeyStoreContractOptions): Suite {
  const declare = test ?? it
  if (typeof create !== 'function' || typeof describe !== 'function' || typeof declare !== 'function') {
    throw new TypeError(
      'keyStoreContract() takes { create, describe, test }: describe and test are those of your runner',
    )
  }

  function testWith<M extends OptionalMethod>(
    methods: readonly M[],
    name: string,
    body: (opened: Opened<M>) => Promise<void>,
  ): void {
    // Without a declared parameter: Jest would take it for a callback to wait for.
    declare?.(name, async (...context) => {
      const stores: KeyStore[] = []
      try {
        const store = await create()
        stores.push(store)
        const absent = methods.find((method) => store[method] === undefined)
        if (absent !== undefined) {
          skip(context[0], `the store has no ${absent}()`, name)
          return
        }
        await store.migrate?.()
        await body({
          store: store as StoreWith<M>,
          async another() {
            const second = another === undefined ? store : await another()
            stores.push(second)
            return second as StoreWith<M>
          },
        })
      } finally {
        for (const store of stores.reverse()) await store.close()
      }
    })
  }

  return { describe, testWith, test: (name, body) => testWith([], name, body) }
}

/** Skips through the runner where it can skip a test that has begun, and prints a line where it cannot. */
function skip(context: unknown, reason: string, name: string): void {
  const runner = context as { skip?: (reason: string) => void } | undefined
  if (typeof runner?.skip === 'function') runner.skip(reason)
  else console.info(`Skipped, since ${reason}: ${name}`)
}

export interface Watched {
  readonly feed: ChangeFeed
  readonly changes: KeyChange[]
  /** Ids of the keys that were told as changed so far, each once: a store may tell a change more than once. */
  ids(): string[]
  /** Waits until the feed has told of so many keys. */
  hear(count: number): Promise<void>
  until(condition: () => boolean): Promise<void>
}

/** Watches a store, from when its feed has caught up. */
export async function watch(store: StoreWith<'watch'>): Promise<Watched> {
  const changes: KeyChange[] = []
  const feed = store.watch((change) => changes.push(change))
  await until(feed, () => feed.state !== 'down')
  assert.ok(
    changes.splice(0).every((change) => 'all' in change),
    'a feed that is not up yet tells of a change of everything, or of nothing',
  )
  const ids = () => [...new Set(changes.map((change) => ('id' in change ? change.id : JSON.stringify(change))))]
  return {
    feed,
    changes,
    ids,
    hear: (count) => until(feed, () => ids().length >= count),
    until: (condition) => until(feed, condition),
  }
}

/** The limit only tells "never" from "later". */
async function until(feed: ChangeFeed, condition: () => boolean): Promise<void> {
  const limit = performance.now() + 10_000
  for (;;) {
    feed.poll?.()
    if (condition()) return
    assert.ok(performance.now() < limit, `nothing was heard for 10 s; the feed is ${feed.state}`)
    await delay(5)
  }
}
