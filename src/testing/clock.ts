import { ArgumentError } from '../core/argument-error.js'
import { type Duration, parseDuration } from '../core/duration.js'

/**
 * A clock that stands still until a test moves it. It is the function that every option `clock` of this package takes:
 * `createVerifier({ clock })`, `createKeyring(store, { clock })`, `createTestIssuer({ clock })`, `createTestKeys({ clock })`.
 */
export interface TestClock {
  /** Milliseconds since the epoch. */
  (): number
  /** Milliseconds since the epoch. */
  now(): number
  /** Moves it on: `'90s'`, `'15m'`, `'1h'`, `'30d'`, or a number of seconds. Returns the new time. */
  advance(by: Duration): number
  /** Sets it, back as well. A number is milliseconds since the epoch. Returns the new time. */
  set(to: Date | string | number): number
}

/**
 * Creates a clock for tests. It changes no timer and not `Date.now`: a verifier's time limits and what it waits for go by
 * real time.
 *
 * @param start what it shows first. Default: the time of the call
 * @throws {TypeError} for what is no date
 */
export function createTestClock(start: Date | string | number = Date.now()): TestClock {
  let ms = readInstant(start, 'start')
  const now = () => ms
  return Object.freeze(
    Object.assign(() => ms, {
      now,
      advance(by: Duration) {
        ms = readInstant(ms + parseDuration(by, 'by', 0), 'by')
        return ms
      },
      set(to: Date | string | number) {
        ms = readInstant(to, 'to')
        return ms
      },
    }),
  )
}

function readInstant(value: Date | string | number, name: string): number {
  const ms = new Date(value).getTime()
  if (ms >= 0) return ms
  throw new ArgumentError(
    name,
    `must be a date since 1970: a Date, a text like '2026-11-25T12:00:00Z', or milliseconds`,
  )
}
