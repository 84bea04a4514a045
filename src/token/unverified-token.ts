import type { Reason } from '../core/errors.js'
import type { Algorithm } from './algorithms.js'
import { type CheckReport, show } from './check-report.js'
import type { Issuer } from './issuer/issuer.js'
import { type JsonObject, own } from './json-object.js'
import { kid, parseJws, type Step, takeAndTell } from './jws.js'
import type { IssuerPolicy } from './policy.js'

/**
 * An access token that has been parsed and belongs to a configured issuer. Nothing in it is verified: without its
 * signature anybody could have written it, and its claims are not checked.
 */
export interface UnverifiedAccessToken {
  /** The token as it came. */
  readonly text: string
  readonly issuer: Issuer
  /** What the issuer's tokens have to satisfy. */
  readonly policy: IssuerPolicy
  readonly header: JsonObject
  readonly alg: Algorithm
  readonly kid: string | undefined
  readonly claims: JsonObject
}

/** A token that was refused while it was parsed. */
export interface UnacceptableToken {
  readonly reason: Reason
  /** The issuer, where it got as far as that. */
  readonly issuer: Issuer | undefined
  /** The `iss` claim that named none of the issuers. Anybody can have written it. */
  readonly foreignIss: string | undefined
}

/** The kinds of `typ`: the one of RFC 9068, `JWT` or none, and `JOSE`, which only workloads of SPIFFE send. */
type TokenType = 'at+jwt' | 'JWT' | 'JOSE'

/** The issuers by their identifiers; a Map of them will do. */
export interface Issuers {
  get(identifier: string): Issuer | undefined
  /** Those that are configured. */
  values(): Iterable<Issuer>
  /** Whether there may be others, of which nothing is known before their first token. */
  readonly isOpen?: boolean
}

/** What depends on which issuers there are, found once for them: anybody can send a token that it is asked for. */
interface IssuerSteps {
  readonly typ: Step<JsonObject, TokenType>
  readonly iss: Step<JsonObject, Issuer>
}

const stepsByIssuers = new WeakMap<Issuers, IssuerSteps>()

function stepsFor(issuers: Issuers): IssuerSteps {
  const known = stepsByIssuers.get(issuers)
  if (known !== undefined) return known
  const types = new Set(Array.from(issuers.values(), ({ policy }) => acceptedTypes(policy)).flat())
  types.add('at+jwt')
  if (issuers.isOpen === true) types.add('JWT')
  const steps = { typ: typAmong(types), iss: issAmong(issuers, types.has('JOSE')) }
  stepsByIssuers.set(issuers, steps)
  return steps
}

/** RFC 8725 §3.11: keeps ID tokens, logout tokens and DPoP proofs out. */
function typAmong(types: ReadonlySet<TokenType>): Step<JsonObject, TokenType> {
  return {
    name: 'typ',
    reason: 'type',
    read(header) {
      const type = typeOf(header)
      return type !== undefined && types.has(type) ? type : null
    },
    expected: () =>
      `at+jwt or application/at+jwt; for an issuer with the lenient profile also JWT or none (RFC 9068 §4)${types.has('JOSE') ? '; for a trust domain JWT, JOSE or none' : ''}`,
    found: (header) => show(own(header, 'typ')),
  }
}

/**
 * The only claim that is read before the signature is verified: it says whose keys to verify with. Workloads of a trust
 * domain have none, and there it is `sub`.
 */
function issAmong(issuers: Issuers, hasTrustDomain: boolean): Step<JsonObject, Issuer> {
  const goesBySub = (claims: JsonObject) => hasTrustDomain && !Object.hasOwn(claims, 'iss')
  return {
    name: 'iss',
    reason: 'issuer',
    read: (claims) => issuerOf(claims, issuers) ?? null,
    expected: () =>
      `a configured issuer, character for character (RFC 9068 §4)${hasTrustDomain ? '; or none, and a sub within a configured trust domain' : ''}`,
    found: (claims) => (goesBySub(claims) ? `none, and sub ${show(own(claims, 'sub'))}` : show(own(claims, 'iss'))),
  }
}

const TRUST_DOMAIN = /^spiffe:\/\/[a-z0-9._-]{1,255}(?=\/)/

