import { type ConfiguredKeyStore, UNNAMED_STORE } from '../config/key-store.js'
import type { DependencyNotice, OutageNotices } from '../core/outage-notices.js'

/** Notices about what a verifier asks of its key store. */
export interface StoreNotices {
  /** Look-ups of keys. */
  readonly lookUps: DependencyNotice
  /** Look-ups of revoked tokens: a role may lack the grant for them alone. */
  readonly tokens: DependencyNotice
  /** Takes note that the store tells of changes again, or, with each request, that it does not. */
  noteFeed(isUp: boolean): void
  /** The writing of usage. */
  readonly usage: DependencyNotice
}

/** A feed connects anew within a few seconds, and is down for a moment when the process was busy. */
const FEED_PATIENCE_MS = 10_000

/** An outage of the store is one pair of lines: what else it is asked is told of only where look-ups of keys do not fail. */
export function createStoreNotices(notices: OutageNotices, { store, owned, label }: ConfiguredKeyStore): StoreNotices {
  const name = label === UNNAMED_STORE ? 'key store of the application' : `key store ${label}`
  // Two stores of an application may say the same of themselves.
  const lookUps = notices.about(name, owned ? name : store)
  const part = (what: string) => notices.about(`${what} the ${name}`, owned ? `${what} ${name}` : {})
  const feed = part('change feed of')
  const tokens = part('the list of revoked tokens in')
  const usage = part('writing of usage to')
  let feedDownSince: number | undefined
  let usageFailures = 0

  return {
    lookUps,
    tokens: {
      get isFailing() {
        return tokens.isFailing
      },
      failed(cause) {
        if (!lookUps.isFailing) tokens.failed(cause)
      },
      answered: tokens.answered,
    },

    noteFeed(isUp) {
      if (isUp) feed.answered()
      if (isUp || lookUps.isFailing) {
        feedDownSince = undefined
        return
      }
      const now = performance.now()
      feedDownSince ??= now
      if (now - feedDownSince < FEED_PATIENCE_MS) return
      feed.failed(new Error('changes are not heard, so each key and token is confirmed with the store'))
    },

    usage: {
      get isFailing() {
        return usage.isFailing
      },
      failed(cause) {
        usageFailures++
        // The first failure of an outage may come before the look-up that tells of it.
        if (usageFailures > 1 && !lookUps.isFailing) usage.failed(cause)
      },
      answered() {
        usageFailures = 0
        usage.answered()
      },
    },
  }
}
