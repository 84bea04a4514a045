import type { Reason } from '../core/errors.js'
import { ALGORITHMS, type Algorithm, isAlgorithm } from './algorithms.js'
import { type CheckReport, show } from './check-report.js'
import { decodeObject, isCanonicalBase64url } from './encoding.js'
import type { Issuer } from './issuer/issuer.js'
import { type JsonObject, own } from './json-object.js'
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
}

/** The two kinds of `typ`: the one of RFC 9068, and those that the lenient profile accepts besides (`JWT`, or none). */
type TokenType = 'at+jwt' | 'other'

/** The configured issuers by their identifiers. */
export type Issuers = ReadonlyMap<string, Issuer>

/** One check on the way from a text to a parsed token. */
interface Step<In, Out> {
  /** What is looked at, in the words of the specifications. */
  readonly name: string
  readonly reason: Reason
  /** The part that this step finds and vouches for; `null` refuses the token. */
  read(input: In, issuers: Issuers): Out | null
  /** For people: what would have passed. */
  expected(input: In): string
  /** For people: what is there, whether it passes or not. Never the token or a part of its encoding. */
  found(input: In, passed: boolean): string
}

const PART_NAMES = ['header', 'payload', 'signature'] as const

interface Parts {
  readonly header: string
  readonly payload: string
  readonly signature: string
}

/** What the checks by the issuer's own policy look at. */
interface Heading {
  readonly header: JsonObject
  readonly typ: TokenType
  readonly alg: Algorithm
  readonly policy: IssuerPolicy
}

export const shape: Step<string, Parts> = {
  name: 'shape',
  reason: 'malformed',
  read(text) {
    const first = text.indexOf('.')
    const second = text.indexOf('.', first + 1)
    if (first === -1 || second === -1 || text.includes('.', second + 1)) return null
    return { header: text.slice(0, first), payload: text.slice(first + 1, second), signature: text.slice(second + 1) }
  },
  expected: () => 'three parts separated by dots (RFC 7515 §3.1)',
  found: (text) => {
    const parts = text.split('.').length
    return parts === 1 ? 'one part, no dot' : `${parts} parts`
  },
}

export const encoding: Step<Parts, Parts> = {
  name: 'encoding',
  reason: 'malformed',
  read(parts) {
    const { header, payload, signature } = parts
    const canonical = isLastHeader(header) || isCanonicalBase64url(header)
    return canonical && isCanonicalBase64url(payload) && isCanonicalBase64url(signature) ? parts : null
  },
  expected: () => 'canonical base64url without padding (RFC 7515 §2)',
  found: (parts, passed) =>
    passed
      ? 'base64url'
      : `wrong in its ${PART_NAMES.filter((name) => !isCanonicalBase64url(parts[name])).join(' and ')}`,
}

export const headerText: Step<Parts, JsonObject> = {
  name: 'header',
  reason: 'malformed',
  read: ({ header }) => decodeHeader(header),
  expected: () => 'a JSON object in UTF-8 (RFC 7515 §4)',
  found: ({ header }) => membersOf(decodeHeader(header)),
}

