import type { KeyJson } from '../api-types.js'

const MINUTE_MS = 60_000

/**
 * The keys that a request without an answer may have made: of that name, usable, never used, and made since a minute before it.
 *
 * @param sentAt by the clock of the server
 */
export function possiblyMade(keys: readonly KeyJson[], name: string | null, sentAt: number): readonly KeyJson[] {
  return keys.filter(
    (key) =>
      key.name === name &&
      key.state === 'active' &&
      key.lastUsedAt === null &&
      Date.parse(key.createdAt) >= sentAt - MINUTE_MS,
  )
}
