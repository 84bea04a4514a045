import { writeLine } from '../core/outage-notices.js'
import { warnOnce } from '../core/process-warning.js'

/** Tells of logout tokens that were lost: their sender does not send them again. */
export interface LossNotices {
  /** @param issuer a configured one. Nothing of the token is told. */
  lost(issuer: string): void
}

/** For each issuer there is at most one line within this time. */
const LINE_INTERVAL_MS = 60_000

/** @param write default: a line on standard error */
export function createLossNotices(told: boolean, write: (line: string) => void = writeLine): LossNotices {
  // One entry for each configured issuer.
  const byIssuer = new Map<string, { count: number; toldAt: number }>()
  return {
    lost(issuer) {
      if (!told) return
      const now = performance.now()
      const losses = byIssuer.get(issuer) ?? { count: 0, toldAt: Number.NEGATIVE_INFINITY }
      byIssuer.set(issuer, losses)
      losses.count++
      if (now - losses.toldAt < LINE_INTERVAL_MS) return
      const what = losses.count === 1 ? 'a logout token was' : `${losses.count} logout tokens were`
      write(
        `issuer ${issuer}: ${what} answered 503, and the issuer does not repeat them. Look up in its log whose sessions ended, and revoke by hand: vantage-auth tokens revoke --issuer ${issuer} --session-id …, or --subject …`,
      )
      losses.count = 0
      losses.toldAt = now
    },
  }
}

/** Without it an event that changes nothing would look like one that did. */
export function warnUnselectable(issuer: string): void {
  warnOnce(
    'VANTAGE_SUBJECT_UNSELECTABLE',
    `${issuer} names the subjects of its events by what selects no tokens, such as an e-mail address or a phone number: nothing is revoked. Have it send iss_sub or opaque identifiers`,
  )
}
