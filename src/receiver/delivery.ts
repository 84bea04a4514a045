import type { RevocationRefusal } from '../core/telemetry.js'
import type { Answer } from '../http/answers.js'
import type { TokenSelector } from '../keyring/token-selector.js'
import type { ClaimCheck, SignedClaims } from './claims.js'
import type { NoSelection, Selection } from './subjects.js'

/** What a request carries, before anything in it is looked at. */
export interface Taken {
  /** The signed token. */
  readonly token: string
  /** The body, where it says what the token does not. */
  readonly body?: Buffer
}

/** What a delivery asks for. */
export interface Asked {
  /** The tokens to revoke; none where nothing that it tells of revokes any. */
  readonly selectors: readonly TokenSelector[]
  /** What happened, in words of ours: the reason of the revocations. */
  readonly reason: string
  /** Whether an event would revoke more, and its subject, or the user in it, is of a format that never selects. */
  readonly unselectable: boolean
}

/** One kind of message that providers send, and everything that is particular to it. */
export interface Kind {
  readonly name: 'logout_token' | 'security_event' | 'global_token_revocation'
  readonly contentType: string
  /** @param authorization the one line of the header, if there is one */
  take(body: Buffer, authorization: string | undefined): Taken | RevocationRefusal
  /** Whether the `typ` of a header is that of the kind. */
  isType(typ: unknown): boolean
  /** Whether the sender's stream has to send its Authorization header. */
  readonly asksForAuthorization: boolean
  /** The checks of the claims, in their order. */
  readonly checks: readonly ClaimCheck[]
  ask(token: SignedClaims, body: Buffer | undefined): Asked | RevocationRefusal
  /** Of a kind whose token does not hold all that is asked for: what else makes a repetition of it. */
  distinguish?(asked: Asked): string
  /** Until when a repetition is known for one: milliseconds since the epoch. */
  keepUntil(token: SignedClaims): number
  /** Whether its sender sends it again when it was not taken. */
  readonly isRepeated: boolean
  /** The answer to what was taken, now or before. */
  readonly taken: Answer
  /** The answer to what was not. */
  refuse(reason: RevocationRefusal, realm: string): Answer
}

/** Media types of header members are compared without case, and their `application/` may be left out (RFC 7515 §4.1.9). */
export function typeTest(name: string): (typ: unknown) => boolean {
  return (typ) => typeof typ === 'string' && [name, `application/${name}`].includes(typ.toLowerCase())
}

/** What one event asks for, of its kind. */
export function askFor(reason: string, selection: Selection | NoSelection): Asked | RevocationRefusal {
  if (selection === 'unselectable') return { selectors: [], reason, unselectable: true }
  return typeof selection === 'string' ? selection : { reason, unselectable: false, ...selection }
}
