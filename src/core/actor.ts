/** One party that acts for another. */
export interface ActingParty {
  /** The party's `sub`. It is a name of the token's issuer, unless the party has an `iss` of its own in `claims.act`. */
  readonly subject: string
  /** The party's `client_id`; `null` where there is none, or one that is no text. */
  readonly clientId: string | null
}

/** Who acts for the subject of a token. Deeply frozen. */
export interface Actor extends ActingParty {
  /**
   * Who acted before, the latest first: at most ten, and none behind a party without a `sub`. `claims.act` has them all.
   * For logs alone: no decision may rest on them (RFC 8693 §4.1).
   */
  readonly chain: readonly ActingParty[]
}

/** A chain may nest as deep as a token is long. */
const LONGEST_CHAIN = 10

/** The `act` claims that were asked for: reading one again gives the same actor. */
const actors = new WeakMap<object, Actor>()

/**
 * Whether an `act` claim names who acts. RFC 8693 leaves open by which claims; without a `sub` nobody could say who it is,
 * and a token that somebody else uses must not look like one that its subject uses.
 */
export function isAct(act: unknown): act is object & { readonly sub: string } {
  return typeof act === 'object' && act !== null && !Array.isArray(act) && isText(own(act, 'sub'))
}

/** The actor that an `act` claim names; `null` where there is no such claim. */
export function actorOf(act: unknown): Actor | null {
  if (!isAct(act)) return null
  const known = actors.get(act)
  if (known !== undefined) return known
  const chain: ActingParty[] = []
  for (let next = own(act, 'act'); isAct(next) && chain.length < LONGEST_CHAIN; next = own(next, 'act')) {
    chain.push(Object.freeze(partyOf(next)))
  }
  const actor = Object.freeze({ chain: Object.freeze(chain), ...partyOf(act) })
  actors.set(act, actor)
  return actor
}

function partyOf(act: object & { readonly sub: string }): ActingParty {
  const clientId = own(act, 'client_id')
  return { subject: act.sub, clientId: isText(clientId) ? clientId : null }
}

function own(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name as keyof typeof object] : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
