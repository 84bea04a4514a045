import type { StoredTokenRevocation } from './contract.js'

/** How many revocations may be in force at a time: each service keeps all of them in memory. */
export const MAX_TOKEN_REVOCATIONS = 100_000
export const TOO_MANY_TOKEN_REVOCATIONS =
  'There are 100000 revocations of tokens in force; revoke by subject or by client instead of one by one'

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
