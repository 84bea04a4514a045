import { describeCause, LONGEST_REPORT } from './cause.js'
import { KeyStoreError } from './errors.js'
import { ofProcess } from './of-process.js'

/** Tells, on standard error, when a dependency fails and when it is back. */
export interface DependencyNotice {
  /** Whether the last question has failed. */
  readonly isFailing: boolean
  failed(cause: unknown): void
  answered(): void
}

/** The notices of one verifier. */
export interface OutageNotices {
  /**
   * @param name what lines call the dependency, without a password
   * @param identity what makes it one dependency for all verifiers of this process; by default its name
   */
  about(name: string, identity?: unknown): DependencyNotice
  /** Nothing is written for this verifier any more, unless it is opened again. */
  close(): void
  /** Takes a close back. */
  reopen(): void
}

/** For each dependency there is at most one pair of lines, that it is out and that it is back, within this time. */
const PAIR_INTERVAL_MS = 60_000
const LONGEST_NAME = 400
/** Verifiers that are never closed keep theirs; beyond this many dependencies the oldest is forgotten. */
const MOST_DEPENDENCIES = 1000

/** One dependency, for all verifiers that use it: an outage is told of once, not once for each mount. */
interface Outage {
  users: number
  /** As `performance.now()` counts; `undefined` while it answers. */
  failingSince: number | undefined
  /** Whether the outage that goes on was told of. Only then it is told of when it ends. */
  told: boolean
  /** When it was last told that it is out. */
  toldAt: number
}

const outages = ofProcess('outages', () => new Map<unknown, Outage>())

export const NO_NOTICE: DependencyNotice = { isFailing: false, failed() {}, answered() {} }

export const NO_NOTICES: OutageNotices = { about: () => NO_NOTICE, close() {}, reopen() {} }

/** No timer runs: a line is written when a question fails or is answered, and at no other time. */
export function createOutageNotices(write: (line: string) => void = writeLine): OutageNotices {
  const used = new Map<unknown, Outage>()
  let closed = false

  function outageOf(identity: unknown): Outage {
    const known = used.get(identity)
    if (known !== undefined) return known
    const outage = outages.get(identity) ?? {
      users: 0,
      failingSince: undefined,
      told: false,
      toldAt: Number.NEGATIVE_INFINITY,
    }
    outage.users++
    outages.set(identity, outage)
    used.set(identity, outage)
    if (outages.size > MOST_DEPENDENCIES) outages.delete(outages.keys().next().value)
    return outage
  }

  return {
    about(name, identity = name) {
      outageOf(identity)
      const shown = name.replace(/[\p{C}\p{Z}]+/gu, ' ').slice(0, LONGEST_NAME)
      return {
        get isFailing() {
          return used.get(identity)?.failingSince !== undefined
        },

        failed(cause) {
          if (closed) return
          const outage = outageOf(identity)
          const now = performance.now()
          outage.failingSince ??= now
          // An outage that began while the last pair was fresh is told of as soon as a minute is over, if it still goes on.
          if (outage.told || now - outage.toldAt < PAIR_INTERVAL_MS) return
          const lasts = now - outage.failingSince
          outage.told = true
          outage.toldAt = now
          write(`${shown} ${describeFailure(cause)}${lasts < 1000 ? '' : ` (for ${formatElapsed(lasts)})`}`)
        },

        answered() {
          if (closed) return
          const outage = outageOf(identity)
          if (outage.failingSince === undefined) return
          const lasted = performance.now() - outage.failingSince
          const { told } = outage
          outage.failingSince = undefined
          outage.told = false
          if (told) write(`${shown} is back after ${formatElapsed(lasted)}`)
        },
      }
    },

    close() {
      if (closed) return
      closed = true
      for (const [identity, outage] of used) {
        outage.users--
        if (outage.users === 0 && outages.get(identity) === outage) outages.delete(identity)
      }
      used.clear()
    },

    reopen() {
      closed = false
    },
  }
}

/** Our own stores begin with their name, which the line has already. */
const STORE_NAME = /^The (?:Postgres )?key store (?:at \S+ )?(?:\([^)]*\) |"[^"]*" )/

function describeFailure(cause: unknown): string {
  const told = describeCause(cause)
  try {
    const own = cause instanceof KeyStoreError && STORE_NAME.exec(cause.message)?.[0]
    // Our own messages have the cure at their end.
    return own ? describeCause(cause.message.slice(own.length), LONGEST_REPORT) : `failed: ${told}`
  } catch {
    // Of a revoked Proxy nothing can be asked.
    return `failed: ${told}`
  }
}

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
function formatElapsed(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

let unfinishedLines = 0

/** An error of standard error, which may be a full disk or a pipe that nobody reads any more, must not end the service. */
export function writeLine(line: string): void {
  // One listener for all lines: Node warns of more than ten.
  if (unfinishedLines++ === 0) process.stderr.on('error', ignoreError)
  const finish = () => {
    if (--unfinishedLines === 0) process.stderr.removeListener('error', ignoreError)
  }
  try {
    // Node emits the error after it has called back.
    process.stderr.write(`vantage-auth: ${line}\n`, () => setImmediate(finish))
  } catch {
    finish()
  }
}

function ignoreError(): void {}
