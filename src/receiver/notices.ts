import { writeLine } from '../core/outage-notices.js'
import { warnOnce } from '../core/process-warning.js'
import type { Sender } from './options.js'

type LosingSender = Pick<Sender, 'issuer' | 'tokenIssuers'>

/** Tells of logout tokens that were lost: their sender does not send them again. */
export interface LossNotices {
  /**
   * @param sender a configured one. Nothing of the token is told
   * @param isSigned whether it is known that the issuer has signed it. Otherwise anybody may have sent it
   */
  lost(sender: LosingSender, isSigned: boolean): void
}

/** For each issuer there is at most one line of each kind within this time. */
const LINE_INTERVAL_MS = 60_000

/** @param write default: a line on standard error */
export function createLossNotices(told: boolean, write: (line: string) => void = writeLine): LossNotices {
  // Two entries for each configured issuer: what anybody can send must not hide what is lost for certain.
  const byLine = new Map<string, { count: number; toldAt: number }>()
  return {
    lost({ issuer, tokenIssuers }, isSigned) {
      if (!told) return
      const now = performance.now()
      const key = JSON.stringify([issuer, isSigned])
      const losses = byLine.get(key) ?? { count: 0, toldAt: Number.NEGATIVE_INFINITY }
      byLine.set(key, losses)
      losses.count++
      if (now - losses.toldAt < LINE_INTERVAL_MS) return
      write(`issuer ${issuer}: ${isSigned ? lostLine(tokenIssuers, losses.count) : perhapsLostLine(losses.count)}`)
      losses.count = 0
      losses.toldAt = now
    },
  }
}

function lostLine(tokenIssuers: readonly string[], count: number): string {
  const what = count === 1 ? 'a logout token was' : `${count} logout tokens were`
  return `${what} answered 503, and the issuer does not repeat them. Look up in its log whose sessions ended, and revoke by hand: vantage-auth tokens revoke --issuer ${tokenIssuers.join(' or ')} --session-id …, or --subject …`
}

function perhapsLostLine(count: number): string {
  const what =
    count === 1 ? 'what may have been a logout token was' : `${count} of what may have been logout tokens were`
  return `${what} answered 503 before the signature could be verified: anybody may have sent it. Look up in the issuer's log whether a session ended, and revoke by hand if so: vantage-auth tokens revoke`
}

/** Without it an event that changes nothing would look like one that did. */
export function warnUnselectable(issuer: string): void {
  warnOnce(
    'VANTAGE_SUBJECT_UNSELECTABLE',
    `${issuer} names the subjects of its events by what selects no tokens, such as an e-mail address or a phone number: tokens stay that it means. Have it send iss_sub or opaque identifiers`,
  )
}
