import type { StoredTokenRevocation, TokenNames } from './contract.js'

/** How many revocations may be in force at a time: each service keeps all of them in memory. */
export const MAX_TOKENS = 100_000
/** Of subjects and clients together. They have room of their own, as the way out when there is none left for tokens. */
export const MAX_SUBJECTS_AND_CLIENTS = 10_000

/** Why there is no room for a revocation, and the way out. */
export function describeNoRoom({ tokenId }: Pick<StoredTokenRevocation, 'tokenId'>): string {
  return tokenId === null
    ? `There are ${MAX_SUBJECTS_AND_CLIENTS} revocations of subjects and clients in force, as many as there may be. They end ten minutes after their tokenLife (--token-life): give the longest life of the issuer's tokens. Until then have the issuer withdraw its signing key, or refuse these tokens with the option isRevoked`
    : `There are ${MAX_TOKENS} revocations of single tokens in force, as many as there may be. Revoke by subject or by client instead, which has room of its own. Revocations end ten minutes after their tokenLife (--token-life): give the longest life of the issuer's tokens`
}

/** Which tokens a revocation means, as the audit trail says it. */
export function describeTokenSelector({
  issuer,
  tokenId,
  subject,
  clientId,
  issuedBefore,
}: Pick<StoredTokenRevocation, 'issuer' | 'tokenId' | 'subject' | 'clientId' | 'issuedBefore'>): string {
  const which = tokenId === null ? (subject === null ? { clientId } : { subject }) : { tokenId }
  const before = issuedBefore === null ? {} : { issuedBefore: new Date(issuedBefore).toISOString() }
  return JSON.stringify({ issuer, ...which, ...before })
}

/**
 * Whether a revocation does all that another one does: of the same issuer and name, from no earlier instant, and for no
 * shorter time. Then the other one is dropped, or one user who signs out again and again would take all the room.
 */
export function replaces(one: StoredTokenRevocation, other: StoredTokenRevocation): boolean {
  return (
    one.id !== other.id &&
    one.issuer === other.issuer &&
    one.tokenId === other.tokenId &&
    one.subject === other.subject &&
    one.clientId === other.clientId &&
    (one.issuedBefore ?? 0) >= (other.issuedBefore ?? 0) &&
    one.endsAt >= other.endsAt
  )
}

/** Whether a revocation names a token, whenever that was issued. */
export function namesToken(revocation: StoredTokenRevocation, token: TokenNames): boolean {
  if (revocation.issuer !== token.issuer) return false
  if (revocation.tokenId !== null) return revocation.tokenId === token.tokenId
  return revocation.subject === null ? revocation.clientId === token.clientId : revocation.subject === token.subject
}