function membersOf(object: JsonObject | null): string {
  if (object === null) return 'something else'
  const names = show(Object.keys(object))
    .replace(/["[\]]/g, '')
    .replaceAll(',', ', ')
  return `a JSON object with ${names || 'no members'}`
}

/** RFC 8725 §3.11: keeps ID tokens, logout tokens and DPoP proofs out. */
const typ: Step<JsonObject, TokenType> = {
  name: 'typ',
  reason: 'type',
  read(header, issuers) {
    const type = typeOf(header)
    return type === 'at+jwt' || (type === 'other' && hasLenientIssuer(issuers)) ? type : null
  },
  expected: () => 'at+jwt or application/at+jwt; for an issuer with the lenient profile also JWT or none (RFC 9068 §4)',
  found: (header) => show(own(header, 'typ')),
}

/** RFC 7515 §4.1.11: no extension is understood here, and `b64` (RFC 7797) changes what is signed. */
export const extensions: Step<JsonObject, JsonObject> = {
  name: 'crit, b64',
  reason: 'malformed',
  read: (header) => (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64') ? null : header),
  expected: () => 'neither',
  found: (header, passed) =>
    passed ? 'neither' : `crit ${show(own(header, 'crit'))}, b64 ${show(own(header, 'b64'))}`,
}

export const alg: Step<JsonObject, Algorithm> = {
  name: 'alg',
  reason: 'algorithm',
  read(header) {
    const name = own(header, 'alg')
    return isAlgorithm(name) ? name : null
  },
  expected: () => `one of ${ALGORITHMS.join(' ')}`,
  found: (header) => show(own(header, 'alg')),
}

export const payload: Step<Parts, JsonObject> = {
  name: 'payload',
  reason: 'malformed',
  read: (parts) => decodeObject(parts.payload),
  expected: () => 'a JSON object in UTF-8 without byte order mark (RFC 7519 §7.2)',
  found: (parts) => membersOf(decodeObject(parts.payload)),
}

/** The only claim that is read before the signature is verified: it says whose keys to verify with. */
const iss: Step<JsonObject, Issuer> = {
  name: 'iss',
  reason: 'issuer',
  read(claims, issuers) {
    const name = own(claims, 'iss')
    return (typeof name === 'string' && issuers.get(name)) || null
  },
  expected: () => 'a configured issuer, character for character (RFC 9068 §4)',
  found: (claims) => show(own(claims, 'iss')),
}

const typOfIssuer: Step<Heading, TokenType> = {
  name: 'typ of the issuer',
  reason: 'type',
  read: ({ typ, policy }) => (typ === 'at+jwt' || policy.profile === 'lenient' ? typ : null),
  expected: ({ policy }) => `${policy.profile === 'lenient' ? 'JWT, none, ' : ''}at+jwt or application/at+jwt`,
  found: ({ header }) => show(own(header, 'typ')),
}

const algOfIssuer: Step<Heading, Algorithm> = {
  name: 'alg of the issuer',
  reason: 'algorithm',
  read: ({ alg, policy }) => (policy.algorithms.includes(alg) ? alg : null),
  expected: ({ policy }) => `one of ${policy.algorithms.join(' ')}`,
  found: ({ alg }) => show(alg),
}

export const kid: Step<JsonObject, string | undefined> = {
  name: 'kid',
  reason: 'key',
  read(header) {
    const id = own(header, 'kid')
    return typeof id === 'string' || id === undefined ? id : null
  },
  expected: () => 'a string, or none (RFC 7515 §4.1.4)',
  found: (header) => show(own(header, 'kid')),
}

/**
 * Parses an access token, one check after the other in the fixed order. The first that fails is the reason of the
 * refusal, since what comes after it has nothing to stand on. It does not verify the signature and looks at no claim but
 * `iss`.
 *
 * @param report is told of each check that is made
 */
export function parseAccessToken(
  text: string,
  issuers: Issuers,
  report?: (check: CheckReport) => void,
): UnverifiedAccessToken | UnacceptableToken {
  function take<In, Out>(step: Step<In, Out>, input: In): Out | null {
    const part = step.read(input, issuers)
    if (report !== undefined) {
      const { name, reason } = step
      const passed = part !== null
      report({ name, reason, passed, expected: step.expected(input), found: step.found(input, passed) })
    }
    return part
  }

  const parts = take(shape, text)
  if (parts === null) return refused(shape)
  if (take(encoding, parts) === null) return refused(encoding)
  const header = take(headerText, parts)
  if (header === null) return refused(headerText)
  const type = take(typ, header)
  if (type === null) return refused(typ)
  if (take(extensions, header) === null) return refused(extensions)
  const algorithm = take(alg, header)
  if (algorithm === null) return refused(alg)
  const claims = take(payload, parts)
  if (claims === null) return refused(payload)
  const issuer = take(iss, claims)
  if (issuer === null) return refused(iss)
  const { policy } = issuer
  const heading: Heading = { header, typ: type, alg: algorithm, policy }
  if (take(typOfIssuer, heading) === null) return refused(typOfIssuer, issuer)
  if (take(algOfIssuer, heading) === null) return refused(algOfIssuer, issuer)
  const keyId = take(kid, header)
  if (keyId === null) return refused(kid, issuer)
  return { text, issuer, policy, header, alg: algorithm, kid: keyId, claims }
}

function refused({ reason }: { readonly reason: Reason }, issuer?: Issuer): UnacceptableToken {
  return { reason, issuer }
}

/**
 * The header of the token before, which most tokens share: decoding it again would be wasted. The text is a copy, since a
 * slice would keep the whole token in memory.
 */
let lastHeader: { readonly text?: string; readonly header: JsonObject } = { header: {} }

function isLastHeader(text: string): boolean {
  return text === lastHeader.text
}

function decodeHeader(text: string): JsonObject | null {
  if (isLastHeader(text)) return lastHeader.header
  const header = decodeObject(text)
  if (header !== null) lastHeader = { text: Buffer.from(text).toString(), header }
  return header
}

function typeOf(header: JsonObject): TokenType | undefined {
  const typ = own(header, 'typ')
  if (typ === undefined) return 'other'
  if (typeof typ !== 'string') return undefined
  if (/^(?:application\/)?at\+jwt$/i.test(typ)) return 'at+jwt'
  return /^jwt$/i.test(typ) ? 'other' : undefined
}

function hasLenientIssuer(issuers: Issuers): boolean {
  for (const { policy } of issuers.values()) if (policy.profile === 'lenient') return true
  return false
}
