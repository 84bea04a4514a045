import { describeCause, oneLine } from '../core/cause.js'
import type { DependencyNotice, OutageNotices } from '../core/outage-notices.js'

/** Anybody can invent issuers: of so many at a time the failures are told one by one. */
const MOST_NAMED = 20
/** An issuer that nobody has asked for so long gives its place to another. */
const QUIET_MS = 60_000
const LONGEST_ISS = 512

/**
 * Tells, on standard error, for which issuer the application gave no answer, or a wrong one. It is one that was asked for, and so an
 * https URL; nothing else of a token is shown.
 */
export interface ResolverNotices {
  /** @returns the error with the issuer in its message, for the cause of the 503 */
  failed(iss: string, error: unknown): Error
  answered(iss: string): void
  close(): void
}

interface Named {
  readonly notice: DependencyNotice
  readonly notices: OutageNotices
  askedAt: number
}

/** @param createNotices makes the notices of one issuer */
export function createResolverNotices(createNotices: () => OutageNotices): ResolverNotices {
  // The one that was asked for longest ago comes first.
  const named = new Map<string, Named>()

  function drop(iss: string): void {
    named.get(iss)?.notices.close()
    named.delete(iss)
  }

  function touch(iss: string): DependencyNotice | undefined {
    const known = named.get(iss)
    if (known === undefined) return undefined
    known.askedAt = performance.now()
    named.delete(iss)
    named.set(iss, known)
    return known.notice
  }

  function open(iss: string): DependencyNotice | undefined {
    const [oldest] = named
    if (named.size >= MOST_NAMED && oldest !== undefined) {
      if (performance.now() - oldest[1].askedAt < QUIET_MS) return undefined
      drop(oldest[0])
    }
    const notices = createNotices()
    const notice = notices.about(`resolveIssuer of the application, asked for ${oneLine(iss, LONGEST_ISS)},`)
    named.set(iss, { notice, notices, askedAt: performance.now() })
    return notice
  }

  return {
    failed(iss, error) {
      const notice = touch(iss) ?? open(iss)
      notice?.failed(error)
      return new Error(`resolveIssuer, asked for ${oneLine(iss, LONGEST_ISS)}: ${describeCause(error)}`, {
        cause: error,
      })
    },

    answered: (iss) => touch(iss)?.answered(),

    close() {
      for (const iss of [...named.keys()]) drop(iss)
    },
  }
}
