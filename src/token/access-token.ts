import type { JWTPayload } from 'jose'
import { type AccessTokenAuth, createAccessTokenAuth, deepFreeze, noteSubjects } from '../core/auth.js'
import type { Reason } from '../core/errors.js'
import type { CheckReport } from './check-report.js'
import { type ClaimCheck, claimChecks } from './claim-checks.js'
import { clientOf, hasOtherNames, sessionOf, subjectNamesOf, subjectOf, tenantOf, textOrNull } from './identity.js'
import { own } from './json-object.js'
import type { IssuerPolicy } from './policy.js'
import { scopesOf } from './scopes.js'
import type { VerifiedAccessToken } from './signature.js'
import type { UnverifiedAccessToken } from './unverified-token.js'

/** An access token whose claims hold. */
export interface AcceptedToken {
  readonly auth: AccessTokenAuth
  /** First instant, in seconds since the epoch, at which it is no longer accepted. */
  readonly endsAt: number
}

/**
 * Checks the claims of a token.
 *
 * @returns the reason of the refusal where a check fails
 * @see {@link https://www.rfc-editor.org/rfc/rfc9068#section-4 RFC 9068 §4}
 */
export function checkClaims(token: VerifiedAccessToken, nowSeconds: number): AcceptedToken | Reason {
  return firstFailure(token, nowSeconds) ?? { auth: authOf(token), endsAt: endOf(token) }
}

function firstFailure(token: UnverifiedAccessToken, nowSeconds: number): Reason | undefined {
  for (const { holds, reason } of checksFor(token.policy).all) if (!holds(token, nowSeconds)) return reason
  return undefined
}

/**
 * Makes every check of the claims, also those behind one that fails, and tells people how each went. The signature may be
 * anybody's.
 */
export function reportClaims(token: UnverifiedAccessToken, nowSeconds: number): CheckReport[] {
  return claimChecks.map((check) => ({
    name: check.name,
    reason: check.reason,
    passed: check.holds(token, nowSeconds),
    expected: check.expected(token, nowSeconds),
    found: check.found(token, nowSeconds),
  }))
}

/**
 * Whom a token claims to be from, for reports alone: the signature may be anybody's, so nobody may be let in by it.
 *
 * @returns `undefined` where a check of the claims fails
 */
export function claimedAuth(token: UnverifiedAccessToken, nowSeconds: number): AccessTokenAuth | undefined {
  return firstFailure(token, nowSeconds) === undefined ? authOf(token) : undefined
}

/** The earliest end that a check sets. */
function endOf(token: UnverifiedAccessToken): number {
  let earliest = Number.POSITIVE_INFINITY
  for (const endsAt of checksFor(token.policy).ends) earliest = Math.min(earliest, endsAt(token))
  return earliest + token.policy.clockToleranceSeconds
}

/** The checks that can refuse a token of one issuer, in the fixed order: half of the table asks for what few configure. */
interface IssuerChecks {
  readonly all: readonly Pick<ClaimCheck, 'holds' | 'reason'>[]
  readonly ends: readonly NonNullable<ClaimCheck['endsAt']>[]
}

const checksByPolicy = new WeakMap<IssuerPolicy, IssuerChecks>()

function checksFor(policy: IssuerPolicy): IssuerChecks {
  const known = checksByPolicy.get(policy)
  if (known !== undefined) return known
  const checks = claimChecks.filter(({ passesAll }) => passesAll?.(policy) !== true)
  const made = {
    all: checks.map(({ holds, reason }) => ({ holds, reason })),
    ends: checks.flatMap(({ endsAt }) => endsAt ?? []),
  }
  checksByPolicy.set(policy, made)
  return made
}

function authOf(token: UnverifiedAccessToken): AccessTokenAuth {
  const { claims, policy } = token
  const auth = createAccessTokenAuth({
    subject: subjectOf(token),
    scopes: scopesOf(token),
    tenant: tenantOf(token),
    issuer: policy.issuer,
    clientId: clientOf(token),
    tokenId: textOrNull(own(claims, 'jti')),
    sessionId: sessionOf(token),
    // The checks of the claims that the type names have held; it leaves all others open.
    claims: deepFreeze(claims) as Readonly<JWTPayload>,
  })
  if (hasOtherNames(policy)) noteSubjects(auth, subjectNamesOf(token))
  return auth
}