/** A token with an `iss` goes by it alone: its `sub` must not choose whose keys verify it. */
function issuerOf(claims: JsonObject, issuers: Issuers): Issuer | undefined {
  if (Object.hasOwn(claims, 'iss')) {
    const { iss } = claims
    const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined
    return issuer?.policy.trustDomain === undefined ? issuer : undefined
  }
  const sub = own(claims, 'sub')
  const domain = typeof sub === 'string' ? TRUST_DOMAIN.exec(sub)?.[0] : undefined
  const issuer = domain === undefined ? undefined : issuers.get(domain)
  return issuer?.policy.trustDomain === undefined ? undefined : issuer
}

/** What the checks by the issuer's own policy look at. */
interface Heading {
  readonly header: JsonObject
  readonly typ: TokenType
  readonly alg: Algorithm
  readonly policy: IssuerPolicy
}

const typOfIssuer: Step<Heading, TokenType> = {
  name: 'typ of the issuer',
  reason: 'type',
  read: ({ typ, policy }) => (acceptedTypes(policy).includes(typ) ? typ : null),
  expected: ({ policy }) =>
    acceptedTypes(policy)
      .map((type) => EXPECTED[type])
      .join(', '),
  found: ({ header }) => show(own(header, 'typ')),
}

const EXPECTED: { readonly [T in TokenType]: string } = {
  JWT: 'JWT, none',
  JOSE: 'JOSE',
  'at+jwt': 'at+jwt or application/at+jwt',
}

const algOfIssuer: Step<Heading, Algorithm> = {
  name: 'alg of the issuer',
  reason: 'algorithm',
  read: ({ alg, policy }) => (policy.algorithms.includes(alg) ? alg : null),
  expected: ({ policy }) => `one of ${policy.algorithms.join(' ')}`,
  found: ({ alg }) => show(alg),
}

/**
 * Parses an access token, one check after the other in the fixed order. The first that fails is the reason of the
 * refusal, since what comes after it has nothing to stand on. It does not verify the signature and looks at no claim but
 * `iss`, or at `sub` where there is none.
 *
 * @param report is told of each check that is made
 */
export function parseAccessToken(
  text: string,
  issuers: Issuers,
  report?: (check: CheckReport) => void,
): UnverifiedAccessToken | UnacceptableToken {
  const take = takeAndTell(report)
  const steps = stepsFor(issuers)
  const jws = parseJws(text, steps.typ, take)
  if (typeof jws === 'string') return refused(jws)
  const { header, type, alg, claims } = jws
  const issuer = take(steps.iss, claims)
  if (issuer === null) {
    const iss = own(claims, 'iss')
    return refused(steps.iss.reason, undefined, typeof iss === 'string' ? iss : undefined)
  }
  const { policy } = issuer
  const heading: Heading = { header, typ: type, alg, policy }
  if (take(typOfIssuer, heading) === null) return refused(typOfIssuer.reason, issuer)
  if (take(algOfIssuer, heading) === null) return refused(algOfIssuer.reason, issuer)
  const keyId = take(kid, header)
  if (keyId === null) return refused(kid.reason, issuer)
  return { text, issuer, policy, header, alg, kid: keyId, claims }
}

function refused(reason: Reason, issuer?: Issuer, foreignIss?: string): UnacceptableToken {
  return { reason, issuer, foreignIss }
}

function typeOf(header: JsonObject): TokenType | undefined {
  const typ = own(header, 'typ')
  if (typ === undefined) return 'JWT'
  if (typeof typ !== 'string') return undefined
  if (/^(?:application\/)?at\+jwt$/i.test(typ)) return 'at+jwt'
  if (/^jwt$/i.test(typ)) return 'JWT'
  return /^jose$/i.test(typ) ? 'JOSE' : undefined
}

const STRICT_TYPES: readonly TokenType[] = ['at+jwt']
const LENIENT_TYPES: readonly TokenType[] = ['JWT', 'at+jwt']
/** JWT-SVID §2.3. */
const SVID_TYPES: readonly TokenType[] = ['JWT', 'JOSE']

function acceptedTypes({ profile, trustDomain }: IssuerPolicy): readonly TokenType[] {
  if (trustDomain !== undefined) return SVID_TYPES
  return profile === 'lenient' ? LENIENT_TYPES : STRICT_TYPES
}
