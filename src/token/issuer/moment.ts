/** One moment on two clocks: the configured one, which can be set, and the monotonic one, which stops in a suspended machine. */
export interface Moment {
  /** Milliseconds since the epoch. */
  readonly wall: number
  /** Milliseconds of `performance.now()`. */
  readonly monotonic: number
}

export function momentOf(wall: number): Moment {
  return { wall, monotonic: performance.now() }
}

/**
 * Milliseconds since a moment. Uses the larger age: wall time may be set back, monotonic time stops while the machine
 * sleeps.
 */
export function ageOf({ wall, monotonic }: Moment, now: number): number {
  return Math.max(now - wall, performance.now() - monotonic)
}

/**
 * The instant that a wait ends: `at`, or now where that is further away than the longest wait. Then the clock was set back,
 * which must not prolong a wait.
 */
export function dueAt(at: number, now: number, longestMs: number): number {
  return at - now > longestMs ? now : at
}
