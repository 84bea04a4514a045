import type { StoredTokenRevocation, TokenNames } from './contract.js'

/** How many revocations may be in force at a time: each service keeps all of them in memory. */
export const MAX_TOKENS = 100_000
/** Of subjects and clients together. They have room of their own, as the way out when there is none left for tokens. */
export const MAX_SUBJECTS_AND_CLIENTS = 10_000
/** Of sessions, of subjects without a session, and of all that events of issuers ask for: that leaves the other rooms alone. */
export const MAX_SESSIONS = 100_000
/** How many events of issuers may be kept at a time. */
export const MAX_EVENTS = 200_000
/** What one sender of events may take of that, so that it cannot keep out the others. */
export const MAX_REVOCATIONS_OF_SENDER = MAX_SESSIONS / 2
export const MAX_EVENTS_OF_SENDER = MAX_EVENTS / 2

/** What has room of its own in a store, as messages call it. */
export type RoomOf = keyof typeof ROOM

export const ROOM = {
  tokens: MAX_TOKENS,
  'subjects and clients': MAX_SUBJECTS_AND_CLIENTS,
  sessions: MAX_SESSIONS,
  'one sender': MAX_REVOCATIONS_OF_SENDER,
  events: MAX_EVENTS,
  'events of a sender': MAX_EVENTS_OF_SENDER,
} as const

/** The rooms of revocations, of which each has its place in one. */
export type RevocationRoom = 'tokens' | 'subjects and clients' | 'sessions'

/** @param sender whose event asked for it, if one did: whoever sends events does not take the room of administrators */
export function roomOf(
  { tokenId, sessionId, withoutSession }: Pick<StoredTokenRevocation, 'tokenId' | 'sessionId' | 'withoutSession'>,
  sender: string | null,
): RevocationRoom {
  if (sender !== null) return 'sessions'
  if (tokenId !== null) return 'tokens'
  return sessionId !== null || withoutSession ? 'sessions' : 'subjects and clients'
}

const LIFE =
  "Revocations end ten minutes after their tokenLife (--token-life): give the longest life of the issuer's tokens"

const KEPT =
  'Each is dropped at the time until which it was to be kept: keep them for less time, or have the issuer send fewer'

/** Why there is no room, and the way out. */
export function describeNoRoom(room: RoomOf): string {
  switch (room) {
    case 'tokens':
      return `There are ${MAX_TOKENS} revocations of single tokens in force, as many as there may be. Revoke by subject or by client instead, which has room of its own. ${LIFE}`
    case 'sessions':
      return `There are ${MAX_SESSIONS} revocations of sessions in force, as many as there may be; subjects without a session, and what events of issuers revoke, count with them. Revoke by subject or by client instead, which has room of its own. ${LIFE}`
    case 'one sender':
      return `There are ${MAX_REVOCATIONS_OF_SENDER} revocations by the events of this issuer in force, as many as one may take of the room of all. ${LIFE}; keyring.revokeTokens() has room of its own`
    case 'events':
      return `There are ${MAX_EVENTS} events of issuers noted, as many as there may be. ${KEPT}`
    case 'events of a sender':
      return `There are ${MAX_EVENTS_OF_SENDER} events of this issuer noted, as many as one may take of the room of all. ${KEPT}`
    case 'subjects and clients':
      return `There are ${MAX_SUBJECTS_AND_CLIENTS} revocations of subjects and clients in force, as many as there may be. They end ten minutes after their tokenLife (--token-life): give the longest life of the issuer's tokens. Until then have the issuer withdraw its signing key, or refuse these tokens with the option isRevoked`
  }
}

/** Which tokens a revocation means, as the audit trail says it. */
export function describeTokenSelector({
  issuer,
  tokenId,
  subject,
  clientId,
  sessionId,
  withoutSession,
  issuedBefore,
}: Pick<
  StoredTokenRevocation,
  'issuer' | 'tokenId' | 'subject' | 'clientId' | 'sessionId' | 'withoutSession' | 'issuedBefore'
>): string {
  return JSON.stringify({
    issuer,
    tokenId: tokenId ?? undefined,
    subject: subject ?? undefined,
    clientId: clientId ?? undefined,
    sessionId: sessionId ?? undefined,
    withoutSession: withoutSession || undefined,
    issuedBefore: issuedBefore === null ? undefined : new Date(issuedBefore).toISOString(),
  })
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
    one.sessionId === other.sessionId &&
    (!one.withoutSession || other.withoutSession) &&
    (one.issuedBefore ?? Number.POSITIVE_INFINITY) >= (other.issuedBefore ?? Number.POSITIVE_INFINITY) &&
    one.endsAt >= other.endsAt
  )
}

/** Whether a revocation names a token, whenever that was issued. */
export function namesToken(revocation: StoredTokenRevocation, token: TokenNames): boolean {
  const { issuer, tokenId, subject, clientId, sessionId, withoutSession } = revocation
  if (issuer !== token.issuer) return false
  if (tokenId !== null) return tokenId === token.tokenId
  if (sessionId !== null) return sessionId === token.sessionId
  if (subject === null) return clientId === token.clientId
  return token.subjects.includes(subject) && !(withoutSession && token.sessionId !== null)
}
