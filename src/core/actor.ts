import { isText, own } from './own.js'

/** One party that acts for another. */
export interface ActingParty {
  /**
   * The party's `sub`, a name of the token's issuer, unless the party has an `iss` of its own in `claims.act`; `null` where the
   * party is named by other claims, which are there as well.
   */
  readonly subject: string | null
  /** The party's `client_id`; `null` where there is none, or one that is no text. */
  readonly clientId: string | null
}

/** Who acts for the subject of a token. Deeply frozen. */
export interface Actor extends ActingParty {
  /**
   * Who acted before, the latest first: at most ten, and none behind what is no party. `claims.act` has them all.
   * For logs alone: no decision may rest on them (RFC 8693 §4.1).
   */
  readonly chain: readonly ActingParty[]
}

/** A chain may nest as deep as a token is long. */
const LONGEST_CHAIN = 10

/**
 * Whether an `act` claim is of a party. RFC 8693 leaves open by which claims it is named: a `sub` may be absent, but one that
 * is there is a text. A token that somebody else uses must not look like one that its subject uses.
 */
export function isAct(act: unknown): act is object {
  if (typeof act !== 'object' || act === null || Array.isArray(act)) return false
  const sub = own(act, 'sub')
  return sub === undefined || isText(sub)
}

/** The actor that an `act` claim names; `null` where there is no such claim. */
export function actorOf(act: unknown): Actor | null {
  if (!isAct(act)) return null
  const chain: ActingParty[] = []
  for (let next = own(act, 'act'); isAct(next) && chain.length < LONGEST_CHAIN; next = own(next, 'act')) {
    chain.push(Object.freeze(partyOf(next)))
  }
  return Object.freeze({ chain: Object.freeze(chain), ...partyOf(act) })
}

function partyOf(act: object): ActingParty {
  return { subject: textOrNull(own(act, 'sub')), clientId: textOrNull(own(act, 'client_id')) }
}

function textOrNull(value: unknown): string | null {
  return isText(value) ? value : null
}
