import type { EffectivePolicy } from '../config/effective-policy.js'
import { ofProcess } from '../core/of-process.js'

/** What a verifier goes by where it compares a claim with the time. */
export interface VerifierTime {
  /** Milliseconds since the epoch. */
  now(): number
  /** How far the clocks of issuers and of the service may be apart. */
  readonly clockToleranceSeconds: number
}

/** What a verifier is, as far as its time goes: it may be the application's own. */
interface Describing {
  describe(): EffectivePolicy
}

/** Not in the verifier, which is a type that applications implement. */
const times = ofProcess('times', () => new WeakMap<Describing, VerifierTime>())

/** Notes the time of a verifier, for guards that ask how long ago something was. */
export function noteTime(verifier: Describing, time: VerifierTime): void {
  times.set(verifier, time)
}

/** The time of a verifier. One of the application's own goes by the system's clock, and by the least tolerance it describes. */
export function timeOf(verifier: Describing): VerifierTime {
  return times.get(verifier) ?? { now: Date.now, clockToleranceSeconds: leastTolerance(verifier.describe()) }
}

function leastTolerance(described: Partial<EffectivePolicy> | undefined): number {
  const issuers: unknown = described?.issuers
  if (!Array.isArray(issuers) || issuers.length === 0) return 0
  const least = Math.min(...issuers.map((policy) => Number(policy?.clockToleranceSeconds)))
  return Number.isFinite(least) ? Math.max(least, 0) : 0
}
