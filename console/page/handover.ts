import type { KeyJson } from '../api-types.js'

/** Where the users of a replaced key are: `waiting` means that neither key was used since. */
export type Verdict = 'ended' | 'old-used' | 'moved' | 'waiting'

/** Which of the two keys of a rotation is used. */
export function verdictOf(old: KeyJson, successor: KeyJson): Verdict {
  if (old.state === 'expired' || old.state === 'revoked') return 'ended'
  if (old.lastUsedAt !== null && Date.parse(old.lastUsedAt) > Date.parse(successor.createdAt)) return 'old-used'
  return successor.lastUsedAt === null ? 'waiting' : 'moved'
}
