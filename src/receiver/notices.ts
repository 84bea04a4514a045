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
  /** Says now what waits for its minute. */
  close(): void
}

/** For each issuer there is at most one line of each kind within this time. */
const LINE_INTERVAL_MS = 60_000

/** @param write default: a line on standard error */
export function createLossNotices(told: boolean, write: (line: string) => void = writeLine): LossNotices {
  // Two entries for each configured issuer: what anybody can send must not hide what is lost for certain.
  const byLine = new Map<string, Losses>()

  function tell(losses: Losses, now: number): void {
    clearTimeout(losses.timer)
    const { sender, isSigned, count, since, until } = losses
    const when = count === 1 ? `at ${since}` : `from ${since} to ${until}`
    write(
      `issuer ${sender.issuer}: ${isSigned ? lostLine(sender.tokenIssuers, count, when) : perhapsLostLine(count, when)}`,
    )
    losses.count = 0
    losses.toldAt = now
    losses.timer = undefined
  }

  return {
    lost(sender, isSigned) {
      if (!told) return
      const now = performance.now()
      const at = new Date().toISOString()
      const key = JSON.stringify([sender.issuer, isSigned])
      const losses = byLine.get(key) ?? {
        sender,
        isSigned,
        count: 0,
        toldAt: Number.NEGATIVE_INFINITY,
        since: at,
        until: at,
      }
      byLine.set(key, losses)
      if (losses.count++ === 0) losses.since = at
      losses.until = at
      const waits = LINE_INTERVAL_MS - (now - losses.toldAt)
      if (waits <= 0) return tell(losses, now)
      losses.timer ??= setTimeout(() => tell(losses, performance.now()), waits).unref()
    },
    close() {
      for (const losses of byLine.values()) if (losses.count > 0) tell(losses, performance.now())
    },
  }
}

interface Losses {
  readonly sender: LosingSender
  readonly isSigned: boolean
  /** Since the last line, and when the first and the last of them were. */
  count: number
  since: string
  until: string
  toldAt: number
  timer?: NodeJS.Timeout | undefined
}

function lostLine(tokenIssuers: readonly string[], count: number, when: string): string {
  const what = count === 1 ? 'a logout token was' : `${count} logout tokens were`
  return `${what} answered 503 (${when}), and the issuer does not repeat them. Look up in its log whose sessions ended, and revoke by hand: vantage-auth tokens revoke --issuer ${tokenIssuers.join(' or ')} --session-id …, or --subject …`
}

function perhapsLostLine(count: number, when: string): string {
  const what =
    count === 1 ? 'what may have been a logout token was' : `${count} of what may have been logout tokens were`
  return `${what} answered 503 (${when}) before the signature could be verified: anybody may have sent it. Look up in the issuer's log whether a session ended, and revoke by hand if so: vantage-auth tokens revoke`
}

/** Without it an event that changes nothing would look like one that did. */
export function warnUnselectable(issuer: string): void {
  warnOnce(
    'VANTAGE_SUBJECT_UNSELECTABLE',
    `${issuer} names the subjects of its events by what selects no tokens, such as an e-mail address or a phone number: tokens stay that it means. Have it send iss_sub or opaque identifiers`,
  )
}
