/** What must not compile, and what must. Compiled by `npm run check`, never run. */
import { checkClaims } from '../../src/token/access-token.js'
import type { ClaimRow } from '../../src/token/claim-checks.js'
import type { VerifiedAccessToken } from '../../src/token/signature.js'
import type { UnverifiedAccessToken } from '../../src/token/unverified-token.js'

const described = { name: 'x', reason: 'claims', expected: () => '', found: () => '' } as const

export const rows: readonly ClaimRow[] = [
  { ...described, holds: () => true },
  { ...described, startsAt: () => 0 },
  { ...described, endsAt: () => 0 },
  // Only one of its tests would be made: a token that the other refuses would be accepted.
  // @ts-expect-error a start and an end
  { ...described, startsAt: () => Number.NEGATIVE_INFINITY, endsAt: () => 0 },
  // @ts-expect-error a condition and an end
  { ...described, holds: () => true, endsAt: () => 0 },
  // @ts-expect-error a condition and a start
  { ...described, holds: () => true, startsAt: () => 0 },
  // @ts-expect-error an end that may be missing
  { ...described, startsAt: () => 0, endsAt: undefined },
  // @ts-expect-error no test at all
  { ...described },
]

export function signatures(unverified: UnverifiedAccessToken, verified: VerifiedAccessToken): void {
  checkClaims(verified, 0)
  // @ts-expect-error nobody has verified its signature
  checkClaims(unverified, 0)
}
