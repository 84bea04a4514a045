import { createKeyLookup, type KeyLookup } from '../api-key/key-lookup.js'
import { createUsageCounter, type UsageCounter } from '../api-key/usage-counter.js'
import type { ConfiguredKeyStore } from '../config/key-store.js'
import type { Configuration } from '../config/options.js'
import { settledBy } from '../core/deadline.js'
import type { OutageNotices } from '../core/outage-notices.js'
import type { KeyStore } from '../store/contract.js'
import type { Caches } from './caches.js'
import { createIsRevoked, type IsRevoked } from './is-revoked.js'
import { createRevocationList } from './revocation-list.js'
import { createStoreNotices } from './store-notices.js'

/** What a verifier does with its key store. */
export interface ConnectedStore {
  readonly keys: KeyLookup
  readonly usage: UsageCounter | undefined
  /** By the store's revocations of tokens, and by the application's `isRevoked`. */
  readonly isRevoked: IsRevoked
  /** What may be shown of it. */
  readonly label: string
  /** Resolves, for good, once the store has answered; rejects with what went wrong. */
  ready(): Promise<void>
  /** Writes pending usage, and closes what was opened here. Never rejects. */
  close(deadline: number): Promise<void>
}

/** Nothing is opened before the first question. */
export function connectStore(
  configured: ConfiguredKeyStore,
  config: Configuration,
  caches: Caches | undefined,
  outageNotices: OutageNotices,
): ConnectedStore {
  const { store, owned, label } = configured
  const notices = createStoreNotices(outageNotices, configured)
  // Without a cache of keys there may still be revocations of tokens to hear of.
  const watched = caches !== undefined || keepsTokenRevocations(store)
  const keys = createKeyLookup(
    store,
    config.timeoutMs,
    watched ? (change) => caches?.keys.forget(change) : undefined,
    (change) => revocations?.hear(change),
    notices,
  )
  const revocations =
    acceptsTokens(config) && keepsTokenRevocations(store)
      ? createRevocationList(store, keys.changes, config, notices.tokens, acceptedIssuers(config))
      : undefined
  // Of an application's own store only `find` is needed.
  const usage = typeof store.addUsage === 'function' ? createUsageCounter(store, notices.usage) : undefined

  return {
    keys,
    usage,
    isRevoked: createIsRevoked(revocations, config.isRevoked, config.timeoutMs, outageNotices),
    label,
    ready: () => keys.ready().then(() => revocations?.ready()),
    async close(deadline) {
      // Look-ups that are under way may still accept keys, whose uses count. What is counted already does not wait for them.
      const ended = keys.close().finally(() => usage?.close())
      await settledBy(deadline, usage?.flush(), ended)
      if (owned) await settledBy(deadline, store.close())
    },
  }
}

function acceptsTokens({ issuers, resolver }: Configuration): boolean {
  return issuers.length > 0 || resolver !== undefined
}

/** `undefined` where the application may tell of more. */
function acceptedIssuers({ issuers, resolver }: Configuration): ReadonlySet<string> | undefined {
  return resolver === undefined ? new Set(issuers.map(({ issuer }) => issuer)) : undefined
}

function keepsTokenRevocations(store: KeyStore): store is KeyStore & Required<Pick<KeyStore, 'tokenRevocations'>> {
  return typeof store.tokenRevocations === 'function'
}
