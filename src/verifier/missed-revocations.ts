import { ofProcess } from '../core/of-process.js'
import { warnOnce } from '../core/process-warning.js'
import { publishStore } from '../core/telemetry.js'

/** Bounds each set. Fleets have a few issuers. */
const MOST_ISSUERS = 100

const sessionsTold = ofProcess('sessions-unknown', () => new Set<string>())
const issuersTold = ofProcess('issuers-unknown', () => new Set<string>())

function isFirstOf(told: Set<string>, issuer: string): boolean {
  if (told.has(issuer) || told.size >= MOST_ISSUERS) return false
  told.add(issuer)
  return true
}

/**
 * Tells, once for each issuer and process, that a token was accepted which says no session, while sessions of its issuer are
 * revoked and no subject beside them: one of them may be the token's, and nobody can know.
 */
export function tellSessionUnknown(issuer: string): void {
  if (!isFirstOf(sessionsTold, issuer)) return
  warnOnce(
    'VANTAGE_SESSION_UNKNOWN',
    `Sessions of ${issuer} are revoked, and a token of it was accepted that says no session: the end of a session does not end such a token`,
    issuer,
  )
  publishStore(() => ({ event: 'session_unknown', issuer }))
}

/** Tells, once for each issuer and process, that tokens are revoked of an issuer that this service does not accept. */
export function tellIssuerUnknown(issuer: string): void {
  if (!isFirstOf(issuersTold, issuer)) return
  warnOnce(
    'VANTAGE_ISSUER_UNKNOWN',
    `Tokens of ${JSON.stringify(issuer.slice(0, LONGEST_SHOWN))} are revoked, and this service accepts no such issuer: unless another service on the key store does, nothing was ended`,
    issuer,
  )
  publishStore(() => ({ event: 'issuer_unknown', issuer }))
}

/** Rows by hand may hold a name of any length. */
const LONGEST_SHOWN = 300
