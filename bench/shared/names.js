/** Names of lines in the results. They stand apart from the contenders, so that pages are written without installing any. */

export const OURS = 'vantage-auth'

/** Ours with `cache: false`. */
export const OURS_UNCACHED = `${OURS}, cache: false`

/** The least that can be done for a credential seen before: its SHA-256, and one look-up. */
export const LOOK_UP = 'crypto.hash + Map.get'

/** The one peer that is close for a new token, with and without its cache. */
export const FAST_JWT = 'fast-jwt'
export const FAST_JWT_CACHED = `${FAST_JWT}, cache`

/** The least that can be done for a new token. */
export const VERIFY = 'crypto.verify'

/** What the driver of a store does for the look-up of a key, with nothing around it. */
export const DRIVER = 'the driver alone'

/** A framework without any authentication. */
export const BARE = 'bare'

/** What people write themselves, in one middleware, for a token that they have verified before. */
export const HAND_WRITTEN = 'by hand: SHA-256, Map, expiry, scope'

/** As many middlewares as ours has, doing nothing: what the framework takes for them. */
export const IDLE = 'two middlewares that do nothing'
