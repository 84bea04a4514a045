import { ofProcess } from '../core/of-process.js'
import { warnOnce } from '../core/process-warning.js'
import { publishStore } from '../core/telemetry.js'

/** Bounds the set. Issuers come from configurations, which have a few each. */
const MOST_ISSUERS = 100

const told = ofProcess('sessions-unknown', () => new Set<string>())

/**
 * Tells, once for each issuer and process, that a token was accepted which says no session, while sessions of its issuer are
 * revoked: one of them may be the token's, and nobody can know.
 */
export function tellSessionUnknown(issuer: string): void {
  if (told.has(issuer) || told.size >= MOST_ISSUERS) return
  told.add(issuer)
  warnOnce(
    'VANTAGE_SESSION_UNKNOWN',
    `Sessions of ${issuer} are revoked, and a token of it was accepted that says no session: the end of a session does not end such a token`,
    issuer,
  )
  publishStore(() => ({ event: 'session_unknown', issuer }))
}
